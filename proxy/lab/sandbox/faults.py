"""Errors on demand: what they are, how they are written, and the queue they wait in.

A script is a list. Each item names at most a `tool` (a glob, default `*`), how many `times`
(default once; `null` is for ever), whether the tool is `executed` before the fault, and one of:

    {"status": 503, "headers": {"Retry-After": "1"}, "body": ...}
    {"rate_limit_after": 5}     five calls pass, all later ones get 429
    {"slow": 0.2}               seconds; the answer comes late
    {"stream": 0.05}            server-sent events, one every so many seconds, until the peer leaves
    {"hang": true}              no answer until the peer leaves
    {"reset": true}             TCP RST
    {"truncated": true}         half of an answer, then the end of the connection
    {"malformed": true}         bytes that are not HTTP
    {"duplicate": true}         the tool runs twice, whatever its idempotency key says
    {"pass": true}              an ordinary answer

A bare number is a status: `[503, 503]`. For each call the first item that matches its tool is
used. A call whose tool does not exist meets no fault.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

FlagKind = Literal["hang", "reset", "truncated", "malformed", "duplicate", "pass"]
Kind = FlagKind | Literal["status", "rate_limit_after", "slow", "stream"]

_FLAGS: tuple[str, ...] = get_args(FlagKind)
_KINDS = ("status", "rate_limit_after", "slow", "stream", *_FLAGS)
_OPTIONS = ("tool", "times", "executed")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_FRAMING = frozenset({"content-length", "transfer-encoding"})
_WITH_ANSWER = ("status", "rate_limit_after")
LONGEST_SECONDS = 3600.0


class ScriptError(ValueError):
    """A script that cannot be used; the message says where and what is allowed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One item of a script, checked. `times` None is for ever."""

    kind: Kind
    tool: str = "*"
    times: int | None = 1
    executed: bool = False
    spared: int = 0
    """Matching calls that pass before the fault begins."""
    seconds: float = 0.0
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None

    def shown(self) -> dict[str, object]:
        """As an item of a script, with what is left of it."""
        item: dict[str, object] = {"tool": self.tool, "times": self.times}
        item[self.kind] = {
            "status": self.status,
            "rate_limit_after": self.spared,
            "slow": self.seconds,
            "stream": self.seconds,
        }.get(self.kind, True)
        if self.executed:
            item["executed"] = True
        if self.kind in _WITH_ANSWER:
            item["headers"] = dict(self.headers)
            item |= {} if self.body is None else {"body": self.body}
        return item


class Script:
    """The queue of faults."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self._faults = list(faults)

    def take(self, tool: str) -> Fault | None:
        """The fault that this call meets, if any; it is used up by that."""
        for place, fault in enumerate(self._faults):
            if fnmatchcase(tool, fault.tool):
                return self._use(place, fault)
        return None

    def shown(self) -> list[dict[str, object]]:
        """What is left, in order."""
        return [fault.shown() for fault in self._faults]

    def _use(self, place: int, fault: Fault) -> Fault | None:
        if fault.spared:
            self._faults[place] = replace(fault, spared=fault.spared - 1)
            return None
        if fault.times == 1:
            del self._faults[place]
        elif fault.times is not None:
            self._faults[place] = replace(fault, times=fault.times - 1)
        return fault


def read_script(path: Path) -> list[object]:
    """The items of a script file, JSON or YAML; raises OSError, and ScriptError with the path."""
    raw = path.read_bytes()
    try:
        items = script_items(json.loads(raw) if path.suffix == ".json" else yaml.safe_load(raw))
        parse_script(items)
    except RecursionError:
        raise ScriptError(f"{path}: nested too deep") from None
    except (ValueError, yaml.YAMLError) as error:
        said = " ".join(str(error).split())  # YAML's own takes several lines
        raise ScriptError(f"{path}: {said}") from None
    return items


def script_items(found: object) -> list[object]:
    """A list, `{"script": [...]}`, or nothing."""
    if isinstance(found, dict) and set(found) == {"script"}:
        found = found["script"]
    if found is None:
        return []
    if not isinstance(found, list):
        raise ScriptError("a script is a list of faults")
    return found


def parse_script(items: Sequence[object]) -> list[Fault]:
    """Check all items; raises ScriptError for the first that is wrong."""
    return [parse_fault(item, f"script[{place}]") for place, item in enumerate(items)]


