"""What is counted of alerts."""

from collections.abc import Iterator, Mapping

from proxy.observe.alerts.book import Alerts
from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family, Rows

FIRING = Metric(
    Kind.GAUGE, "holdfast_alerts_firing", ("source", "severity"), "Alerts that fire now."
)
FIRED = Metric(
    Kind.COUNTER, "holdfast_alerts_total", ("source", "severity"), "Alerts that have fired."
)
LOST = Metric(
    Kind.COUNTER,
    "holdfast_alerts_lost_total",
    (),
    "How often a source said something for which there were too many alerts.",
)
ESCALATED = Metric(
    Kind.COUNTER,
    "holdfast_alert_acts_total",
    ("act", "result"),
    "What steps of ladders did: done, begun (calls of tools) or failed.",
)
METRICS = (FIRING, FIRED, LOST, ESCALATED)
"""All of them."""


def families(alerts: Alerts) -> Iterator[Family]:
    """Every metric of alerts, as it is now."""
    # What fired once and does not now is zero: a graph that ends says nothing.
    firing = dict.fromkeys(alerts.fired, 0)
    for alert in alerts.firing():
        key = alert.condition.source, alert.condition.severity
        firing[key] = firing.get(key, 0) + 1
    yield Family(FIRING, _rows(firing))
    yield Family(FIRED, _rows(alerts.fired))
    yield Family(LOST, {(): alerts.lost})
    yield Family(ESCALATED, _rows(alerts.escalated))


def _rows(counted: Mapping[tuple[str, str], int]) -> Rows:
    return {(one, other): number for (one, other), number in counted.items()}
