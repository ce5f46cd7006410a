"""`GET /v1/slos`: every objective, how it stands, and what follows from that (docs/slos.md)."""

from typing import Any

from proxy.admin.lists import Item, page
from proxy.admin.routes import Visit
from proxy.admin.sight import Sight
from proxy.observe.slo.book import Entry
from proxy.observe.slo.burning import Standing, burn_rate
from proxy.observe.slo.burns import told, windows
from proxy.observe.slo.objective import Burn, Objective
from proxy.observe.slo.on_exhausted import does
from proxy.observe.slo.tasks import Tasks
from proxy.state.price import dollars


class Slos:
    """The handler."""

    def __init__(self, sight: Sight) -> None:
        self._sight = sight

    def page(self, visit: Visit) -> Item:
        """All of them, by name. Raises BadParameter."""
        watched = self._sight.watched
        if watched is None:
            return page((), _by_name, visit.request.query)
        followed = {each.objective.name: each for each in watched.tasks.tasks}
        items = (
            shown(entry, followed.get(name), acts=name in watched.acts.in_force)
            for name, entry in watched.slos.entries.items()
        )
        return page(items, _by_name, visit.request.query)


def _by_name(item: Item) -> tuple[str]:
    return (item["slo"],)


def shown(entry: Entry, tasks: Tasks | None, *, acts: bool) -> Item:
    """One of them. Counts are of all events since it began, `budget` and `burn` of windows."""
    objective, series, standing = entry.objective, entry.series, entry.standing
    counted = None
    if tasks is not None:
        counted = {"open": tasks.open, "late": tasks.late, "untracked": tasks.untracked}
    return {
        "slo": objective.name,
        "sli": objective.sli,
        "per": objective.per,
        "objective": objective.objective,
        "window": told(objective.window),
        "threshold": _threshold(objective),
        "match": _match(objective),
        "from": objective.place,
        "state": entry.state,
        "good": series.good,
        "bad": series.bad,
        "excluded": dict(sorted(series.excluded.items())),
        "took": None if series.times is None else series.times.shown(),
        "budget": None if standing is None else _budget(standing),
        "burn": [_burn(entry, window) for window in sorted(windows(objective))],
        "alerts": [_alert(burn, standing) for burn in objective.burns],
        "on_exhausted": {"does": list(does(objective)), "in_force": acts},
        "tasks": counted,
    }


def _threshold(objective: Objective) -> str | None:
    if objective.sli == "latency":
        return f"{objective.most_us / 1e6:g}s"
    return dollars(objective.most_micros) if objective.sli == "cost" else None


def _match(objective: Objective) -> dict[str, Any]:
    globs: dict[str, Any] = getattr(objective.match, "globs", {})
    return {
        key: [
            *(each.wanted if each.wanted != ("*",) else ()),
            *(f"!{out}" for out in each.excluded),
        ]
        for key, each in globs.items()
    }


def _budget(standing: Standing) -> Item:
    """Nothing is said to remain where nothing was counted."""
    sums = standing.sums
    return {
        "remaining": round(standing.remaining, 4) if sums.total else None,
        "events": sums.total,
        "bad": sums.bad,
        "coverage": round(sums.coverage, 4),
        "exhausts_in": None if standing.exhausts_in is None else round(standing.exhausts_in),
    }


def _burn(entry: Entry, window: float) -> Item:
    sums = entry.over(window)
    rate = round(burn_rate(entry.objective, sums), 4) if sums.total else None
    return {"window": told(window), "rate": rate, "events": sums.total, "bad": sums.bad}


def _alert(burn: Burn, standing: Standing | None) -> Item:
    return {
        "burn": round(burn.factor, 4),
        "long": told(burn.long),
        "short": told(burn.short),
        "severity": burn.severity,
        "outage": burn.outage,
        "holds": standing is not None and burn in standing.burns,
    }