def parse_fault(item: object, where: str) -> Fault:
    """Check one item; `where` begins the message of the ScriptError."""
    if isinstance(item, int) and not isinstance(item, bool):
        item = {"status": item}
    if not isinstance(item, dict):
        raise ScriptError(f"{where}: must be an object or a status")
    kind = _kind(item, where)
    value = item[kind]
    fault = _with_options(kind, item, where)
    match kind:
        case "status":
            status = _whole(value, 200, 599, f"{where}.status")
            headers = _headers(item.get("headers", {}), where)
            return replace(fault, status=status, headers=headers, body=_body(item, where))
        case "rate_limit_after":
            spared = _whole(value, 0, 10**9, f"{where}.rate_limit_after")
            headers = _headers(item.get("headers", {"Retry-After": "1"}), where)
            limited = replace(fault, status=429, headers=headers, body=_body(item, where))
            return replace(limited, spared=spared)
        case "slow" | "stream":
            return replace(fault, seconds=_seconds(value, f"{where}.{kind}"))
        case _:
            if value is not True:
                raise ScriptError(f"{where}.{kind}: must be true")
            return fault


def parse_header(text: str) -> Fault:
    """A fault for one request: `reset`, `status=503`, `slow=0.5`, `hang; executed`."""
    what, *options = (part.strip() for part in text.split(";"))
    if options not in ([], ["executed"]):
        raise ScriptError("x-sandbox-fault: only `executed` may follow the fault")
    kind, _, value = what.partition("=")
    item = {kind: _number(value) if value else True, "executed": bool(options)}
    return parse_fault(item, "x-sandbox-fault")


def _kind(item: Mapping[str, object], where: str) -> Kind:
    kinds = [kind for kind in _KINDS if kind in item]
    if len(kinds) != 1:
        raise ScriptError(f"{where}: must have exactly one of {', '.join(_KINDS)}")
    allowed = {*_OPTIONS, *kinds, *(("headers", "body") if kinds[0] in _WITH_ANSWER else ())}
    unknown = sorted(str(key) for key in item.keys() - allowed)
    if unknown:
        raise ScriptError(f"{where}: {', '.join(unknown)} cannot go with {kinds[0]}")
    return cast("Kind", kinds[0])


def _with_options(kind: Kind, item: Mapping[str, object], where: str) -> Fault:
    tool = item.get("tool", "*")
    if not isinstance(tool, str):
        raise ScriptError(f"{where}.tool: must be a string")
    executed = item.get("executed", False)
    if not isinstance(executed, bool):
        raise ScriptError(f"{where}.executed: must be true or false")
    # A limit that was reached stays reached: nobody asks for one 429 with these words.
    times = item.get("times", None if kind == "rate_limit_after" else 1)
    count = None if times is None else _whole(times, 1, 10**9, f"{where}.times")
    return Fault(kind, tool, count, executed)


def _body(item: Mapping[str, object], where: str) -> object:
    body = item.get("body")
    try:
        json.dumps(body, allow_nan=False, ensure_ascii=False).encode()
    except (ValueError, TypeError, RecursionError):
        raise ScriptError(f"{where}.body: must be text or JSON") from None
    return body


def _headers(given: object, where: str) -> dict[str, str]:
    if not isinstance(given, dict) or not all(map(_can_be_sent, [*given, *given.values()])):
        raise ScriptError(f"{where}.headers: must be an object of strings on one line")
    for name in given:
        if not _TOKEN.fullmatch(str(name)):
            raise ScriptError(f"{where}.headers: {str(name)!r} is no name of a header")
        if str(name).lower() in _FRAMING:
            raise ScriptError(f"{where}.headers: for {name}, use truncated or malformed")
    return {str(name): str(value) for name, value in given.items()}


def _can_be_sent(value: object) -> bool:
    """Whole numbers too: YAML reads `Retry-After: 1` as one."""
    return type(value) is int or (isinstance(value, str) and value.isprintable())


def _whole(value: object, least: int, most: int, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ScriptError(f"{where}: must be a whole number from {least} to {most}")
    return value


def _seconds(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScriptError(f"{where}: must be a number of seconds")
    if not 0 <= value <= LONGEST_SECONDS:
        raise ScriptError(f"{where}: must be from 0 to {LONGEST_SECONDS:g}")
    return float(value)


def _number(text: str) -> int | float:
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise ScriptError(f"x-sandbox-fault: {text!r} is not a number") from None
