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
A ring takes 44 KiB where its window is 30 days, and 60 KiB at most.
"""

import sys
from array import array
from binascii import a2b_base64, b2a_base64

import msgspec

FINE = ((15, 240), (60, 360), (300, 864))
"""Steps in seconds, and for how many of them: an hour, six, three days."""
HOUR = 3600
MOST_SLOTS = 1440
"""Of the coarse tier: 60 days by the hour. What is longer has longer steps."""
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


class Kept(msgspec.Struct):
    """A ring as a snapshot has it. Its sums are texts (base64 of the machine's own integers), for
    lists of so many numbers would hold the loop."""

    window: float
    now_ms: int
    seen_ms: int
    good: int
    bad: int
    little: bool  # the end that integers have first
    lasts: list[int]  # of each tier, the number of its last slot
    sums: list[str]  # of each tier: good, bad, seen


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

    def write(self, boundary: int, good: int, bad: int, seen: int) -> None:
        """So far it had come at this boundary."""
        place = boundary % self.slots
        self.good[place], self.bad[place], self.seen[place] = good, bad, seen

    def text(self) -> str:
        """Its sums, for a snapshot."""
        return b2a_base64(b"".join((self.good, self.bad, self.seen)), newline=False).decode()

    def restore(self, last: int, text: str, swapped: bool) -> None:
        """Take what `text` gave. ValueError: it is of another kind of tier."""
        raw = a2b_base64(text, strict_mode=True)
        if len(raw) != 20 * self.slots:
            raise ValueError(f"{len(raw)} bytes of sums, expected {20 * self.slots}")
        self.last = last
        cut = 8 * self.slots
        for sums, part in (
            (self.good, raw[:cut]),
            (self.bad, raw[cut : 2 * cut]),
            (self.seen, raw[2 * cut :]),
        ):
            del sums[:]
            sums.frombytes(part)
            if swapped:
                sums.byteswap()


class Ring:
    """The sums of one objective. `advance` at least as often as the finest slot is long."""

    __slots__ = ("_now", "_seen", "_tiers", "bad", "good", "window")

    def __init__(self, window: float, now: float) -> None:
        """`window`: the longest that will be asked for. It begins now."""
        self.window = window
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
            more = max(0.0, boundary * tier.step - self._now) if here else 0.0
            tier.write(boundary, self.good, self.bad, int(self._seen + more))
        tier.last = last

    def over(self, window: float) -> Sums:
        """The last so many seconds, as far as they are known."""
        good, bad, seen = self._until(self._now - window)
        return Sums(
            self.good - good, self.bad - bad, window, min(window, max(0.0, self._seen - seen))
        )

    def _until(self, moment: float) -> tuple[int, int, int]:
        """How far it had come then, or when the slot began that it was in: the finest that is
        remembered."""
        # Each window of each objective asks this every few seconds: it is one loop, and no call.
        boundary, tier = 0, self._tiers[0]
        for tier in self._tiers:
            boundary = int(moment // tier.step)
            if boundary > tier.last - tier.slots:
                break
        else:
            boundary = tier.last - tier.slots + 1
        place = boundary % tier.slots
        return tier.good[place], tier.bad[place], tier.seen[place]

    def resized(self, window: float) -> "Ring":
        """The same, for an objective that looks back farther, or not as far."""
        made = Ring(window, self._now)
        made.good, made.bad, made._seen = self.good, self.bad, self._seen
        for tier in made._tiers:
            for boundary in range(tier.last - tier.slots + 1, tier.last + 1):
                tier.write(boundary, *self._until(float(boundary * tier.step)))
        return made

    def dump(self) -> Kept:
        """For a snapshot."""
        return Kept(
            window=self.window,
            now_ms=int(self._now * 1000),
            seen_ms=int(self._seen * 1000),
            good=self.good,
            bad=self.bad,
            little=sys.byteorder == "little",
            lasts=[tier.last for tier in self._tiers],
            sums=[tier.text() for tier in self._tiers],
        )

    @classmethod
    def load(cls, kept: Kept) -> "Ring":
        """From what `dump` gave. ValueError: it makes no sense."""
        made = cls(kept.window, kept.now_ms / 1000)
        made.good, made.bad, made._seen = kept.good, kept.bad, kept.seen_ms / 1000
        swapped = kept.little is not (sys.byteorder == "little")
        for tier, last, text in zip(made._tiers, kept.lasts, kept.sums, strict=True):
            tier.restore(last, text, swapped)
        return made


def _tiers_for(window: float) -> list[tuple[int, int]]:
    hours = -(-int(window) // HOUR)
    step = HOUR * max(1, -(-hours // MOST_SLOTS))
    return [*FINE, (step, -(-int(window) // step))]
