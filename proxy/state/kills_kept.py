"""What the journal knows of kills: how it is written down, and had again (`Rebuilt`).

What is being lifted is gone for the journal, and there for calls, until that is durable.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from proxy.state.killed import (
    POLICIES,
    Kill,
    KillEngaged,
    KillReleased,
    entry_of,
    in_millis,
    kill_of,
    line_of,
    millis_of,
)
from proxy.state.scopes import Scope
from proxy.state.throws import Lift, Thrown, Throws
from proxy.units import in_utc


class Leaving(NamedTuple):
    """It is being lifted."""

    kill: Kill
    names: tuple[str, ...]  # of the throws
    lift: Lift


class KeptKills:
    """Part of Rebuilt."""

    name = "kills"
    types = frozenset({KillEngaged.type, KillReleased.type})

    def __init__(self) -> None:
        self.throws = Throws()
        """Of all scopes, also those that were lifted."""
        self._thrown: dict[Scope, Kill] = {}
        self._written: dict[Scope, Kill] = {}
        self._leaving: dict[Scope, Leaving] = {}

    def dump(self) -> Any:
        """Part of Rebuilt: what the journal says."""
        written = (entry_of("", kill) for kill in self._written.values())
        entries = [*written, *(entry for known in self.throws for entry in self._said(known))]
        return [line_of(entry) for entry in entries]

    def _said(self, known: Thrown) -> Iterator[KillEngaged | KillReleased]:
        """All that is known of a scope, as if it had just been noted."""
        scope, lift, off = known.scope, known.lift, known.off
        leaving = self._leaving.get(scope)
        if leaving is not None:
            lift, off = leaving.lift, off.union(leaving.names)
        if off:
            at, names = in_utc(lift.at / 1000), tuple(sorted(off))
            yield KillReleased("", str(scope), lift.by, lift.reason, "", lift.pod, names, at)
        on = {name: kill for name, kill in known.on.items() if name not in off}
        if not on:
            return
        kill = self._thrown.get(scope)
        yield entry_of("", kill or on[max(on)], tuple(on))
        if kill is None:  # its time is over
            yield KillReleased("", str(scope), "holdfast", lifts=())

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt."""
        for told in state:
            self.apply({"type": KillEngaged.type, **told})

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt. Nothing is taken from a line that is no such record."""
        try:
            if record["type"] == KillEngaged.type:
                self._was_engaged(msgspec.convert(record, KillEngaged))
            else:
                at = str(record.get("ts", ""))
                self._was_released(msgspec.convert({"at": at, **record}, KillReleased))
        except msgspec.ValidationError:
            return

    def _was_engaged(self, entry: KillEngaged) -> None:
        kill = in_millis(kill_of(entry))
        if kill.origin == POLICIES:
            self._written[kill.scope] = kill
            return
        self._thrown[kill.scope] = kill
        known = self.throws.of(kill.scope)
        names = entry.throws or (known.name(kill.since, entry.id),)
        self.throws.take(known.again(dict.fromkeys(names, kill)))

    def _was_released(self, entry: KillReleased) -> None:
        scope = Scope(entry.scope)
        if entry.origin == POLICIES:
            self._written.pop(scope, None)
            return
        self._thrown.pop(scope, None)
        known = self.throws.of(scope)
        names = tuple(known.on) if entry.lifts is None else entry.lifts
        if names:  # else its time was over
            lift = Lift(millis_of(entry.at), entry.by, entry.reason, entry.pod)
            self.throws.take(known.lifted(names, lift))
