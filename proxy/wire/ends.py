"""What a body has to do with: where it comes from, where it flows to, and who sees it pass."""

from collections.abc import Sequence
from typing import Protocol

from proxy.call import Header, Tap
from proxy.reply import Failure


class Sink(Protocol):
    """Where a body flows to."""

    def write(self, piece: bytes, /) -> None:
        """The next bytes; never empty."""

    def end(self, last: bytes, trailers: Sequence[Header], /) -> None:
        """The last bytes, perhaps none, and what follows them."""

    def broken(self, failure: Failure, /) -> None:
        """The rest will not come."""


class Watched:
    """A sink, and who sees what it gets."""

    __slots__ = ("_at", "_sink", "_tap")

    def __init__(self, sink: Sink, tap: Tap) -> None:
        self._sink = sink
        self._tap = tap
        self._at = 0

    def write(self, piece: bytes) -> None:
        """Part of Sink."""
        self._tap.saw(self._at, piece)
        self._at += len(piece)
        self._sink.write(piece)

    def end(self, last: bytes, trailers: Sequence[Header]) -> None:
        """Part of Sink."""
        self._tap.saw(self._at, last)
        self._tap.ended()
        self._sink.end(last, trailers)

    def broken(self, failure: Failure) -> None:
        """Part of Sink."""
        self._sink.broken(failure)


class Hears(Protocol):
    """Hears a body as it comes, and may change what goes on (`screen.py`)."""

    @property
    def cut(self) -> bool:
        """It has ended: earlier than it should have?"""

    @property
    def complete(self) -> bool:
        """Has it said all, though the end of its bytes has not come?"""

    def passes(self, piece: bytes, /) -> bytes:
        """What goes on of these bytes, perhaps none yet."""

    def ends(self, last: bytes, /) -> bytes:
        """The same of the last ones."""


class Source(Protocol):
    """The connection that a body comes from."""

    def pause(self) -> None:
        """Stop reading."""

    def resume(self) -> None:
        """Go on reading."""

    def abandon(self) -> None:
        """Nobody wants the rest."""
