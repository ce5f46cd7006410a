"""What the journal knows of alerts: how one that fires is written down, and had again.

Times are whole milliseconds since 1970, for a clock that only goes forward begins anew with each
process.
"""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from proxy.observe.alerts.alert import NEVER, Alert, act_of, fingerprint
from proxy.observe.alerts.condition import Condition, Severity, Source
from proxy.observe.alerts.entries import (
    Acknowledged,
    Escalated,
    Fired,
    Notified,
    Resolved,
    SloFired,
    SloResolved,
)
from proxy.units import Moment, in_utc

_OF_SLOS = "slo"


class Saved(msgspec.Struct, omit_defaults=True):
    """One that fires."""

    id: str
    source: Source
    name: str
    severity: Severity
    about: dict[str, str]
    starts: int
    summary: str = ""
    told: dict[str, str] = {}
    group: str = ""
    until: int = 0  # 0: its source says when it is over
    heard: dict[str, int] = {}  # which receivers, and when the last time
    by: str = ""  # who acknowledged it
    at: int = 0
    ladder: str = ""
    steps: int = 0
    climbed: int = 0
    acts: list[str] = []


class Times:
    """From one clock to the other, as of now."""

    def __init__(self, now: float, wall: float) -> None:
        self._ahead = wall - now

    def wall(self, moment: float) -> int:
        """0 for what never is."""
        return 0 if moment == NEVER else _millis(moment + self._ahead)

    def mono(self, millis: int) -> float:
        """And back."""
        return millis / 1000 - self._ahead if millis else NEVER


class Found:
    """What a snapshot and the records behind it say, until the book is begun."""

    def __init__(self) -> None:
        self.alerts: dict[str, Saved] = {}  # by the ids of episodes

    def dump(self) -> Any:
        """The same, as it is kept."""
        return list(self.alerts.values())

    def load(self, state: Any) -> None:
        """What `dumped` gave. What is none of it is left out."""
        for told in state if isinstance(state, list) else ():
            try:
                saved = msgspec.convert(told, Saved)
            except msgspec.ValidationError:
                continue
            self.alerts[saved.id] = saved

    def apply(self, record: dict[str, Any]) -> None:
        """One record. What is none of alerts, or of one that does not fire, is left out."""
        take = _TAKES.get(str(record.get("type")))
        if take is not None:
            try:
                take(self, record)
            except (msgspec.ValidationError, ValueError):
                return

    def fired(self, record: dict[str, Any]) -> None:
        """It fires."""
        entry = msgspec.convert(record, Fired)
        known = {
            "id": entry.id,
            "source": entry.source,
            "name": entry.name,
            "severity": entry.severity,
            "about": entry.about,
            "starts": _moment(entry.starts),
            "summary": entry.summary,
            "told": entry.told,
            "group": entry.group,
            "until": _moment(entry.until) if entry.until else 0,
        }
        self.alerts[entry.id] = msgspec.convert(known, Saved)

    def resolved(self, record: dict[str, Any]) -> None:
        """It is over."""
        self.alerts.pop(msgspec.convert(record, Resolved).id, None)

    def notified(self, record: dict[str, Any]) -> None:
        """Somebody was told of some."""
        entry, at = msgspec.convert(record, Notified), _moment(str(record.get("ts")))
        for name in entry.firing:
            if name in self.alerts:
                self.alerts[name].heard[entry.receiver] = at

    def acknowledged(self, record: dict[str, Any]) -> None:
        """Somebody sees to it."""
        entry = msgspec.convert(record, Acknowledged)
        if entry.id in self.alerts:
            alert = self.alerts[entry.id]
            alert.by, alert.at = entry.by, _moment(entry.at)

    def escalated(self, record: dict[str, Any]) -> None:
        """A step of a ladder, or something that it did."""
        entry = msgspec.convert(record, Escalated)
        alert = self.alerts.get(entry.id)
        if alert is None or entry.undone:
            return
        if entry.ladder != alert.ladder:
            alert.ladder, alert.steps, alert.climbed = entry.ladder, 0, 0
        alert.steps = max(alert.steps, entry.step)
        alert.climbed = max(alert.climbed, entry.after_ms)
        act = f"{entry.act} {entry.what}"
        if entry.act and entry.result in {"done", "begun"} and act not in alert.acts:
            alert.acts.append(act)


_TAKES: dict[str, Callable[[Found, dict[str, Any]], None]] = {
    Fired.type: Found.fired,
    SloFired.type: Found.fired,
    Resolved.type: Found.resolved,
    SloResolved.type: Found.resolved,
    Notified.type: Found.notified,
    Acknowledged.type: Found.acknowledged,
    Escalated.type: Found.escalated,
}


def dumped(alerts: Iterable[Alert], times: Times) -> list[Saved]:
    """Those that fire, to be encoded."""
    return [_saved(alert, times) for alert in alerts if alert.id]


def _saved(alert: Alert, times: Times) -> Saved:
    condition = alert.condition
    return Saved(
        alert.id,
        condition.source,
        condition.name,
        condition.severity,
        condition.about,
        _millis(alert.starts_at),
        alert.summary,
        alert.annotations,
        condition.group,
        times.wall(alert.lapses) if condition.lasts else 0,
        {name: times.wall(at) for name, at in alert.told.items()},
        alert.acknowledged_by,
        _millis(alert.acknowledged_at),
        alert.ladder,
        alert.steps,
        _millis(alert.climbed),
        [f"{act.kind} {act.what}" for act in alert.acts],
    )


def restored(saved: Saved, times: Times) -> Alert:
    """As it was, as far as the clocks of now can say it."""
    condition = Condition(
        saved.source,
        saved.name,
        saved.severity,
        saved.about,
        True,
        saved.summary,
        saved.told,
        saved.group,
    )
    return Alert(
        fingerprint(condition),
        condition,
        saved.id,
        saved.starts / 1000,
        lapses=times.mono(saved.until),
        told={name: times.mono(at) for name, at in saved.heard.items()},
        acknowledged_by=saved.by,
        acknowledged_at=saved.at / 1000,
        ladder=saved.ladder,
        steps=saved.steps,
        climbed=saved.climbed / 1000,
        acts=tuple(map(act_of, saved.acts)),
    )


def fired(alert: Alert, times: Times) -> Fired:
    """What is noted when it fires."""
    condition = alert.condition
    kind = SloFired if condition.source == _OF_SLOS else Fired
    lasts = times.wall(alert.lapses) if condition.lasts else 0
    return kind(
        alert.id,
        alert.fingerprint,
        condition.source,
        condition.name,
        condition.severity,
        condition.about,
        in_utc(alert.starts_at),
        alert.summary,
        alert.annotations,
        condition.group,
        in_utc(lasts / 1000) if lasts else "",
    )


def resolved(alert: Alert) -> Resolved:
    """What is noted when it is over."""
    condition = alert.condition
    kind = SloResolved if condition.source == _OF_SLOS else Resolved
    return kind(
        alert.id,
        alert.fingerprint,
        condition.source,
        condition.name,
        condition.severity,
        condition.about,
        in_utc(alert.starts_at),
        in_utc(alert.ends_at),
    )


def _millis(seconds: float) -> int:
    return round(seconds * 1000)


def _moment(text: str) -> int:
    """Raises ValueError."""
    return _millis(Moment.parse(text))
