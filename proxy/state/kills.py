"""Kills: what is stopped until somebody who may says that it goes on.

Everything here errs on the side of stopping. A kill counts at once, whatever the journal does; that
one is lifted counts only when the record of it is durable. In between it stands in `_leaving`: for
the journal it is gone, for calls it is there. Should the record not become durable, the kill is
noted once more behind it, so that a journal that is written after all ends with the kill.

Three kinds stand side by side, and one scope may have all of them. *Thrown* ones are what people,
signals and stages threw: the journal remembers them. *Written* ones stand in the policies, and only
go with them. A line of the file `kill` throws its scope again and again, as long as it stands.

Times are of the wall clock, since they must hold over a restart. One that jumps ahead ends what had
an end; one that jumps back lets it stand longer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

import msgspec

from proxy.call import Call, Stop
from proxy.clock import Clock
from proxy.news import KillChange, News
from proxy.record import Noted
from proxy.state.killed import Kill, KillEngaged, KillReleased, entry_of, kill_of
from proxy.state.scopes import ALL, Net, Scope

PEOPLES = 1_000
"""Kills that people may throw."""
STAGES = 4_000
"""Those that stages may throw: agents make up workflows, and must not take the others' places."""
LONGEST = 500
"""Characters of a reason, and of a name of who gave it."""
_ALL = Scope(ALL)
_POLICIES = "policies"
_BY_STAGES = frozenset({"budget", "loop"})


class Stays(Exception):
    """It cannot be lifted like this: the text says why, and what to do."""


class Unknown(Exception):
    """No such scope is killed."""


class Unwritten(Exception):
    """The journal cannot take it, and so it does not count."""


class Full(Exception):
    """There are as many kills as there may be."""


async def _nothing() -> None:
    """Where there is no file."""


