"""proxy/pipeline/asked.py."""

from typing import Any

import msgspec
import pytest

from proxy.call import Effect
from proxy.pipeline.asked import Asked, Unaskable, from_query, to_query
from proxy.protocols.identity import Identity
from tests.tables import GATEWAY, Desk

BOTH = """
upstreams:
  gateway: {url: 'http://h', protocol: tools}
  web: {url: 'http://h', protocol: http, path: /web}
"""


def called(mounts: str = GATEWAY, **said: Any) -> Any:
    """The call as it is recognised, and why it is not."""
    asked = Asked(**said)
    mount = asked.mount(Desk(mounts=mounts).table)
    return asked.call(mount, Identity("ann", "crew"), 5.0)


def test_a_tool_and_its_input() -> None:
    """As an agent would send them: the envelope, with its length and type."""
    call, unread = called(tool="deposit", input={"amount": 5, "workflow_id": "w1"})

    assert unread is None
    assert (call.protocol, call.layer, call.tool) == ("tools", "tool", "deposit")
    assert (call.upstream, call.agent, call.fleet, call.started) == ("gateway", "ann", "crew", 5.0)
    assert msgspec.json.decode(call.body.whole)["input"]["amount"] == 5
    assert call.workflow == "w1"  # the tool's input names it, as it does for a real call
    assert call.head.length == len(call.body.whole)
    assert (call.head.method, call.path) == ("POST", "/")


def test_a_path_names_the_tool_too() -> None:
    """With its input as the whole body."""
    call, _ = called(path="/v1/get_balance", input={})

    assert (call.tool, call.path) == ("get_balance", "/v1/get_balance")


def test_an_agent_is_asked_by_an_operation() -> None:
    """As JSON-RPC."""
    peer = "upstreams:\n  peer: {url: 'http://h', protocol: a2a}\n"
    call, unread = called(peer, method="message/send", input={"message": {"contextId": "c"}})

    assert unread is None
    assert (call.tool, call.method, call.head.method) == ("peer", "SendMessage", "POST")
    assert call.workflow == "c"


def test_what_is_said_beats_what_is_usual() -> None:
    """Agent, workflow, model; the rest is as the settings say."""
    call, _ = called(tool="x", agent="bob", workflow="w", model="m")

    assert (call.agent, call.workflow, call.model, call.task) == ("bob", "w", "m", "w")


def test_a_stream_is_asked_for_by_its_input_or_beside_it() -> None:
    """Of a model."""
    models = "upstreams:\n  models: {url: 'http://h', protocol: openai}\n"

    assert not called(models, tool="m")[0].stream
    assert called(models, tool="m", stream=True)[0].stream
    assert called(models, tool="m", input={"stream": True})[0].stream


def test_headers_are_read_as_those_of_a_call() -> None:
    """They name a workflow, or how long the client waits."""
    call, _ = called(tool="x", headers={"X-Workflow-Id": "w", "Accept": "a/b"})

    assert (call.workflow, call.head.signs) == ("w", True)
    assert call.head.fields[b"accept"] == b"a/b"
    assert not called(tool="x")[0].head.signs


@pytest.mark.parametrize(
    ("said", "tool", "effect", "body"),
    [
        ({"method": "GET", "path": "/orders/7?x=1"}, "GET /orders/{id}", Effect.READ, b""),
        ({"tool": "GET /orders/7"}, "GET /orders/{id}", Effect.READ, b""),
        ({"tool": "PUT /a", "input": [1]}, "PUT /a", Effect.IDEMPOTENT, b"[1]"),
        ({"path": "/a", "input": {}}, "POST /a", Effect.WRITE, b"{}"),
        ({"path": "/bücher/7"}, "GET /b%C3%BCcher/{id}", Effect.READ, b""),
        ({}, "GET /", Effect.READ, b""),
    ],
)
def test_plain_http(said: dict[str, Any], tool: str, effect: Effect, body: bytes) -> None:
    """Its tool is its method and path, its input the body."""
    call, unread = called(BOTH, upstream="web", **said)

    assert unread is None
    assert (call.tool, call.usual_effect, call.body.whole) == (tool, effect, body)


def test_plain_http_through_an_upstream_of_tools() -> None:
    """Whatever is no call of a tool."""
    assert called(tool="GET /health")[0].tool == "GET /health"
    assert called(method="DELETE", path="/a")[0].tool == "DELETE /a"


def test_what_could_be_read_in_two_ways_is_refused_as_it_would_be() -> None:
    """The path names one tool and the body another."""
    _, unread = called(tool="deposit", path="/v1/get_balance")

    assert unread is not None
    assert unread.code == "ambiguous_call"


@pytest.mark.parametrize(
    ("mounts", "said", "why"),
    [
        (BOTH, {"tool": "x"}, "upstream: must be one of the policies' upstreams: gateway, web"),
        (BOTH, {"upstream": "wbe"}, "upstream: must be one of"),
        ("policies: []", {}, "upstream: the policies have none"),
        (GATEWAY, {"method": "get"}, "method: must be written in capitals"),
        (GATEWAY, {"path": "a"}, "path: must begin with /"),
        (BOTH, {"upstream": "web", "tool": "x"}, "tool: a tool of plain HTTP is a method and a"),
        (GATEWAY, {"headers": {"a b": "c"}}, "headers: must be names of headers"),
        (GATEWAY, {"headers": {"a": "b\r\nc: d"}}, "headers: must be names of headers"),
    ],
)
def test_what_no_agent_can_send(mounts: str, said: dict[str, Any], why: str) -> None:
    """It is told which part, and what is allowed."""
    with pytest.raises(Unaskable, match=why):
        called(mounts, **said)


def test_an_upstream_may_be_named_where_there_is_one() -> None:
    """Or left out."""
    assert called(upstream="gateway", tool="x")[0].upstream == "gateway"


@pytest.mark.parametrize(
    "asked",
    [
        Asked(),
        Asked(tool="x", agent="ünï", method="GET", path="/a?b=c&d"),
        Asked(stream=True),
        Asked(headers={"a": "b"}, input={"deep": [1, None, "x"]}),
    ],
)
def test_a_question_goes_through_a_url(asked: Asked) -> None:
    """And comes out as it went in."""
    assert from_query(to_query(asked)) == asked


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"tol": "x"}, "tol: is no part of a call; known are upstream, tool"),
        ({"input": "{"}, "input: is not JSON"),
        ({"input": "[" * 20_000}, "input: is nested too deep"),
        ({"headers": '{"a": 1}'}, "headers: is not JSON"),
        ({"stream": "yes"}, "stream: is not JSON"),
    ],
)
def test_a_url_that_asks_something_else(given: dict[str, str], why: str) -> None:
    """It is told what is wrong with it."""
    with pytest.raises(Unaskable, match=why):
        from_query(given)
