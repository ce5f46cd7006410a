"""What spans are called: the conventions of HTTP, GenAI, MCP and A2A."""

from typing import Any

import pytest

from proxy.observe.traces.finished import NOWHERE
from proxy.observe.traces.names import (
    Kind,
    Named,
    events_of,
    of_call,
    of_request,
    of_sending,
    operation_of,
)
from proxy.protocols.protocol import Described
from tests.observe.records import record
from tests.observe.traces.traced import finished, sent

SERVER = {"server.address": "up.test", "server.port": 8443}


def named(protocol: str, operation: str = "", tool: str = "look", **facts: Any) -> Named:
    """The span of a call of this protocol."""
    said = Described(operation, facts.pop("version", ""), facts.pop("request", ""))
    made = record(tool, protocol=protocol, **facts)
    return of_call(finished(said=said, record=made))


def conventional(found: Named) -> dict[str, Any]:
    """Its attributes, but for those that are ours."""
    return {name: value for name, value in found.attributes.items() if "holdfast" not in name}


def test_a_chat() -> None:
    """`{gen_ai.operation.name} {gen_ai.request.model}`; tokens as records count them."""
    tokens = {"input": 10, "output": 5, "cache_read": 3, "cache_write": 2, "reasoning": 1}
    for vendor, operation in (("openai", "chat/completions"), ("anthropic", "messages")):
        found = named(vendor, operation, model="m-1", layer="llm", tokens=tokens)
        assert (found.name, found.kind, found.error) == ("chat m-1", Kind.CLIENT, "")
        assert conventional(found) == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": vendor,
            "gen_ai.request.model": "m-1",
            "gen_ai.agent.name": "pricing-01",
            "gen_ai.usage.input_tokens": 10,
            "gen_ai.usage.output_tokens": 5,
            "gen_ai.usage.cache_read.input_tokens": 3,
            "gen_ai.usage.cache_creation.input_tokens": 2,
            "gen_ai.usage.reasoning.output_tokens": 1,
            **SERVER,
        }


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        ("responses", "chat"),
        ("completions", "text_completion"),
        ("complete", "text_completion"),
        ("embeddings", "embeddings"),
        ("images/generations", "images/generations"),
        ("", "generate_content"),
    ],
)
def test_other_operations_of_models(operation: str, word: str) -> None:
    """By GenAI's name where it has one, else by that of the API; without a model by it alone."""
    assert operation_of(operation) == word
    found = named("openai", operation, model="", layer="llm", agent="")
    assert (found.name, found.attributes["gen_ai.operation.name"]) == (word, word)
    assert not {"gen_ai.request.model", "gen_ai.agent.name"} & found.attributes.keys()


def test_a_stream_that_was_asked_for() -> None:
    """Only there is it told."""
    made = record(protocol="openai", model="m", layer="llm")
    for stream in (True, False):
        attributes = of_call(finished(record=made, stream=stream)).attributes
        assert attributes.get("gen_ai.request.stream", False) is stream


def test_a_tool_of_the_gateway() -> None:
    """`execute_tool {gen_ai.tool.name}`, INTERNAL."""
    found = named("tools")
    assert (found.name, found.kind) == ("execute_tool look", Kind.INTERNAL)
    assert conventional(found) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.agent.name": "pricing-01",
    }


def test_a_tool_of_mcp() -> None:
    """`{mcp.method.name} {gen_ai.tool.name}`, CLIENT; like a tool of GenAI."""
    found = named("mcp", "tools/call", version="2025-11-25", request="7")
    assert (found.name, found.kind) == ("tools/call look", Kind.CLIENT)
    assert conventional(found) == {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2025-11-25",
        "jsonrpc.request.id": "7",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "look",
        "gen_ai.agent.name": "pricing-01",
        "network.protocol.name": "http",
        "network.transport": "tcp",
        **SERVER,
    }


def test_what_else_mcp_asks_for() -> None:
    """By its method alone; a stream of its session has none."""
    found = named("mcp", "resources/read", tool="file:///etc/passwd")
    assert (found.name, "gen_ai.tool.name" in found.attributes) == ("resources/read", False)
    assert "/etc/passwd" not in repr(found)
    assert named("mcp").name == "mcp"


def test_an_agent() -> None:
    """`{a2a.method.name}`, CLIENT."""
    found = named("a2a", "SendMessage", layer="agent")
    assert (found.name, found.kind) == ("SendMessage", Kind.CLIENT)
    assert conventional(found) == {
        "a2a.method.name": "SendMessage",
        "gen_ai.agent.name": "pricing-01",
        **SERVER,
    }


def test_plain_http() -> None:
    """There is no convention for it: no path is in its name."""
    found = named("http", tool="GET /orders/{id}", layer="http")
    assert (found.name, found.kind) == ("call gateway", Kind.INTERNAL)
    nobody = named("http", upstream="", outcome="refused", code="no_route")
    assert (nobody.name, nobody.error) == ("call", "no_route")


