"""How an agent fares: how many of its calls fail of late, and how many take too long.

Sums of the last minutes, in slots. That a p99 is over a limit is counted and not estimated: it is
so when more than one of a hundred took longer. What is shown as its p99 is the bound of a bucket.
"""

from bisect import bisect_left
from itertools import accumulate

from proxy.observe.behaviour.rules import Rules
from proxy.observe.family import LONG

SLOTS = 10
"""Of a window: what is a tenth of it too old still counts."""
TAIL = 0.01
"""So many may take longer than a p99."""
ENOUGH = 100
"""With fewer durations there is no p99."""
HEALTHY, DEGRADED, CRITICAL, UNKNOWN = "healthy", "degraded", "critical", "unknown"
STATES = (HEALTHY, DEGRADED, CRITICAL, UNKNOWN)


class _Slot:
    """What ended in a tenth of the window."""

    __slots__ = ("bad", "calls", "number", "slow", "slower", "timed", "took")

    def __init__(self) -> None:
        self.begin(-1)

    def begin(self, number: int) -> None:
        """Nothing has ended in it yet. `number`: of the tenth, since the clock began."""
        self.number = number
        self.calls = self.bad = 0
        self.timed = self.slow = self.slower = 0  # of those whose duration says something
        self.took = [0] * (len(LONG) + 1)


class Wellness:
    """Of one agent."""

    __slots__ = ("_slots",)

    def __init__(self) -> None:
        self._slots = [_Slot() for _ in range(SLOTS)]

    def note(self, at: float, rules: Rules, us: int, *, bad: bool) -> None:
        """A call has ended; it took so many µs, or -1: that says nothing."""
        number = int(at * SLOTS / rules.window)
        slot = self._slots[number % SLOTS]
        if slot.number != number:
            slot.begin(number)
        slot.calls += 1
        if bad:
            slot.bad += 1
        if us < 0:
            return
        slot.timed += 1
        slot.took[bisect_left(LONG, us)] += 1
        if us > rules.degraded_p99 * 1e6:
            slot.slow += 1
            if us > rules.critical_p99 * 1e6:
                slot.slower += 1

    def fares(self, at: float, rules: Rules) -> "Fares":
        """How it is now."""
        newest = int(at * SLOTS / rules.window)
        slots = [slot for slot in self._slots if newest - SLOTS < slot.number <= newest]
        return Fares(slots, rules)


class Fares:
    """How an agent fares at one moment."""

    __slots__ = ("bad", "calls", "errors", "p99", "state")

    def __init__(self, slots: list[_Slot], rules: Rules) -> None:
        self.calls = sum(slot.calls for slot in slots)
        self.bad = sum(slot.bad for slot in slots)
        self.errors = self.bad / self.calls if self.calls else 0.0
        timed = sum(slot.timed for slot in slots)
        self.p99 = _p99(slots, timed)
        """Seconds; None: there are too few to say."""
        allowed = TAIL * timed if timed >= ENOUGH else timed
        slow = sum(slot.slow for slot in slots) > allowed
        slower = sum(slot.slower for slot in slots) > allowed
        self.state = HEALTHY
        if self.calls < rules.min_calls:
            self.state = UNKNOWN
        elif slower or self.errors > rules.critical_errors:
            self.state = CRITICAL
        elif slow or self.errors > rules.degraded_errors:
            self.state = DEGRADED


def _p99(slots: list[_Slot], timed: int) -> float | None:
    """The upper bound of the bucket that it lies in; of the last one its lower bound."""
    if timed < ENOUGH:
        return None
    took = (sum(column) for column in zip(*(slot.took for slot in slots), strict=True))
    rank = (1 - TAIL) * timed
    bucket = next(i for i, upto in enumerate(accumulate(took)) if upto >= rank)
    return LONG[min(bucket, len(LONG) - 1)] / 1e6
