"""`GET /v1/overview`: all that one look should tell, in one answer of bounded size.

`holdfast top` and the dashboard both show this and nothing else on their first screen, so that two
people who look at one proxy see the same figures. What `/v1/status` says is in it; beside that the
first few of what is wrong, of who calls, and of what was promised.
"""

from collections import Counter
from typing import Any

from proxy.admin.agents import Agents
from proxy.admin.approvals import Approvals
from proxy.admin.lists import Item
from proxy.admin.pages import Pages
from proxy.admin.rates import EVERY, STEP, Lately, Rates
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.observe.alerts.alert import Alert
from proxy.observe.alerts.condition import Severity
from proxy.observe.slo.book import Entry
from proxy.observe.slo.burning import STATES
from proxy.state.circuit import State
from proxy.units import in_utc

MOST = 20
"""Agents, and open circuits, in it."""
FEW = 5
"""Objectives and alerts."""
_URGENT: tuple[Severity, ...] = ("page", "ticket", "info")


class Glance:
    """The handler."""

    def __init__(
        self, sight: Sight, rates: Rates, pages: Pages, agents: Agents, approvals: Approvals
    ) -> None:
        self._sight = sight
        self._rates = rates
        self._pages = pages
        self._agents = agents
        self._approvals = approvals

    async def overview(self, visit: Visit) -> Item:
        """All of it."""
        waiting = await self._approvals.waiting()
        wall = self._sight.clock.wall()
        return {
            **self._pages.status(visit),
            "at": in_utc(wall),
            "open": _open(self._pages.circuits()),
            "waiting": waiting,
            "agents": self._agents.busiest(MOST),
            "slos": _slos(self._sight),
            "alerts": _alerts(self._sight),
            "trend": _trend([*self._rates.trend]),
        }


def _open(circuits: list[Item]) -> Item:
    """Those that refuse calls; the newest first."""
    found = [item for item in circuits if item["state"] == State.OPEN.value and not item["shadow"]]
    found.sort(key=lambda item: (item["for"] or 0.0, item["key"], item["bulkhead"] or ""))
    return {"count": len(found), "items": found[:MOST]}


def _slos(sight: Sight) -> Item:
    """How many objectives stand how, and those of which the least is left."""
    entries = [] if sight.watched is None else [*sight.watched.slos.entries.values()]
    states = Counter(entry.state for entry in entries)
    first = sorted(entries, key=_left)[:FEW]
    return {
        "count": len(entries),
        "states": {state: states[state] for state in STATES},
        "items": [_slo(entry) for entry in first],
    }


def _left(entry: Entry) -> tuple[float, str]:
    remaining = _remaining(entry)
    return 2.0 if remaining is None else remaining, entry.objective.name


def _remaining(entry: Entry) -> float | None:
    """Of its error budget; None: nothing was counted yet."""
    standing = entry.standing
    return standing.remaining if standing is not None and standing.sums.total else None


def _slo(entry: Entry) -> Item:
    remaining = _remaining(entry)
    exhausts_in = None if entry.standing is None else entry.standing.exhausts_in
    return {
        "slo": entry.objective.name,
        "sli": entry.objective.sli,
        "objective": entry.objective.objective,
        "state": entry.state,
        "remaining": None if remaining is None else round(remaining, 4),
        "exhausts_in": None if exhausts_in is None else round(exhausts_in),
    }


def _alerts(sight: Sight) -> Item:
    """How many fire, and the most urgent of them, the newest first."""
    firing = sorted(sight.alerts.firing(), key=_urgency)
    severities = Counter(alert.condition.severity for alert in firing)
    return {
        "firing": len(firing),
        "severities": {word: severities[word] for word in _URGENT},
        "items": [_alert(alert) for alert in firing[:FEW]],
    }


def _urgency(alert: Alert) -> tuple[int, float, str]:
    return _URGENT.index(alert.condition.severity), -(alert.starts_at or 0.0), alert.id


_SAID = ("id", "name", "severity", "about", "summary", "starts", "acknowledged_by")


def _alert(alert: Alert) -> Item:
    shown = alert.shown()
    return {name: shown[name] for name in _SAID}


def _trend(points: list[Lately]) -> dict[str, Any]:
    """How it went in the last half hour, the oldest first; null: there were no calls then."""
    quantiles = [point.quantile(0.99) for point in points]
    return {
        "seconds": EVERY * STEP,
        "per_second": [round(point.per_second, 3) for point in points],
        "errors": [None if point.errors is None else round(point.errors, 4) for point in points],
        "p99": [None if p99 is None else round(p99, 6) for p99 in quantiles],
        "micros_per_hour": [point.micros_per_hour for point in points],
    }
