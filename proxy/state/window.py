"""What happened lately, counted exactly: ten buckets in a ring, and their running sums.

Decaying averages are cheaper still, but they can hide a tight burst of failures behind a good hour.
Here the sums are those of the last ten buckets to the last call, and adding costs the same however
many calls there were: at a bucket's turn what falls out of the ring is subtracted.
"""

from typing import NamedTuple

BUCKETS = 10


class Seen(NamedTuple):
    """What a window counts at one moment; its names are those of `Window`."""

    calls: int
    failures: int
    held: int
    slow: int


class Window:
    """Counts of one circuit over the last `BUCKETS` buckets. Times are seconds on `Clock.now`."""

    __slots__ = (
        "_at",
        "_called",
        "_rings",
        "_turns_at",
        "calls",
        "failures",
        "held",
        "length",
        "slow",
        "tick",
        "width",
    )

    def __init__(self, length: float) -> None:
        self.length = length
        self.width = length / BUCKETS
        self.tick = -1  # no time has been seen
        self._turns_at = 0.0
        self.clear()

    def clear(self) -> None:
        """Forget everything counted; time stays where it is."""
        self.calls = 0
        self.failures = 0
        self.held = 0  # failures that count only if they are seen on several tools
        self.slow = 0
        self._at = self.tick % BUCKETS
        self._rings = ([0] * BUCKETS, [0] * BUCKETS, [0] * BUCKETS, [0] * BUCKETS)
        self._called = self._rings[0]

    def of_length(self, length: float) -> "Window":
        """The same counts in another window, as if all of them were of now."""
        other = Window(length)
        if self.tick >= 0:
            other.turn((self.tick + 0.5) * self.width)
        totals = (self.calls, self.failures, self.held, self.slow)
        other.calls, other.failures, other.held, other.slow = totals
        for ring, total in zip(other._rings, totals, strict=True):
            ring[other._at] = total
        return other

    def turn(self, now: float) -> None:
        """Forget what is too old. An earlier time than one seen before counts as that one."""
        if now >= self._turns_at:
            self._turn(now)

    def seen(self, now: float) -> Seen:
        """What `turn` would leave, for those who only look."""
        due = int(now / self.width) - self.tick if now >= self._turns_at else 0
        gone = [(self._at + 1 + step) % BUCKETS for step in range(min(due, BUCKETS))]
        totals = (self.calls, self.failures, self.held, self.slow)
        return Seen(
            *(
                total - sum(ring[at] for at in gone)
                for total, ring in zip(totals, self._rings, strict=True)
            )
        )

    def call(self, now: float) -> None:
        """A call was answered, well or badly."""
        if now >= self._turns_at:
            self._turn(now)
        self.calls += 1
        self._called[self._at] += 1

    def failure(self) -> None:
        """The call just counted failed."""
        self.failures += 1
        self._rings[1][self._at] += 1

    def hold(self) -> None:
        """The call just counted failed, for its tool only as far as is known."""
        self.held += 1
        self._rings[2][self._at] += 1

    def slow_call(self) -> None:
        """The call just counted was slow."""
        self.slow += 1
        self._rings[3][self._at] += 1

    def _turn(self, now: float) -> None:
        steps = max(1, int(now / self.width) - self.tick)  # rounding may say that it is not yet due
        self.tick += steps
        self._turns_at = (self.tick + 1) * self.width
        calls, failures, held, slow = self._rings
        for _ in range(min(steps, BUCKETS)):
            at = self._at = (self._at + 1) % BUCKETS
            self.calls -= calls[at]
            self.failures -= failures[at]
            self.held -= held[at]
            self.slow -= slow[at]
            calls[at] = failures[at] = held[at] = slow[at] = 0
