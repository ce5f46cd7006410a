"""Rules for Prometheus of the same objectives: what it records of an SLO, and when it alerts.

Names and labels are sloth's, for which there are dashboards. Three things are ours. An alert asks
for as many events as the process does. A ratio without any event is no ratio, so that no data is
never taken for good or bad. And the whole window is counted from events too: a mean of ratios would
weigh the one call of a quiet night like the thousands of a busy hour.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import msgspec

from proxy.observe.slo.burning import BURN
from proxy.observe.slo.burns import OUTAGE_WINDOW
from proxy.observe.slo.figures import EVENTS
from proxy.observe.slo.objective import Burn, Objective, Severity

Rule: TypeAlias = dict[str, Any]
Group: TypeAlias = dict[str, Any]

_UNITS = (("y", 31_536_000_000), ("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000),
          ("m", 60_000), ("s", 1_000), ("ms", 1))  # fmt: skip
_SURE = "1e-9"  # for what floats make of 0.5
_ONLY_WHOLE = frozenset({"y", "w"})


class Origin(msgspec.Struct, frozen=True):
    """What rules say of where they come from, and whose series they read."""

    service: str
    version: str
    selects: Mapping[str, str] = {}  # labels of the series, such as the job; else all are read


def groups(objectives: Iterable[Objective], origin: Origin) -> list[Group]:
    """Three groups for each objective: its ratios, what is known of it, and its alerts."""
    found = []
    for each in objectives:
        rules = _Rules(each, origin)
        for what, made in (
            ("sli-recordings", rules.ratios()),
            ("meta-recordings", rules.known()),
            ("alerts", rules.alerts()),
        ):
            if made:
                found.append({"name": f"sloth-slo-{what}-{rules.id}", "rules": made})
    return found


def span(seconds: float) -> str:
    """A duration as Prometheus writes it: `30d`, `4w`, `1h30m`."""
    left = round(seconds * 1000)
    text = ""
    for unit, size in _UNITS:
        if unit in _ONLY_WHOLE and left % size:
            continue
        number, left = divmod(left, size)
        text += f"{number}{unit}" if number else ""
    return text or "0s"


class _Rules:
    """Those of one objective."""

    def __init__(self, objective: Objective, origin: Origin) -> None:
        self._of = objective
        self._origin = origin
        self.id = f"{origin.service}-{objective.name}"
        self._labels = {
            "sloth_id": self.id,
            "sloth_service": origin.service,
            "sloth_slo": objective.name,
        }
        self._own = "{" + ", ".join(f"{key}={_quoted(v)}" for key, v in self._labels.items()) + "}"
        self._budget = _number(1 - Decimal(repr(objective.objective)))
        self._may = _number(100 - 100 * Decimal(repr(objective.objective))) + "%"

    def ratios(self) -> list[Rule]:
        """The share of bad events, for each window that something asks for."""
        windows = {OUTAGE_WINDOW, self._of.window}
        for burn in self._of.burns:
            windows |= {burn.long, burn.short}
        return [
            {
                "record": _ratio(window),
                "expr": f"{self._count('rate', 'false', window)}\n/\n"
                f"({self._count('rate', 'true|false', window)} > 0)\n",
                "labels": {**self._labels, "sloth_window": span(window)},
            }
            for window in sorted(windows)
        ]

    def known(self) -> list[Rule]:
        """What it is to reach, and how much of its budget is used."""
        objective = _number(Decimal(repr(self._of.objective)))
        left = f"1 - slo:period_burn_rate:ratio{self._own}"
        info = {
            "sloth_mode": "holdfast",
            "sloth_objective": _number(100 * Decimal(repr(self._of.objective))),
            "sloth_spec": "holdfast",
            "sloth_version": self._origin.version,
        }
        return [
            self._meta("slo:objective:ratio", f"vector({objective})"),
            self._meta("slo:error_budget:ratio", f"vector({self._budget})"),
            self._meta("slo:time_period:days", f"vector({self._of.window / 86_400:.12g})"),
            self._meta("slo:current_burn_rate:ratio", self._burning(OUTAGE_WINDOW)),
            self._meta("slo:period_burn_rate:ratio", self._burning(self._of.window)),
            self._meta("slo:period_error_budget_remaining:ratio", left),
            self._meta("sloth_slo_info", "vector(1)", info),
        ]

    def alerts(self) -> list[Rule]:
        """One for each severity: any of its pairs of windows burns too fast."""
        severities: tuple[Severity, ...] = ("page", "ticket")
        burns = {kind: [b for b in self._of.burns if b.severity == kind] for kind in severities}
        return [self._alert(kind, found) for kind, found in burns.items() if found]

    def _alert(self, severity: Severity, burns: list[Burn]) -> Rule:
        bad = "{{ $value | humanizePercentage }}"
        labels = {"severity": severity, "slo": self._of.name, "sloth_severity": severity}
        return {
            "alert": BURN,  # as the process calls it: routes by name hold for both
            "expr": "or\n".join(map(self._burns, burns)),
            "labels": labels,
            "annotations": {
                "summary": f"{self._of.name}: {bad} of events are bad, and {self._may} may be",
                "title": f"({severity}) {self._of.name} of {self._origin.service} "
                "uses up its error budget too fast",
            },
        }

    def _burns(self, burn: Burn) -> str:
        """Both windows burn, and there is enough to say so."""
        asked = [self._over(burn, window) for window in sorted({burn.short, burn.long})]
        if burn.min_events > 1:
            asked.append(self._enough("true|false", burn.long, burn.min_events))
        if burn.min_bad > 1:
            asked.append(self._enough("false", burn.long, burn.min_bad))
        return "(\n    " + "\n    and ".join(asked) + "\n)\n"

    def _over(self, burn: Burn, window: float) -> str:
        limit = f"({burn.factor:.12g} * {self._budget})"
        beyond = f">= ({limit} - {_SURE})" if burn.outage else f"> {limit}"
        return f"max({_ratio(window)}{self._own} {beyond}) without (sloth_window)"

    def _enough(self, good: str, window: float, number: int) -> str:
        """Prometheus counts between scrapes, and so in fractions."""
        return f"on() (round({self._count('increase', good, window)}) >= {number})"

    def _count(self, function: str, good: str, window: float) -> str:
        picked = {"slo": self._of.name, **self._origin.selects}
        inside = ",".join(f"{key}={_quoted(value)}" for key, value in picked.items())
        operator = "=~" if "|" in good else "="
        return f'sum({function}({EVENTS.name}{{{inside},good{operator}"{good}"}}[{span(window)}]))'

    def _burning(self, window: float) -> str:
        return (
            f"{_ratio(window)}{self._own}\n"
            "/ on(sloth_id, sloth_slo, sloth_service) group_left\n"
            f"slo:error_budget:ratio{self._own}\n"
        )

    def _meta(self, name: str, expr: str, more: Mapping[str, str] | None = None) -> Rule:
        return {"record": name, "expr": expr, "labels": {**self._labels, **(more or {})}}


def _ratio(window: float) -> str:
    return f"slo:sli_error:ratio_rate{span(window)}"


def _number(exact: Decimal) -> str:
    return format(exact.normalize(), "f")


def _quoted(text: str) -> str:
    return json.dumps(text)
