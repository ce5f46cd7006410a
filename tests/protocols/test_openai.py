"""OpenAI's API: whose call it is, what it may cost, and how its clients are told no."""

import json
from typing import Any

import pytest

from proxy.call import Call, Effect, RequestHead
from proxy.protocols.models import Spoken
from proxy.protocols.openai import OpenAI
from proxy.protocols.openai_heard import ChatHeard, OpenAIHeard, ResponseHeard
from proxy.protocols.protocol import Rules
from proxy.refusal import Refusal
from proxy.reply import Reply
from tests.fakes import FakeBody
from tests.protocols.test_models import STRICT, asked, recognised

OPENAI = OpenAI()
CHAT = b"/v1/chat/completions"


def call_of(target: bytes, content: Any, rules: Rules = STRICT) -> Call:
    """A call that is recognised."""
    return recognised(OPENAI, target, content, rules=rules)


@pytest.mark.parametrize(
    "operation",
    ["chat/completions", "completions", "responses", "responses/compact", "responses/input_tokens",
     "embeddings", "moderations", "rerank", "images/generations", "images/edits",
     "images/variations", "audio/speech", "audio/transcriptions", "audio/translations"],
)  # fmt: skip
def test_its_operations_are_known_below_any_path(operation: str) -> None:
    """With a model each is a call of it."""
    for base in ("", "/v1", "/some/base/v1"):
        call = call_of(f"{base}/{operation}".encode(), {"model": "m"})
        assert (call.protocol, call.tool, call.usual_effect) == ("openai", "m", Effect.READ)
        assert call.spoken.operation == operation


@pytest.mark.parametrize(
    ("target", "members", "output"),
    [
        (CHAT, {}, -1),
        (CHAT, {"max_tokens": 50}, 50),
        (CHAT, {"max_completion_tokens": 50}, 50),
        (CHAT, {"max_tokens": 60, "max_completion_tokens": 50}, 60),
        (CHAT, {"max_tokens": 50, "n": 3}, 150),
        (CHAT, {"n": 3}, -3),
        (b"/v1/completions", {"n": 10**9, "prompt": ["a"] * 2_000}, -(10**12)),
        (b"/v1/completions", {"prompt": ["a", "b"], "best_of": 5}, -10),
        (b"/v1/embeddings", {"n": 3}, 0),
        (CHAT, {"max_tokens": None, "n": None}, -1),
        (CHAT, {"max_tokens": -5}, -1),
        (b"/v1/responses", {"max_output_tokens": 50}, 50),
        (b"/v1/completions", {"max_tokens": 16, "prompt": ["a", "b"], "n": 2}, 64),
        (b"/v1/completions", {"max_tokens": 16, "prompt": "a", "best_of": 5, "n": 2}, 80),
        (b"/v1/completions", {"max_tokens": 16, "prompt": ["a", "b"], "best_of": 5}, 160),
        (CHAT, {"max_tokens": 10**9, "n": 10**9}, 10**12),
        (b"/v1/embeddings", {"input": ["a", "b"]}, 0),
        (b"/v1/moderations", {"input": "a"}, 0),
        (b"/v1/responses/input_tokens", {"input": "a", "max_output_tokens": 50}, 0),
    ],
)
def test_an_answer_has_so_many_tokens_at_most(
    target: bytes, members: dict[str, Any], output: int
) -> None:
    """As far as the call says: of each of its answers."""
    assert call_of(target, {"model": "m", **members}).output == output


@pytest.mark.parametrize(
    ("members", "choices"),
    [({}, 1), ({"n": 3}, 3), ({"prompt": ["a", "b"], "n": 3}, 6), ({"n": "x"}, 1)],
)
def test_an_answer_has_so_many_choices(members: dict[str, Any], choices: int) -> None:
    """Each of them must end."""
    assert call_of(CHAT, {"model": "m", **members}).spoken.choices == choices


@pytest.mark.parametrize(
    ("target", "members", "injects"),
    [
        (CHAT, {"stream": True}, True),
        (b"/v1/completions", {"stream": True, "stream_options": None}, True),
        (CHAT, {"stream": True, "stream_options": {"include_usage": False}}, True),
        (CHAT, {"stream": True, "stream_options": {"include_usage": True}}, False),
        (CHAT, {"stream": True, "stream_options": 7}, True),
        (CHAT, {"stream": False}, False),
        (CHAT, {}, False),
        (b"/v1/responses", {"stream": True}, False),
    ],
)
def test_usage_is_asked_for_where_a_stream_would_not_tell_it(
    target: bytes, members: dict[str, Any], injects: bool
) -> None:
    """And where the upstream's settings say so."""
    content = {"model": "m", **members}
    call = call_of(target, content, Rules(inject_usage=True))
    assert call.stream is (members.get("stream") is True)
    assert call.spoken.injects is injects
    assert not call_of(target, content).spoken.injects


def test_a_deployment_is_the_model() -> None:
    """Azure goes by the path, whatever stands in the body."""
    target = b"/openai/deployments/my-gpt/chat/completions?api-version=2024-10-21"
    for content in (b'{"messages":[]}', b'{"model":"other"}'):
        call = call_of(target, content)
        assert (call.tool, call.model, call.tool_in_path) == ("my-gpt", "my-gpt", True)
    assert OPENAI.knows(RequestHead("POST", target, 1, [], {}), None)
    # With a base path of the upstream's own it is the same.
    call = call_of(b"/chat/completions", {}, Rules(base=b"/openai/deployments/my-gpt"))
    assert call.tool == "my-gpt"


