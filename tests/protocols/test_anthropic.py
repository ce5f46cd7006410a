"""Anthropic's API: whose call it is, what it may cost, and how its clients are told no."""

import json
from typing import Any

import pytest

from proxy.call import Effect, RequestHead
from proxy.protocols.anthropic import Anthropic
from proxy.protocols.anthropic_heard import AnthropicHeard, CountHeard
from proxy.protocols.protocol import Rules
from proxy.refusal import KINDS, Refusal
from proxy.reply import Reply
from tests.fakes import make_call
from tests.protocols.test_models import recognised

ANTHROPIC = Anthropic()
MESSAGES = b"/v1/messages"


@pytest.mark.parametrize(
    ("operation", "effect"),
    [
        ("messages", Effect.READ),
        ("messages/count_tokens", Effect.READ),
        ("complete", Effect.READ),
        ("messages/batches", Effect.WRITE),
    ],
)
def test_its_operations_are_known_below_any_path(operation: str, effect: Effect) -> None:
    """A batch leaves something behind."""
    for base in ("", "/v1", "/some/base/v1"):
        call = recognised(ANTHROPIC, f"{base}/{operation}?beta=true".encode(), {"model": "m"})
        assert (call.protocol, call.tool, call.usual_effect) == ("anthropic", "m", effect)


def test_a_batch_is_a_call_of_its_operation() -> None:
    """Each of its messages may be for another model."""
    content = {"requests": [{"custom_id": "1", "params": {"model": "m", "max_tokens": 5}}]}
    call = recognised(ANTHROPIC, b"/v1/messages/batches", content)
    assert (call.tool, call.model, call.usual_effect) == ("messages/batches", "", Effect.WRITE)


@pytest.mark.parametrize(
    ("target", "members", "output"),
    [
        (MESSAGES, {"max_tokens": 1024}, 1024),
        (MESSAGES, {}, -1),
        (b"/v1/complete", {"max_tokens_to_sample": 300}, 300),
        (b"/v1/messages/count_tokens", {}, 0),
    ],
)
def test_an_answer_has_so_many_tokens_at_most(
    target: bytes, members: dict[str, Any], output: int
) -> None:
    """As far as the call says. To count costs none."""
    assert recognised(ANTHROPIC, target, {"model": "m", **members}).output == output


def test_a_stream_says_what_it_uses_by_itself() -> None:
    """Nothing is put into its body."""
    content = {"model": "m", "stream": True}
    call = recognised(ANTHROPIC, MESSAGES, content, rules=Rules(inject_usage=True))
    assert call.stream
    assert not call.spoken.injects


def test_its_clients_say_that_they_are() -> None:
    """Then the body need not name a model."""
    fields = {b"anthropic-version": b"2023-06-01"}
    assert ANTHROPIC.knows(RequestHead("POST", MESSAGES, 1, [], fields), b"{}")
    assert not ANTHROPIC.knows(RequestHead("GET", MESSAGES, 1, [], fields), b"{}")
    assert not ANTHROPIC.knows(RequestHead("POST", b"/v1/x", 1, [], fields), b'{"model":"m"}')
    assert ANTHROPIC.knows(RequestHead("POST", b"/v1/messages/batches", 1, [], {}), b"{}")
    # A session of MCP's older transport, and a message in one of OpenAI's threads.
    assert not ANTHROPIC.knows(RequestHead("POST", b"/messages/?session_id=1", 1, [], {}), b"{}")
    assert not ANTHROPIC.knows(
        RequestHead("POST", b"/v1/threads/t/messages", 1, [], {}), b'{"role":"user"}'
    )


@pytest.mark.parametrize(
    ("operation", "kind"), [("messages", AnthropicHeard), ("messages/count_tokens", CountHeard)]
)
def test_good_answers_are_listened_to(operation: str, kind: type) -> None:
    """Each by who understands it. Of others the status says all."""
    call = recognised(ANTHROPIC, f"/v1/{operation}".encode(), {"model": "m"})
    assert type(ANTHROPIC.hears(call, Reply(200))) is kind
    assert ANTHROPIC.hears(call, Reply(529)) is None


def test_what_nobody_understands_is_not_listened_to() -> None:
    """A batch has not been answered yet."""
    for operation in (b"complete", b"messages/batches"):
        call = recognised(ANTHROPIC, b"/v1/" + operation, {"model": "m"})
        assert ANTHROPIC.hears(call, Reply(200)) is None


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("budget_exceeded", "billing_error"),
        ("rate_limited", "rate_limit_error"),
        ("denied", "permission_error"),
        ("loop_detected", "permission_error"),
        ("deadlock", "permission_error"),
        ("circuit_open", "overloaded_error"),
        ("overloaded", "overloaded_error"),
        ("upstream_timeout", "timeout_error"),
        ("upstream_disconnected", "api_error"),
        ("ambiguous_call", "invalid_request_error"),
        ("body_too_large", "request_too_large"),
        ("no_route", "not_found_error"),
    ],
)
def test_a_refusal_is_an_error_of_its_kind(code: str, kind: str) -> None:
    """With the problem in it."""
    refusal = Refusal(code, "It is so")
    reply = ANTHROPIC.refuse(refusal, make_call(), 2)
    assert reply.body is not None
    told = json.loads(reply.body.whole or b"")
    problem = refusal.problem(make_call().id, 2)
    assert told == {
        "type": "error",
        "error": {"type": kind, "message": problem["message_for_model"], "problem": problem},
        "request_id": make_call().id,
    }
    assert reply.status == KINDS[code].status
    assert b"\r\nrequest-id: " in reply.lines


def test_a_stream_is_broken_off_by_an_error() -> None:
    """An event of that type; without it clients drop it."""
    said = ANTHROPIC.breaks_off(Refusal("budget_exceeded", "It is spent"), make_call(), 1)
    start, data, *rest = said.split(b"\n")
    assert (start, rest) == (b"event: error", [b"", b""])
    heard = AnthropicHeard()
    heard.event(b"error", data.removeprefix(b"data: "))
    assert heard.told is not None
    assert heard.told.status == 402
