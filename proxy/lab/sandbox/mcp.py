"""An MCP server over streamable HTTP, in both of its eras (mcp_eras.py).

Answers are JSON; those of the tool `count` are streams, with its progress where a token for it is
given. `x-sandbox-stream: true` asks for a stream in any case, so that it can fail inside; `primed`
for one with an empty event first. In the era of sessions a GET opens a stream that says nothing,
and DELETE ends the session; batches are answered in any version of it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain

from proxy.lab.sandbox import mcp_answers, tools
from proxy.lab.sandbox.calls import Calls, Received
from proxy.lab.sandbox.desk import Desk
from proxy.lab.sandbox.envelope import Asked, key_of, parse_any
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    Rpc,
    RpcError,
    failure,
    number_of,
    read_rpc,
    result,
)
from proxy.lab.sandbox.mcp_eras import (
    SERVER_KEY,
    SUBSCRIPTION_KEY,
    Sessions,
    check_modern,
    is_modern,
)
from proxy.lab.sandbox.said import Answer, Event, Head, Question, Said, Stream, question, written

ERRORS = {
    "server": RpcError(INTERNAL_ERROR, "the server failed"),
    "overloaded": RpcError(
        INTERNAL_ERROR, "the server is overloaded", 503, headers={"Retry-After": "1"}
    ),
    "rate_limit": RpcError(INTERNAL_ERROR, "too many requests", 429, headers={"Retry-After": "1"}),
    "quota": RpcError(INTERNAL_ERROR, "the quota is used up", 402),
}
Carried = Callable[[Asked, Received], Answer]
_PRIMING = Event(b"", key="0")
_KEPT = ("server/discover", "resources/read", *mcp_answers.LISTS)  # answers that may be kept
_MODERN_STATUS = {METHOD_NOT_FOUND: 404, INVALID_PARAMS: 400}


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, and how its answer should look."""

    head: Head
    rpc: Rpc

    @property
    def modern(self) -> bool:
        return is_modern(self.head, self.rpc)

    @property
    def given(self) -> Mapping[str, object]:
        """The arguments of a tool; raises RpcError -32602."""
        found = self.rpc.params.get("arguments", {})
        if not isinstance(found, Mapping):
            raise RpcError(INVALID_PARAMS, "arguments must be an object")
        return found

    def refusal(self, error: GatewayError) -> Answer:
        status = error.status
        if self.modern and status == 200:
            status = _MODERN_STATUS.get(number_of(error), status)
        return Answer(status, failure(self.rpc.id, error), error.headers)

    def say(
        self, found: Mapping[str, object], before: Iterable[Event] = (), *, streams: bool = False
    ) -> Said:
        """A result, with what its era adds; where it streams, after the events before it."""
        if self.modern:
            listed = {"ttlMs": 0, "cacheScope": "private"} if self.rpc.method in _KEPT else {}
            ours = {"resultType": "complete", **listed}
            found = {**ours, **found, "_meta": {SERVER_KEY: mcp_answers.SERVER}}
        message = result(self.rpc.id, found)
        if not streams and "x-sandbox-stream" not in self.head.headers:
            return Answer(200, message)
        end = Event(written(message), "message", says=True)
        return self.stream(before, (end,))

    def stream(
        self, events: Iterable[Event], end: tuple[Event, ...], *, stays: bool = False
    ) -> Stream:
        primed = self.head.headers.get("x-sandbox-stream") == "primed"
        first = [_PRIMING] if primed else []
        return Stream(chain(first, events), end, self._told, stays=stays)

    def _told(self, error: GatewayError) -> Event:
        return Event(written(failure(self.rpc.id, error)), "message")


