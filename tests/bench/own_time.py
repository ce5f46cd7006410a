"""Holdfast's own time for a call, out of the histogram that it shows on `/metrics`."""

import math
import re

METRIC = "holdfast_overhead_seconds"
Buckets = dict[float, float]  # upper edge in seconds -> calls at or below it

_LINE = re.compile(rf'^{METRIC}_bucket{{.*?le="([^"]+)".*?}} (\S+)', re.MULTILINE)


def overhead(metrics: str) -> Buckets:
    """The histogram, added up over its labels; empty where there is none."""
    buckets: Buckets = {}
    for edge, count in _LINE.findall(metrics):
        buckets[float(edge)] = buckets.get(float(edge), 0.0) + float(count)
    return buckets


def since(before: Buckets, after: Buckets) -> Buckets:
    """What came in between."""
    return {edge: count - before.get(edge, 0.0) for edge, count in after.items()}


def quantile(buckets: Buckets, share: float) -> float | None:
    """Interpolated within its bucket, as Prometheus does; None without calls."""
    edges = sorted(buckets)
    total = buckets[edges[-1]] if edges else 0.0
    if not total:
        return None
    rank = share * total
    lower, below = 0.0, 0.0
    for edge in edges:
        if buckets[edge] >= rank:
            if math.isinf(edge):
                return lower
            return lower + (edge - lower) * (rank - below) / (buckets[edge] - below)
        lower, below = edge, buckets[edge]
    return None
