"""Pods that meet in a store of this process: each has a desk, and sees those of others."""

import asyncio
from typing import Any

from proxy.keys import LINK
from proxy.news import News
from proxy.state.asking import Decided
from proxy.state.asks import Asks
from proxy.state.case import Person
from proxy.state.elsewhere import Elsewhere, Seen
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.sealed import Envelope
from proxy.state.shared.fleet import Beat, Pod
from proxy.state.store import Near
from tests.fakes import settled
from tests.state.at_desk import Scene, Wall

KEY = b"a key of the fleet"


class At(Scene):
    """One pod: its desk, its part, and its view of the others."""

    def __init__(self, fleet: "Pods", name: str, key: bytes) -> None:
        super().__init__(clock=fleet.clock)
        self.name, self.life, self.fleet, self.envelope = name, 0, fleet, Envelope(key)
        self.begins()

    def begins(self) -> None:
        """A process of this pod."""
        self.life += 1
        pod = Pod(self.name, self.life, f"m{self.life}", f"host-{self.name}")
        store = Near(self.fleet.memory)
        self.link = Link(store, pod, self.clock, News(), 0.05, "local")
        self.keep.of(LINK, lambda: self.link)
        self.asks = Asks(self.desk, self.clock, self.envelope)
        self.elsewhere = Elsewhere(self.clock, self.keep, self.envelope)

    async def beats(self) -> None:
        """It lives, as far as the store knows."""
        await self.link.beat(Beat(self.link.pod))

    async def tells(self) -> None:
        """Its part does what it does every half second."""
        await self.asks.exchange(self.link)
        if self.asks._telling is not None:
            await self.asks._telling

    async def sees(self) -> list[Seen]:
        """What waits at other pods."""
        return await self.elsewhere.all()

    async def says(self, word: str, by: str = "alice", name: str = "", **more: Any) -> Seen:
        """Somebody here decides about the only request that there is elsewhere, or this one."""
        (seen,) = [each for each in await self.sees() if name in each.file.request.id]
        groups = more.pop("groups", ())
        decided = Decided(seen.file.request.id, word, by, **more)
        saying = asyncio.ensure_future(
            self.elsewhere.decide(seen, decided, Person(by, groups, by == "owner"))
        )
        while not saying.done():
            await settled()
            self.clock.advance(0.05)
        return await saying


class Pods:
    """A fleet. `a` is its first pod."""

    def __init__(self, *names: str, key: bytes = KEY) -> None:
        self.clock = Wall()
        _ = self.clock.uuid()  # so ids are others than those of a clock beside this one
        self.memory = Memory(self.clock.wall)
        self.of = {name: At(self, name, key) for name in names}

    async def begin(self) -> "Pods":
        """All live."""
        for pod in self.of.values():
            await pod.beats()
        self.listening = [
            asyncio.ensure_future(self.memory.heard_by(self._hears(pod)))
            for pod in self.of.values()
        ]
        await settled()
        return self

    @staticmethod
    def _hears(pod: At) -> Any:
        def heard(topic: str, said: bytes) -> None:
            assert topic == pod.asks.topic
            pod.asks.heard(said)

        return heard

    def deaf(self) -> None:
        """What is published is lost from here on."""
        for each in self.listening:
            each.cancel()
