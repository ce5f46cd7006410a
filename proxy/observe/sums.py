"""What metrics counted of all calls together, under names that pods can add up.

It is drawn from what is there, once in a second or two, and only where pods share a store: a call
pays nothing for it.
"""

from collections.abc import Iterable, Mapping

from proxy.observe.family import LONG
from proxy.observe.metrics import Row

OUTCOMES = ("ok", "fallback", "stale", "failed", "truncated", "refused", "cancelled", "unknown")
"""Those of records."""
BUCKETS = tuple(f"us_{bound}" for bound in (*LONG, "more"))
"""Calls by how long they took, up to so many µs; each is in one only."""


def counted(rows: Iterable[Row]) -> dict[str, int]:
    """So far, since this process began. Of the same names each time."""
    told = dict.fromkeys(("calls", *OUTCOMES, "attempts", "micros", *BUCKETS), 0)
    spreads = []
    for row in rows:
        for (_, outcome, _), number in row.calls.items():
            told["calls"] += number
            told[outcome if outcome in OUTCOMES else "unknown"] += number
        told["attempts"] += sum(row.attempts.values())
        told["micros"] += sum(row.costs.values())
        spreads.append(row.duration.counts)
    for bucket, column in zip(BUCKETS, zip(*spreads, strict=True), strict=False):
        told[bucket] = sum(column)
    return told


def durations(counts: Mapping[str, int]) -> tuple[int, ...]:
    """How many in each bucket, and the rest: as a `Tally` has them."""
    return tuple(counts.get(bucket, 0) for bucket in BUCKETS)