class Mcp:
    """The server, on `/mcp`."""

    errors = ERRORS

    def __init__(self, seed: int, desk: Desk, calls: Calls) -> None:
        self._desk = desk
        self._calls = calls
        self._sessions = Sessions(seed)

    def read(self, head: Head, body: bytes) -> Question:
        """By its method, and for a POST by its message."""
        if head.method == "GET":
            return question(self._calls, self.refusal, "listen", partial(self._listen, head))
        if head.method == "DELETE":
            return question(self._calls, self.refusal, "leave", partial(self._leave, head))
        if head.method != "POST":
            raise RpcError(INVALID_REQUEST, f"{head.method} is not answered here", 405)
        document = parse_any(body)
        if isinstance(document, list):
            members = [_Asked(head, read_rpc(member)) for member in document]
            return Question("batch", partial(self._batch, members), self.refusal)
        return self._one(_Asked(head, read_rpc(document)))

    def refusal(self, error: GatewayError) -> Answer:
        """A JSON-RPC error that belongs to no request."""
        return Answer(error.status, failure(None, error), error.headers)

    def _one(self, asked: _Asked) -> Question:
        rpc = asked.rpc
        if rpc.method != "tools/call":
            name = rpc.method or "answer"
            return question(self._calls, asked.refusal, name, partial(self._answer, asked))
        name = str(rpc.params.get("name"))[:64]
        if name not in tools.TOOLS:
            run = partial(self._other_tool, asked, name)
            return question(self._calls, asked.refusal, name, run)
        try:
            given = asked.given
            call = Asked(name, given, key_of(asked.head.headers.get("Idempotency-Key"), given))
        except GatewayError as error:
            refused = asked.refusal(error)
            return question(self._calls, asked.refusal, name, lambda: refused)
        return Question(
            tool=name,
            key=call.key,
            run=partial(self._call, asked, call, self._desk.answer),
            again=partial(self._call, asked, call, self._desk.answer_twice),
            held=partial(self._desk.held, call),
            refusal=asked.refusal,
        )

    def _check(self, asked: _Asked) -> None:
        if asked.modern:
            check_modern(asked.head, asked.rpc)
        elif asked.rpc.method != "initialize":
            self._sessions.check(asked.head)

    def _answer(self, asked: _Asked) -> Said:
        rpc = asked.rpc
        if rpc.notifies:
            return Answer(202, None)
        self._check(asked)
        found = mcp_answers.read(rpc)
        return self._of_its_era(asked) if found is None else asked.say(found)

    def _of_its_era(self, asked: _Asked) -> Said:
        rpc = asked.rpc
        match rpc.method, asked.modern:
            case "server/discover", True:
                return asked.say(mcp_answers.discovered())
            case "subscriptions/listen", True:
                return asked.stream([_acknowledged(rpc)], (), stays=True)
            case "initialize", False:
                session, version = self._sessions.open(rpc.params)
                answer = result(rpc.id, mcp_answers.initialized(version))
                return Answer(200, answer, {"Mcp-Session-Id": session})
            case "ping" | "logging/setLevel", False:
                return asked.say({})
            case _:
                raise RpcError(METHOD_NOT_FOUND, f"there is no method {rpc.method[:64]!r}")

    def _other_tool(self, asked: _Asked, name: str) -> Said:
        self._check(asked)
        match name:
            case "count":
                events, found = mcp_answers.counted(asked.rpc, asked.given)
                return asked.say(found, events, streams=True)
            case "ask_owner":
                given = asked.given
                return asked.say(mcp_answers.asked_owner(asked.rpc, given, modern=asked.modern))
            case _:
                raise RpcError(INVALID_PARAMS, f"there is no tool {name!r}")

    def _call(self, asked: _Asked, call: Asked, answer: Carried, received: Received) -> Said:
        try:
            self._check(asked)
        except GatewayError as error:
            return asked.refusal(error)
        return asked.say(mcp_answers.called(answer(call, received)))

    def _batch(self, members: list[_Asked], received: Received) -> Said:
        """Each as if it had come alone; those that want no answer get none."""
        if not members:
            return self.refusal(RpcError(INVALID_REQUEST, "a batch must not be empty", 400))
        said = [_body(self._one(member).run(received)) for member in members]
        answers = [body for body in said if body is not None]
        return Answer(200, answers) if answers else Answer(202, None)

    def _listen(self, head: Head) -> Said:
        self._sessions.check(head)
        return _Asked(head, Rpc("")).stream((), (), stays=True)

    def _leave(self, head: Head) -> Said:
        self._sessions.end(self._sessions.check(head))
        return Answer(200, None)


def _acknowledged(rpc: Rpc) -> Event:
    """All that a client wants to hear of is promised, and nothing of it ever happens."""
    params = {
        "_meta": {SUBSCRIPTION_KEY: rpc.id},
        "notifications": rpc.params.get("notifications", {}),
    }
    return mcp_answers.notification("notifications/subscriptions/acknowledged", params)


def _body(said: Said) -> object:
    """The answer of a batch's member: of a stream, the last message."""
    if isinstance(said, Answer):
        return said.body
    return json.loads(said.end[-1].data) if said.end else None
