"""How agents that speak MCP are told no, so that the model reads why (spec 2.5), and what a policy
says instead of their server.

A tool that is refused has a result like one that failed, for its model reads results, and clients
keep errors of the protocol to themselves. Whoever wants these (`mcp_refusals: protocol_error`), and
whatever is no tool's call, has a JSON-RPC error.
"""

from typing import Any

import msgspec

from proxy.call import Call
from proxy.protocols import jsonrpc
from proxy.protocols.codes import CODES, OTHER
from proxy.protocols.http import answer
from proxy.protocols.made import Made, of_kind
from proxy.protocols.mcp_asked import Asked
from proxy.protocols.protocol import Rules
from proxy.protocols.sse import event
from proxy.refusal import Refusal
from proxy.reply import Reply

HEADER_MISMATCH = -32020
"""Of MCP 2026-07-28: a header says something else than the body."""
PROBLEM = "holdfast.dev/problem"
"""Where the problem is in a result's `_meta`."""

_JSON, _EVENTS = b"application/json", b"text/event-stream"
_ANYTHING = (b"application/json", b"application/*", b"*/*")


class Spoken(msgspec.Struct, frozen=True):
    """What a body asks for, and how its answer must look. It is what `Call.spoken` is for MCP."""

    rules: Rules
    asked: tuple[Asked, ...] = ()
    batch: bool = False
    stateless: bool = False  # of the era without sessions
    mismatch: bool = False  # a header says something else than the body
    ids: tuple[bytes, ...] = ()  # for which somebody waits


def refused(refusal: Refusal, call: Call, attempts: int) -> Reply:
    """The answer to what must not go, or failed: one for each id of a batch."""
    spoken = _spoken(call)
    content = _content(spoken, refusal, refusal.problem(call.id, attempts))
    # 200, since older SDKs look into no other. But to a notification that would mean that it was
    # taken, and what could not be read has no right to it.
    status = 200 if spoken.ids and spoken.asked else 0
    if status and _takes_events_alone(call):
        return answer(refusal, _EVENTS, event(b"message", content), status)
    return answer(refusal, _JSON, content, status)


def resulting(spoken: Spoken, call: Call, result: dict[str, Any]) -> Made:
    """The answer to a request that comes alone, with this result."""
    said = {"resultType": "complete", **result} if spoken.stateless else result
    content = jsonrpc.result(spoken.ids[0], said)
    if _takes_events_alone(call):
        return of_kind(200, _EVENTS, event(b"message", content))
    return of_kind(200, _JSON, content)


def _takes_events_alone(call: Call) -> bool:
    accept = call.head.fields.get(b"accept", b"").lower()
    return _EVENTS in accept and not any(kind in accept for kind in _ANYTHING)


def broken_off(refusal: Refusal, call: Call, attempts: int) -> bytes:
    """The response by which a stream of events ends early; empty where nobody waits for one."""
    spoken = _spoken(call)
    if not spoken.ids:
        return b""
    return event(b"message", _content(spoken, refusal, refusal.problem(call.id, attempts)))


def _spoken(call: Call) -> Spoken:
    spoken = call.spoken
    return spoken if type(spoken) is Spoken else Spoken(Rules())


def _content(spoken: Spoken, refusal: Refusal, problem: dict[str, Any]) -> bytes:
    waiting = [asked for asked in spoken.asked if asked.id and asked.method]
    said = [_one(spoken, asked, refusal, problem) for asked in waiting]
    if not said:
        ids = spoken.ids or (b"",)
        said = [_error(spoken, raw_id, refusal, problem) for raw_id in ids]
    return jsonrpc.batch(said) if spoken.batch else said[0]


def _one(spoken: Spoken, asked: Asked, refusal: Refusal, problem: dict[str, Any]) -> bytes:
    if not asked.of_tool or spoken.rules.mcp_refusals == "protocol_error":
        return _error(spoken, asked.id, refusal, problem)
    said: dict[str, Any] = {
        "content": [{"type": "text", "text": problem["message_for_model"]}],
        "isError": True,
        "_meta": {PROBLEM: problem},
    }
    if spoken.stateless:
        said["resultType"] = "complete"
    return jsonrpc.result(asked.id, said)


def _error(spoken: Spoken, raw_id: bytes, refusal: Refusal, problem: dict[str, Any]) -> bytes:
    code = HEADER_MISMATCH if spoken.mismatch else CODES.get(refusal.code, OTHER)
    data = {**problem, "origin": "holdfast"}
    return jsonrpc.error(raw_id, code, problem["message_for_model"], data)
