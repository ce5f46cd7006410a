"""GCRA, the generic cell rate algorithm (ITU-T I.371, Annex A): one limit, as arithmetic.

What was taken drains at the limit's rate, one after the other. All that is kept of it is when the
last of it will have drained, the *theoretical arrival time*. What comes may go if, with it, no more
than a burst is left to drain. From this follows the promise: in any time t at most rate · t + burst
go, in whatever order they come.

**Giving back.** What was taken and not used is given back, but only what of it has not drained yet.
The rest is gone: while it drained, nothing else did, and who was let through meanwhile was let
through because of it. Each piece therefore knows where in the line it drains, its *slot*. When one
is given back, those behind it move up, or they would later give back what has drained long ago.

Nothing here reads a clock: times are seconds on one that is handed in and goes forward.
"""

from typing import final

import msgspec

from proxy.clock import NEVER

_SLACK = 1e-6
"""Of one: ten tenths of a second add up to a little more than one second."""


class Pace(msgspec.Struct, frozen=True):
    """How fast something may go."""

    interval: float  # seconds in which one drains
    burst: int  # so many at once, after a quiet time


@final
class Slot(msgspec.Struct, eq=False, gc=False):
    """Where in the line something drains: from `start` on, for `length` seconds."""

    start: float
    length: float


@final
class Gcra:
    """One limit of one key. Whatever is taken is either kept or given back, once."""

    __slots__ = ("_live", "_tolerance", "burst", "interval", "tat")

    def __init__(self, pace: Pace) -> None:
        self.tat = -NEVER  # when all that was taken will have drained
        self._live: dict[Slot, None] = {}  # may yet be given back; in the order of the line
        self._set(pace)

    def _set(self, pace: Pace) -> None:
        self.interval = pace.interval
        self.burst = pace.burst
        self._tolerance = (pace.burst + _SLACK) * pace.interval

    def turn(self, cost: float) -> float:
        """When so much may go; it may go now if that is not in the future. NEVER: it is more than a
        burst."""
        if cost > self.burst:
            return NEVER
        return self.tat + cost * self.interval - self._tolerance

    def turn_after(self, tat: float, cost: float) -> float:
        """The same, if all that was taken had drained at `tat`."""
        return NEVER if cost > self.burst else tat + cost * self.interval - self._tolerance

    def claim(self, now: float, cost: float) -> Slot | None:
        """It goes now; None if it is not its turn: nothing has changed."""
        tat = self.tat
        length = cost * self.interval
        if cost > self.burst or tat + length - self._tolerance > now:
            return None
        # As `take` does it, which would cost as much again (0.1 µs, 2026-11).
        slot = Slot(max(tat, now), length)
        self.tat = slot.start + length
        self._live[slot] = None
        return slot

    def take(self, now: float, cost: float) -> Slot:
        """It goes now: ask for its turn before. Nothing else moves the line back."""
        start = self.tat
        if start < now:
            start = now
        length = cost * self.interval
        slot = Slot(start, length)
        self.tat = start + length
        self._live[slot] = None
        return slot

    def keep(self, slot: Slot) -> None:
        """It was used: nothing of it will be given back."""
        self._live.pop(slot, None)

    def give_back(self, slot: Slot, cost: float, now: float) -> None:
        """So much of it was not used. What of that has not drained yet is free again."""
        if slot not in self._live:
            return  # of a limit that stood here before
        end = slot.start + slot.length
        length = min(cost * self.interval, end - max(slot.start, now))
        if length > 0:
            self.tat -= length
            last_first = reversed(self._live)
            while (behind := next(last_first)) is not slot:
                behind.start -= length
        del self._live[slot]

    def charge(self, cost: float, now: float) -> None:
        """More was used than was taken: those who come later wait for it."""
        self.tat = max(self.tat, now) + cost * self.interval

    def follow(self, pace: Pace, now: float) -> None:
        """Go at another pace from now on. What is left to drain stays, in calls or tokens."""
        stretch = pace.interval / self.interval
        self._set(pace)
        if self.tat > now:
            self.tat = now + (self.tat - now) * stretch
        for slot in self._live:
            slot.start = now + (slot.start - now) * stretch
            slot.length *= stretch
