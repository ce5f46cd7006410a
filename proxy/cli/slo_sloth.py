"""SLOs as sloth writes them: `version: prometheus/v1`, and its resources of Kubernetes."""

import re
from collections.abc import Iterator
from typing import Any

from proxy.cli.slo_taken import (
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
    without,
)
from proxy.observe.slo.objective import Severity

VERSION = "prometheus/v1"
RESOURCE = "sloth.slok.dev/v1"
_PERIOD = 30 * 86_400.0
_CAPITAL = re.compile("(?<=[a-z])([A-Z])")
_READ = {"name", "description", "objective", "labels", "sli", "alerting"}
_OF_ALERTS = {"name", "labels", "annotations", "page_alert", "ticket_alert"}
_SEVERITIES: tuple[Severity, ...] = ("page", "ticket")


def taken(document: dict[str, Any]) -> Iterator[Taken | Lost]:
    """Each SLO of a document. Raises Unsayable where it has none."""
    if "spec" in document:
        document = _lowered(mapping(document["spec"], "spec"))
    for at, each in enumerate(listed(document.get("slos"), "slos")):
        try:
            yield _one(mapping(each, f"slos[{at}]"), document)
        except Unsayable as why:
            name = each.get("name") if isinstance(each, dict) else None
            yield Lost(shown(name or f"slos[{at}]"), str(why))


def _one(slo: dict[str, Any], document: dict[str, Any]) -> Taken:
    notes: list[str] = []
    found = Taken(
        name=name_of(slo.get("name"), notes),
        objective=share_of(slo.get("objective"), percent=True),
        window=_PERIOD,
        about=[str(each) for each in (document.get("service"), slo.get("description")) if each],
        notes=notes,
    )
    notes.append("its window is not in the file: 30d, unless it was generated with another one")
    notes += left_out(_READ, slo, "")
    if slo.get("labels") or document.get("labels"):
        notes.append("labels have no place here, and are left out")
    _measured(mapping(slo.get("sli"), "sli"), found)
    _alerting(mapping(slo.get("alerting"), "alerting"), found)
    return found


def _measured(sli: dict[str, Any], found: Taken) -> None:
    events, raw = mapping(sli.get("events"), "sli.events"), mapping(sli.get("raw"), "sli.raw")
    for what, given in (("events", events), ("raw", raw)):
        found.queries += [f"{key}: {query}" for key, query in given.items() if _is_query(query)]
        found.notes += left_out({k for k in given if _is_query(given[k])}, given, f"sli.{what}.")
    found.notes += left_out({"events", "raw"}, sli, "sli.")
    heard(found)


def _alerting(alerting: dict[str, Any], found: Taken) -> None:
    off: list[Severity] = []
    routed = alerting.get("labels") or alerting.get("annotations")
    for severity in _SEVERITIES:
        alert = mapping(alerting.get(f"{severity}_alert"), f"alerting.{severity}_alert")
        if alert.get("disable") is True:
            off.append(severity)
        routed = routed or alert.get("labels") or alert.get("annotations")
        if alert.get("for"):
            found.notes.append(f"{severity}_alert.for is left out: its short window does that")
    if routed:
        found.notes.append("labels and annotations of its alerts are left out: see alerts.routes")
    found.notes += left_out(_OF_ALERTS, alerting, "alerting.")
    without(off, found)


def _is_query(value: Any) -> bool:
    return isinstance(value, str)


def _lowered(held: Any) -> Any:
    """Keys of a resource, `errorQuery`, as files have them: `error_query`."""
    if isinstance(held, dict):
        return {_CAPITAL.sub(r"_\1", str(k)).lower(): _lowered(v) for k, v in held.items()}
    return [_lowered(each) for each in held] if isinstance(held, list) else held
