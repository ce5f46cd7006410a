"""What is wrong with alerts as policy files write them, beside the rest of the files."""

import ipaddress
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias, get_args

from msgspec import UNSET

from proxy.config import document
from proxy.config.alert_rules import Labelled, globs_of, which_of
from proxy.config.alerts import Alerts, Step
from proxy.config.judge import Judged
from proxy.config.match import Globs
from proxy.config.places import Place, Problem
from proxy.config.wording import nearest
from proxy.mirrors.reach import why_not
from proxy.observe.alerts.condition import LABELS, Severity, Source
from proxy.state.scopes import Scope

_LEAST_REPEAT = 60.0
_WORDS = {"severity": get_args(Severity), "source": get_args(Source)}
Known: TypeAlias = Mapping[str, Collection[str]]
"""Names that there are: upstream, policy, slo."""


class Written:
    """`alerts` of a file, and where each part of it stands."""

    def __init__(self, alerts: Alerts, node: document.Node | None) -> None:
        self.alerts = alerts
        self._node = node

    def place(self, *path: str | int) -> Place:
        """Of a part of it, or of the nearest that stands in the file."""
        node = self._node
        assert node is not None  # nothing is wrong with what is not written
        at = node.place
        for each in path:
            if isinstance(node, document.Mapping) and each in node.items:
                key = node.items[str(each)]
                node, at = key.node, key.node.place
            elif isinstance(node, document.Sequence) and isinstance(each, int):
                node = node.items[each]
                at = node.place
            else:
                break
        return at

    def problem(self, message: str, *path: str | int) -> Problem:
        """With its place."""
        said = "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in path)
        return Problem(self.place(*path), f"alerts{said}", message)


def misalerted(written: Written, known: Known) -> Judged:
    """What is wrong with it beside the rest of the files."""
    alerts = written.alerts
    receivers = [str(each.name) for each in alerts.receivers]
    errors = [
        *_twice(written, "receivers", receivers),
        *_twice(written, "escalation", [str(each.name) for each in alerts.escalation]),
        *_astray(written, known),
        *_repeats(written),
        *_routes(written, receivers, known),
        *_timings(written, known),
        *_ladders(written, receivers, known),
    ]
    warnings = [
        *_untold(written, receivers),
        *_unreachable(written),
        *_steps_for_nothing(written),
        *_unlabelled(written),
    ]
    return Judged(errors, warnings)


def _twice(written: Written, name: str, names: list[str]) -> Iterator[Problem]:
    for i, each in enumerate(names):
        if each in names[:i]:
            yield written.problem("another one has this name already", name, i, "name")


def _astray(written: Written, known: Known) -> Iterator[Problem]:
    """Receivers whose upstream is not there."""
    for i, each in enumerate(written.alerts.receivers):
        if each.upstream is not UNSET:
            yield from _upstream(written, each.upstream, known, "receivers", i, "upstream")


def _repeats(written: Written) -> Iterator[Problem]:
    """Nobody is to be flooded, nor the journal."""
    if written.alerts.repeat < _LEAST_REPEAT:
        yield written.problem("expected at least 1m", "repeat")


def _routes(written: Written, receivers: list[str], known: Known) -> Iterator[Problem]:
    for i, route in enumerate(written.alerts.routes):
        yield from _named(written, "receiver", route.to, receivers, "routes", i, "to")
        yield from _matched(written, route.match, known, "routes", i)


def _timings(written: Written, known: Known) -> Iterator[Problem]:
    for i, timing in enumerate(written.alerts.timing):
        yield from _matched(written, timing.match, known, "timing", i)


def _named(
    written: Written, what: str, names: Collection[str], known: Collection[str], *path: str | int
) -> Iterator[Problem]:
    for i, name in enumerate(names):
        if name not in known:
            there = nearest(name, list(known)) or f"; there is {', '.join(sorted(known)) or 'none'}"
            yield written.problem(f"no {what} is named {name}{there}", *path, i)


def _matched(written: Written, match: Any, known: Known, *path: str | int) -> Iterator[Problem]:
    """Words and names that no alert has."""
    if match is UNSET:
        return
    words = {**_WORDS, "slo": known["slo"], "upstream": known["upstream"]}
    for key, globs in globs_of(match):
        for name in (*globs.wanted, *globs.excluded):
            if key in words and "*" not in name and name not in words[key]:
                there = ", ".join(sorted(words[key])) or "none"
                message = f"no alert has {name!r} here{nearest(name, list(words[key]))}; {there}"
                yield written.problem(message, *path, "match", key)


