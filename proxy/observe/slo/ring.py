"""A ring of sums: how many events were good and bad over any window, in one subtraction each.

Two numbers are counted for good, and nothing is kept of an event. What they were at the end of each
slot is remembered: every 15 seconds for an hour, every minute for six, every five minutes for three
days, and coarser up to the window of the objective. The events of a window are what was counted so
far, less what had been counted when it began. Slots begin at whole steps, so that a window may
reach back by up to one slot more than was asked; it never reaches back less.

A third number counts the seconds that somebody was here to count. Time in which the process was
down has no events, good ones neither: its slots have the same three numbers, and the window tells
how much of it is known (`Sums.coverage`).

Time is a number of seconds that only grows. Whoever has the ring makes it of a clock (`axis.py`).
"""

from array import array

import msgspec

FINE = ((15, 240), (60, 360), (300, 864))
"""Steps in seconds, and for how many of them: an hour, six, three days."""
HOUR = 3600
MOST_SLOTS = 1440  # of the coarse tier: 60 days by the hour; what is longer has longer steps
_SPARE = 2  # the slot that runs, and the one that a window begins in


class Sums(msgspec.Struct, frozen=True):
    """What was counted in a window."""

    good: int
    bad: int
    window: float
    seen: float  # seconds of it in which somebody counted

    @property
    def total(self) -> int:
        """Of those that count."""
        return self.good + self.bad

    @property
    def ratio(self) -> float:
        """The share of bad ones; of none it is 0."""
        total = self.good + self.bad
        return self.bad / total if total else 0.0

    @property
    def coverage(self) -> float:
        """The share of the window in which somebody counted, from 0 to 1."""
        return min(1.0, self.seen / self.window)


class _Tier:
    """What the sums were at the end of the last so many slots."""

    __slots__ = ("bad", "good", "last", "seen", "slots", "step")

    def __init__(self, step: int, slots: int, now: float) -> None:
        self.step = step
        self.slots = slots + _SPARE
        self.last = int(now // step)
        """The latest boundary that was written: `last * step` seconds."""
        self.good = array("q", bytes(8 * self.slots))
        self.bad = array("q", bytes(8 * self.slots))
        self.seen = array("i", bytes(4 * self.slots))

    @property
    def reach(self) -> int:
        """The longest window that it knows, in seconds."""
        return (self.slots - _SPARE) * self.step


class Ring:
    """The sums of one objective. `advance` at least as often as the finest slot is long."""

    __slots__ = ("_now", "_seen", "_tiers", "bad", "good")

    def __init__(self, window: float, now: float) -> None:
        """`window`: the longest that will be asked for."""
        self.good = 0
        self.bad = 0
        self._seen = 0.0
        self._now = now
        self._tiers = tuple(_Tier(step, slots, now) for step, slots in _tiers_for(window))

    @property
    def now(self) -> float:
        """To where it has advanced."""
        return self._now

    def add(self, good: int, bad: int) -> None:
        """So many ended now."""
        self.good += good
        self.bad += bad

    def advance(self, now: float, *, here: bool = True) -> None:
        """Time goes on; back it does not go. `here`: was somebody counting until now?"""
        past = now - self._now
        if past <= 0:
            return
        for tier in self._tiers:
            last = int(now // tier.step)
            if last > tier.last:
                self._fill(tier, last, here)
        self._now = now
        if here:
            self._seen += past

    def _fill(self, tier: _Tier, last: int, here: bool) -> None:
        for boundary in range(max(tier.last, last - tier.slots) + 1, last + 1):
            seen = self._seen
            if here:
                seen += max(0.0, boundary * tier.step - self._now)
            place = boundary % tier.slots
            tier.good[place] = self.good
            tier.bad[place] = self.bad
            tier.seen[place] = int(seen)
        tier.last = last

    def over(self, window: float) -> Sums:
        """The last so many seconds, as far as they are known."""
        tier = self._tier(window)
        begin = max(int((self._now - window) // tier.step), tier.last - tier.slots + 1)
        place = begin % tier.slots
        good, bad = self.good - tier.good[place], self.bad - tier.bad[place]
        return Sums(good, bad, window, min(window, self._seen - tier.seen[place]))

    def _tier(self, window: float) -> _Tier:
        return next((tier for tier in self._tiers if tier.reach >= window), self._tiers[-1])


def _tiers_for(window: float) -> list[tuple[int, int]]:
    hours = -(-int(window) // HOUR)
    step = HOUR * max(1, -(-hours // MOST_SLOTS))
    return [*FINE, (step, -(-int(window) // step))]
