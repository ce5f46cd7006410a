"""Records and the other things that metrics are drawn from."""

from types import SimpleNamespace
from typing import Any

from proxy.keep import Keep
from proxy.observe import catalogue, conventions, mirrors
from proxy.observe.alerts import delivery_figures
from proxy.observe.alerts import figures as of_alerts
from proxy.observe.behaviour import figures as of_agents
from proxy.observe.catalogue import Metric
from proxy.observe.family import Family, Rows
from proxy.observe.metrics import Metrics
from proxy.observe.slo import figures, task_figures
from proxy.observe.traces import traces
from proxy.record import AttemptRecord, Record

LOOKOUT = (
    *figures.METRICS,
    *task_figures.METRICS,
    *of_agents.METRICS,
    *delivery_figures.METRICS,
    *of_alerts.METRICS,
    *traces.METRICS,
    *mirrors.METRICS,
)
"""Metrics of what operators are told, which have catalogues of their own."""


class Anything(SimpleNamespace):
    """Something kept that is no part of ours; unlike its base it can be referred to weakly."""


class Rules:
    """The policies in force, as metrics see them."""

    version = "ab12cd"
    rejected = ""


def record(tool: str = "get_balance", **changes: Any) -> Record:
    """A call that went well at the first attempt, but for `changes`."""
    facts: dict[str, Any] = {
        "id": "c-1",
        "agent": "pricing-01",
        "upstream": "gateway",
        "protocol": "tools",
        "layer": "tool",
        "tool": tool,
        "method": "POST",
        "policy_version": "ab12cd",
        "decision": "allow",
        "outcome": "ok",
        "executed": "yes",
        "status": 200,
        "attempts": (AttemptRecord(1, "success", 3, "gateway", 200),),
        "duration_us": 3_000,
        "overhead_us": 45,
        "ttfb_us": 2_900,
    }
    return Record(**(facts | changes))


def metrics(keep: Keep | None = None) -> Metrics:
    """Metrics that have seen nothing yet."""
    made = Metrics(Keep() if keep is None else keep, Rules())
    made.lookout = lambda: [Family(metric, {}) for metric in LOOKOUT]
    return made


def rows(found: Metrics, name: str) -> Rows:
    """What is read of one metric."""
    return next(family.rows for family in found.read() if family.metric.name == name)


def catalogued() -> list[Metric]:
    """Every metric of the catalogues."""
    named = [thing for thing in vars(catalogue).values() if isinstance(thing, Metric)]
    return [*named, *catalogue.COUNTED, *LOOKOUT, *conventions.METRICS]