def _ladders(written: Written, receivers: list[str], known: Known) -> Iterator[Problem]:
    for i, ladder in enumerate(written.alerts.escalation):
        yield from _matched(written, ladder.match, known, "escalation", i)
        before = -1.0
        for j, step in enumerate(ladder.steps):
            path = ("escalation", i, "steps", j)
            if step.after <= before:
                yield written.problem("must be later than the step before it", *path, "after")
            before = step.after
            yield from _named(written, "receiver", step.notify, receivers, *path, "notify")
            yield from _named(written, "policy", step.tighten, known["policy"], *path, "tighten")
            yield from _acts(written, step, known, path)


def _acts(
    written: Written, step: Step, known: Known, path: tuple[str | int, ...]
) -> Iterator[Problem]:
    for k, circuit in enumerate(step.open_breaker):
        upstream = circuit.partition("/")[0]
        if "{" not in upstream:
            yield from _upstream(written, upstream, known, *path, "open_breaker", k)
        yield from _braces(written, circuit, *path, "open_breaker", k)
    for k, scope in enumerate(step.kill):
        yield from _braces(written, scope, *path, "kill", k)
        try:
            Scope.parse(_as_filled(scope))
        except ValueError as error:
            yield written.problem(str(error), *path, "kill", k)
    for k, call in enumerate(step.call):
        yield from _upstream(written, call.upstream, known, *path, "call", k, "upstream")


def _upstream(written: Written, name: str, known: Known, *path: str | int) -> Iterator[Problem]:
    for problem in _named(written, "upstream", [name], known["upstream"]):
        yield written.problem(problem.message, *path)


def _braces(written: Written, text: str, *path: str | int) -> Iterator[Problem]:
    if text.count("{") != text.count("}"):
        yield written.problem("a label stands in braces, as {agent}", *path)


def _as_filled(text: str) -> str:
    """With something in the place of each label."""
    first, *others = text.split("{")
    return first + "".join("x" + each.partition("}")[2] for each in others)


def _untold(written: Written, receivers: list[str]) -> Iterator[Problem]:
    """Receivers that nobody is sent to."""
    alerts = written.alerts
    steps = [step for ladder in alerts.escalation for step in ladder.steps]
    named = {name for each in (*alerts.routes, *steps) for name in _to(each)}
    for i, name in enumerate(receivers):
        if name not in named:
            message = "it is told of nothing: no route and no step names it"
            yield written.problem(message, "receivers", i, "name")


def _unreachable(written: Written) -> Iterator[Problem]:
    """Receivers at an address to which nothing is sent. What a name leads to is seen later."""
    for i, each in enumerate(written.alerts.receivers):
        host = "" if each.url is UNSET else each.url.host
        if _is_address(host) and (why := why_not(host, private=each.allow_private)):
            yield written.problem(f"nothing is sent to it: {why}", "receivers", i, "url")


def _unlabelled(written: Written) -> Iterator[Problem]:
    """What is never done or shown, for it asks for a label that no alert has."""
    for name in ("runbook", "dashboard"):
        yield from _labels(written, getattr(written.alerts, name), name)
    for i, ladder in enumerate(written.alerts.escalation):
        for j, step in enumerate(ladder.steps):
            for act in ("open_breaker", "kill"):
                for k, text in enumerate(getattr(step, act)):
                    yield from _labels(written, text, "escalation", i, "steps", j, act, k)


def _labels(written: Written, text: str, *path: str | int) -> Iterator[Problem]:
    for part in text.split("{")[1:]:
        name = part.partition("}")[0]
        if name not in LABELS:
            yield written.problem(f"no alert has a label {name}{nearest(name, LABELS)}", *path)


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False


def _to(each: Any) -> tuple[str, ...]:
    told: tuple[str, ...] = each.notify if isinstance(each, Step) else each.to
    return told


def _steps_for_nothing(written: Written) -> Iterator[Problem]:
    """A circuit that is open would never be over if it were held open for that."""
    for i, ladder in enumerate(written.alerts.escalation):
        which = which_of(ladder.match)
        only = isinstance(which, Labelled) and which.globs.get("source") == Globs(("breaker",))
        for j, step in enumerate(ladder.steps):
            if only and step.open_breaker:
                message = "it is not done: held open by hand an open circuit would never be over"
                yield written.problem(message, "escalation", i, "steps", j, "open_breaker")
