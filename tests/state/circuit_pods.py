"""Several pods that share circuits, each with a keep of its own, on one store."""

from typing import Any

from proxy.attempt import Attempt
from proxy.keep import Keep
from proxy.keys import LINK, NEWS, CircuitKey
from proxy.news import CircuitChange, Event, News
from proxy.refusal import Refusal
from proxy.reply import Failure
from proxy.stage import Ground, Site
from proxy.stages.breaker import Breaker, CircuitCheck, ProbeLease
from proxy.state.circuit_rules import Open
from proxy.state.fleet_circuit import FleetCircuit
from proxy.state.fleet_circuits import FleetCircuits, name_of
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.shared.circuits import View
from proxy.state.shared.fleet import Beat, Pod
from proxy.state.store import Near, Store
from tests.fakes import FakeClock, make_attempt, make_call, make_reply, make_target, settled

STEADY = Open(jitter=0.0)


class FleetPod:
    """One pod, and one tool of it."""

    def __init__(self, store: Store, clock: FakeClock, name: str, life: int = 1, **fields: Any):
        self.clock = clock
        self.keep = Keep()
        self.news: list[CircuitChange] = []
        news = self.keep.of(NEWS, News)
        news.listeners = [self._hear]
        self.link = self.keep.of(
            LINK, lambda: Link(store, Pod(name, life, name), clock, news, 1.0, "local")
        )
        self.part = FleetCircuits.of(self.keep, clock)
        self.fields = {"open": STEADY, "count": fields.pop("counts", None)} | fields
        self._gates: tuple[CircuitCheck, ProbeLease] | None = None

    def _hear(self, event: Event) -> None:
        if isinstance(event, CircuitChange):
            self.news.append(event)

    async def beat(self) -> "FleetPod":
        """It lives."""
        await self.link.beat(Beat(self.link.pod))
        return self

    @property
    def gates(self) -> tuple[CircuitCheck, ProbeLease]:
        """Made when the tool is first called."""
        if self._gates is None:
            site = Site(make_target(), Ground(self.clock, self.keep), "careful")
            section = Breaker(**self.fields)
            check, lease = CircuitCheck.build(section, site), ProbeLease.build(section, site)
            assert isinstance(check, CircuitCheck)
            assert lease is not None
            self._gates = check, lease
        return self._gates

    def circuit(self, tool: str = "search") -> FleetCircuit:
        """The tool's, or the upstream's."""
        found = self.keep.seen(CircuitKey("", "gateway", tool))
        assert isinstance(found, FleetCircuit)
        return found

    @property
    def state(self) -> str:
        """That of the tool's circuit."""
        return self.circuit().state.value

    async def admit(self) -> Refusal | Attempt:
        """A call asks both gates; its attempt, if it may go."""
        now = self.clock.now()
        attempt = make_attempt(make_call(deadline=now + 45.0), started=now)
        for gate in self.gates:
            verdict = gate.admit(attempt)
            if verdict is not None and not isinstance(verdict, Refusal):
                verdict = await verdict
                attempt.started = self.clock.now()
            if verdict is not None:
                return verdict
        return attempt

    def end(self, attempt: Attempt, what: int | Failure = 200) -> None:
        """It came to this, 10 ms later."""
        self.clock.advance(0.01)
        reply = make_reply(what)
        attempt.ended, attempt.result = self.clock.now(), reply.result
        lease = self.gates[1]
        lease.committed(attempt, reply)
        lease.settle(attempt, reply)

    async def send(self, what: int | Failure = 200, times: int = 1) -> Refusal | None:
        """So many calls, one after the other, and all is told; the refusal of the last."""
        verdict: Refusal | None = None
        for _ in range(times):
            admitted = await self.admit()
            if isinstance(admitted, Refusal):
                verdict = admitted
                break
            self.end(admitted, what)
        await settled()
        return verdict

    async def told(self) -> None:
        """All that it has to tell is told, to whichever store."""
        while self.part._telling is not None:
            await self.part._telling

    async def exchange(self) -> None:
        """What is done each second, and what is told beside it."""
        await self.part.exchange(self.link)
        await self.told()


class Pods:
    """A store in this process, and pods on it that live and listen."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.memory = Memory(self.clock.wall)
        self.store = Near(self.memory)

    async def pod(self, name: str, **fields: Any) -> FleetPod:
        """One more."""
        return await FleetPod(self.store, self.clock, name, **fields).beat()

    async def pods(self, count: int, **fields: Any) -> list[FleetPod]:
        """So many."""
        return [await self.pod(f"p{number}", **fields) for number in range(count)]

    def view(self) -> View:
        """What the store has of the tool's circuit."""
        kept = self.memory.seen(f"circuit:{TOOL}")
        assert kept is not None
        return View(TOOL, kept.generation, int(kept.open), passed=kept.passed)


TOOL = name_of(CircuitKey("", "gateway", "search"))
