"""What metrics are read as: families of rows, each a number or a histogram.

Reading goes in steps, since it happens on the loop: whoever reads lets others go first where `None`
comes. What a row says is of one moment; two rows may be of two, a millisecond apart.
"""

from bisect import bisect_left
from collections.abc import Callable, Generator, Iterable, Iterator
from itertools import accumulate
from typing import TypeAlias, TypeVar

import msgspec

from proxy.observe.catalogue import Metric

LONG = (
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000, 10_000_000, 20_000_000, 30_000_000, 60_000_000, 120_000_000,
    300_000_000, 600_000_000,
)  # fmt: skip
"""Upper bounds of the buckets of a call, in µs: from a local tool to a long answer of a model."""
SHORT = (
    5, 10, 20, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500,
    1_000, 2_000, 5_000, 10_000, 50_000, 100_000,
)  # fmt: skip
"""Upper bounds of the buckets of our own time, in µs."""
STEP = 64
"""Rows that are read before others may go first: some tens of microseconds."""

Labels: TypeAlias = tuple[str, ...]


class Exemplar(msgspec.Struct, frozen=True, gc=False):
    """One call of those that a bucket counts, by its trace."""

    trace: str  # 32 hex digits
    span: str  # 16
    us: int
    wall: float  # seconds since 1970


class Spread(msgspec.Struct, frozen=True):
    """A histogram as it was read: how many in each bucket, and the rest; and their sum.

    Bounds and sum are so many parts of what is shown: µs of seconds.
    """

    bounds: tuple[int, ...]
    counts: tuple[int, ...]
    sum_us: int
    exemplars: dict[int, Exemplar] = {}  # by the number of the bucket
    parts: int = 1_000_000

    @property
    def upto(self) -> tuple[tuple[int, int], ...]:
        """Cumulated, as Prometheus wants it: (upper bound, how many up to it)."""
        return tuple(zip(self.bounds, accumulate(self.counts), strict=False))

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.counts)


Rows: TypeAlias = dict[Labels, int | float | Spread]


class Family(msgspec.Struct, frozen=True):
    """A metric and its rows, as they were read."""

    metric: Metric
    rows: Rows


Steps: TypeAlias = Iterator[Family | None]
"""Families as they are read; None: others may go first."""
Made = TypeVar("Made")
Source = TypeVar("Source")
Making: TypeAlias = Generator[None, None, Made]
"""Something that is made in steps."""


class Histogram:
    """How often which duration. `counts` has one place more than `bounds`: the rest.

    Of each bucket the last call that is traced is remembered, if any is: one for each at most.
    """

    __slots__ = ("bounds", "counts", "exemplars", "sum_us")

    def __init__(self, bounds: tuple[int, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum_us = 0
        self.exemplars: dict[int, Exemplar] | None = None

    def add(self, value: int) -> None:
        """One more. Who counts on every call has the same lines in place."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum_us += value

    def remember(self, exemplar: Exemplar) -> None:
        """It was counted, and it is traced."""
        if self.exemplars is None:
            self.exemplars = {}
        self.exemplars[bisect_left(self.bounds, exemplar.us)] = exemplar

    def spread(self, parts: int = 1_000_000) -> Spread:
        """A copy."""
        exemplars = self.exemplars.copy() if self.exemplars else {}
        return Spread(self.bounds, tuple(self.counts), self.sum_us, exemplars, parts)


def summed(rows: Iterable[tuple[Labels, int]]) -> Making[Rows]:
    """Rows that are the same once their names became labels are one row."""
    total: dict[Labels, int] = {}
    for at, (labels, number) in enumerate(rows):
        total[labels] = total.get(labels, 0) + number
        if not at % STEP:
            yield
    return {**total}


def each(
    rows: Iterable[tuple[Labels, Source]], of: Callable[[Source], int | float | Spread | None]
) -> Making[Rows]:
    """What `of` says of each; nothing of those of which it says nothing."""
    found: Rows = {}
    for at, (labels, row) in enumerate(rows):
        value = of(row)
        if value is not None:
            found[labels] = value
        if not at % STEP:
            yield
    return found


def at_once(making: Making[Made]) -> Made:
    """What comes of it, without a pause."""
    while True:
        try:
            next(making)
        except StopIteration as end:
            made: Made = end.value
            return made
