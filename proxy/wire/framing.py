"""Where a body ends (RFC 9112 6 and 7): by length, by chunks, by the end of the connection.

Pure: bytes in, bytes out. A decoder is fed what came and answers with what of it is body; `ended`
says that the body is over, `rest` then holds what came after it, and `bad` why it is not valid.
"""

import re
from typing import Protocol

from proxy.call import Header
from proxy.wire.head import END, LARGEST_LENGTH, BadMessage, Limits, parse_trailers

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_LONGEST_SIZE_LINE = 4096
_CRLF = b"\r\n"


class Decoder(Protocol):
    """What all framings have in common."""

    ended: bool
    rest: bytes
    bad: BadMessage | None
    trailers: list[Header]

    def feed(self, data: bytes) -> bytes:
        """What of `data` is body."""

    def end_of_connection(self) -> bool:
        """Nothing more will come. Is the body whole?"""


class LengthDecoder:
    """A body of so many bytes."""

    __slots__ = ("bad", "ended", "left", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self.left = length
        self.ended = length == 0
        self.rest = b""
        self.bad: BadMessage | None = None
        self.trailers: list[Header] = []

    def feed(self, data: bytes) -> bytes:
        """See Decoder."""
        if len(data) < self.left:
            self.left -= len(data)
            return data
        self.ended = True
        body, self.rest = (
            (data, b"") if len(data) == self.left else (data[: self.left], data[self.left :])
        )
        self.left = 0
        return body

    def end_of_connection(self) -> bool:
        """See Decoder."""
        return self.ended


class CloseDecoder:
    """A body that goes on until the connection ends; also the bytes of a tunnel."""

    __slots__ = ("bad", "ended", "rest", "trailers")

    def __init__(self) -> None:
        self.ended = False
        self.rest = b""
        self.bad: BadMessage | None = None
        self.trailers: list[Header] = []

    def feed(self, data: bytes) -> bytes:
        """See Decoder."""
        return data

    def end_of_connection(self) -> bool:
        """See Decoder."""
        self.ended = True
        return True


class ChunkedDecoder:
    """A body in chunks, with trailers.

    The state is the name of what comes next: a size line, the bytes of a chunk, the line end after
    them, or the trailer section. Extensions are dropped: nobody uses them, and they are hop by hop.
    """

    __slots__ = ("_held", "_left", "_limits", "_next", "bad", "ended", "rest", "trailers")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._held = b""  # the beginning of a line whose end has not come
        self._left = 0  # bytes of the chunk still to come
        self._next = self._size
        self.ended = False
        self.rest = b""
        self.bad: BadMessage | None = None
        self.trailers: list[Header] = []

    def feed(self, data: bytes) -> bytes:
        """See Decoder."""
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        position = 0
        while position < len(data) and not self.ended and self.bad is None:
            position = self._next(data, position, pieces)
        if self.ended:
            self.rest = data[position:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def end_of_connection(self) -> bool:
        """See Decoder."""
        return self.ended

    def _size(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        end = data.find(_CRLF, position, position + _LONGEST_SIZE_LINE)
        if end < 0:
            return self._hold(data, position, _LONGEST_SIZE_LINE)
        match = _SIZE.fullmatch(data, position, end)
        size = int(match[1], 16) if match else -1
        if not 0 <= size <= LARGEST_LENGTH:
            return self._refuse("chunk_size", "a chunk's size is not a number of bytes", data)
        self._left = size
        self._next = self._chunk if size else self._trailers
        return end + 2

    def _chunk(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        piece = data[position : position + self._left]
        pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._next = self._after_chunk
        return position + len(piece)

    def _after_chunk(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        if data.startswith(_CRLF, position):
            self._next = self._size
            return position + 2
        if data[position:] == b"\r":
            self._held = b"\r"
            return len(data)
        return self._refuse("chunk_end", "a chunk is longer than its size says", data)

    def _trailers(self, data: bytes, position: int, pieces: list[bytes]) -> int:
        if data.startswith(_CRLF, position):
            self.ended = True
            return position + 2
        end = data.find(END, position, position + self._limits.header_bytes)
        if end < 0:
            return self._hold(data, position, self._limits.header_bytes)
        trailers = parse_trailers(data[position : end + 4], self._limits)
        if isinstance(trailers, BadMessage):
            self.bad = trailers
            return len(data)
        self.trailers = trailers
        self.ended = True
        return end + 4

    def _hold(self, data: bytes, position: int, limit: int) -> int:
        held = data[position:]
        if len(held) >= limit:
            return self._refuse(
                "chunk_line", f"a line between chunks is longer than {limit} bytes", data
            )
        if b"\n" in held.replace(_CRLF, b""):
            return self._refuse("bare_lf", "a line between chunks ends with LF alone", data)
        self._held = held
        return len(data)

    def _refuse(self, reason: str, detail: str, data: bytes) -> int:
        self.bad = BadMessage(reason, "bad_request", detail)
        return len(data)
