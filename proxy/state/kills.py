"""Kills: what is stopped until somebody who may says that it goes on.

Everything here errs on the side of stopping. A kill counts at once, whatever the journal does; that
one is lifted counts only when the record of it is durable. In between it stands in `_leaving`: for
the journal it is gone, for calls it is there. Should the record not become durable, the kill is
noted once more behind it, so that a journal that is written after all ends with the kill.

Three kinds stand side by side, and one scope may have all of them. *Thrown* ones are what people,
signals and stages threw: the journal remembers them. *Written* ones stand in the policies, and only
go with them. A line of the file `kill` throws its scope again and again, as long as it stands.

Where pods share a store, thrown ones are all pods' (`proxy/state/fleet_kills.py`), and written ones
each pod's own. Which throws make up a kill, and which were lifted, is kept by their names
(`proxy/state/throws.py`), also where nobody shares anything: somebody may do so after a restart.

Times are of the wall clock, since they must hold over a restart. One that jumps ahead ends what had
an end; one that jumps back lets it stand longer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from proxy.call import Call, Stop
from proxy.clock import Clock
from proxy.news import KillChange, KillTrouble, News
from proxy.record import Noted
from proxy.state.killed import (
    POLICIES,
    Kill,
    KillReleased,
    entry_of,
    in_millis,
)
from proxy.state.kills_kept import KeptKills, Leaving
from proxy.state.scopes import ALL, Net, Scope
from proxy.state.throws import LIFTED, Lift, Thrown

PEOPLES = 1_000
"""Kills that people may throw."""
STAGES = 4_000
"""Those that stages may throw: agents make up workflows, and must not take the others' places."""
MOST = 2 * (PEOPLES + STAGES)
"""Those that are taken from other pods, with our own. Each of them keeps to the numbers above, and
so does the store; who writes into it may not."""
LONGEST = 500
"""Characters of a reason, and of a name of who gave it."""
_FORGETS = 60.0
_ALL = Scope(ALL)
BY_STAGES = frozenset({"alerts", "budget", "loop"})


class Stays(Exception):
    """It cannot be lifted like this: the text says why, and what to do."""


class Unknown(Exception):
    """No such scope is killed."""


class Unwritten(Exception):
    """The journal cannot take it, and so it does not count."""


class Full(Exception):
    """There are as many kills as there may be."""


class Reach(NamedTuple):
    """How far it counts, where pods share a store."""

    pods: int  # that have it, or are being told; 0: only this one, as of now
    why: str = ""


async def _nothing() -> None:
    """Where there is no file."""


async def _alone(scope: Scope) -> Reach | None:
    """Where there is no store."""
    return None


def _to_nobody(scope: Scope) -> None:
    """Likewise."""


