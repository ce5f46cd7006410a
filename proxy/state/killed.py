"""One kill: what it is, what the journal says of it, and what calls are told."""

import functools
from typing import Any, ClassVar, Literal, TypeAlias

import msgspec

from proxy.refusal import Refusal
from proxy.state.scopes import Scope
from proxy.units import Moment, in_utc

InFlight: TypeAlias = Literal["end", "finish"]


class Kill(msgspec.Struct, frozen=True):
    """One scope that is stopped. Times are seconds since 1970."""

    scope: Scope
    reason: str
    by: str  # who
    origin: str  # admin | file | policies | signal | budget | loop
    since: float = 0.0  # set when it is thrown
    until: float | None = None
    in_flight: InFlight = "end"  # finish: what runs may come to its end
    place: str = ""  # file:line, of what is written down

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
    type: ClassVar[str] = "kill.engaged"


class KillReleased(msgspec.Struct, frozen=True, omit_defaults=True):
    """It goes on."""

    id: str
    scope: str
    by: str
    reason: str = ""
    origin: str = ""  # policies: one that stood there
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


def entry_of(name: str, kill: Kill) -> KillEngaged:
    """What is noted of it."""
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
    )


def _wall(text: str) -> float | None:
    """None where it is no moment: what has no end stands until somebody lifts it."""
    try:
        return Moment.parse(text)
    except ValueError:
        return None
