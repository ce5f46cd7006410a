"""What the pods of a fleet counted for an objective, together.

Each pod tells the store what it counted, minute by minute, and hears what all of them did
(`proxy/state/shared/sums.py`). Those counts are added up, and ratios are made of the sums: the
mean of two pods' ratios would be that of neither. The store knows the last hour, so of that the
minutes are asked for anew each time, also those that a pod tells late; what is older than
`SETTLED` minutes cannot change any more, and goes into a ring of this pod's own. So a pod that was
away for less than an hour misses nothing of what the others counted.

Minutes are the store's, and windows reach back by up to one more than was asked. While the store
is not there each pod goes by its own counts.
"""

import msgspec

from proxy.clock import Clock
from proxy.observe.slo.ring import Kept, Ring, Sums
from proxy.observe.slo.series import Series
from proxy.state.fleet_sums import FleetSums
from proxy.state.link import Link
from proxy.state.shared.sums import KEPT, SumsByMinute

GOOD, BAD, EXCLUDED = NAMES = ("good", "bad", "excluded")
SETTLED = KEPT - 3
"""Minutes after which the store takes no more of one; those of two clocks that differ are left."""
FRESH = 30.0
"""Seconds for which what was heard counts."""
EVERY = 5.0
"""Seconds from one exchange to the next."""
_MINUTE = 60


class KeptFleet(msgspec.Struct):
    """What a snapshot has of one."""

    settled: int
    lately: list[tuple[int, int, int]]  # minute, good and bad
    ring: Kept


class FleetSeries(FleetSums):
    """One objective. It counts minutes as `FleetSums` does."""

    def __init__(self, clock: Clock, subject: str, series: Series, window: float) -> None:
        """`subject`: what it is called in the store."""
        super().__init__(clock, subject)
        self.read = lambda: {
            GOOD: series.good,
            BAD: series.bad,
            EXCLUDED: sum(series.excluded.values()),
        }
        self._ring = Ring(window, 0.0)
        self._settled = 0  # the last minute that is in the ring; 0: none
        self._lately: dict[int, tuple[int, int]] = {}  # those after it, as they were heard last
        self._at = 0.0  # on the store's clock, when it said so
        self._heard = float("-inf")  # on ours

    @property
    def fresh(self) -> bool:
        """Was it heard a moment ago?"""
        return self._clock.now() - self._heard < FRESH

    def over(self, window: float) -> Sums:
        """What all of them counted in the last so many seconds."""
        begin = self._at - window
        first = int(begin // _MINUTE)
        lately = [counts for minute, counts in self._lately.items() if minute >= first]
        good, bad = (sum(column) for column in zip((0, 0), *lately, strict=True))
        seen = float(_MINUTE * len(lately))
        if begin < self._ring.now and self._settled:
            before = self._ring.over(self._ring.now - begin)
            good, bad, seen = good + before.good, bad + before.bad, seen + before.seen
        return Sums(good, bad, window, min(window, seen))

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        if self._link is None:
            self.begin(link)
        await super().exchange(link)

    async def _ask(self, link: Link) -> None:
        said = await link.ask(SumsByMinute(self.counted, KEPT, NAMES))
        now = said.at // (1000 * _MINUTE)
        told = {each.minute: (each.counts[GOOD], each.counts[BAD]) for each in said.minutes}
        self._lately |= {minute: told[minute] for minute in told if minute > self._settled}
        self._settle(now - SETTLED)
        self._at, self._heard = said.at / 1000, self._clock.now()

    def _settle(self, last: int) -> None:
        """Up to this minute nothing changes any more. Of those that the store has forgotten
        meanwhile, what was heard of them when it had not; of others nobody will hear."""
        for minute in sorted(minute for minute in self._lately if minute <= last):
            self._ring.advance(float(minute * _MINUTE), here=False)
            self._ring.add(*self._lately.pop(minute))
            self._ring.advance(float((minute + 1) * _MINUTE))
        self._settled = max(self._settled, last)
        self._ring.advance(float((self._settled + 1) * _MINUTE), here=False)

    def resize(self, window: float) -> None:
        """The objective looks back as far as this."""
        if window != self._ring.window:
            self._ring = self._ring.resized(window)

    def dump(self) -> KeptFleet | None:
        """For a snapshot; None: nothing was heard yet."""
        if not self._settled:
            return None
        lately = [(minute, *counts) for minute, counts in self._lately.items()]
        return KeptFleet(self._settled, lately, self._ring.dump())

    def load(self, kept: KeptFleet) -> None:
        """From what `dump` gave. ValueError: it makes no sense."""
        window = self._ring.window
        self._ring = Ring.load(kept.ring)
        self._settled = kept.settled
        self._lately = {minute: (good, bad) for minute, good, bad in kept.lately}
        self.resize(window)


class FleetSlos:
    """All of them. Part of Part."""

    topic = "slos"
    every = EVERY

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._series: dict[str, FleetSeries] = {}  # by what they are called in the store

    def of(self, subject: str, series: Series, window: float) -> FleetSeries:
        """What all count for one. What this pod counted until now is no news."""
        made = self._series[subject] = FleetSeries(self._clock, subject, series, window)
        made.baseline()
        return made

    def forget(self, subject: str) -> None:
        """It is in force here no more."""
        self._series.pop(subject, None)

    def look(self) -> None:
        """How far was it counted?"""
        for each in self._series.values():
            each.look()

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        for each in [*self._series.values()]:
            await each.exchange(link)

    def heard(self, said: bytes) -> None:
        """Part of Part: nothing is published of it."""

    def anew(self) -> None:
        """Part of Part."""
        for each in self._series.values():
            each.anew()

    def lost(self) -> None:
        """Part of Part: minutes are counted on."""

    async def leave(self, link: Link) -> None:
        """Part of Part."""
        for each in [*self._series.values()]:
            await each.leave(link)
