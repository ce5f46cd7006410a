"""What is heard in an answer of an agent that speaks A2A.

A stream of A2A has no event of its own for its end. It is over when the peer agent has said all
that it can for now: with a message, with a task in a state that is final or waits for somebody
(A2A 1.0 section 4.1.3), with `final: true` (0.3), or with an error. A word after that counts anew:
a task that waited may go on in the same stream.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec

from proxy.protocols.answers import Answers, Meanings
from proxy.protocols.hearing import Told, Usage
from proxy.protocols.statuses import executed_by, result_of
from proxy.reply import Executed, Result

_DID_NOT_RUN = Told(400, Result.CALLER_ERROR, Executed.NO)
MEANINGS: Meanings = {
    -32001: Told(404, Result.CALLER_ERROR, Executed.NO),  # there is no such task
    -32002: _DID_NOT_RUN,  # it cannot be cancelled
    -32003: _DID_NOT_RUN,  # no push notifications
    -32004: _DID_NOT_RUN,  # no such operation
    -32005: _DID_NOT_RUN,  # no such content type
    -32006: Told(502, Result.FAILURE),  # the agent's answer was not valid
    -32007: _DID_NOT_RUN,  # no extended card
    -32008: _DID_NOT_RUN,  # it speaks only with an extension
    -32009: _DID_NOT_RUN,  # not in this version
}
"""A2A 1.0 section 5.4."""

_OVER = frozenset(
    {"completed", "failed", "canceled", "cancelled", "rejected", "input-required", "auth-required"}
)
_PREFIX = "task_state_"  # of 1.0
_ERRORS = range(400, 600)
_FAILED = Told(500, Result.FAILURE)

Change: TypeAlias = Callable[[bytes], bytes | None]
"""What passes on of an answer; None: it passes as it came."""


class _Status(msgspec.Struct, frozen=True):
    state: str = ""


class _Task(msgspec.Struct, frozen=True):
    status: _Status = _Status()
    final: bool = False


_NOTHING = msgspec.Raw(b"")


class _Said(_Task, frozen=True, rename="camel"):
    """A StreamResponse of 1.0, or what stands for one in 0.3: the task, the message or the event
    itself, which says its `kind`."""

    kind: str = ""
    task: _Task | None = None
    status_update: _Task | None = None
    message: msgspec.Raw = _NOTHING


_said = msgspec.json.Decoder(_Said)


class _Word(msgspec.Struct, frozen=True):
    """What a part of an answer says of where things stand."""

    over: bool
    failed: bool = False


def _word(result: Any) -> _Word | None:
    """Of a result; None: it says nothing of that."""
    try:
        said = _said.decode(result)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if bytes(said.message) or said.kind == "message":
        return _Word(over=True)
    task = said.status_update or said.task or said
    state = task.status.state.lower().removeprefix(_PREFIX).replace("_", "-")
    if not state and not task.final:
        return None
    return _Word(over=task.final or state in _OVER, failed=state == "failed")


class _Code(msgspec.Struct):
    code: int


class _Error(msgspec.Struct):
    """As HTTP answers have it (AIP-193)."""

    error: _Code


_failing = msgspec.json.Decoder(_Error)


def _error(data: bytes) -> Told | None:
    """Of an event of the HTTP+JSON binding; None: it tells of none."""
    try:
        status = _failing.decode(data).error.code
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    status = status if status in _ERRORS else 500
    result = result_of(status)
    return Told(status, result, executed_by(result, status), quota=status == 402)


class Responses(Answers):
    """A Hearing of the JSON-RPC binding."""

    decides = True

    def __init__(self, raw_id: bytes, *, streams: bool, sends: bool) -> None:
        """`raw_id`: empty where nobody waits for a response. `sends`: a task that fails does so
        because of this call; else it is what was asked for."""
        super().__init__((raw_id,) if raw_id else (), MEANINGS)
        self._over = not streams
        self._sends = sends

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """Part of Hearing. What comes as an error is one, whatever it says."""
        super().event(kind, data)
        if kind == b"error" and self.told is None:
            self.told, self.ended = _FAILED, True
        self.ended = self.ended and (self._over or self.told is not None)
        return None

    def _result(self, result: Any) -> None:
        word = _word(result)
        if word is not None:
            self._over = word.over
            self.failed_tool = word.failed and self._sends


class Things:
    """A Hearing of the HTTP+JSON binding: what is said stands there by itself, and an error of a
    whole answer has its status."""

    decides = False
    sifts = False

    def __init__(self, *, streams: bool, sends: bool) -> None:
        self.content = False
        self.ended = not streams
        self.told: Told | None = None
        self.failed_tool = False
        self.usage: Usage | None = None
        self.written = 0
        self._sends = sends

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """Part of Hearing."""
        error = _error(data)
        if error is not None or kind == b"error":
            self.told, self.ended = error or _FAILED, True
        else:
            self.whole(data)
        return None

    def whole(self, content: bytes) -> bytes | None:
        """Part of Hearing."""
        self.content = True
        word = _word(content)
        if word is not None:
            self.ended = word.over
            self.failed_tool = word.failed and self._sends
        return None


class Sifted(Answers):
    """A Hearing of an agent card, which is changed on its way."""

    decides = True
    sifts = True

    def __init__(self, raw_id: bytes, change: Change) -> None:
        """`raw_id`: empty where it comes as it is, and not as a JSON-RPC response."""
        super().__init__((raw_id,) if raw_id else (), MEANINGS)
        self._change = change

    def whole(self, content: bytes) -> bytes | None:
        """Part of Hearing."""
        super().whole(content)
        return None if self.told is not None else self._change(content)