def test_what_became_of_a_call() -> None:
    """What stands in its record, as far as it says something."""
    found = named("http", workflow="w", task="t", fleet="f", caller="c", agent="")
    assert found.attributes == {
        "holdfast.call": "c-1",
        "holdfast.upstream": "gateway",
        "holdfast.decision": "allow",
        "holdfast.outcome": "ok",
        "holdfast.executed": "yes",
        "holdfast.policy_version": "ab12cd",
        "holdfast.workflow": "w",
        "holdfast.task": "t",
        "holdfast.fleet": "f",
        "holdfast.caller": "c",
    }


@pytest.mark.parametrize(
    ("outcome", "code", "error"),
    [
        ("ok", "", ""),
        ("fallback", "circuit_open", ""),
        ("stale", "failure", ""),
        ("failed", "tool_error", "tool_error"),
        ("refused", "denied", "denied"),
        ("cancelled", "agent_gone", "agent_gone"),
        ("unknown", "", "unknown"),
    ],
)
def test_how_a_call_failed(outcome: str, code: str, error: str) -> None:
    """By our own stable code; what stood in for an answer is no failure."""
    found = named("tools", outcome=outcome, code=code)
    assert (found.error, found.attributes.get("error.type", "")) == (error, error)


def test_a_request() -> None:
    """SERVER, by its method and where its upstream is mounted."""
    found = of_request(finished())
    assert (found.name, found.kind, found.error) == ("POST /llm", Kind.SERVER, "")
    assert found.attributes == {
        "http.request.method": "POST",
        "http.route": "/llm",
        "http.response.status_code": 200,
        "url.path": "/llm/v1/x",
        "url.scheme": "http",
        "network.protocol.version": "1.1",
    }
    unknown = of_request(finished(where=NOWHERE, path="", method="BREW"))
    assert (unknown.name, unknown.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert unknown.attributes["http.request.method_original"] == "BREW"


@pytest.mark.parametrize(
    ("status", "outcome", "code", "error"),
    [
        (404, "failed", "caller_error", ""),
        (403, "refused", "denied", ""),
        (503, "refused", "circuit_open", "circuit_open"),
        (500, "failed", "", "500"),
        (200, "truncated", "truncated", "truncated"),
        (0, "cancelled", "agent_gone", ""),
    ],
)
def test_how_a_request_failed(status: int, outcome: str, code: str, error: str) -> None:
    """From 500 on, or broken off; of less its agent is to blame (HTTP conventions, status)."""
    found = of_request(finished(record=record(status=status, outcome=outcome, code=code)))
    assert (found.error, found.attributes.get("error.type", "")) == (error, error)


def test_a_sending() -> None:
    """CLIENT, by its method; where to, without what stands in queries."""
    found = of_sending(finished(), sent())
    assert (found.name, found.kind, found.error) == ("POST", Kind.CLIENT, "")
    assert found.attributes == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "url.full": "https://up.test:8443/base/v1/x",
        "network.protocol.version": "1.1",
        "holdfast.upstream": "gateway",
        **SERVER,
    }


def test_a_sending_that_was_not_the_first() -> None:
    """Resent so often, for whatever reason; a hedge says that it is one."""
    found = of_sending(finished(), sent(again=2, hedge=True, status=503, error="503"))
    assert (found.attributes["http.request.resend_count"], found.error) == (2, "503")
    assert (found.attributes["holdfast.hedge"], found.attributes["error.type"]) == (True, "503")
    nowhere = of_sending(finished(), sent(status=0, error="connect", where=NOWHERE))
    assert not {"http.response.status_code", "url.full", "server.address"} & set(nowhere.attributes)


@pytest.mark.parametrize(
    ("facts", "events"),
    [
        ({}, []),
        (
            {"decision": "refuse", "code": "denied", "policy": "p"},
            [("holdfast.refused", {"holdfast.code": "denied", "holdfast.policy": "p"})],
        ),
        (
            {"decision": "shadow", "policy": "p"},
            [("holdfast.would_refuse", {"holdfast.policy": "p"})],
        ),
        (
            {"approval": "r-1", "held_us": 7, "queue_us": 3},
            [
                ("holdfast.approval", {"holdfast.approval": "r-1", "holdfast.held_us": 7}),
                ("holdfast.queued", {"holdfast.queue_us": 3}),
            ],
        ),
        ({"tier": 2}, [("holdfast.cached", {})]),
        (
            {"tier": 1, "served_by": "spare"},
            [("holdfast.fallback", {"holdfast.tier": 1, "holdfast.served_by": "spare"})],
        ),
        (
            {"cost_micros": 5, "cost_estimated": True},
            [("holdfast.cost", {"holdfast.cost_micros": 5, "holdfast.cost_estimated": True})],
        ),
    ],
)
def test_what_happened_on_the_way(facts: dict[str, Any], events: list[Any]) -> None:
    """Events of the call's span."""
    assert events_of(record(**facts)) == events
