"""What is heard in an answer to JSON-RPC requests: whole, or as a stream of events.

Such an answer has its end when each request has its response, whatever else was said before:
notifications, and requests of the other side, pass. An error in it has a good status as HTTP sees
it; what it would have been is told from its code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from proxy.protocols.hearing import Told, Usage
from proxy.protocols.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    meaning,
)
from proxy.reply import Executed, Result

Meanings = Mapping[int, Told]
"""What codes mean that a protocol has of its own."""

_DID_NOT_RUN = Told(400, Result.CALLER_ERROR, Executed.NO)
_FAILED = Told(500, Result.FAILURE)
_REFUSED = Told(400, Result.CALLER_ERROR)
_OF_CODE: Meanings = {
    PARSE_ERROR: _DID_NOT_RUN,
    INVALID_REQUEST: _DID_NOT_RUN,
    METHOD_NOT_FOUND: Told(404, Result.CALLER_ERROR, Executed.NO),
    INVALID_PARAMS: _DID_NOT_RUN,
    INTERNAL_ERROR: _FAILED,
    0: _FAILED,  # what some libraries say of an exception that nobody caught
}
_OF_SERVERS = range(-32099, -31999)  # JSON-RPC 2.0 section 5.1: for what servers themselves define
_UNHEARD = frozenset({"ping"})
"""Messages by which nothing was said."""
_NOBODYS = (None, b"")


def told_of(code: int, own: Meanings = {}) -> Told:  # noqa: B006 -- it is only read
    """What an error of this code means. `own`: what it means in the protocol that is spoken.

    Of what is defined nowhere, a code of the range for servers is the server's failure; any other
    is an answer that an application gives, and may have been given after it did something.
    """
    told = own.get(code) or _OF_CODE.get(code)
    return told or (_FAILED if code in _OF_SERVERS else _REFUSED)


class _Error(msgspec.Struct):
    code: int = 0


class _Heard(msgspec.Struct):
    """What is looked at in a message."""

    method: str = ""
    id: msgspec.Raw = msgspec.Raw(b"")
    result: msgspec.Raw = msgspec.Raw(b"")
    error: _Error | None = None


_one = msgspec.json.Decoder(_Heard)
_several = msgspec.json.Decoder(list[_Heard])


class Answers:
    """A Hearing of the answer to the requests of these ids. A protocol has its own `_result`."""

    sifts = False
    decides = True

    def __init__(self, ids: Iterable[bytes], own: Meanings = {}, *, told: bool = True) -> None:  # noqa: B006 -- it is only read
        """`told`: an error in it tells what the answer came to; else its status has told it."""
        self._awaited = {meaning(raw_id) for raw_id in ids}
        self._own = own
        self._tells = told
        self.content = False
        self.ended = not self._awaited
        self.told: Told | None = None
        self.failed_tool = False
        self.usage: Usage | None = None
        self.written = 0

    def event(self, kind: bytes, data: bytes) -> bytes | None:
        """Part of Hearing."""
        return self._listen(data)

    def whole(self, content: bytes) -> bytes | None:
        """Part of Hearing."""
        return self._listen(content)

    def _listen(self, content: bytes) -> bytes | None:
        try:
            if content.lstrip().startswith(b"["):
                heard = _several.decode(content)
            else:
                heard = [_one.decode(content)]
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            self.content = True  # whatever it is, it was said
            return None
        for message in heard:
            self._hear(message)
        return None

    def _hear(self, message: _Heard) -> None:
        if message.method:
            self.content = self.content or message.method not in _UNHEARD
            return
        if message.error is not None:
            self._error(message.error.code)
        else:
            self.content = True
            self._result(message.result)
        answers = meaning(bytes(message.id))
        if message.error is not None and answers in _NOBODYS:
            self._awaited.clear()  # it could not even be read whose request it was
        self._awaited.discard(answers)
        self.ended = not self._awaited

    def _error(self, code: int) -> None:
        if not self._tells:
            return
        told = told_of(code, self._own)
        # Of several the worst: who breaks off or repeats must hear of a failure.
        if self.told is None or told.result is Result.FAILURE:
            self.told = told

    def _result(self, result: Any) -> None:
        """A response came: what it says is its protocol's business."""
