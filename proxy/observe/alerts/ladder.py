"""Ladders: what is done while an alert fires and nobody has said that it is seen to.

An alert climbs while it holds, its source has said so since the start of this process, nobody has
acknowledged it, and no page of its group stands above it. What it has climbed is added up second by
second and kept; so a step never comes earlier than it is written, and neither a restart nor time
that the process was down has steps follow each other at once. Each step is done once.

What a step did is kept with the alert until that is over. Policies that are in force and breakers
that are held open follow from this (`tightened`, `held_open`): they go back by themselves when the
last alert that wants them is over. A kill is never lifted by itself, and what was called or told
stays said.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from proxy.observe.alerts.alert import Act, Alert
from proxy.observe.alerts.rules import Ladder, Rules, Step
from proxy.observe.alerts.telling import MOST, filled

UNDONE = frozenset({"tighten", "open_breaker"})
"""Acts that end with the alert."""


class Acting(Protocol):
    """Who does it. Each gives why it cannot be done; empty: it is done, or begun."""

    def notify(self, alert: Alert, receiver: str, /) -> str:
        """Tell somebody, now."""
        ...

    def kill(self, scope: str, why: str, by: str, /) -> str:
        """Stop what is in it."""
        ...

    def call(
        self, upstream: str, tool: str, arguments: dict[str, Any], key: str,
        done: Callable[[str], None], /,
    ) -> str:  # fmt: skip
        """Call a tool of the gateway, straight and once; `done` hears what came of it, likewise."""
        ...


Noted = Callable[[Alert, int, float, Act | None, str], None]
"""Of a step that was done: its number, after how long, what it did, and what came of that."""


class Climbing:
    """`climb` every second."""

    def __init__(self, acting: Acting, noted: Noted, rules: Rules) -> None:
        self._acting = acting
        self._noted = noted
        self._rules = rules
        self._found: dict[str, Ladder | None] = {}

    def obey(self, rules: Rules) -> None:
        """These are the rules from now on. What was done stays done while its alert fires."""
        self._rules = rules
        self._found.clear()

    def climb(self, seconds: float, firing: list[Alert]) -> None:
        """So much later."""
        paged = {alert.group for alert in firing if alert.condition.severity == "page"}
        for alert in firing:
            held = alert.holds and alert.confirmed and not alert.acknowledged_by
            inhibited = alert.condition.severity == "ticket" and alert.group in paged
            ladder = self._of(alert) if held and not inhibited else None
            if ladder is not None:
                self._climb(alert, ladder, seconds)

    def _of(self, alert: Alert) -> Ladder | None:
        """Which it climbs; found once."""
        if alert.id not in self._found:
            if len(self._found) >= MOST:
                self._found.clear()
            of_alerts = alert.condition.source == "alerts"
            self._found[alert.id] = None if of_alerts else self._rules.ladder(alert.labels)
        return self._found[alert.id]

    def _climb(self, alert: Alert, ladder: Ladder, seconds: float) -> None:
        if alert.ladder != ladder.name:  # another one: from its foot
            alert.ladder, alert.steps, alert.climbed = ladder.name, 0, 0.0
        alert.climbed += seconds
        while alert.steps < len(ladder.steps):
            step = ladder.steps[alert.steps]
            if alert.climbed < step.after:
                return
            alert.steps += 1
            self._do(alert, ladder, step)

    def _do(self, alert: Alert, ladder: Ladder, step: Step) -> None:
        number = alert.steps
        labels = {name: text for name, text in alert.labels.items() if text}
        self._noted(alert, number, step.after, None, "")
        for at, (act, arguments) in enumerate(_acts(step)):
            what = filled(act.what, labels)
            if what is None:
                result = "the alert does not say what it is about"
            elif act.kind == "kill" and what.count("*") > act.what.count("*"):
                act, result = Act(act.kind, what), "a name with a * in it would kill others too"
            else:
                act = Act(act.kind, what)
                result = self._done(alert, ladder, f"{number}.{at}", act, arguments)
            if result in ("", "begun") and act not in alert.acts:
                alert.acts = (*alert.acts, act)
            self._noted(alert, number, step.after, act, result or "done")

    def _done(
        self, alert: Alert, ladder: Ladder, at: str, act: Act, arguments: dict[str, Any]
    ) -> str:
        if act.kind == "notify":
            return self._acting.notify(alert, act.what)
        if act.kind == "kill":
            why = f"{alert.condition.name}: {alert.summary}"
            return self._acting.kill(act.what, why, f"alerts, {ladder.name}")
        if act.kind == "call":
            return self._call(alert, at, act, arguments)
        if act.kind == "open_breaker" and alert.condition.source == "breaker":
            return "held open by hand it would never be over"
        return ""  # what is in force and held open follows from what was done

    def _call(self, alert: Alert, at: str, act: Act, arguments: dict[str, Any]) -> str:
        upstream, _, tool = act.what.partition("/")
        told = _filled_in(arguments, alert.labels | {"summary": alert.summary, "id": alert.id})
        key = hashlib.sha256(f"{alert.id} {at}".encode()).hexdigest()[:32]
        step, after = alert.steps, alert.climbed

        def done(why: str) -> None:
            self._noted(alert, step, after, act, why or "done")

        return self._acting.call(upstream, tool, told, key, done) or "begun"


def tightened(alerts: Iterable[Alert]) -> frozenset[str]:
    """Policies that are in force for what was done about these."""
    return frozenset(act.what for act in _in_effect(alerts, "tighten"))


def held_open(alerts: Iterable[Alert]) -> frozenset[tuple[str, str]]:
    """Circuits, by upstream and tool; without a tool, all of the upstream."""
    return frozenset(
        (upstream, tool)
        for act in _in_effect(alerts, "open_breaker")
        for upstream, _, tool in (act.what.partition("/"),)
    )


def _in_effect(alerts: Iterable[Alert], kind: str) -> Iterator[Act]:
    return (act for alert in alerts for act in alert.acts if act.kind == kind)


def _acts(step: Step) -> Iterator[tuple[Act, dict[str, Any]]]:
    """What it does: first what stops harm, last what takes time."""
    for kind in ("kill", "tighten", "open_breaker", "notify"):
        for what in getattr(step, kind):
            yield Act(kind, what), {}
    for call in step.call:
        yield Act("call", f"{call.upstream}/{call.tool}"), call.arguments


def _filled_in(arguments: Any, labels: dict[str, str]) -> Any:
    """With each `{label}` in its texts; one that the alert does not have leaves nothing."""
    if isinstance(arguments, str):
        return filled(arguments, labels) or ""
    if isinstance(arguments, dict):
        return {name: _filled_in(value, labels) for name, value in arguments.items()}
    if isinstance(arguments, list | tuple):
        return [_filled_in(value, labels) for value in arguments]
    return arguments
