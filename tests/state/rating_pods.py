"""Pods that meet in one store, and what may go wrong between them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from proxy.clock import Clock
from proxy.news import News
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import SETTLE, Beat, Pod
from proxy.state.store import Unreachable
from tests.fakes import FakeClock
from tests.state.roads import Road

TIMEOUT = 0.05


class Shared:
    """A store in this process, its clock, and the links to it."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock(asleep=False)
        self.memory = Memory(self.clock.wall)
        self.links: list[Link] = []
        self.ways: list[Road] = []

    def link(self, on_failure: str = "local", clock: Clock | None = None) -> Link:
        """Another pod's; it is not up before it has beaten."""
        way = Road(self.memory)
        pod = Pod(f"pod{len(self.links)}", 1, "m")
        link = Link(way, pod, clock or self.clock, News(), TIMEOUT, on_failure)
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


def alone(work: Coroutine[Any, Any, Any]) -> Any:
    """Run it on a loop of its own, as properties need it."""
    return asyncio.run(work)
