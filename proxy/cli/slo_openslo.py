"""SLOs as OpenSLO v1 writes them: documents of a `kind`, which refer to each other by name."""

import re
from collections.abc import Iterator
from typing import Any

from proxy.cli.slo_taken import (
    MIN_EVENTS,
    Lost,
    Taken,
    Unsayable,
    heard,
    left_out,
    listed,
    mapping,
    name_of,
    share_of,
    shown,
)
from proxy.observe.slo.burns import told
from proxy.observe.slo.objective import Burn

VERSION = "openslo/v1"
_DAY = 86_400.0
_UNITS = {"m": 60.0, "h": 3600.0, "d": _DAY, "w": 7 * _DAY, "M": 30 * _DAY, "Q": 90 * _DAY,
          "Y": 365 * _DAY}  # fmt: skip
_ABOUT = frozenset("MQY")  # units that are not always as long
_SHORTEST = 60.0  # window that there is
_SHORT = 12  # of a long window, the short one is this part (SRE Workbook, chapter 5)
_PAGES = frozenset({"page", "critical", "high", "sev1", "sev-1", "p1"})
_READ = {
    "description", "service", "indicator", "indicatorRef", "timeWindow", "budgetingMethod",
    "objectives", "alertPolicies",
}  # fmt: skip
_OF_OBJECTIVES = {"displayName", "op", "value", "target", "targetPercent"}


