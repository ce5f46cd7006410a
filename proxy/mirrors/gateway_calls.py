"""Calls of a mirror to the tool gateway: straight to the upstream's URL, with its credential.

They go past the policies and are no calls of an agent: no record is made of them, and so none of
them comes back as one to be told. A header says whose they are.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from proxy.posts import Answer, Post, tool_call

MARK = "Holdfast-Mirror"
"""The header that names the mirror."""
LARGEST = 1 << 20
"""Bytes of an answer that are read."""
BLAMES = frozenset({400, 402, 404, 409, 413, 422})
"""What the gateway says of a call, and not of the caller."""
_LONGEST = 200


class Envelope(msgspec.Struct):
    """What the gateway says to a call."""

    result: Any = None
    error: Any = None


_envelope = msgspec.json.Decoder(Envelope)


class Result(msgspec.Struct, frozen=True):
    """What came of one call."""

    answer: Answer
    result: Mapping[str, Any] = {}
    code: str = ""  # of an error

    @property
    def taken(self) -> bool:
        """Was it done, now or when it was asked for the first time?"""
        return self.answer.taken and not self.code

    @property
    def blames(self) -> bool:
        """Is it wrong itself, so that it would be refused again? A tool that is not there is the
        gateway's fault."""
        return self.code != "unknown_tool" and self.answer.status in BLAMES

    @property
    def why(self) -> str:
        """For people."""
        return f"{self.answer.why or 'it answered'} {self.code}".strip()


class GatewayCalls:
    """`call`, one after the other."""

    def __init__(
        self,
        post: Post,
        url: str,
        credentials: Sequence[tuple[bytes, bytes]],
        mirror: str,
    ) -> None:
        """`credentials`: header lines, of which one is sent; after a 401 the next one."""
        self._post = post
        self._url = url.rstrip("/") + "/"
        self._credentials = [
            (name.decode(), value.decode("latin-1")) for name, value in credentials
        ]
        self._mirror = mirror

    async def call(self, tool: str, given: Mapping[str, Any], key: str = "") -> Result:
        """`key`: the same for the same call, however often it is tried; empty: of one that asks
        what is there now."""
        content, lines = tool_call(tool, given, key)
        lines = (*lines, (MARK, self._mirror), *self._credentials[:1])
        # Who writes an upstream into his policies may write one of his own machine.
        answer = await self._post(self._url, content, lines, private=True, read=LARGEST)
        if answer.status == 401:
            self._credentials = self._credentials[1:] + self._credentials[:1]
        return _result(answer)


def _result(answer: Answer) -> Result:
    try:
        told = _envelope.decode(answer.body) if answer.status else Envelope()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = Envelope(error={"code": "no_json"}) if answer.taken else Envelope()
    code = told.error.get("code") if isinstance(told.error, dict) else told.error
    result = told.result if isinstance(told.result, dict) else {}
    return Result(answer, result, str(code)[:_LONGEST] if code else "")
