"""Pods that kill: each with its own journal, on one store, over a network that loses and delays."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec

from proxy.call import Call
from proxy.keep import Keep
from proxy.keys import LINK, NEWS
from proxy.news import Event, News
from proxy.state.fleet_kills import FleetKills
from proxy.state.killed import Kill
from proxy.state.kills import Kills
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.scopes import Scope
from proxy.state.shared.fleet import Fleet, Pod
from proxy.state.store import Listener, Store, Unreachable
from tests.fakes import FakeClock
from tests.state.roads import Road


class Entries:
    """A journal that is a list. What is noted is durable."""

    def __init__(self, lines: Iterable[dict[str, Any]] = ()) -> None:
        self.lines = list(lines)

    def note(self, entry: Any) -> None:
        """Part of Noted."""
        told = json.loads(msgspec.json.encode(entry))
        self.lines.append({"type": entry.type, "ts": "2023-11-14T22:30:00.000Z", **told})

    async def durable(self) -> bool:
        """Part of Noted."""
        return True

    @property
    def types(self) -> list[str]:
        """Of the records."""
        return [line["type"] for line in self.lines]


class KillPod:
    """One process and its data dir."""

    def __init__(self, name: str, store: Store, clock: FakeClock) -> None:
        self.name, self.store, self.clock = name, store, clock
        self.pod = Pod(name * 8, 1, "m", f"host-{name}")
        self.calls: list[Call] = []
        self.events: list[Event] = []
        self.journal = Entries()
        self.start()

    def start(self) -> None:
        """Anew, by the journal alone."""
        self.keep = Keep()
        news = self.keep.of(NEWS, News)
        news.listeners.append(self.events.append)
        self.link = self.keep.of(
            LINK, lambda: Link(self.store, self.pod, self.clock, news, 0.1, "local")
        )
        self.link.up, self.link.fleet = True, Fleet(0, live=3)
        self.kills = Kills()
        for line in self.journal.lines:
            self.kills.apply(line)
        self.kills.begin(self.clock, self.journal, news, lambda: tuple(self.calls))
        self.fleet = FleetKills(self.kills, self.clock, self.keep)
        self.fleet.begin()
        self.quiet()

    def quiet(self) -> None:
        """Nothing is told unless the test has it exchanged."""
        self.kills.changed = lambda scope: self.fleet._untold.setdefault(scope, None)

    def engage(self, scope: str, **more: Any) -> int:
        """Somebody kills."""
        return self.kills.engage(kill(scope, **more))

    async def revive(self, scope: str) -> None:
        """Somebody revives."""
        _ = await self.kills.revive(Scope(scope), f"bob-{self.name}", "fixed")

    async def exchange(self) -> bool:
        """False: the store was not there."""
        self.link.up = True
        try:
            await self.fleet.exchange(self.link)
        except Unreachable:
            return False
        return True

    @property
    def killed(self) -> list[str]:
        """The scopes."""
        return sorted({str(each.scope) for each in self.kills.items()})


def kill(scope: str, **more: Any) -> Kill:
    """Thrown by alice."""
    return msgspec.structs.replace(Kill(Scope(scope), "why", "alice", "admin"), **more)


class _Never:
    """An end that nobody waits for."""

    def done(self) -> bool:
        return True


def hears(memory: Memory, heard: Listener) -> None:
    """Told of what is published, as long as the memory is; also over its restarts."""
    memory._listeners[heard] = _Never()  # type: ignore[assignment]


class Place:
    """Three pods, and where they meet."""

    def __init__(self) -> None:
        self.clock = FakeClock(asleep=False)
        self.memory = Memory(self.clock.wall)
        self.road = Road(self.memory)
        self.pods = [KillPod(name, self.road, self.clock) for name in "abc"]

    async def all_know(self) -> None:
        """Each tells, and then each hears."""
        for pod in (*self.pods, *self.pods):
            assert await pod.exchange()

    @property
    def killed(self) -> list[list[str]]:
        """The scopes, of each pod."""
        return [pod.killed for pod in self.pods]

    def empties(self) -> None:
        """As a beat finds it out."""
        self.memory.restarts(empty=True)
        for pod in self.pods:
            pod.fleet.anew()
