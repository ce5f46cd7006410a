"""Pods that meet in one store, and what may go wrong between them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from proxy.clock import Clock
from proxy.news import News
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import SETTLE, Beat, Pod
from proxy.state.store import Near, Store, Unreachable, Verb
from tests.fakes import FakeClock

TIMEOUT = 0.05


class Lossy:
    """A store whose messages are lost on their way there, or back; or come late."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.fate = ""
        """Of what is asked next: lost (never done), unheard (done), or empty."""
        self.asked: list[Verb[Any]] = []

    async def ask(self, verb: Verb[Any], within: float) -> Any:
        """Part of Store."""
        self.asked.append(verb)
        fate, self.fate = self.fate, ""
        if fate == "lost":
            raise Unreachable("it was lost")
        told = await self.store.ask(verb, within)
        if fate == "unheard":
            raise Unreachable("nobody heard of it")
        return told


class Shared:
    """A store in this process, its clock, and the links to it."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock(asleep=False)
        self.memory = Memory(self.clock.wall)
        self.links: list[Link] = []
        self.ways: list[Lossy] = []

    def link(self, on_failure: str = "local", clock: Clock | None = None) -> Link:
        """Another pod's; it is not up before it has beaten."""
        way = Lossy(Near(self.memory))
        pod = Pod(f"pod{len(self.links)}", 1, "m")
        link = Link(way, pod, clock or self.clock, News(), TIMEOUT, on_failure)  # type: ignore[arg-type]  # listens to nobody
        self.links.append(link)
        self.ways.append(way)
        return link

    async def beat(self, *links: Link) -> None:
        """They say that they live; one that is not reached stays as it is."""
        for link in links or self.links:
            try:
                fleet = await link.beat(Beat(link.pod, link.fleet.epoch))
                if not fleet.open:
                    await link.beat(Beat(link.pod, fleet.epoch))
            except Unreachable:
                continue

    async def open(self) -> None:
        """All have told what they hold, and the store grants."""
        await self.beat()
        self.clock.advance(SETTLE / 1000)
        await self.beat()
        await self.beat()
        assert all(link.grants for link in self.links)


async def settled(turns: int = 12) -> None:
    """Let everything that is ready happen."""
    for _ in range(turns):
        await asyncio.sleep(0)


def alone(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it on a loop of its own, as properties need it."""
    return asyncio.run(work)