class Kills(KeptKills):
    """What is killed now. `begin` before it is used; part of Rebuilt."""

    idle = False  # never makes room for others in the Keep

    def __init__(self) -> None:
        super().__init__()
        self.net: Net[Kill] | None = None
        """What calls are looked up in; None: nothing is killed."""
        self.look: Callable[[], Awaitable[None]] = _nothing
        """Has somebody read the file `kill` again, and tell `stands`; and ask the store."""
        self.reach: Callable[[Scope], Awaitable[Reach | None]] = _alone
        """Has what changed here told to other pods; None: there are none."""
        self.changed: Callable[[Scope], None] = _to_nobody
        """Is told of what was thrown or lifted here."""
        self._forgets = 0.0
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
        leaving = self._leaving.get(kill.scope)
        before = self._thrown.get(kill.scope) or (leaving and leaving.kill)
        if before is None and self._is_full(kill):
            raise Full(f"{len(self._thrown)} scopes are killed; revive some, or kill a wider one")
        since = self._clock.wall() if before is None else before.since
        self._throw(msgspec.structs.replace(kill, since=since))
        stopped = self._in_effect([self._thrown[kill.scope]], but)
        self.changed(kill.scope)
        return stopped

    def durable(self) -> Awaitable[bool]:
        """Will it still be there after a restart?"""
        return self._noted.durable()

    def _is_full(self, kill: Kill) -> bool:
        if kill.scope == ALL:  # it makes all others needless
            return False
        stages = kill.origin in BY_STAGES
        alike = sum((each.origin in BY_STAGES) is stages for each in self._thrown.values())
        return alike >= (STAGES if stages else PEOPLES)

    def _throw(self, kill: Kill) -> None:
        kill = self._thrown[kill.scope] = in_millis(kill)
        name = self.throws.throw(kill, self._clock.wall(), self._clock.uuid())
        self._say(kill, (name,))

    def _say(self, kill: Kill, throws: tuple[str, ...] = ()) -> None:
        self._noted.note(entry_of(self._clock.uuid(), kill, throws))

    def _in_effect(self, kills: list[Kill], but: Call | None = None) -> int:
        self._catch()
        stopped = 0
        if but is None:
            stopped = self._stop(kills)
        else:
            # Strands that run to their end inside of a stage would change what it stands on.
            self._clock.soon(lambda: self._stop_others(kills, but))
        for kill in kills:
            self._tell(kill, "engaged", kill.reason, kill.by, kill.pod)
        return stopped

    def _tell(self, kill: Kill, state: str, reason: str, by: str, pod: str = "") -> None:
        self._news.tell(KillChange(str(kill.scope), state, reason, by, kill.origin, pod))

    def _stop_others(self, kills: list[Kill], but: Call) -> None:
        _ = self._stop(kills, but)

    def _stop(self, kills: list[Kill], but: Call | None = None) -> int:
        """The calls that are on their way, and are not another kill's."""
        stopped = 0
        nets = [Net(kill for kill in kills if kill.in_flight == what) for what in ("end", "finish")]
        for call in self._calls():
            found = _met(nets[:1] if call.under_way else nets, call)
            if found is not None and call is not but:
                call.stop(Stop.KILLED, found.refusal())
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
        names = tuple(self.throws.of(scope).on)
        lift = Lift(round(self._clock.wall() * 1000), by, reason)
        leaving = self._leaving[scope] = Leaving(thrown, names, lift)
        self._noted.note(KillReleased(self._clock.uuid(), str(scope), by, reason, lifts=names))
        await asyncio.shield(self._clock.spawn(self._lift(leaving)))
        return thrown

    async def _lift(self, leaving: Leaving) -> None:
        kill, names, lift = leaving
        scope, durable = kill.scope, False
        try:
            durable = await self._noted.durable()
        finally:
            del self._leaving[scope]
            if not durable and scope not in self._thrown:
                self._throw(kill)
        if not durable:
            raise Unwritten("the journal cannot be written, and nothing is revived without it")
        self.throws.take(self.throws.of(scope).lifted(names, lift))
        self._gone(kill, lift.by, lift.reason)
        self.changed(scope)

    def _gone(self, kill: Kill, by: str, reason: str, pod: str = "") -> None:
        self._catch()
        if kill.scope not in self._thrown:  # else somebody threw it anew meanwhile
            self._tell(kill, "released", reason, by, pod)

    def expire(self) -> None:
        """Lift what had an end; and forget what was lifted long ago."""
        now = self._clock.wall()
        if self._clock.now() >= self._forgets:
            self._forgets = self._clock.now() + _FORGETS
            self.throws.forget(now)
        for kill in [*self._thrown.values(), *self._written.values()]:
            if kill.until is None or now < kill.until:
                continue
            kept = self._written if kill.origin == POLICIES else self._thrown
            del kept[kill.scope]
            self._released(kill, "its time is over")

    def _released(self, kill: Kill, reason: str) -> None:
        origin = POLICIES if kill.origin == POLICIES else ""
        name = self._clock.uuid()
        self._noted.note(KillReleased(name, str(kill.scope), "holdfast", reason, origin, lifts=()))
        self._gone(kill, "holdfast", reason)

    # --- what other pods do ---

    def follow(self, told: Iterable[Thrown]) -> None:
        """Other pods know this. What they threw counts here too, and what they lifted goes on: that
        is durable where it was done, and a store that has it says it again after a restart."""
        now = self._clock.wall()
        begun: list[Kill] = []
        ended: list[tuple[Kill, Lift]] = []
        for each in told:
            before = self.throws.of(each.scope)
            after = before.joined(each)
            if after is before or not self._takes(each.scope):
                continue
            self.throws.take(after)
            kill, was = after.kill(now), self._thrown.get(each.scope)
            if kill is not None and (kill != was or after.on.keys() != before.on.keys()):
                self._thrown[kill.scope] = kill
                self._say(kill, tuple(after.on))
                begun += [] if kill == was else [kill]
            elif kill is None and was is not None:
                del self._thrown[was.scope]
                self._followed(was, tuple(before.on), after.lift)
                ended.append((was, after.lift))
        if begun:
            _ = self._in_effect(begun)
        for was, lift in ended:
            self._gone(was, lift.by, lift.reason, lift.pod)

    def _takes(self, scope: Scope) -> bool:
        room = scope == ALL or self.throws.knows(scope) or len(self.throws) < MOST + LIFTED
        if not room:
            self._news.tell_once(KillTrouble("other pods tell of more kills than there may be"))
        return room

    def _followed(self, kill: Kill, names: tuple[str, ...], lift: Lift) -> None:
        name, scope = self._clock.uuid(), str(kill.scope)
        self._noted.note(KillReleased(name, scope, lift.by, lift.reason, pod=lift.pod, lifts=names))

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
                _ = self._in_effect([kill])
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
        both += [each.kill for scope, each in self._leaving.items() if scope not in self._thrown]
        return sorted(both, key=lambda kill: kill.since)

    def thrown(self, scope: Scope) -> Kill | None:
        """The one that somebody threw, if any."""
        return self._thrown.get(scope)

    def _catch(self) -> None:
        """Make the net anew."""
        kills = self.items()
        self.net = Net(kills) if kills else None


def _met(nets: Sequence[Net[Kill]], call: Call) -> Kill | None:
    """What stops the call, or what is under way of it elsewhere than at its own upstream."""
    places = {call.upstream}
    places |= {attempt.upstream for attempt in call.attempts if attempt.ended is None}
    places |= {attempt.upstream for attempt in call.attempts[-1:]}
    found = (net.of(call, place) for net in nets for place in places)
    return next((kill for kill in found if kill is not None), None)


def _terms(kill: Kill) -> tuple[Any, ...]:
    return kill.reason, kill.until, kill.in_flight
