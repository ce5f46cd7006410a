"""What metrics say of objectives. Counts are of events since the process began, as all counters
are; what is of windows has no row before anything was counted in it: nothing is no good sign."""

from collections.abc import Iterable, Iterator

from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family, Rows
from proxy.observe.slo.book import Entry
from proxy.observe.slo.burning import STATES, burn_rate
from proxy.observe.slo.burns import told

EVENTS = Metric(
    Kind.COUNTER,
    "holdfast_slo_events_total",
    ("slo", "good"),
    "Calls or tasks that ended well (true), badly (false), or in a way that does not count.",
)
OBJECTIVE = Metric(
    Kind.GAUGE, "holdfast_slo_objective", ("slo",), "The share of events that is to be good."
)
REMAINING = Metric(
    Kind.GAUGE,
    "holdfast_slo_budget_remaining",
    ("slo",),
    "What is left of the error budget: 1 all of it, 0 nothing, less: so much more was used.",
)
RATE = Metric(
    Kind.GAUGE,
    "holdfast_slo_burn_rate",
    ("slo", "window"),
    "How many times as fast as it may the error budget was used up in a window.",
)
STATE = Metric(
    Kind.GAUGE, "holdfast_slo_state", ("slo", "state"), "1 for how an objective stands, else 0."
)
COVERAGE = Metric(
    Kind.GAUGE,
    "holdfast_slo_coverage",
    ("slo",),
    "The share of an objective's window in which events were counted.",
)
METRICS = (EVENTS, OBJECTIVE, REMAINING, RATE, STATE, COVERAGE)
"""All of them."""


def families(entries: Iterable[Entry]) -> Iterator[Family]:
    """Each metric once, as it is now."""
    rows: dict[str, Rows] = {metric.name: {} for metric in METRICS}
    for entry in entries:
        name, standing = entry.objective.name, entry.standing
        for good, number in zip(("true", "false", "excluded"), entry.series.counts, strict=True):
            rows[EVENTS.name][name, good] = number
        rows[OBJECTIVE.name][name,] = entry.objective.objective
        if standing is None:
            continue
        for state in STATES:
            rows[STATE.name][name, state] = int(state == standing.state)
        rows[COVERAGE.name][name,] = round(standing.sums.coverage, 6)
        if standing.sums.total:
            rows[REMAINING.name][name,] = round(standing.remaining, 6)
        for window, sums in standing.windows.items():
            if sums.total:
                rate = round(burn_rate(entry.objective, sums), 6)
                rows[RATE.name][name, told(window)] = rate
    for metric in METRICS:
        yield Family(metric, rows[metric.name])
