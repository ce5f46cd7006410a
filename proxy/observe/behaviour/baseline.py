"""What is usual: the median of samples, and how far they lie from it (MAD), on logarithms.

Tasks differ by factors, not by sums: one with twice the calls is as far from the usual as one with
half of them. A few wild samples move neither median nor MAD, which mean and deviation do not
survive; and what was told as an anomaly is not learned at all. So what is new stays an anomaly
until its agent's old samples are older than the baseline, and there are enough of the new ones.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from statistics import median

MOST = 256
"""Samples that are kept of an agent; the oldest go."""
_NORMAL = 0.6745
"""Of a normal distribution MAD is so many standard deviations."""
_MEAN = 0.7979
"""And the mean absolute deviation so many."""
_LEAST = 0.1
"""Where nearly all samples are the same, a tenth is not far yet."""


class Usual:
    """Median and spread of one signal."""

    __slots__ = ("centre", "spread")

    def __init__(self, values: Sequence[float]) -> None:
        """`values` are logarithms; at least one."""
        self.centre = median(values)
        distances = [abs(value - self.centre) for value in values]
        mad = median(distances) / _NORMAL
        if not mad:  # more than half are the same: the others say how far is far
            mad = sum(distances) / len(distances) / _MEAN
        self.spread = max(mad, _LEAST)

    def score(self, value: float) -> float:
        """How many standard deviations a value lies above the usual, were all of it normal."""
        return (scaled(value) - self.centre) / self.spread

    @property
    def middle(self) -> float:
        """The median itself."""
        return math.expm1(self.centre)


def scaled(value: float) -> float:
    """The logarithm of a count, a cost or a ratio; of nothing 0."""
    return math.log1p(value)


class Baseline:
    """Samples of one agent: rows of as many values as there are signals, and when each was."""

    def __init__(self, signals: int) -> None:
        self._signals = signals
        self._times: array[float] = array("d")
        self._values: array[float] = array("f")  # row by row, as logarithms
        self._usual: list[Usual] | None = None

    def __len__(self) -> int:
        return len(self._times)

    def learn(self, at: float, row: Sequence[float]) -> None:
        """A sample, of the time `at`."""
        self._times.append(at)
        self._values.extend(map(scaled, row))
        if len(self._times) > MOST:
            self._drop(len(self._times) - MOST)
        self._usual = None

    def forget(self, before: float) -> None:
        """What was before is not usual any more."""
        if self._times and self._times[0] < before:
            self._drop(bisect_left(self._times, before))
            self._usual = None

    def usual(self, least: int) -> list[Usual] | None:
        """Of each signal; None: there are fewer samples than that."""
        if len(self._times) < least:
            return None
        if self._usual is None:
            step = self._signals
            self._usual = [Usual(self._values[signal::step]) for signal in range(step)]
        return self._usual

    def dump(self) -> tuple[bytes, bytes]:
        """Times and values, as they are in memory."""
        return self._times.tobytes(), self._values.tobytes()

    def load(self, times: bytes, values: bytes) -> None:
        """What `dump` gave. Raises ValueError for something else."""
        found_times, found_values = array("d"), array("f")
        found_times.frombytes(times)
        found_values.frombytes(values)
        if len(found_values) != self._signals * len(found_times):
            raise ValueError("not as many values as there are samples")
        self._times, self._values, self._usual = found_times, found_values, None

    def _drop(self, count: int) -> None:
        del self._times[:count]
        del self._values[: count * self._signals]
