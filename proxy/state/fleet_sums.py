"""What all pods of the fleet have counted of late: this pod tells, and hears the sums.

Nothing is counted here. Metrics count calls as they end; once a second this looks how far they have
come, and what is more than a second ago belongs to the minute that runs. So a minute is exact to a
second at its edges, and calls pay nothing for it.

**Minutes are the store's.** Its clock was ahead of ours by so much when it last answered; from
there on the clock goes that cannot jump. Until it has answered for the first time ours is taken;
then what was counted is moved to where it belongs. While it is gone minutes are counted on, and
told when it is back; when it has forgotten something, all are told again (`state/shared/sums.py`).

What is lost: what a pod counted in the two seconds before it died. It is in its journal, and in
none of these sums: they are for rates, not for money.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping

from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import SUMS
from proxy.state.link import Link
from proxy.state.shared.sums import KEPT, Minute, Summed, Sums, TellSums, Totals
from proxy.state.store import Unreachable

MINUTES = 15
"""Of which the sums are asked for: the one that runs, and those before it."""
ALL = "all"
"""What is counted: all calls."""
_LOOKS = 1.0
"""Seconds from look to look at what was counted."""
_AT_ONCE = 16
"""Minutes of one message."""


def _nothing() -> Mapping[str, int]:
    """Nobody counts."""
    return {}


class FleetSums:
    """Part of Part."""

    topic = "sums"
    every = 2.0
    idle = False  # never makes room for others in the Keep

    def __init__(self, clock: Clock, counted: str = ALL) -> None:
        """`counted`: what is; counts of other things do not meet."""
        self._clock = clock
        self.counted = counted
        self.read: Callable[[], Mapping[str, int]] = _nothing
        """How far it was counted: of the same names each time, numbers that only grow."""
        self.seen: Summed | None = None
        """The sums as they were heard last; None: they never were."""
        self._link: Link | None = None
        self._ahead = 0.0  # of the store's clock, to ours that cannot jump
        self._met = False  # it is known by the store, and no guess of ours
        self._due = 0.0
        self._before: Mapping[str, int] = {}
        self._minutes: dict[int, Totals] = {}
        self._untold: dict[int, None] = {}
        self._stands_back = False

    @classmethod
    def of(cls, keep: Keep, clock: Clock) -> "FleetSums":
        """That of the process."""
        return keep.of(SUMS, lambda: cls(clock))

    def begin(self, link: Link) -> None:
        """There are others: what is counted from now on is told."""
        self._link = link
        self._ahead = link.wall() - self._clock.now()

    def baseline(self) -> None:
        """What was counted until now is no news: it was told, or is of another process."""
        self._before = self.read()

    def look(self) -> None:
        """How far was it counted? To be asked as often as one likes."""
        if self._link is not None and self._clock.now() >= self._due:
            self._count(self._link)

    def _count(self, link: Link) -> None:
        now = self._clock.now()
        self._due = now + _LOOKS
        if link.up:
            self._set(link.wall() - now)
        minute = int(now + self._ahead) // 60
        if minute not in self._minutes:  # also an idle one is told: so it is known that we live
            self._minutes[minute] = {}
            self._untold[minute] = None
            self._forget()
        counts, read = self._minutes[minute], self.read()
        for name, number in read.items():
            more = number - self._before.get(name, 0)
            if more > 0:
                counts[name] = counts.get(name, 0) + more
                self._untold[minute] = None
        self._before = read

    def _set(self, ahead: float) -> None:
        """The store says what time it is. What was counted before anybody knew is moved."""
        by = 0 if self._met else round((ahead - self._ahead) / 60)
        self._ahead, self._met = ahead, True
        if by:
            self._minutes = {minute + by: counts for minute, counts in self._minutes.items()}
            self._untold = {minute + by: None for minute in self._untold}

    def _forget(self) -> None:
        while len(self._minutes) > KEPT:
            oldest = next(iter(self._minutes))
            del self._minutes[oldest]
            self._untold.pop(oldest, None)

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        if self._stands_back:
            self._stands_back = False
        elif await self._tell(link):
            await self._ask(link)

    async def _ask(self, link: Link) -> None:
        """What do all of them say?"""
        self.seen = await link.ask(Sums(self.counted, MINUTES, tuple(self._before)))

    async def _tell(self, link: Link) -> bool:
        """False: another process speaks for this pod."""
        self._count(link)
        if not link.fleet.ours:
            return False
        for some in _some(self._untold):
            told = tuple(
                Minute(minute, dict(self._minutes[minute]))
                for minute in some
                if minute in self._minutes
            )
            await link.ask(TellSums(link.pod, self.counted, told))
            for each in told:
                self._was_told(each)
        return True

    def _was_told(self, each: Minute) -> None:
        if self._minutes.get(each.minute) == each.counts:
            self._untold.pop(each.minute, None)

    def heard(self, said: bytes) -> None:
        """Part of Part: nothing is published of it."""

    def anew(self) -> None:
        """Part of Part. The store waits for what pods hold now, and this can wait for 2 s."""
        self._untold = dict.fromkeys(self._minutes)
        self._stands_back = True

    def lost(self) -> None:
        """Part of Part: minutes are counted on."""

    async def leave(self, link: Link) -> None:
        """Part of Part: what was counted since is told. Nothing waits for it if it is not."""
        with contextlib.suppress(Unreachable):
            _ = await self._tell(link)


def _some(minutes: Iterable[int]) -> Iterator[list[int]]:
    """Of those that there are now, as many as go into one message."""
    every = list(minutes)
    return (every[at : at + _AT_ONCE] for at in range(0, len(every), _AT_ONCE))
