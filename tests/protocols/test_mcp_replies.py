"""How agents that speak MCP are told no: in their own words, whatever it is about."""

import json
from typing import Any

import pytest

from proxy.call import Call, RequestHead
from proxy.protocols.jsonrpc import read
from proxy.protocols.mcp_asked import asked
from proxy.protocols.mcp_replies import HEADER_MISMATCH, Spoken, broken_off, refused
from proxy.protocols.protocol import Rules
from proxy.refusal import Refusal
from proxy.reply import Reply
from tests.fakes import FakeBody

DENIED = Refusal("denied", "not on a Sunday", policy="sundays")
LIMITED = Refusal("rate_limited", "too many", policy="calm", retry_after=2.0)
CALL = b'{"jsonrpc":"2.0","id":"a\\u0062","method":"tools/call","params":{"name":"look"}}'
READ = b'{"jsonrpc":"2.0","id":2,"method":"resources/read","params":{"uri":"x"}}'
NOTE = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
BOTH = b"application/json, text/event-stream"


def said(content: bytes, accept: bytes = BOTH, **more: Any) -> Call:
    """A call that asks for this."""
    document = read(content)
    assert document is not None
    rules = more.pop("rules", Rules())
    wanted = tuple(asked(message, {}) for message in document.messages)
    head = RequestHead("POST", b"/", 1, [], {b"accept": accept})
    spoken = Spoken(rules, wanted, document.batch, ids=document.ids, **more)
    return Call(id="c1", head=head, body=FakeBody(content), started=0.0, spoken=spoken)


def body(reply: Reply) -> Any:
    """What an answer says, as JSON."""
    assert reply.body is not None
    assert b"content-type: application/json\r\n" in reply.lines
    return json.loads(reply.body.whole or b"")


def test_a_tool_that_is_refused_has_a_result_that_its_model_reads():
    """With the id as it came, the problem beside it, and a status that old SDKs look into."""
    reply = refused(DENIED, said(CALL), 0)
    assert reply.status == 200
    assert reply.lines.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reply.body is not None
    assert b'"id":"a\\u0062"' in (reply.body.whole or b"")
    result = body(reply)["result"]
    assert result["isError"] is True
    assert result["content"] == [{"type": "text", "text": DENIED.message_for_model()}]
    assert result["_meta"]["holdfast.dev/problem"]["code"] == "denied"
    assert "resultType" not in result
    assert reply.refusal is DENIED


def test_in_the_era_without_sessions_results_say_their_type():
    """They must."""
    assert (
        body(refused(DENIED, said(CALL, stateless=True), 0))["result"]["resultType"] == "complete"
    )


def test_clients_may_be_told_by_an_error_instead():
    """Where the upstream says so."""
    call = said(CALL, rules=Rules(mcp_refusals="protocol_error"))
    error = body(refused(LIMITED, call, 0))["error"]
    assert error["code"] == 7020
    assert error["data"]["origin"] == "holdfast"
    assert error["data"]["retry_after"] == 2.0
    assert error["message"] == LIMITED.message_for_model()


def test_what_is_no_tools_call_has_an_error():
    """Whatever the upstream says, with the advice for SDKs in its head."""
    reply = refused(LIMITED, said(READ), 0)
    assert (reply.status, body(reply)["error"]["code"]) == (200, 7020)
    assert b"retry-after: 2\r\n" in reply.lines


def test_nobody_waits_for_the_answer_to_a_notification():
    """So its status must say it."""
    reply = refused(DENIED, said(NOTE), 0)
    assert (reply.status, body(reply)["id"]) == (403, None)


def test_each_request_of_a_batch_has_its_answer():
    """One for each id, and none for what waits for nothing."""
    answers = body(refused(DENIED, said(b"[%b,%b,%b]" % (CALL, NOTE, READ)), 0))
    assert [answer["id"] for answer in answers] == ["ab", 2]
    assert answers[0]["result"]["isError"]
    assert answers[1]["error"]["code"] == 7002


def test_what_could_not_be_read_keeps_its_status():
    """And the ids that it has."""
    call = said(CALL)
    call.spoken = Spoken(Rules(), ids=(b"5",))
    reply = refused(Refusal("ambiguous_call", "two names"), call, 0)
    assert (reply.status, body(reply)["id"], body(reply)["error"]["code"]) == (400, 5, 7061)
    call.spoken = None
    reply = refused(Refusal("body_too_large", "too large"), call, 0)
    assert (reply.status, body(reply)["id"]) == (413, None)
    call.spoken = Spoken(Rules(), batch=True, ids=(b"5", b"6"))
    reply = refused(Refusal("ambiguous_call", "two names"), call, 0)
    assert [answer["id"] for answer in body(reply)] == [5, 6]


def test_a_header_that_denies_the_body_has_the_code_of_the_protocol():
    """And the status that it asks for."""
    call = said(CALL)
    call.spoken = Spoken(Rules(), ids=(b"5",), mismatch=True)
    reply = refused(Refusal("ambiguous_call", "two names"), call, 0)
    assert (reply.status, body(reply)["error"]["code"]) == (400, HEADER_MISMATCH)


@pytest.mark.parametrize(
    ("accept", "events"),
    [(b"text/event-stream", True), (b"text/event-stream, */*", False), (b"", False)],
)
def test_who_accepts_only_events_gets_one(accept, events):
    """Others a JSON document."""
    reply = refused(DENIED, said(CALL, accept), 0)
    assert (b"content-type: text/event-stream\r\n" in reply.lines) is events
    assert reply.body is not None
    assert (reply.body.whole or b"").startswith(b"event: message\ndata: {") is events


def test_a_stream_that_breaks_off_ends_with_the_response():
    """Where somebody waits for one."""
    last = broken_off(DENIED, said(CALL), 1)
    assert last.startswith(b'event: message\ndata: {"jsonrpc":"2.0","id":"a\\u0062","result":')
    assert last.endswith(b"}\n\n")
    assert broken_off(DENIED, said(NOTE), 1) == b""
