"""A fleet in one process: pods with ledgers and leases, on a store that can be broken."""

import contextlib
from collections.abc import Iterable
from typing import Any

from proxy.news import News
from proxy.refusal import Refusal
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.leases import Leases
from proxy.state.ledger import Ledger
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.price import Price
from proxy.state.shared.fleet import Beat, Leave, Pod
from proxy.state.store import Near, Unreachable
from tests.fakes import FakeClock, Turn, make_call

DAY = Cap("fleet", "fleet", (Limit("day", 1_000),))


class World:
    """One store, one clock, and how the pods' clocks differ from it."""

    def __init__(self, mode: str = "local") -> None:
        self.clock = FakeClock(asleep=False)
        self.memory = Memory(self.clock.wall)
        self.memory.publish = self._publish  # type: ignore[method-assign]  # at once, to all
        self.mode = mode
        self.pods: dict[str, APod] = {}

    async def pod(self, name: str = "a", life: int = 1, *caps: Cap) -> "APod":
        """It has begun; others have been told."""
        made = self.pods[name] = APod(self, name, life, caps or (DAY,))
        with contextlib.suppress(Unreachable):
            await made.begin()
            if not made.link.fleet.open:
                await self.lasts(2)
        return made

    def _publish(self, topic: str, said: bytes) -> None:
        for pod in self.pods.values():
            pod.leases.heard(said)

    async def lasts(self, seconds: float) -> None:
        """Time passes, and pods beat and exchange."""
        for _ in range(round(seconds)):
            self.clock.advance(1.0)
            for pod in self.pods.values():
                with contextlib.suppress(Unreachable):
                    await pod.beat()

    def everything(self) -> Iterable[tuple[str, Any]]:
        """The lines of the store."""
        for name, line in self.memory._kept.items():
            if name.startswith("line:"):
                yield name, line

    @property
    def held(self) -> int:
        """By all pods, as the store knows."""
        return sum(line.all_held for _, line in self.everything())


class APod:
    """One pod. Its journal is a list of what it charged."""

    leases: Leases  # from `begin` on

    def __init__(self, world: World, name: str, life: int, caps: tuple[Cap, ...]) -> None:
        self.world = world
        self.caps = caps
        self.clock = world.clock
        self.noted: list[Any] = []
        self.ledger = Ledger(world.clock.wall, lambda: "id")
        self.ledger.obey(caps)
        self.ledger.note = self.noted.append
        self.link = Link(
            Near(world.memory), Pod(name, life, f"m{life}", name), world.clock, News(), 0.05,
            world.mode,
        )  # fmt: skip
        self.gathered = 0
        self.peers: tuple[str, ...] = ()

    def remember(self, micros: int, key: str = "default") -> None:
        """Its journal tells that it was spent, before it begins."""
        for cap in self.caps:
            self.ledger.account(cap, key).charge(micros, self.clock.wall())

    async def begin(self) -> None:
        """Part of its start."""
        self.leases = Leases(self.ledger, self.link)
        self.link.loses.append(self.leases.lost)
        await self.beat()
        await self.beat()

    async def beat(self) -> None:
        """It lives, and exchanges what is new. Raises Unreachable."""
        before = self.link.fleet.epoch
        fleet = await self.link.beat(Beat(self.link.pod, self.gathered, self.peers, whole=True))
        self.peers = tuple(known.pod.id for known in fleet.pods)
        if fleet.epoch != before:
            self.leases.anew()
        await self.leases.exchange(self.link)
        if self.gathered != fleet.epoch:
            self.gathered = fleet.epoch
            await self.link.beat(Beat(self.link.pod, self.gathered, self.peers))

    async def end(self) -> None:
        """As it should."""
        await self.leases.leave(self.link)
        await self.link.ask(Leave((self.link.pod.id,)))
        del self.world.pods[self.link.pod.id]

    def accounts(self, key: str = "default") -> tuple[Account, ...]:
        """Of all its caps."""
        return tuple(self.ledger.account(cap, key) for cap in self.caps)

    async def reserve(
        self, micros: int = 100, key: str = "default", call: Any = None
    ) -> Grant | str:
        """As the gate does it; the code of the refusal where it does not."""
        grant = Grant(self.accounts(key), micros, Price(micros))
        call = call or make_call()
        while True:
            asked = self.leases.lets(call, grant)
            if isinstance(asked, Refusal):
                return asked.code
            if asked is None:
                break
            await asked
        for account in grant.accounts:
            account.clear(micros, self.link.wall())
            if not account.has_room(micros):
                return "budget_exceeded"
        self.leases.renew(grant.accounts, micros)
        for account in grant.accounts:
            account.reserve(micros)
        return grant

    def settle(self, grant: Grant, spent: int | None = None) -> None:
        """What it cost."""
        micros = grant.amount if spent is None else spent
        for account in grant.accounts:
            account.settle(grant.amount, micros, self.link.wall())

    async def spends(self, micros: int = 100) -> int:
        """All that there is, in some time; how many calls went."""
        went = 0
        for _ in range(5):
            while await self.spend(micros):
                went += 1
            self.clock.advance(0.2)
            await Turn()
        return went

    async def spend(self, micros: int = 100, key: str = "default", times: int = 1) -> int:
        """So many calls of this price; how many of them went."""
        went = 0
        for _ in range(times):
            grant = await self.reserve(micros, key)
            if isinstance(grant, Grant):
                self.settle(grant)
                went += 1
        return went
