"""What is counted of mirrors: how late they are, and what came of what they told."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Protocol

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family

_MIRROR = ("mirror",)
LAG = Metric(
    Kind.GAUGE, "holdfast_mirror_lag_records", _MIRROR, "Records that it has not told yet."
)
LATE = Metric(Kind.GAUGE, "holdfast_mirror_lag_seconds", _MIRROR, "How old the first of them is.")
SENT = Metric(
    Kind.COUNTER, "holdfast_mirror_sent_total", _MIRROR, "Records that its receiver took."
)
FAILURES = Metric(
    Kind.COUNTER, "holdfast_mirror_failures_total", _MIRROR, "Tries that came to nothing."
)
ASIDE = Metric(
    Kind.COUNTER, "holdfast_mirror_set_aside_total", _MIRROR, "Records that it did not want."
)
LOST = Metric(
    Kind.COUNTER, "holdfast_mirror_lost_total", _MIRROR, "Records deleted before they were told."
)
METRICS = (LAG, LATE, SENT, FAILURES, ASIDE, LOST)
"""In the order in which they are read."""
_SECONDS = len("2026-11-28T06:23:32")


class Named(Protocol):
    """What it is called."""

    @property
    def name(self) -> str:
        """In policies."""


class Counted(Protocol):
    """What came of it."""

    sent: int
    failed: int
    aside: int
    lost: int


class Mirrored(Protocol):
    """What is read of a mirror."""

    waits_for: str

    @property
    def terms(self) -> Named:
        """What it is."""

    @property
    def counts(self) -> Counted:
        """Since the start."""

    @property
    def lag(self) -> int:
        """Records that it has not told."""


def families(mirrors: Sequence[Mirrored], wall: Callable[[], float]) -> Iterator[Family]:
    """Every metric of mirrors, as it is now."""
    rows = [((each.terms.name,), each) for each in mirrors]
    yield Family(LAG, {name: each.lag for name, each in rows})
    yield Family(LATE, {name: _late(each, wall()) for name, each in rows})
    yield Family(SENT, {name: each.counts.sent for name, each in rows})
    yield Family(FAILURES, {name: each.counts.failed for name, each in rows})
    yield Family(ASIDE, {name: each.counts.aside for name, each in rows})
    yield Family(LOST, {name: each.counts.lost for name, each in rows})


def _late(mirror: Mirrored, now: float) -> int:
    """Whole seconds; 0: nothing is known to wait."""
    if not mirror.waits_for:
        return 0
    began = datetime.fromisoformat(mirror.waits_for[:_SECONDS]).replace(tzinfo=UTC)
    return max(0, int(now - began.timestamp()))
