"""What metrics say of tasks; how they ended is among the events of their objective."""

from collections.abc import Iterable, Iterator

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family, Rows
from proxy.observe.slo.tasks import Tasks

OPEN = Metric(
    Kind.GAUGE, "holdfast_slo_open_tasks", ("slo",), "Tasks that have begun and not ended."
)
UNCOUNTED = Metric(
    Kind.COUNTER,
    "holdfast_slo_uncounted_calls_total",
    ("slo", "why"),
    "Calls that are of no task that is followed: it had ended (late), or too many were open "
    "(untracked).",
)
METRICS = (OPEN, UNCOUNTED)
"""All of them."""


def families(tasks: Iterable[Tasks]) -> Iterator[Family]:
    """Each metric once, as it is now."""
    there: Rows = {}
    uncounted: Rows = {}
    for each in tasks:
        name = each.objective.name
        there[name,] = each.open
        uncounted[name, "late"] = each.late
        uncounted[name, "untracked"] = each.untracked
    yield Family(OPEN, there)
    yield Family(UNCOUNTED, uncounted)
