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
    {"error": "quota"}          in the protocol's own words; with `after`, inside a stream
    {"pass": true}              an ordinary answer

What harms the protocols' streams only, and the options of all that streams (`gzip`, `delay`,
`event_bytes`), stands in in_stream.py. A bare number is a status: `[503, 503]`. For each call the
first item that matches its tool is used. A call whose tool does not exist meets no fault. The tool
of a call to a model is the model, that of another MCP request its method, that of a message to the
agent its operation.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

from proxy.lab.sandbox.in_stream import (
    OPTIONS,
    STREAM_KINDS,
    InStream,
    StreamKind,
    parse_in_stream,
)
from proxy.lab.sandbox.items import ScriptError, parse_body, parse_headers, seconds, whole

__all__ = [
    "Fault",
    "Script",
    "ScriptError",
    "parse_fault",
    "parse_header",
    "parse_script",
    "read_script",
    "script_items",
]

FlagKind = Literal["hang", "reset", "truncated", "malformed", "duplicate", "pass"]
Kind = FlagKind | StreamKind | Literal["status", "rate_limit_after", "slow", "stream"]

_FLAGS: tuple[str, ...] = get_args(FlagKind)
KINDS: tuple[str, ...] = ("status", "rate_limit_after", "slow", "stream", *_FLAGS, *STREAM_KINDS)
_OPTIONS = ("tool", "times", "executed")
_WITH_ANSWER = ("status", "rate_limit_after")
_ANSWERING = ("pass", *STREAM_KINDS)  # what may go out as a stream of the protocol


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
    in_stream: InStream = field(default_factory=InStream)
    """What happens inside a stream of events, if the answer is one."""

    def shown(self) -> dict[str, object]:
        """As an item of a script, with what is left of it."""
        item: dict[str, object] = {"tool": self.tool, "times": self.times}
        item[self.kind] = {
            "status": self.status,
            "rate_limit_after": self.spared,
            "slow": self.seconds,
            "stream": self.seconds,
            **self.in_stream.values(),
        }.get(self.kind, True)
        if self.executed:
            item["executed"] = True
        if self.kind in _WITH_ANSWER:
            item["headers"] = dict(self.headers)
            item |= {} if self.body is None else {"body": self.body}
        return item | self.in_stream.options(self.kind)


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
    value = item.get(kind, True)  # options of a stream alone: it passes
    fault = _with_options(kind, item, where)
    match kind:
        case "status":
            status = whole(value, 200, 599, f"{where}.status")
            headers = parse_headers(item.get("headers", {}), where)
            return replace(fault, status=status, headers=headers, body=parse_body(item, where))
        case "rate_limit_after":
            spared = whole(value, 0, 10**9, f"{where}.rate_limit_after")
            headers = parse_headers(item.get("headers", {"Retry-After": "1"}), where)
            limited = replace(fault, status=429, headers=headers, body=parse_body(item, where))
            return replace(limited, spared=spared)
        case "slow" | "stream":
            return replace(fault, seconds=seconds(value, f"{where}.{kind}"))
        case "cut" | "stall" | "garble" | "no_end" | "error":
            return replace(fault, in_stream=parse_in_stream(kind, item, where))
        case _:
            if value is not True:
                raise ScriptError(f"{where}.{kind}: must be true")
            return replace(fault, in_stream=parse_in_stream(kind, item, where))


def parse_header(text: str) -> Fault:
    """A fault for one request: `reset`, `status=503`, `hang; executed`, `cut=3; gzip`."""
    where = "x-sandbox-fault"
    item: dict[str, object] = {}
    for place, part in enumerate(part.strip() for part in text.split(";")):
        name, _, value = part.partition("=")
        if place and name not in ("executed", "after", *OPTIONS):
            raise ScriptError(
                f"{where}: only executed, after, {', '.join(OPTIONS)} may follow the fault"
            )
        item[name] = _value(name, value) if value else True
    return parse_fault(item, where)


def _kind(item: Mapping[str, object], where: str) -> Kind:
    kinds = [kind for kind in KINDS if kind in item]
    if not kinds and item.keys() & set(OPTIONS):
        kinds = ["pass"]
    if len(kinds) != 1:
        raise ScriptError(f"{where}: must have exactly one of {', '.join(KINDS)}")
    unknown = sorted(str(key) for key in item.keys() - {kinds[0], *_allowed(kinds[0])})
    if unknown:
        raise ScriptError(f"{where}: {', '.join(unknown)} cannot go with {kinds[0]}")
    return cast("Kind", kinds[0])


def _allowed(kind: str) -> Iterator[str]:
    yield from _OPTIONS
    if kind in _WITH_ANSWER:
        yield from ("headers", "body")
    if kind in _ANSWERING:
        yield from OPTIONS
    if kind == "error":
        yield "after"


def _with_options(kind: Kind, item: Mapping[str, object], where: str) -> Fault:
    tool = item.get("tool", "*")
    if not isinstance(tool, str):
        raise ScriptError(f"{where}.tool: must be a string")
    executed = item.get("executed", False)
    if not isinstance(executed, bool):
        raise ScriptError(f"{where}.executed: must be true or false")
    # A limit that was reached stays reached: nobody asks for one 429 with these words.
    times = item.get("times", None if kind == "rate_limit_after" else 1)
    count = None if times is None else whole(times, 1, 10**9, f"{where}.times")
    return Fault(kind, tool, count, executed)


def _value(name: str, text: str) -> int | float | str:
    if name == "error":
        return text
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError:
        raise ScriptError(f"x-sandbox-fault: {text!r} is not a number") from None
