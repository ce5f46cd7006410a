"""Who is told of which alert, and when: by groups, once for all that changed since the last look.

A receiver hears of an alert that it has not heard of and, as long as that fires, again after each
`repeat`; that it is over hears whoever heard that it fires, and nobody else. From this follows what
happens when routes change, when a ladder has somebody told, and after a restart.

A ticket stays untold while a page of its group fires. If it still fires when the page is over, it
is told then; whoever had heard of it before the page is told when it is over, as always.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote

import msgspec

from proxy.observe.alerts.alert import Alert
from proxy.observe.alerts.notice import Notice
from proxy.observe.alerts.rules import Rules

MOST = 2_000
"""Alerts of which it is remembered who is told: twice as many as fire at once."""


class Group(msgspec.Struct):
    """Alerts that are told together."""

    firing: list[Alert] = []
    over: list[Alert] = []  # since the last look

    @property
    def pages(self) -> bool:
        """Does a page fire in it?"""
        return any(alert.condition.severity == "page" for alert in self.firing)

    def inhibits(self, alert: Alert) -> bool:
        """Is this one of it left untold for now?"""
        return alert.condition.severity == "ticket" and self.pages


class Due(NamedTuple):
    """A notice, and the alerts that are in it."""

    notice: Notice
    firing: list[Alert]
    over: list[Alert]


NOTHING = Group()
"""A group of which nothing fires and nothing is over."""


def grouped(firing: Iterable[Alert], over: Iterable[Alert] = ()) -> dict[str, Group]:
    """By their groups."""
    groups: dict[str, Group] = {}
    for alert in firing:
        groups.setdefault(alert.group, Group()).firing.append(alert)
    for alert in over:
        groups.setdefault(alert.group, Group()).over.append(alert)
    return groups


class Telling:
    """`look` every second: gives what is to be sent, and marks it as told."""

    def __init__(self, now: Callable[[], float], wall: Callable[[], float]) -> None:
        self._now = now
        self._wall = wall
        self._rules = Rules()
        self._to: dict[str, set[str]] = {}

    def obey(self, rules: Rules) -> None:
        """These are the rules from now on."""
        self._rules = rules
        self._to.clear()

    def look(self, name: str, group: Group) -> Iterator[Due]:
        """What is to be sent now of one group."""
        pages = group.pages
        routed = {alert.id: self._routed(alert) for alert in group.firing}
        heard = {each for alert in (*group.firing, *group.over) for each in alert.told}
        for receiver in sorted((heard & self._rules.receivers).union(*routed.values())):
            due = [
                alert
                for alert in group.firing
                if self._due(alert, receiver, receiver in routed[alert.id], pages)
            ]
            over = [alert for alert in group.over if receiver in alert.told]
            if due or over:
                yield self._notice(receiver, name, group, due, over)

    def _routed(self, alert: Alert) -> set[str]:
        """Who is told of it, by the routes; found once."""
        to = self._to.get(alert.id)
        if to is None:
            if len(self._to) >= MOST:
                self._to.clear()
            to = self._to[alert.id] = self._rules.to(alert.labels)
        return to

    def firing(self, receiver: str, groups: dict[str, Group]) -> Iterator[Notice]:
        """All that fires and that it was told, group by group."""
        for name, group in groups.items():
            alerts = [alert for alert in group.firing if receiver in alert.told]
            if alerts:
                yield self._made(receiver, name, alerts, [], str(self._wall()))

    def now(self, receiver: str, alert: Alert) -> Notice:
        """It is told of this one at once: a step of a ladder says so."""
        alert.told[receiver] = self._now()
        return self._made(receiver, alert.group, [alert], [], f"step {alert.steps}")

    def _due(self, alert: Alert, receiver: str, routed: bool, pages: bool) -> bool:
        inhibited = pages and alert.condition.severity == "ticket"
        before = alert.told.get(receiver)
        if before is None:
            return routed and not inhibited
        return not inhibited and self._now() - before >= self._rules.repeat

    def _notice(
        self, receiver: str, name: str, group: Group, due: list[Alert], over: list[Alert]
    ) -> Due:
        # What makes it another one than the last. Where a crash forgets that it was sent, it is
        # sent again, and has the same id.
        again = [alert.id for alert in due if receiver in alert.told]
        why = [*(alert.id for alert in due), *again, *([str(self._wall())] if again else ())]
        for alert in due:
            alert.told[receiver] = 0.0
        alerts = [alert for alert in group.firing if receiver in alert.told]
        for alert in alerts:
            alert.told[receiver] = self._now()
        return Due(self._made(receiver, name, alerts, over, *why), alerts, over)

    def _made(
        self, receiver: str, group: str, firing: list[Alert], over: list[Alert], *why: str
    ) -> Notice:
        alerts = (*firing, *over)
        said = [receiver, group, *why, *(f"{alert.id} {alert.state}" for alert in alerts)]
        name = hashlib.sha256(msgspec.json.encode(said)).hexdigest()[:32]
        told = tuple(alert.told_as(self._links(alert)) for alert in alerts)
        return Notice(name, receiver, group, told, self._wall())

    def _links(self, alert: Alert) -> dict[str, str]:
        written = {"runbook_url": self._rules.runbook, "dashboard_url": self._rules.dashboard}
        labels = {name: quote(value, safe="") for name, value in alert.labels.items()}
        links = {name: filled(url, labels) for name, url in written.items()}
        return {name: url for name, url in links.items() if url}


def filled(text: str, labels: dict[str, str]) -> str | None:
    """The text with each `{label}` in it replaced, once; None: the alert has no such label."""
    parts = text.split("{")
    said = [parts[0]]
    for part in parts[1:]:
        name, brace, rest = part.partition("}")
        if not brace or name not in labels:
            return None
        said += [labels[name], rest]
    return "".join(said)