class Documents:
    """Those of a file, by kind and name."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self._slos = [each for each in documents if each.get("kind") == "SLO"]
        self._named = {(str(each.get("kind")), _name(each)): each for each in documents}

    def taken(self) -> Iterator[Taken | Lost]:
        """Each objective of each SLO."""
        for document in self._slos:
            try:
                yield from self._each(document)
            except Unsayable as why:
                yield Lost(shown(_name(document)), str(why))

    def _each(self, document: dict[str, Any]) -> Iterator[Taken | Lost]:
        spec = mapping(document.get("spec"), "spec")
        if spec.get("budgetingMethod", "Occurrences") != "Occurrences":
            method = shown(spec["budgetingMethod"])
            raise Unsayable(f"budgetingMethod {method}: here events are counted, no slices of time")
        objectives = listed(spec.get("objectives"), "objectives")
        if not objectives:
            raise Unsayable("it has no objectives")
        for at, each in enumerate(objectives, 1):
            suffix = f"-{at}" if len(objectives) > 1 else ""
            try:
                yield self._one(document, spec, mapping(each, "objectives"), suffix)
            except Unsayable as why:
                yield Lost(f"{shown(_name(document))}{suffix}", str(why))

    def _one(
        self, document: dict[str, Any], spec: dict[str, Any], objective: dict[str, Any], suffix: str
    ) -> Taken:
        notes: list[str] = []
        percent = "targetPercent" in objective
        target = objective.get("targetPercent" if percent else "target")
        shown_as = mapping(document.get("metadata"), "metadata").get("displayName")
        said = (shown_as, objective.get("displayName"), spec.get("description"))
        found = Taken(
            name=name_of(_name(document) + suffix, notes),
            objective=share_of(target, percent),
            window=_window(spec, notes),
            about=[str(each) for each in said if each],
            notes=notes,
        )
        notes += left_out(_READ, spec, "spec.")
        notes += left_out(_OF_OBJECTIVES, objective, "objectives.")
        self._measured(spec, objective, found)
        self._alerts(spec, found)
        return found

    def _measured(self, spec: dict[str, Any], objective: dict[str, Any], found: Taken) -> None:
        indicator = spec.get("indicator")
        if indicator is None and "indicatorRef" in spec:
            indicator = self._named.get(("SLI", str(spec["indicatorRef"])))
            if indicator is None:
                found.notes.append(f"its SLI {shown(spec['indicatorRef'])} is not in the file")
        measured = mapping(mapping(indicator, "indicator").get("spec"), "indicator.spec")
        found.queries += _texts(measured)
        if "thresholdMetric" not in measured:
            heard(found)
            return
        asked = f"{shown(objective.get('op'))} {shown(objective.get('value'))}"
        found.notes.append(
            f"it compares a metric ({asked}): if that is how long calls take, write sli: latency "
            "and a threshold with its unit"
        )

    def _alerts(self, spec: dict[str, Any], found: Taken) -> None:
        burns: list[Burn] = []
        for at, given in enumerate(listed(spec.get("alertPolicies"), "alertPolicies")):
            policy = mapping(given, f"alertPolicies[{at}]")
            if "alertPolicyRef" in policy:
                policy = self._referred("AlertPolicy", policy["alertPolicyRef"], found)
            body = mapping(policy.get("spec"), "alertPolicies.spec")
            if body.get("notificationTargets"):
                found.notes.append("notificationTargets are left out: see alerts.receivers")
            for each in listed(body.get("conditions"), "conditions"):
                condition = mapping(each, "conditions")
                if "conditionRef" in condition:
                    name = condition["conditionRef"]
                    condition = self._referred("AlertCondition", name, found)
                burns += _burns(mapping(condition.get("spec"), "conditions.spec"), found)
        found.alerts = burns or None

    def _referred(self, kind: str, name: Any, found: Taken) -> dict[str, Any]:
        document = self._named.get((kind, str(name)))
        if document is None:
            found.notes.append(f"its {kind} {shown(name)} is not in the file")
        return document or {}


def _burns(condition: dict[str, Any], found: Taken) -> Iterator[Burn]:
    """What somebody is told of, where it can be said."""
    if not condition:
        return
    asked = mapping(condition.get("condition"), "condition")
    factor, kind = asked.get("threshold"), asked.get("kind", "burnrate")
    try:
        long = _span(asked.get("lookbackWindow"), found.notes)
    except Unsayable as why:
        found.notes.append(f"an alert is left out: {why}")
        return
    if kind != "burnrate" or isinstance(factor, bool) or not isinstance(factor, int | float):
        found.notes.append(f"an alert is left out: {shown(kind)} over {shown(factor)}")
        return
    highest = 1 / (1 - float(found.objective))
    if not 0 < factor < highest or long > found.window:
        found.notes.append(f"an alert is left out: {factor:g} over {told(long)} never comes to be")
        return
    severity = str(condition.get("severity", "")).lower()
    found.notes.append(
        f"the alert {factor:g} over {asked.get('lookbackWindow')}: its short window is a twelfth, "
        f"as it has none; severity {shown(severity)}"
    )
    if asked.get("alertAfter") not in (None, "0m", "0s"):
        found.notes.append("alertAfter is left out: its short window does that")
    short = max(_SHORTEST, long / _SHORT)
    yield Burn(factor, long, short, "page" if severity in _PAGES else "ticket", MIN_EVENTS)


def _window(spec: dict[str, Any], notes: list[str]) -> float:
    windows = listed(spec.get("timeWindow"), "timeWindow")
    if not windows:
        notes.append("it names no window: 30d")
        return 30 * _DAY
    window = mapping(windows[0], "timeWindow")
    seconds = _span(window.get("duration"), notes)
    if window.get("isRolling") is not True:
        notes.append("its window goes by the calendar; here it is the same time up to now")
    return seconds


def _span(text: Any, notes: list[str]) -> float:
    parts = re.fullmatch("([1-9][0-9]{0,5})([mhdwMQY])", text) if isinstance(text, str) else None
    if parts is None:
        raise Unsayable(f"expected a duration such as 28d, found {shown(text)}")
    seconds = int(parts[1]) * _UNITS[parts[2]]
    if parts[2] in _ABOUT:
        notes.append(f"{text} is taken as {seconds / _DAY:g}d")
    return seconds


def _name(document: dict[str, Any]) -> str:
    metadata = document.get("metadata")
    return str(metadata.get("name", "")) if isinstance(metadata, dict) else ""


def _texts(held: Any, name: str = "") -> Iterator[str]:
    """The queries in an indicator, each with what it is for."""
    if isinstance(held, dict):
        for key, inside in held.items():
            own = str(key) if key in ("good", "bad", "total", "raw") else name
            if isinstance(inside, str) and "quer" in str(key).lower():
                yield f"{own}: {inside}" if own else inside
            else:
                yield from _texts(inside, own)
