"""What an agent has sent, and nobody has looked at yet: heads, and the beginning of a body.

Pure: bytes in, bytes out. Each byte is looked at once and moved once, however small the pieces are
that it comes in, and however many requests come in one.
"""

import re

from proxy.wire.head import END, BadMessage, Limits, too_large, unfinished

_EMPTY_LINES = re.compile(rb"(?>\r\n)*+")


class Ahead:
    """Bytes, from the front of which heads and bodies are taken."""

    __slots__ = ("_limits", "_searched", "held", "skipped")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = bytearray()  # what is deleted at its front is not moved
        self._searched = 0  # bytes of it in which the end of the next head does not begin
        self.skipped = 0  # bytes of empty lines before that head

    def add(self, data: bytes) -> None:
        """More has come."""
        self.held += data

    def head(self) -> bytes | BadMessage | None:
        """The next head, whole; or what is wrong with its beginning; or None: it is not here yet.

        Empty lines before a request line are not minded (RFC 9112 2.2), up to the size of a head.
        """
        if not self._searched:
            self._skip_empty_lines()
            if self.skipped > self._limits.header_bytes:
                return too_large(self._limits)
        end = self.held.find(END, self._searched) + 4
        if end < 4:
            return self._wait()
        self._searched = self.skipped = 0
        return self.take(end)

    def take(self, count: int) -> bytes:
        """The first `count` bytes."""
        taken = bytes(self.held[:count])
        del self.held[:count]
        return taken

    def all(self) -> bytes:
        """Everything."""
        return self.take(len(self.held))

    def _skip_empty_lines(self) -> None:
        found = _EMPTY_LINES.match(self.held)
        skipped = 0 if found is None else found.end()
        del found  # or its bytes could not be deleted
        self.skipped += skipped
        del self.held[:skipped]

    def _wait(self) -> BadMessage | None:
        known = self._searched
        if len(self.held) > 1:  # a lone CR may still be half of an empty line
            self._searched = max(1, len(self.held) - 3)
        return unfinished(self.held, self._limits, known)
