"""What a stream says, looked at as it passes: is there anything in it but heartbeats?

Server-sent events as browsers read them (WHATWG HTML 9.2.6): lines end with CRLF, LF or CR, an
empty line ends an event, a line that begins with a colon is a comment. An event says something if
it has data and its type is not `ping`. Of newline-delimited JSON each line that is not blank does.

Nothing is kept but how the line under way begins, so that a stream may go on for ever, and be cut
at any byte. What is sent on is not touched.
"""

from typing import Protocol

MOST = 1 << 20
"""Bytes of data in one event, or of one line of JSON. A longer one is not waited for: it counts as
it comes."""

END = 4
"""Bytes by which the end of an event is known: two ends of lines, of two bytes each at most."""
_BEGINNING = 32  # bytes of a line by which it is known what it is
_MARK = b"\xef\xbb\xbf"  # of UTF-8, where a stream may begin
_PING = b"ping"


class Looks(Protocol):
    """Looks at the pieces of one stream, in their order."""

    def progressed(self, piece: bytes, /) -> bool:
        """Do these bytes end something that says something?"""


def looks_at(fields: dict[bytes, bytes]) -> Looks | None:
    """What looks at the body of an answer with these headers; None where it cannot be read: it is
    something else, or encoded (gzip)."""
    if fields.get(b"content-encoding", b"identity").strip().lower() != b"identity":
        return None
    kind = fields.get(b"content-type", b"").partition(b";")[0].strip().lower()
    made = _KINDS.get(kind)
    return None if made is None else made()


def holds_events(fields: dict[bytes, bytes]) -> bool:
    """Are there server-sent events in an answer with these headers, as they are?"""
    return isinstance(looks_at(fields), Events)


def at_an_end(ends: bytes) -> bool:
    """Does a stream whose last END bytes are these stand between two events? Fewer are all."""
    return not ends or ends.replace(b"\r\n", b"\n").replace(b"\r", b"\n").endswith(b"\n\n")


def event(kind: bytes, content: bytes) -> bytes:
    """An event of ours. There is no line break in the content."""
    return b"event: %b\ndata: %b\n\n" % (kind, content)


class Events:
    """Server-sent events."""

    __slots__ = ("_begins", "_cr", "_length", "_ping", "_says", "_size", "_started")

    def __init__(self) -> None:
        self._begins = b""  # of the line under way
        self._length = 0  # of it, so far
        self._cr = False  # what came last was a CR: the LF after it belongs to it
        self._started = False  # the first line is over
        self._forget()

    def _forget(self) -> None:
        self._says = False  # the event under way has data
        self._size = 0  # bytes of it
        self._ping = False  # and its type is ping

    def progressed(self, piece: bytes) -> bool:
        """Part of Looks."""
        ended_with_cr, self._cr = self._cr, piece.endswith(b"\r")
        if ended_with_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        if b"\r" in piece:
            piece = piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *ends, rest = piece.split(b"\n")
        found = False
        for end in ends:
            line, length = end[:_BEGINNING], len(end)
            if self._length:
                self._grow(end)
                line, length = self._begins, self._length
                self._begins, self._length = b"", 0
            found = self._line(line, length) or found
        self._grow(rest)
        return found or self._long()

    def _grow(self, part: bytes) -> None:
        self._length += len(part)
        if len(self._begins) < _BEGINNING:
            self._begins += part[: _BEGINNING - len(self._begins)]

    def _line(self, line: bytes, length: int) -> bool:
        """A line that begins like this is over. True: with it something was said."""
        if not self._started:
            self._started = True
            line = line.removeprefix(_MARK)
        if not line:
            found = self._says and (not self._ping or self._size > MOST)
            self._forget()
            return found
        name, _, value = line.partition(b":")
        if name == b"data":
            self._says = self._says or bool(value.removeprefix(b" "))
            self._size += length
        elif name == b"event":
            self._ping = value.removeprefix(b" ") == _PING
        return self._size > MOST

    def _long(self) -> bool:
        """Has so much data come without an end that nobody waits for it?"""
        under_way = self._length if self._begins.startswith(b"data:") else 0
        return self._size + under_way > MOST


class Lines:
    """Newline-delimited JSON."""

    __slots__ = ("_blank", "_length")

    def __init__(self) -> None:
        self._blank = True
        self._length = 0

    def progressed(self, piece: bytes) -> bool:
        """Part of Looks."""
        *ends, rest = piece.split(b"\n")
        found = False
        for end in ends:
            found = found or not self._blank or not _blank(end)
            self._blank, self._length = True, 0
        self._blank = self._blank and _blank(rest)
        self._length += len(rest)
        return found or (self._length > MOST and not self._blank)


def _blank(part: bytes) -> bool:
    return not part or part.isspace()


_KINDS: dict[bytes, type[Events] | type[Lines]] = {
    b"text/event-stream": Events,
    b"application/x-ndjson": Lines,
}
