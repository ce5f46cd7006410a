"""One kill: what it is, what the journal says of it, and what calls are told."""

import functools
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from proxy.refusal import Refusal
from proxy.state.scopes import Scope
from proxy.units import Moment, in_utc

InFlight: TypeAlias = Literal["end", "finish"]
POLICIES = "policies"
"""Whence those come that are written there."""


class Kill(msgspec.Struct, frozen=True):
    """One scope that is stopped. Times are seconds since 1970."""

    scope: Scope
    reason: str
    by: str  # who
    origin: str  # admin | file | policies | signal | alerts | budget | loop
    since: float = 0.0  # set when it is thrown
    until: float | None = None
    in_flight: InFlight = "end"  # finish: what runs may come to its end
    place: str = ""  # file:line, of what is written down
    pod: str = ""  # where it was thrown; empty: here

    def shown(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "scope": str(self.scope),
            "reason": self.reason,
            "by": self.by,
            "from": self.origin,
            "at": self.place or None,
            "since": in_utc(self.since),
            "until": None if self.until is None else in_utc(self.until),
            "in_flight": self.in_flight,
            "pod": self.pod or None,
        }

    def refusal(self) -> Refusal:
        """What calls are told."""
        return _refusal(self)


class KillEngaged(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something is stopped."""

    id: str
    scope: str
    reason: str
    by: str
    origin: str
    since: str  # RFC 3339
    until: str = ""
    in_flight: str = "end"
    place: str = ""
    pod: str = ""  # where it was thrown; absent: here
    throws: tuple[str, ...] = ()  # the names of what stands, among pods
    type: ClassVar[str] = "kill.engaged"


class KillReleased(msgspec.Struct, frozen=True, omit_defaults=True):
    """It goes on."""

    id: str
    scope: str
    by: str
    reason: str = ""
    origin: str = ""  # policies: one that stood there
    pod: str = ""  # where it was revived; absent: here
    lifts: tuple[str, ...] | None = None  # the names of what is lifted; absent: all that was known
    at: str = ""  # when, where the line does not say it
    type: ClassVar[str] = "kill.released"


@functools.lru_cache  # an agent that is killed may go on asking, as fast as it can
def _refusal(kill: Kill) -> Refusal:
    shown = kill.shown()
    told = {name: shown[name] for name in ("scope", "reason", "by", "since", "until")}
    return Refusal(
        "killed",
        f"{kill.reason} (kill switch {kill.scope})",
        scope=kill.scope.kind,
        facts=(("kill", told),),
        stands=True,
    )


def entry_of(name: str, kill: Kill, throws: tuple[str, ...] = ()) -> KillEngaged:
    """What is noted of it. Those of policies have no throws."""
    return KillEngaged(
        name,
        str(kill.scope),
        kill.reason,
        kill.by,
        kill.origin,
        in_utc(kill.since),
        "" if kill.until is None else in_utc(kill.until),
        kill.in_flight,
        kill.place,
        kill.pod,
        throws,
    )


def kill_of(entry: KillEngaged) -> Kill:
    """What was noted, back."""
    return Kill(
        Scope(entry.scope),
        entry.reason,
        entry.by,
        entry.origin,
        _wall(entry.since) or 0.0,
        _wall(entry.until),
        "finish" if entry.in_flight == "finish" else "end",
        entry.place,
        entry.pod,
    )


def line_of(entry: KillEngaged | KillReleased) -> dict[str, Any]:
    """As a line of the journal says it."""
    return {"type": entry.type, **msgspec.to_builtins(entry)}


def millis_of(text: str) -> int:
    """Milliseconds since 1970; 0 where it is no moment."""
    return round((_wall(text) or 0.0) * 1000)


def in_millis(kill: Kill) -> Kill:
    """The same as it is written down and told, without what is less than a millisecond."""
    until = None if kill.until is None else _millis(kill.until)
    return msgspec.structs.replace(kill, since=_millis(kill.since), until=until)


def _millis(moment: float) -> float:
    return round(moment * 1000) / 1000


def _wall(text: str) -> float | None:
    """None where it is no moment: what has no end stands until somebody lifts it."""
    try:
        return Moment.parse(text)
    except ValueError:
        return None