class Kills:
    """What is killed now. `begin` before it is used; part of Rebuilt."""

    name = "kills"
    types = frozenset({KillEngaged.type, KillReleased.type})
    idle = False  # never makes room for others in the Keep

    def __init__(self) -> None:
        self.net: Net[Kill] | None = None
        """What calls are looked up in; None: nothing is killed."""
        self.look: Callable[[], Awaitable[None]] = _nothing
        """Has somebody read the file `kill` again, and tell `stands`."""
        self._thrown: dict[Scope, Kill] = {}
        self._written: dict[Scope, Kill] = {}
        self._leaving: dict[Scope, Kill] = {}
        self._in_file: Mapping[Scope, str] = {}  # and where

    def begin(
        self, clock: Clock, noted: Noted, news: News, calls: Callable[[], Iterable[Call]]
    ) -> None:
        """It was rebuilt, and is noted from now on. `calls` are those that can still be stopped."""
        self._clock = clock
        self._noted = noted
        self._news = news
        self._calls = calls
        self._catch()

    # --- to throw ---

    def engage(self, kill: Kill, but: Call | None = None) -> int:
        """From here on it counts; so many calls were stopped. Once more is the same kill since its
        first time, for the reason of now. Raises Full.

        `but`: the call that brought it about. Its own stage refuses it, and the others are stopped
        when that is done.
        """
        before = self._thrown.get(kill.scope) or self._leaving.get(kill.scope)
        if before is None and self._is_full(kill):
            raise Full(f"{len(self._thrown)} scopes are killed; revive some, or kill a wider one")
        since = self._clock.wall() if before is None else before.since
        kill = msgspec.structs.replace(kill, since=since)
        self._thrown[kill.scope] = kill
        self._say(kill)
        return self._in_effect(kill, but)

    def durable(self) -> Awaitable[bool]:
        """Will it still be there after a restart?"""
        return self._noted.durable()

    def _is_full(self, kill: Kill) -> bool:
        if kill.scope == ALL:  # it makes all others needless
            return False
        stages = kill.origin in _BY_STAGES
        alike = sum((each.origin in _BY_STAGES) is stages for each in self._thrown.values())
        return alike >= (STAGES if stages else PEOPLES)

    def _say(self, kill: Kill) -> None:
        self._noted.note(entry_of(self._clock.uuid(), kill))

    def _in_effect(self, kill: Kill, but: Call | None = None) -> int:
        self._catch()
        stopped = 0
        if but is None:
            stopped = self._stop(kill)
        else:
            # Strands that run to their end inside of a stage would change what it stands on.
            self._clock.soon(lambda: self._stop_others(kill, but))
        self._tell(kill, "engaged", kill.reason, kill.by)
        return stopped

    def _tell(self, kill: Kill, state: str, reason: str, by: str) -> None:
        self._news.tell(KillChange(str(kill.scope), state, reason, by, kill.origin))

    def _stop_others(self, kill: Kill, but: Call) -> None:
        _ = self._stop(kill, but)

    def _stop(self, kill: Kill, but: Call | None = None) -> int:
        """The calls that are on their way, and are not another kill's."""
        net, refusal, stopped = Net([kill]), kill.refusal(), 0
        for call in self._calls():
            spared = call is but or (kill.in_flight == "finish" and call.under_way)
            if not spared and _meets(net, call):
                call.stop(Stop.KILLED, refusal)
                stopped += 1
        return stopped

    # --- to lift ---

    async def revive(self, scope: Scope, by: str, reason: str) -> Kill:
        """It goes on, and the record of that is durable. Raises Unknown, Stays, Unwritten.

        Whoever no longer waits does not stop it.
        """
        await self.look()
        written, thrown = self._written.get(scope), self._thrown.get(scope)
        if written is not None:
            raise Stays(f"{scope} is killed by the policies: remove it at {written.place}")
        if scope in self._in_file:
            raise Stays(f"{scope} stands at {self._in_file[scope]}: remove it there, then revive")
        if thrown is None:
            raise Unknown(f"{scope} is not killed")
        del self._thrown[scope]
        self._leaving[scope] = thrown
        self._noted.note(KillReleased(self._clock.uuid(), str(scope), by, reason))
        await asyncio.shield(self._clock.spawn(self._lift(thrown, by, reason)))
        return thrown

    async def _lift(self, kill: Kill, by: str, reason: str) -> None:
        scope, durable = kill.scope, False
        try:
            durable = await self._noted.durable()
        finally:
            del self._leaving[scope]
            if not durable and scope not in self._thrown:
                self._thrown[scope] = kill
                self._say(kill)
        if not durable:
            raise Unwritten("the journal cannot be written, and nothing is revived without it")
        self._gone(kill, by, reason)

    def _gone(self, kill: Kill, by: str, reason: str) -> None:
        self._catch()
        if kill.scope not in self._thrown:  # else somebody threw it anew meanwhile
            self._tell(kill, "released", reason, by)

    def expire(self) -> None:
        """Lift what had an end."""
        now = self._clock.wall()
        for kill in [*self._thrown.values(), *self._written.values()]:
            if kill.until is None or now < kill.until:
                continue
            kept = self._written if kill.origin == _POLICIES else self._thrown
            del kept[kill.scope]
            self._released(kill, "its time is over")

    def _released(self, kill: Kill, reason: str) -> None:
        origin = _POLICIES if kill.origin == _POLICIES else ""
        name = self._clock.uuid()
        self._noted.note(KillReleased(name, str(kill.scope), "holdfast", reason, origin))
        self._gone(kill, "holdfast", reason)

    # --- what is written down ---

    def obey(self, written: Iterable[Kill]) -> None:
        """These stand in the policies in force, and no others."""
        now = self._clock.wall()
        ruling = {kill.scope: kill for kill in written if kill.until is None or now < kill.until}
        for scope, kill in list(self._written.items()):
            if scope not in ruling:
                del self._written[scope]
                self._released(kill, "it was removed from the policies")
        for scope, kill in ruling.items():
            before = self._written.get(scope)
            since = now if before is None else before.since
            kill = msgspec.structs.replace(kill, since=since)
            self._written[scope] = kill
            if before is None or _terms(before) != _terms(kill):
                self._say(kill)
                self._in_effect(kill)
        self._catch()

    def stands(self, lines: Mapping[Scope, Kill]) -> None:
        """These stand in the file `kill` now. What is new there is thrown. Raises Full."""
        self._in_file = {scope: kill.place for scope, kill in lines.items()}
        try:
            for scope, kill in lines.items():
                if scope not in self._thrown:
                    self.engage(kill)
        except Full:
            everything = lines.get(_ALL)
            if everything is not None and _ALL not in self._thrown:  # there is always room for it
                self.engage(everything)
            raise

    # --- to be seen ---

    def items(self) -> list[Kill]:
        """All that is in effect; of one scope those of the policies first. The newest last."""
        both = [*self._written.values(), *self._thrown.values()]
        both += [kill for scope, kill in self._leaving.items() if scope not in self._thrown]
        return sorted(both, key=lambda kill: kill.since)

    def thrown(self, scope: Scope) -> Kill | None:
        """The one that somebody threw, if any."""
        return self._thrown.get(scope)

    def _catch(self) -> None:
        """Make the net anew."""
        kills = self.items()
        self.net = Net(kills) if kills else None

    # --- part of Rebuilt ---

    def dump(self) -> Any:
        """Part of Rebuilt: what the journal says."""
        kills = [*self._thrown.values(), *self._written.values()]
        return [msgspec.to_builtins(entry_of("", kill)) for kill in kills]

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt."""
        for told in state:
            self.apply({**told, "type": KillEngaged.type})

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt. Nothing is taken from a line that is no such record."""
        try:
            if record["type"] == KillEngaged.type:
                kill = kill_of(msgspec.convert(record, KillEngaged))
                kept = self._written if kill.origin == _POLICIES else self._thrown
                kept[kill.scope] = kill
            else:
                released = msgspec.convert(record, KillReleased)
                kept = self._written if released.origin == _POLICIES else self._thrown
                kept.pop(Scope(released.scope), None)
        except msgspec.ValidationError:
            return


def _meets(net: Net[Kill], call: Call) -> bool:
    """Does it stop the call, or what is under way of it elsewhere than at its own upstream?"""
    places = {call.upstream}
    places |= {attempt.upstream for attempt in call.attempts if attempt.ended is None}
    places |= {attempt.upstream for attempt in call.attempts[-1:]}
    return any(net.of(call, place) is not None for place in places)


def _terms(kill: Kill) -> tuple[Any, ...]:
    return kill.reason, kill.until, kill.in_flight
