"""What a pod has drawn of a rate that pods share, and has not used yet.

It lies here for a moment only: what was drawn longer than `HOLDS` ago is not spent any more, it
goes back. So in any time t a fleet uses rate · t + burst, and what it drew in that moment before.
The time counts from when it was asked for: when a slow store gave it, nobody knows.
"""

from bisect import insort_right
from operator import attrgetter

import msgspec

from proxy.state.shared.rates import Back, UnitsDrawn

HOLDS = 0.1
"""Seconds."""
MOST = 1_000
"""Pieces of each kind. What is too much is lost to all, and drains."""
_until = attrgetter("until")


class Piece(msgspec.Struct, gc=False):
    """Units that stand one after the other in the store's line."""

    units: int
    told: UnitsDrawn  # when they were drawn
    end: float  # where the last of them has drained, as `told` has it
    interval: float  # microseconds in which one drains
    until: float  # on our clock: they may be spent

    def first(self, units: int) -> "Piece":
        """So many of its front, taken off."""
        self.units -= units
        return Piece(
            units, self.told, self.end - self.units * self.interval, self.interval, self.until
        )

    @property
    def back(self) -> Back:
        """As the store is told that nobody used it."""
        return Back(self.units, self.end, self.told.mark, self.told.shift)


class Leased:
    """Of one cell."""

    __slots__ = ("_held", "_unused", "units")

    def __init__(self) -> None:
        self.units = 0
        """That lie here."""
        self._held: list[Piece] = []  # the one that must be spent first is first
        self._unused: list[Piece] = []

    @property
    def empty(self) -> bool:
        """Is there nothing to spend, and nothing to give back?"""
        return not self._held and not self._unused

    @property
    def returns(self) -> bool:
        """Is something to go back?"""
        return bool(self._unused)

    def add(self, told: UnitsDrawn, interval: float, until: float) -> None:
        """What was drawn just now."""
        if told.given > 0:
            self._put(Piece(told.given, told, told.end, interval, until))

    def pay(self, now: float, cost: int) -> list[Piece] | None:
        """So many units; None if there are not so many: nothing has changed."""
        self.expire(now)
        if self.units < cost:
            return None
        self.units -= cost
        paid = []
        while cost:
            piece = self._held[0]
            if piece.units > cost:
                piece = piece.first(cost)
            else:
                del self._held[0]
            paid.append(piece)
            cost -= piece.units
        return paid

    def unused(self, pieces: list[Piece], units: int, now: float) -> None:
        """So many of what was paid were not used, the last of them: they are spent by others, as
        long as they may be."""
        for piece in reversed(pieces):
            if not units:
                break
            if piece.units > units:
                piece.first(piece.units - units)
            units -= piece.units
            (self._put if piece.until >= now else self._return)(piece)

    def expire(self, now: float) -> None:
        """What lies here for too long is to go back."""
        held = self._held
        while held and held[0].until < now:
            piece = held.pop(0)
            self.units -= piece.units
            self._return(piece)

    def gone(self, most: int) -> tuple[Back, ...]:
        """So many pieces go back now; whether they arrive or not."""
        gone, self._unused = self._unused[:most], self._unused[most:]
        return tuple(piece.back for piece in gone)

    def close(self) -> None:
        """All is to go back."""
        self.expire(float("inf"))

    def _put(self, piece: Piece) -> None:
        if len(self._held) >= MOST:
            self._return(piece)
            return
        insort_right(self._held, piece, key=_until)
        self.units += piece.units

    def _return(self, piece: Piece) -> None:
        if len(self._unused) < MOST:
            self._unused.append(piece)
