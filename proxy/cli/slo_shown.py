"""Objectives of a running proxy, with a bar for each error budget."""

import json
from collections.abc import Iterator
from typing import Any

from proxy.cli.page import cut, paint, say, table

_BAR = 10
_LITTLE = 0.25
_STATES = {"exhausted": "red", "burning": "yellow", "ok": "green"}
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"))


def shown(admin: str | None, as_json: bool) -> int:
    """Print them. The exit code."""
    from proxy.cli.asking import admin_of_settings, every, understood

    address = admin or admin_of_settings()
    items = every(address, "/v1/slos")
    if as_json:
        print(json.dumps({"items": items, "next": None}, indent=2))
        return 0
    with understood(address):
        lines = list(page(items))
    say(lines)
    return 0


def page(items: list[dict[str, Any]]) -> Iterator[str]:
    """A row for each, as `/v1/slos` has them; and below what follows from budgets now."""
    if not items:
        yield "  there is no SLO"
        return
    head = ("SLO", "GOOD IS", "GOAL", "STATE", "BUDGET LEFT", "BURN", "EVENTS", "BAD", "LASTS")
    yield from table(head, [_row(item) for item in items], "llrllrrrr")
    for item in items:
        follows = item["on_exhausted"]
        if follows["in_force"]:
            so = paint(", ".join(follows["does"]), bold=True)
            yield f"  {paint(item['slo'])}: its budget is used up, and so: {so}"


def _row(item: dict[str, Any]) -> list[str]:
    budget, state = item["budget"] or {}, item["state"]
    remaining = budget.get("remaining")
    return [
        paint(cut(item["slo"], 24), bold=True),
        paint(_good(item)),
        paint(f"{100 * float(item['objective']):.6g}%"),
        paint(state.replace("_", " "), _STATES.get(state, "")),
        _bar(remaining),
        paint(_burn(item["burn"])),
        paint(budget.get("events", "–")),
        paint(budget.get("bad", "–")),
        paint(_lasts(budget.get("exhausts_in"))),
    ]


def _good(item: dict[str, Any]) -> str:
    """`success a task`, `≤ 5s a call`, `≤ $0.15 a task`."""
    most = item["threshold"]
    what = "success" if most is None else f"≤ {'$' if item['sli'] == 'cost' else ''}{most}"
    return f"{what} a {item['per']}"


def _bar(remaining: float | None) -> str:
    if remaining is None:
        return paint("no data", dim=True)
    full = round(max(0.0, min(1.0, remaining)) * _BAR)
    if remaining > 0:
        full = max(1, full)
    colour = "red" if remaining <= 0 else "yellow" if remaining < _LITTLE else "green"
    bar = "█" * full + "░" * (_BAR - full)
    return f"{paint(bar, colour)} {paint(f'{remaining:.0%}', colour)}"


def _burn(windows: list[dict[str, Any]]) -> str:
    """The highest of those that are known, and over what."""
    known = [(one["rate"], one["window"]) for one in windows if one["rate"] is not None]
    if not known:
        return "–"
    rate, window = max(known)
    return f"{rate:.3g}× {window}"


def _lasts(seconds: int | None) -> str:
    """For so long, as it burns now; a dash: it does."""
    if seconds is None:
        return "–"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "0"
