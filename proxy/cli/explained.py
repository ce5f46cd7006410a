"""An explanation as people read it: the verdict first, then how it comes about, then the values."""

from collections.abc import Iterator
from typing import Any

from proxy.cli.page import folded, paint, width

_SHADOW = "shadow: computed, never acted upon"
_SHADOW_OF_AN_ACT = "shadow: nothing is computed of it"
_HOLDS = {True: "holds", False: "does not hold", None: "failed, only its restrictions hold"}
_LABEL = 11
_NAME = 14


def lines(report: dict[str, Any]) -> Iterator[str]:
    """Of the JSON form, which a running proxy gives as well."""
    from proxy.stages import SECTIONS

    yield from _call(report)
    yield ""
    yield from _verdict(report["verdict"])
    yield ""
    yield from _stages(report)
    for name, section in report["sections"].items():
        yield ""
        yield from _section(paint(name, bold=True), section)
    for name, section in report["shadow"].items():
        yield ""
        yield from _section(f"{paint(name, bold=True)} ({_shadow(name)})", section)
    off = [name for name in SECTIONS if name not in report["sections"]]
    if off:
        yield ""
        yield from _labelled("off", ", ".join(off))
    if report["warnings"]:
        yield ""
    for warning in report["warnings"]:
        yield from _labelled("warning", warning, "yellow")


def _call(report: dict[str, Any]) -> Iterator[str]:
    call = dict(report["call"])
    yield from _labelled("call", "  ".join(f"{key}={value}" for key, value in call.items()))
    policies = ", ".join(_named(policy) for policy in report["policies"]) or "none"
    yield from _labelled("policies", f"{policies}  (version {report['policy_version']})")
    for asks in report["conditions"]:
        told = f"{_HOLDS[asks['holds']]}: {asks['policy']} ({asks['from']}), {asks['when']}"
        yield from _labelled("condition", told)
    for name in ("effect", "risk", "on_journal_failure"):
        yield from _labelled(name, f"{report[name]['value']}  {_origin(report[name])}")


def _named(policy: dict[str, Any]) -> str:
    shadow = "" if policy["mode"] == "enforce" else f" ({policy['mode']})"
    return f"{policy['name']}{shadow}"


def _labelled(label: str, text: str, colour: str = "cyan") -> Iterator[str]:
    room = max(_LABEL, len(label) + 2)
    first, *rest = folded(text, room, width())
    yield paint(f"{label:<{room}}", colour) + first
    yield from rest


def _verdict(verdict: dict[str, Any]) -> Iterator[str]:
    if verdict["allow"]:
        yield paint("The call would go.", "green", bold=True)
        return
    refusal = verdict["refusal"]
    by = f" by {verdict['stage']}" if verdict.get("stage") else ""
    of = f" of policy {refusal['policy']}" if refusal.get("policy") else ""
    yield paint(f"The call would be refused: {refusal['code']}{by}{of}.", "red", bold=True)
    yield from (paint(line) for line in folded(refusal["detail"], 0, width()))


def _stages(report: dict[str, Any]) -> Iterator[str]:
    room = max((len(_stage(step)) for step in report["stages"]), default=0)
    for step in report["stages"]:
        refuses = step["refusal"] is not None
        mark = paint("✗", "red") if refuses else paint("·", dim=True)
        stage = f"{_stage(step):<{room}}"
        note = ("in shadow: " if step["shadow"] else "") + step["says"]
        if refuses:
            note += f" → {step['refusal']['code']}"
        first, *rest = folded(note, 2 + room + 2, width())
        yield f"{mark} {paint(stage, dim=step['shadow'])}  {paint(first)}"
        yield from rest
    if report["verdict"]["allow"]:
        yield f"{paint('→', 'green')} send"


def _stage(step: dict[str, Any]) -> str:
    """That it is a shadow's is said beside it."""
    return str(step["stage"]).removeprefix("Shadow")


def _shadow(name: str) -> str:
    """What its shadow comes to. What acts has none, but for the gates that it switches on."""
    from proxy.stages import GATES, WRAPPERS

    if name not in WRAPPERS:
        return _SHADOW
    return f"{_SHADOW_OF_AN_ACT} but its cool-down" if name in GATES else _SHADOW_OF_AN_ACT


def _section(head: str, fields: dict[str, Any]) -> Iterator[str]:
    yield head
    rows = [row for name, told in fields.items() for row in _rows(name, told)]
    name_room = max(_NAME, max((len(row[0]) for row in rows), default=0))
    value_room = max((len(row[1]) for row in rows if len(row[1]) <= 24), default=0)
    for name, value, origin, built_in in rows:
        head = f"  {name:<{name_room}}  "
        if len(value) <= value_room:
            yield paint(f"{head}{value:<{value_room}}  {origin}", dim=built_in)
            continue
        first, *rest = folded(value, len(head), width())
        yield from (paint(line, dim=built_in) for line in (head + first, *rest))
        yield paint(" " * len(head) + " " * value_room + "  " + origin, dim=built_in)


def _rows(name: str, told: dict[str, Any]) -> Iterator[tuple[str, str, str, bool]]:
    from proxy.pipeline.explain import flat

    for path, value in flat(name, told["value"]):
        yield path, _shown(value), _origin(told), told["policy"] is None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        given = {name: held for name, held in value.items() if held is not None}
        return "{" + ", ".join(f"{name}: {_shown(held)}" for name, held in given.items()) + "}"
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) if value else "[]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return "–" if value is None else str(value)


def _origin(told: dict[str, Any]) -> str:
    return f"{told['from']} ({told['policy']})" if told["policy"] else str(told["from"])
