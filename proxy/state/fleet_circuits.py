"""The circuits of this pod that it shares, and what it hears of those of the fleet.

What a circuit has to tell is told at once, from beside the path of calls. Every second all that is
new in the store is asked for; mostly it is known already, for what opens and closes is published.
What the fleet has of circuits that this pod has not is remembered: they are open as well when their
first call comes.

While a circuit is open by this pod alone its vote is told again, each second if these are few: the
store may have lost it, or fewer pods may live.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
from weakref import WeakValueDictionary

import msgspec

from proxy.attempt import Attempt
from proxy.clock import Clock
from proxy.keep import Keep
from proxy.keys import CIRCUITS, LINK, CircuitKey
from proxy.stage import Ground, Target
from proxy.state.circuit import Circuit, teller
from proxy.state.circuit_rules import CircuitRules
from proxy.state.fleet_circuit import FleetCircuit, Ties, is_newer
from proxy.state.link import Link
from proxy.state.shared.circuits import (
    KEPT,
    MOST,
    PAGE,
    TOPIC,
    Held,
    NewCircuits,
    TellCircuits,
    View,
    view_of,
)
from proxy.state.shared.names import digest
from proxy.state.store import Unreachable

AT_ONCE = 64
"""Votes that are told again in a second, and circuits that are told of in one message."""
_LIVES = 1 << 32
"""Probes of one life of a pod, at most."""


class _Heard(msgspec.Struct, frozen=True):
    view: View
    at: float  # on `Clock.now`

    def held(self, now: float) -> Held:
        left = max(0, self.view.left - round((now - self.at) * 1000))
        return Held(msgspec.structs.replace(self.view, left=left))


class FleetCircuits:
    """Part of Part. One for the process."""

    topic = TOPIC
    every = 1.0
    idle = False  # never makes room for others in the Keep

    def __init__(self, keep: Keep, clock: Clock) -> None:
        self._keep = keep
        self._clock = clock
        self._heard: dict[str, _Heard] = {}
        self._circuits: WeakValueDictionary[str, FleetCircuit] = WeakValueDictionary()
        self._stirred: dict[str, FleetCircuit] = {}
        self._voting: dict[str, FleetCircuit] = {}
        self._again: dict[str, FleetCircuit] = {}  # of these, who is to say so once more
        self._telling: asyncio.Task[None] | None = None
        self._numbers = count(1)
        self._upto = 0
        self._forgotten = False  # the store may have lost all

    @classmethod
    def of(cls, keep: Keep, clock: Clock) -> "FleetCircuits":
        """That of the process; made if there is none."""
        return keep.of(CIRCUITS, lambda: cls(keep, clock))

    def shared(
        self, ground: Ground, target: Target, tool: str, rules: CircuitRules, link: Link
    ) -> Circuit:
        """A tool's, or with an empty name the upstream's own; made if there is none."""
        key = CircuitKey(target.domain, target.upstream, tool)

        def made() -> FleetCircuit:
            ties = Ties(name_of(key), link, lambda: self._number(link), self._stir)
            chance, changed = ground.clock.chance.random, teller(target, tool, ground)
            circuit = FleetCircuit(rules, chance, changed, ties)
            heard = self._heard.get(circuit.id)
            if heard is not None:
                circuit.begin(heard.view, heard.at, ground.clock.now())
            if ground.keep is self._keep:  # or it is made for one who only looks
                self._circuits[circuit.id] = circuit
            return circuit

        return ground.followed(key, made, rules)

    def _number(self, link: Link) -> int:
        return link.pod.life * _LIVES + next(self._numbers)

    # --- tells ---

    def _stir(self, circuit: FleetCircuit) -> None:
        self._stirred[circuit.id] = circuit
        self._tell_soon(circuit.link)

    def _tell_soon(self, link: Link) -> None:
        if link.up and self._telling is None:
            self._telling = self._clock.spawn(self._tell_all(link))

    async def _tell_all(self, link: Link) -> None:
        """What is new first; of what is told again as much as `AT_ONCE`, so that an agent that
        opens thousands of circuits keeps nobody busy."""
        left = AT_ONCE
        try:
            while self._stirred or (self._again and left):
                if not self._stirred:
                    left -= 1
                if not await self._tell(self._stirred or self._again, link):
                    break
        finally:
            self._telling = None

    async def _tell(self, queue: dict[str, FleetCircuit], link: Link) -> bool:
        """The first of them. False: the store is not there."""
        name = next(iter(queue))
        circuit = queue.pop(name)
        try:
            await self._tell_of(circuit, link)
        except Unreachable:
            self._stirred[name] = circuit
            return False
        return True

    async def _tell_of(self, circuit: FleetCircuit, link: Link) -> None:
        result, tried = circuit.result, circuit.tried(self._clock.now())
        if tried is not None:
            self._take(await link.ask(tried))
            if circuit.result is result:
                circuit.result = None
        vote = circuit.vote(self._clock.now())
        if vote is None:
            self._voting.pop(circuit.id, None)
            return
        circuit.voted = True
        self._voting[circuit.id] = circuit
        view = await link.ask(vote)
        circuit.voted = vote.open_for > 0
        self._take(view)

    async def exchange(self, link: Link) -> None:
        """Part of Part."""
        if self._forgotten:
            await self._tell_known(link)
            self._forgotten, self._upto = False, 0
        for _ in range(MOST // PAGE + 1):
            changes = await link.ask(NewCircuits(self._upto))
            self._upto = changes.upto
            for view in changes.views:
                self._take(view)
            if changes.whole:
                break
        self._again.update(self._voting)
        self._tell_soon(link)

    async def _tell_known(self, link: Link) -> None:
        held = list(self._held())
        for at in range(0, len(held), AT_ONCE):
            await link.ask(TellCircuits(link.pod.id, tuple(held[at : at + AT_ONCE])))

    def _held(self) -> Iterator[Held]:
        now = self._clock.now()
        for name, heard in self._heard.items():
            circuit = self._circuits.get(name)
            if circuit is not None and circuit.fleet and not circuit.forced:
                yield circuit.held(now)
            elif now - heard.at < KEPT / 1000:
                yield heard.held(now)

    async def leave(self, link: Link) -> None:
        """Part of Part."""
        await self._tell_all(link)

    # --- hears ---

    def heard(self, said: bytes) -> None:
        """Part of Part."""
        self._take(view_of(said))

    def anew(self) -> None:
        """Part of Part."""
        self._forgotten = True

    def lost(self) -> None:
        """Part of Part: all stays as it was heard last, until its own end."""

    def _take(self, view: View | None) -> None:
        if view is None:
            return
        now, before = self._clock.now(), self._heard.get(view.circuit)
        link, known = self._keep.seen(LINK), before.view.generation if before else -1
        if not is_newer(view, known, link):
            return
        self._heard.pop(view.circuit, None)
        self._heard[view.circuit] = _Heard(view, now)
        if len(self._heard) > MOST:
            del self._heard[next(iter(self._heard))]
        circuit = self._circuits.get(view.circuit)
        if circuit is not None:
            circuit.obey(view, now)


def name_of(key: CircuitKey) -> str:
    """The name of a circuit in a store. Tools may be called anything, and be secret."""
    return digest(key.bulkhead, key.upstream, key.tool)


def circuit_of(ground: Ground, target: Target, tool: str, rules: CircuitRules) -> Circuit:
    """The tool's circuit, or with an empty name the upstream's own. It is shared where there is a
    store; a shadow's never is."""
    link = Link.of(ground)
    circuits: FleetCircuits | None = None if link is None else ground.keep.seen(CIRCUITS)
    if link is None or circuits is None:
        return Circuit.of(ground, target, tool, rules)
    return circuits.shared(ground, target, tool, rules, link)


async def tries_for_all(circuits: list[Circuit], attempt: Attempt, clock: Clock) -> None:
    """An attempt has the leases of these circuits here: have it those of the fleet as well. Where
    it cannot, it has none here any more."""
    for circuit in circuits:
        if isinstance(circuit, FleetCircuit) and circuit.owner is attempt:
            await circuit.probe(attempt, clock)
