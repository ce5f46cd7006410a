"""An SLO of another tool, as far as it can be said here; and what could not.

Their queries ask a database; here calls are counted as they end. So what an SLO promises can be
taken over (how much, over which time, who is told), and for which calls it is cannot: it is left to
be filled in, with a match that no call fulfils, so that nothing is counted that was not meant.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from proxy.config.types import NAME_PATTERN
from proxy.observe.slo.burns import told, usual
from proxy.observe.slo.objective import Burn, Severity

FILL_IN = "fill-in-which-calls"
"""The tool of a match that is still to be written."""
MIN_EVENTS = 10
_LATENCY = re.compile(r"_(seconds|milliseconds)_bucket\b")
_BOUND = re.compile(r"""\ble\s*=~?\s*["']([0-9.]+)["']""")
_UNITS = {"seconds": "s", "milliseconds": "ms"}


class Unsayable(Exception):
    """It cannot be said here: why, for people."""


class Taken(msgspec.Struct):
    """One SLO, to be written as ours."""

    name: str
    objective: Decimal
    window: float
    sli: str = "success"
    threshold: str = ""
    alerts: list[Burn] | None = None  # None: the usual ones
    about: list[str] = []  # what its author says of it
    queries: list[str] = []
    notes: list[str] = []  # what is not as it was


class Lost(msgspec.Struct, frozen=True):
    """One that is not taken over, and why."""

    name: str
    why: str


def mapping(value: Any, what: str) -> dict[str, Any]:
    """It, or nothing where it is not there. Raises Unsayable for anything else."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unsayable(f"{what}: expected keys, found {shown(value)}")
    return {str(key): held for key, held in value.items()}


def listed(value: Any, what: str) -> list[Any]:
    """Likewise a list."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unsayable(f"{what}: expected a list, found {shown(value)}")
    return value


def shown(value: Any) -> str:
    """Anything that a file can hold, in short."""
    text = " ".join(str(value).split()) if not isinstance(value, dict | list) else "more keys"
    return text if len(text) <= 60 else f"{text[:57]}..."


def name_of(value: Any, notes: list[str]) -> str:
    """A name as it may stand here. Raises Unsayable where there is none."""
    if not isinstance(value, str) or not value:
        raise Unsayable(f"expected a name, found {shown(value)}")
    name = re.sub(r"[^A-Za-z0-9._/-]+", "-", value)[:64]
    if not re.fullmatch(NAME_PATTERN, name):
        raise Unsayable(f"{shown(value)} cannot be a name here")
    if name != value:
        notes.append(f"its name was {shown(value)}")
    return name


def share_of(value: Any, percent: bool) -> Decimal:
    """An objective as a share. Raises Unsayable where it promises everything, or nothing."""
    try:
        share = Decimal(str(value)) / (100 if percent else 1)
    except InvalidOperation:
        raise Unsayable(f"its objective is {shown(value)}, no number") from None
    if isinstance(value, bool) or not share.is_finite() or not 0 < float(share) < 1:
        raise Unsayable(f"its objective is {shown(value)}; here it is over 0 and under 100 %")
    return share.normalize()


def heard(taken: Taken) -> None:
    """Find out what its queries ask for, and say that it is to be looked at."""
    bounds = {bound for query in taken.queries for bound in _BOUND.findall(query)}
    units = {unit for query in taken.queries for unit in _LATENCY.findall(query)}
    if len(bounds) == len(units) == 1:
        taken.sli, taken.threshold = "latency", bounds.pop() + _UNITS[units.pop()]
        taken.notes.append(f"its queries count what took up to {taken.threshold}: look whether so")


def without(severities: Iterable[Severity], taken: Taken) -> None:
    """Nobody is told with these severities."""
    off = set(severities)
    left = [
        burn
        for burn in usual(float(taken.objective), taken.window, MIN_EVENTS)
        if burn.severity not in off
    ]
    if not off:
        return
    if left:
        taken.alerts = left
    else:
        taken.notes.append("all of its alerts are off; here they stay, so route them to nobody")


def left_out(known: Iterable[str], given: Mapping[str, Any], where: str) -> Iterator[str]:
    """Notes of keys that nobody reads."""
    for key in sorted(set(given) - set(known)):
        yield f"{where}{key} has no place here, and is left out"


def written(found: Iterable[Taken | Lost], source: str, match: Mapping[str, str]) -> str:
    """A policy file, with all that is to be known of it as comments."""
    lines = [f"# Made of {_line(source)} by `holdfast slo import`.", "slos:"]
    entries = list(found)
    if not any(isinstance(each, Taken) for each in entries):
        lines[-1] = "slos: []"
    for each in entries:
        lines.append("")
        if isinstance(each, Lost):
            lines.append(f"  # {_line(each.name)} is not taken over: {_line(each.why)}")
        else:
            lines += _entry(each, match)
    return "\n".join(lines) + "\n"


def _entry(taken: Taken, match: Mapping[str, str]) -> Iterator[str]:
    for text in (*taken.about, *taken.notes):
        yield f"  # {_line(text)}"
    for query in taken.queries:
        yield f"  #   {_line(query)}"
    yield f"  - name: {_text(taken.name)}"
    yield f"    sli: {taken.sli}"
    if taken.threshold:
        yield f"    threshold: {taken.threshold}"
    yield f"    objective: {taken.objective:f}"
    yield f"    window: {told(taken.window)}"
    yield f"    match: {{{', '.join(f'{key}: {_text(value)}' for key, value in match.items())}}}"
    if taken.alerts is not None:
        yield "    alerts:"
        yield from (f"      - {_burn(burn)}" for burn in taken.alerts)


def _burn(burn: Burn) -> str:
    return (
        f"{{burn: {burn.factor:.6g}, long: {told(burn.long)}, short: {told(burn.short)}, "
        f"severity: {burn.severity}}}"
    )


def _line(text: str) -> str:
    """On one line of a comment, whatever is in it."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))


def _text(value: str) -> str:
    return json.dumps(value).replace("\x7f", r"\x7f")  # ASCII, but YAML has no such letter
