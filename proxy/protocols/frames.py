"""A stream, cut into its messages: server-sent events (WHATWG HTML 9.2.6), or lines of NDJSON.

It may be cut at any byte, and is never held: what is cut here is a copy. A message that is longer
than `MOST` is not kept to be read, only found the end of.
"""

import re
from typing import NamedTuple

MOST = 1 << 20
"""Bytes of a message that is read."""
_MARK = b"\xef\xbb\xbf"  # of UTF-8, where a stream may begin
# An empty line: two ends of lines, each of which is CRLF, LF or CR.
_END = re.compile(rb"\r\n(?:\r\n|\n|\r)|\n(?:\r\n|\n|\r)|\r(?!\n)(?:\r\n|\n|\r)")
_LONGEST_END = 4
_LINES = re.compile(rb"\r\n|\n|\r")


class Frame(NamedTuple):
    """One message."""

    raw: bytes  # as it came, with its end
    kind: bytes = b""  # the type of an event; empty: none is given
    data: bytes = b""  # empty: it has none, and says nothing
    missed: bool = False  # it was too long to be read
    resumes: bool = False  # it only names a place from which the stream can be asked for once more


class Frames:
    """Cuts one stream. A frame is there when its end is."""

    __slots__ = ("_buffer", "_end", "_feed", "_lines", "_long", "_read", "_return", "_seen")

    def __init__(self, *, lines: bool) -> None:
        """`lines`: each line is a message, as in NDJSON."""
        self._buffer = bytearray()
        self._seen = 0  # bytes of it in which no end begins
        self._feed = self._return = -1  # the next ends of a line, as far as they are known
        self._long = False  # the message under way is: what came of it is gone
        self._lines = lines
        self._end = re.compile(rb"\n") if lines else _END
        self._read = _line if lines else _event

    @property
    def rest(self) -> bytes:
        """What came of a message that has not ended."""
        return bytes(self._buffer)

    def feed(self, piece: bytes) -> list[Frame]:
        """The messages that end in these bytes. One that is too long comes in several frames."""
        if not self._buffer and not self._lines and _is_plain(piece):
            # By far the most: one event, all of it, and nothing of it need be put together.
            return [_plain(piece)]
        self._buffer += piece
        self._feed = self._buffer.find(b"\n", self._seen)
        self._return = self._buffer.find(b"\r", self._seen)
        found: list[Frame] = []
        at = 0
        while (end := self._next_end(max(at, self._seen))) is not None:
            found.append(self._frame(bytes(self._buffer[at : end.end()])))
            at = self._seen = end.end()
            self._long = False
        if at:
            del self._buffer[:at]
        self._seen = max(0, len(self._buffer) - _LONGEST_END + 1)
        if len(self._buffer) > MOST:
            found.append(self._part())
        return found

    def _next_end(self, start: int) -> re.Match[bytes] | None:
        """Of a message. Where a line ends is found much faster than by the expression; and looked
        for once, however many messages there are: a byte that is not there is not sought again."""
        if -1 < self._feed < start:
            self._feed = self._buffer.find(b"\n", start)
        if -1 < self._return < start:
            self._return = self._buffer.find(b"\r", start)
        first = max(self._feed, self._return)
        if min(self._feed, self._return) > -1:
            first = min(self._feed, self._return)
        return None if first < 0 else self._end.search(self._buffer, first)

    def last(self) -> Frame | None:
        """The message under way, if the stream has ended: some leave the last empty line out."""
        return self._frame(self.rest) if self._buffer else None

    def _frame(self, raw: bytes) -> Frame:
        return Frame(raw, missed=True) if self._long or len(raw) > MOST else self._read(raw)

    def _part(self) -> Frame:
        """Of a message that is too long: all but what its end may begin with."""
        self._long = True
        keep = len(self._buffer) - _LONGEST_END + 1
        raw = bytes(self._buffer[:keep])
        del self._buffer[:keep]
        self._seen = 0
        return Frame(raw, missed=True)


def _line(raw: bytes) -> Frame:
    return Frame(raw, b"", raw.strip())


def _is_plain(piece: bytes) -> bool:
    """Is it one event, whose lines end as most do? The first empty line ends it."""
    return 0 <= piece.find(b"\n\n") == len(piece) - 2 <= MOST - 2 and b"\r" not in piece


def _plain(raw: bytes) -> Frame:
    """Such an event; most have only data."""
    if raw.startswith(b"data: ") and raw.find(b"\n") == len(raw) - 2:
        return Frame(raw, b"", raw[6:-2])
    return _event(raw)


def _event(raw: bytes) -> Frame:
    kind, data, named = b"", [], False
    plain = raw.removeprefix(_MARK)
    for line in _LINES.split(plain) if b"\r" in plain else plain.split(b"\n"):
        name, _, value = line.partition(b":")
        if name == b"data":
            data.append(value.removeprefix(b" "))
        elif name == b"event":
            kind = value.removeprefix(b" ")
        elif name == b"id":
            named = True
    said = b"\n".join(data)
    return Frame(raw, kind, said, resumes=named and not said)


def written(kind: bytes, data: bytes, *, lines: bool) -> bytes:
    """A message of ours in the place of one that came. There is no line break in the data."""
    if lines:
        return data + b"\n"
    named = b"event: %b\n" % kind if kind else b""
    return b"%bdata: %b\n\n" % (named, data)
