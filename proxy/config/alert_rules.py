"""Makes of what policy files say of alerts what alerts obey (`rules_of`)."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from msgspec import UNSET

from proxy.config.alerts import AlertMatch, Alerts, Ladder
from proxy.config.match import Globs
from proxy.observe.alerts import rules


class Labelled(msgspec.Struct, frozen=True):
    """Of which alerts: every label that it names must hold."""

    globs: dict[str, Globs]

    def holds(self, labels: Mapping[str, str], /) -> bool:
        """Part of Which. A label that an alert does not have is the empty text."""
        return all(globs.hold(labels.get(name, "")) for name, globs in self.globs.items())


def rules_of(alerts: Alerts) -> rules.Rules:
    """What alerts obey."""
    usual = (alerts.hold_for, alerts.resolve_after)
    timings = [
        rules.Timing(
            which_of(each.match),
            *(usual[i] if given is UNSET else given for i, given in enumerate(_times(each))),
        )
        for each in alerts.timing
    ]
    return rules.Rules(
        routes=tuple(rules.Route(which_of(each.match), _plain(each.to)) for each in alerts.routes),
        receivers=frozenset(str(each.name) for each in alerts.receivers),
        timings=(*timings, rules.Timing(rules.Every(), *usual)),
        ladders=tuple(map(_ladder, alerts.escalation)),
        repeat=alerts.repeat,
        runbook=alerts.runbook,
        dashboard=alerts.dashboard,
    )


def _times(timing: Any) -> tuple[Any, Any]:
    return timing.hold_for, timing.resolve_after


def which_of(match: Any) -> rules.Which:
    """Of a match as it is written; none is for every alert."""
    return rules.Every() if match is UNSET else Labelled(dict(globs_of(match)))


def globs_of(match: AlertMatch) -> Iterator[tuple[str, Globs]]:
    """What each label that it names must be."""
    for name in match.__struct_fields__:
        written = getattr(match, name)
        if written is not UNSET:
            yield name, Globs.of((written,) if isinstance(written, str) else written)


def _ladder(written: Ladder) -> rules.Ladder:
    steps = [
        rules.Step(
            step.after,
            _plain(step.notify),
            _plain(step.tighten),
            step.open_breaker,
            step.kill,
            tuple(
                rules.ToolCall(str(call.upstream), call.tool, call.arguments) for call in step.call
            ),
        )
        for step in written.steps
    ]
    return rules.Ladder(str(written.name), which_of(written.match), tuple(steps))


def _plain(names: tuple[str, ...]) -> tuple[str, ...]:
    """Of no type of ours: they go into the journal, and to receivers."""
    return tuple(map(str, names))


def tightens(alerts: Alerts) -> frozenset[str]:
    """Policies that are in force only while some step says so."""
    steps = (step for ladder in alerts.escalation for step in ladder.steps)
    return frozenset(str(name) for step in steps for name in step.tighten)