def test_a_deployment_has_one_name() -> None:
    """No second reading of the path."""
    _, refusal = asked(OPENAI, b"/openai/deployments/a%2Fb/chat/completions", {"model": "m"})
    assert refusal is not None
    assert refusal.code == "ambiguous_call"


@pytest.mark.parametrize(
    ("operation", "kind"),
    [("chat/completions", ChatHeard), ("completions", ChatHeard), ("responses", ResponseHeard),
     ("embeddings", OpenAIHeard), ("images/generations", OpenAIHeard)],
)  # fmt: skip
def test_good_answers_are_listened_to(operation: str, kind: type) -> None:
    """Each by who understands it. Of others the status says all."""
    call = call_of(f"/v1/{operation}".encode(), {"model": "m"})
    heard = OPENAI.hears(call, Reply(200))
    assert heard is not None
    assert type(heard) is kind
    assert (heard.sifts, heard.decides) == (False, True)
    assert OPENAI.hears(call, Reply(429)) is None
    assert OPENAI.hears(call, Reply(302)) is None


@pytest.mark.parametrize(
    ("target", "background", "lasts"),
    [
        (b"/v1/responses", True, True),
        (b"/v1/responses", False, False),
        (b"/v1/responses", None, False),
        (CHAT, True, False),  # it knows nothing of it
    ],
)
def test_what_goes_on_in_the_background_lasts(
    target: bytes, background: object, lasts: bool
) -> None:
    """Its agent may leave, and fetch it later."""
    assert call_of(target, {"model": "m", "background": background}).lasts is lasts


def test_a_stream_is_sifted_where_we_asked_for_more() -> None:
    """Each time that it is sent the same is asked."""
    call = call_of(CHAT, b'{"model":"m","stream":true,"n":2}', Rules(inject_usage=True))
    for _ in range(2):
        assert OPENAI.amends(call, call.content or b"") == (
            b'{"stream_options":{"include_usage":true},"model":"m","stream":true,"n":2}'
        )
    heard = OPENAI.hears(call, Reply(200))
    assert heard is not None
    assert heard.sifts
    heard.event(b"", b'{"choices":[{"index":0,"finish_reason":"stop"}]}')
    assert not heard.ended


@pytest.mark.parametrize("injects", [True, False])
def test_a_stream_that_was_not_asked_more_is_not_sifted(injects: bool) -> None:
    """Nobody wants it, or the body is none that can be changed."""
    call = call_of(CHAT, {"model": "m", "stream": True}, Rules(inject_usage=injects))
    content = b'{"stream_options":7}' if injects else b"{}"
    assert OPENAI.amends(call, content) is None
    heard = OPENAI.hears(call, Reply(200))
    assert heard is not None
    assert not heard.sifts


def call_as(operation: str) -> Call:
    """One that is refused; perhaps nobody knows yet what it is."""
    head = RequestHead("POST", CHAT, 1, [], {b"accept": b"text/markdown"})
    return Call("call-1", head, FakeBody(), 0.0, spoken=Spoken(operation) if operation else None)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("budget_exceeded", "insufficient_quota"),
        ("rate_limited", "rate_limit_error"),
        ("denied", "permission_error"),
        ("ambiguous_call", "invalid_request_error"),
        ("upstream_timeout", "timeout"),
        ("circuit_open", "server_error"),
        ("overloaded", "server_error"),
    ],
)
def test_a_refusal_is_an_error_of_its_kind(code: str, kind: str) -> None:
    """With the members of the problem in it and beside it, and what tells an SDK what to do."""
    refusal = Refusal(code, "It is so", policy="p", retry_after=7.0)
    reply = OPENAI.refuse(refusal, call_as(""), 2)
    assert reply.body is not None
    told = json.loads(reply.body.whole or b"")
    problem = told["error"].pop("problem")
    assert told == {"error": told["error"], **problem}
    assert told["error"] == {
        "message": told["message_for_model"], "type": kind, "code": code, "param": None,
    }  # fmt: skip
    assert told["error"]["message"].startswith("It is so.")
    assert (told["status"], told["instance"], told["attempts"]) == (refusal.status, "call-1", 2)
    lines = reply.lines.split(b"\r\n")
    assert b"content-type: application/json" in lines
    assert b"x-request-id: call-1" in lines
    assert any(line.startswith(b"x-should-retry: ") for line in lines)
    assert reply.status == refusal.status
    assert reply.refusal is refusal


def test_a_stream_is_broken_off_by_an_error() -> None:
    """Never by its usual end."""
    refusal = Refusal("budget_exceeded", "It is spent")
    said = OPENAI.breaks_off(refusal, call_as("chat/completions"), 1)
    assert said.startswith(b'data: {"error":{')
    assert said.endswith(b"}\n\n")
    assert said.count(b"\n") == 2
    told = json.loads(said.removeprefix(b"data: "))
    assert (told["error"]["code"], told["code"]) == ("budget_exceeded", "budget_exceeded")
    heard = ChatHeard(1, sifts=False)
    heard.event(b"", said[6:])
    assert heard.told is not None


def test_a_stream_of_responses_is_broken_off_by_an_event() -> None:
    """Of its type; who looks for an error finds that too."""
    said = OPENAI.breaks_off(Refusal("killed", "Stop"), call_as("responses"), 1)
    start, data = said.split(b"\n", 1)
    assert start == b"event: error"
    told = json.loads(data.removeprefix(b"data: "))
    assert (told["type"], told["code"], told["param"]) == ("error", "killed", None)
    assert told["message"] == told["error"]["message"]
    assert told["instance"] == "call-1"
