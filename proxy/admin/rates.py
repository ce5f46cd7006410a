"""How much there was lately, out of numbers that only grow: now, less what was a minute ago.

A call pays nothing for it. Every few seconds the numbers are copied, some hundred at most; who asks
gets the difference between now and the oldest copy of the last minute. Before the first minute is
over, that is since the start. Some of these differences are kept, of all calls together, to show
how it went in the last half hour.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from proxy.clock import Clock
from proxy.observe.family import LONG
from proxy.observe.metrics import Metrics, Tally

EVERY = 5.0
"""Seconds from copy to copy."""
SPAN = 60.0
"""Seconds that rates look back."""
STEP = 3
"""Copies from one point of the trend to the next."""
POINTS = 120
"""Of the trend: half an hour."""

FAILED = frozenset({"failed", "truncated"})
"""Outcomes that are errors."""

Key = tuple[str, str]  # upstream and tool, as metrics show them
_NOTHING = Tally({}, (0,) * (len(LONG) + 1))


class Lately(msgspec.Struct, frozen=True):
    """What there was of one upstream or tool in so many seconds."""

    seconds: float
    calls: int
    failed: int  # those that ended as failed or truncated
    refused: dict[str, int]  # by code
    durations: tuple[int, ...]  # how many in each bucket of `LONG`
    cost_micros: int = 0

    @property
    def per_second(self) -> float:
        """Calls a second."""
        return self.calls / self.seconds if self.seconds else 0.0

    @property
    def errors(self) -> float | None:
        """The share of calls that failed; None where there were none."""
        return self.failed / self.calls if self.calls else None

    @property
    def micros_per_hour(self) -> int:
        """What an hour of this costs, in micro-dollars."""
        return round(self.cost_micros * 3600 / self.seconds) if self.seconds else 0

    def quantile(self, share: float) -> float | None:
        """Seconds in which so many of the calls were over, within their bucket's bounds."""
        total = sum(self.durations)
        if not total:
            return None
        rank, below = share * total, 0
        for (low, high), count in zip(_bounds(), self.durations, strict=True):
            if count and below + count >= rank:
                return (low + (high - low) * (rank - below) / count) / 1e6
            below += count
        raise AssertionError("the rank is not above the total")


class Rates:
    """The copies of the last minute."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._calls = 0
        self._last_call = 0.0
        self._copies: deque[tuple[float, dict[Key, Tally]]] = deque(maxlen=int(SPAN / EVERY))
        self._copied = 0
        self.trend: deque[Lately] = deque(maxlen=POINTS)
        self.followers: list[Callable[[], None]] = []
        """Told when numbers are copied: they copy their own."""
        self.copy()

    async def run(self) -> None:
        """Copy until cancelled."""
        while True:
            await self._clock.sleep(EVERY)
            self.copy()

    def copy(self) -> None:
        """Note how far the numbers have come."""
        self._copies.append((self._clock.now(), self._look()))
        self._copied += 1
        if self._copied > STEP and self._copied % STEP == 1:
            (began, before), (ended, after) = self._copies[-1 - STEP], self._copies[-1]
            self.trend.append(together([*_grown(before, after, ended - began).values()]))
        for follower in self.followers:
            follower()

    def last_call(self) -> float:
        """When the last call ended, on `Clock.wall`: not before it did, and at most `EVERY` seconds
        after it. 0: there was none."""
        _ = self._look()
        return self._last_call

    @property
    def copies(self) -> int:
        """How many there are: of what is newer there are fewer."""
        return len(self._copies)

    @property
    def seconds(self) -> float:
        """That rates look back now."""
        return self._clock.now() - self._copies[0][0]

    def _look(self) -> dict[Key, Tally]:
        tallies = self._metrics.tallies()
        calls = sum(sum(tally.calls.values()) for tally in tallies.values())
        if calls != self._calls:
            self._calls, self._last_call = calls, self._clock.wall()
        return tallies

    def lately(self) -> dict[Key, Lately]:
        """Of each upstream and tool that was ever called."""
        began, before = self._copies[0]
        return _grown(before, self._metrics.tallies(), self._clock.now() - began)


def together(parts: Sequence[Lately]) -> Lately:
    """Several as one."""
    refused: Counter[str] = Counter()
    for part in parts:
        refused.update(part.refused)
    return Lately(
        seconds=max((part.seconds for part in parts), default=0.0),
        calls=sum(part.calls for part in parts),
        failed=sum(part.failed for part in parts),
        refused=dict(refused),
        durations=tuple(map(sum, zip(*(part.durations for part in parts), strict=True))),
        cost_micros=sum(part.cost_micros for part in parts),
    )


def _grown(before: dict[Key, Tally], after: dict[Key, Tally], seconds: float) -> dict[Key, Lately]:
    return {key: _between(before.get(key, _NOTHING), now, seconds) for key, now in after.items()}


def _between(before: Tally, now: Tally, seconds: float) -> Lately:
    grown = {
        key: number - before.calls.get(key, 0)
        for key, number in now.calls.items()
        if number > before.calls.get(key, 0)
    }
    return Lately(
        seconds=seconds,
        calls=sum(grown.values()),
        failed=sum(n for (outcome, _), n in grown.items() if outcome in FAILED),
        refused={code: n for (outcome, code), n in grown.items() if outcome == "refused"},
        durations=tuple(
            later - earlier for later, earlier in zip(now.durations, before.durations, strict=True)
        ),
        cost_micros=now.cost_micros - before.cost_micros,
    )


def _bounds() -> Iterator[tuple[int, int]]:
    """Where each bucket begins and ends; the last one has no end, and tells what it has."""
    yield from zip((0, *LONG), LONG, strict=False)
    yield LONG[-1], LONG[-1]
