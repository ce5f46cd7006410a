"""Errors on demand inside a stream of events, as items of a script say them.

An answer that is no stream meets none of them, but for `error` without `after`, and `gzip`:

    {"cut": 3}               three events, then the connection ends without the body's end
    {"stall": 3}             three events, then nothing until the peer leaves
    {"garble": 3}            three events; of the fourth, half of its data; then the rest
    {"no_end": true}         all but the protocol's end ([DONE], message_stop, ...); the body ends
    {"no_end": 1}            all but the last event
    {"error": "overloaded"}  server, overloaded, rate_limit or quota, in the protocol's own shape:
                             the whole answer; or, with "after": 3, the fourth and last event

With these, with `pass`, or alone:

    "delay": 0.05            seconds before each event
    "gzip": true             the body is compressed, and flushed after each event
    "event_bytes": 1048576   so long is the data of the first event that says something
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from proxy.lab.sandbox.items import ScriptError, seconds, whole

StreamKind = Literal["cut", "stall", "garble", "no_end", "error"]
Failure = Literal["server", "overloaded", "rate_limit", "quota"]

STREAM_KINDS: tuple[str, ...] = get_args(StreamKind)
FAILURES: tuple[str, ...] = get_args(Failure)
OPTIONS = ("delay", "gzip", "event_bytes")
MOST_EVENTS = 10**9
MOST_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class InStream:
    """What happens inside a stream. The fault's kind says what `after` counts."""

    after: int | None = None
    """Events before the fault; for `no_end`, last events that are missing, None: all of the end."""
    error: Failure | None = None
    delay_seconds: float = 0.0
    gzip: bool = False
    event_bytes: int = 0

    def values(self) -> dict[str, object]:
        """By kind, what an item says of it."""
        after = self.after
        return {
            "cut": after, "stall": after, "garble": after, "error": self.error,
            "no_end": True if after is None else after,
        }  # fmt: skip

    def options(self, kind: str) -> dict[str, object]:
        """The rest of an item."""
        options: dict[str, object] = {}
        if kind == "error" and self.after is not None:
            options["after"] = self.after
        if self.delay_seconds:
            options["delay"] = self.delay_seconds
        if self.gzip:
            options["gzip"] = True
        if self.event_bytes:
            options["event_bytes"] = self.event_bytes
        return options


def parse_in_stream(kind: str, item: Mapping[str, object], where: str) -> InStream:
    """Check what an item says of streams; raises ScriptError."""
    gzip = item.get("gzip", False)
    if not isinstance(gzip, bool):
        raise ScriptError(f"{where}.gzip: must be true or false")
    return InStream(
        after=_after(kind, item, where),
        error=_error(item["error"], where) if kind == "error" else None,
        delay_seconds=seconds(item.get("delay", 0.0), f"{where}.delay"),
        gzip=gzip,
        event_bytes=whole(item.get("event_bytes", 0), 0, MOST_BYTES, f"{where}.event_bytes"),
    )


def _after(kind: str, item: Mapping[str, object], where: str) -> int | None:
    match kind:
        case "cut" | "stall" | "garble":
            return whole(item[kind], 0, MOST_EVENTS, f"{where}.{kind}")
        case "no_end":
            missing = item[kind]
            return None if missing is True else whole(missing, 1, MOST_EVENTS, f"{where}.no_end")
        case "error" if "after" in item:
            return whole(item["after"], 0, MOST_EVENTS, f"{where}.after")
        case _:
            return None


def _error(value: object, where: str) -> Failure:
    if value not in FAILURES:
        raise ScriptError(f"{where}.error: must be one of {', '.join(FAILURES)}")
    return cast("Failure", value)
