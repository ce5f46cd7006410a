"""Leases under everything that can go wrong: never more is spent than a limit, by all together.

Pods spend, settle, crash, come back and leave; messages to the store are lost, or done and not
answered, or done much later; clocks differ; the store restarts, with what it knew or without.
"""

import asyncio
import contextlib
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.memory import Memory
from proxy.state.shared.fleet import LAST, Leave
from proxy.state.shared.money import Close
from proxy.state.store import Near, Unreachable, Verb
from tests.state.fleets import APod, World

LIMIT = 1_000
CAP = Cap("fleet", "fleet", (Limit("total", LIMIT), Limit("rolling", LIMIT, 86_400)))
NAMES = ("a", "b", "c")


class Lossy(Near):
    """Messages get lost on the way there, or back, or are held up."""

    def __init__(self, memory: Memory, held_up: list[Verb[Any]]) -> None:
        super().__init__(memory)
        self.how = "well"
        self._held_up = held_up

    async def ask(self, verb: Verb[Any], within: float) -> Any:
        """Part of Store."""
        if self.how == "well":
            return await super().ask(verb, within)
        if self.how == "late" and not isinstance(verb, Leave):
            self._held_up.append(verb)
        elif self.how == "answer":
            await super().ask(verb, within)
        raise Unreachable(self.how)


class Fleet(RuleBasedStateMachine):
    """What was spent by whom is counted here, apart from all that the pods know."""

    @initialize()
    def begin(self) -> None:
        """All are there, and the store is open."""
        self.loop = asyncio.new_event_loop()
        self.world = World()
        self.held_up: list[Verb[Any]] = []
        self.spent = dict.fromkeys(NAMES, 0)
        self.peers: dict[str, tuple[str, ...]] = {}  # what its data dir has of them
        self.life = dict.fromkeys(NAMES, 0)
        self.given_up = False
        self.open: dict[str, list[Grant]] = {name: [] for name in NAMES}
        for name in NAMES:
            self.start(name, skew=0.0)
        self.lasts(3)

    def run(self, work: Any) -> Any:
        """Until nothing is left to do."""
        try:
            found = self.loop.run_until_complete(work)
        except Unreachable:
            found = None
        for _ in range(5):
            self.loop.run_until_complete(asyncio.sleep(0))
        return found

    def start(self, name: str, skew: float) -> None:
        """In a new life, with what its journal tells."""
        self.life[name] += 1
        pod = APod(self.world, name, self.life[name], (CAP,))
        pod.link._store = Lossy(self.world.memory, self.held_up)
        pod.link.ahead = skew
        pod.peers = self.peers.get(name, ())
        if self.spent[name]:
            pod.remember(self.spent[name])
        self.world.pods[name] = pod
        with contextlib.suppress(Unreachable):
            self.run(pod.begin())

    def lasts(self, seconds: int) -> None:
        """Time passes, and pods beat."""
        self.run(self.world.lasts(seconds))

    @rule(name=st.sampled_from(NAMES), times=st.integers(1, 6), micros=st.sampled_from([30, 100]))
    def spends(self, name: str, times: int, micros: int) -> None:
        """Calls that are over at once."""
        for _ in range(times):
            grant = self.reserved(name, micros)
            if grant is not None:
                self.world.pods[name].settle(grant)
                self.spent[name] += micros

    @rule(name=st.sampled_from(NAMES))
    def begins(self, name: str) -> None:
        """A call that goes on."""
        grant = self.reserved(name, 70)
        if grant is not None:
            self.open[name].append(grant)

    def reserved(self, name: str, micros: int) -> Grant | None:
        """As the gate does it."""
        pod = self.world.pods.get(name)
        grant = None if pod is None else self.run(pod.reserve(micros))
        return grant if isinstance(grant, Grant) else None

    @rule(name=st.sampled_from(NAMES), whole=st.booleans())
    def settles(self, name: str, whole: bool) -> None:
        """It was over, and cost what was thought, or nothing."""
        if self.open[name]:
            grant = self.open[name].pop()
            spent = grant.amount if whole else 0
            self.world.pods[name].settle(grant, spent)
            self.spent[name] += spent

    @rule(seconds=st.integers(1, 8))
    def time_passes(self, seconds: int) -> None:
        """Idle shares go back."""
        self.lasts(seconds)

    @rule(name=st.sampled_from(NAMES), how=st.sampled_from(["well", "request", "answer", "late"]))
    def network(self, name: str, how: str) -> None:
        """From now on, for this pod."""
        pod = self.world.pods.get(name)
        if pod is not None:
            pod.link._store.how = how  # type: ignore[attr-defined]

    @precondition(lambda self: self.held_up)
    @rule(data=st.data())
    def comes_late(self, data: st.DataObject) -> None:
        """A message that was held up is done now, in any order."""
        at = data.draw(st.integers(0, len(self.held_up) - 1))
        self.run(self.done(self.held_up.pop(at)))

    async def done(self, *verbs: Verb[Any]) -> None:
        """By the store."""
        for verb in verbs:
            verb.on(self.world.memory)

    @rule(name=st.sampled_from(NAMES), skew=st.sampled_from([0.0, -40.0, 300.0]))
    def crashes(self, name: str, skew: float) -> None:
        """And comes back: what was open counts as spent."""
        if name in self.world.pods:
            self.peers[name] = self.world.pods.pop(name).peers
            self.spent[name] += sum(grant.amount for grant in self.open[name])
            self.open[name] = []
        else:
            self.start(name, skew)

    @rule(name=st.sampled_from(NAMES))
    def leaves(self, name: str) -> None:
        """As it should."""
        pod = self.world.pods.get(name)
        if pod is not None and not self.open[name]:
            self.peers[name] = pod.peers
            self.run(pod.end())
            self.world.pods.pop(name, None)

    @rule(name=st.sampled_from(NAMES))
    def is_given_up(self, name: str) -> None:
        """A person says that a dead pod will not come back. What it held counts as spent."""
        if name not in self.world.pods and self.life[name]:
            known = self.world.memory.of("pods", dict).get(name)
            told = self.world.memory.of("gathered", set)  # else nobody knows what it spent
            if known is not None and name in told:
                self.given_up = True
                last = Close(known[0], LAST, leaves=True, lost=True)
                self.run(self.done(last, Leave((name,))))

    @rule(empty=st.booleans())
    def store_restarts(self, empty: bool) -> None:
        """With what it knew, or without. Of one that forgets all, all that live must have heard
        who is gone: so much is waited for."""
        if empty:
            for pod in self.world.pods.values():
                pod.link._store.how = "well"  # type: ignore[attr-defined]
            self.lasts(2)
        self.world.memory.restarts(empty=empty)

    @invariant()
    def no_limit_is_passed(self) -> None:
        """By what was spent, and what may still be."""
        if hasattr(self, "spent"):
            reserved = sum(grant.amount for grants in self.open.values() for grant in grants)
            assert sum(self.spent.values()) + reserved <= LIMIT

    def teardown(self) -> None:
        """Nothing runs on."""
        if hasattr(self, "loop"):
            self.everything_is_known_in_the_end()
            self.loop.close()

    def everything_is_known_in_the_end(self) -> None:
        """When all are back, and nothing is lost on the way: nothing counts twice, nothing is held
        by nobody. But what lost pods held counts as spent."""
        self.held_up.clear()
        for name in NAMES:
            if name not in self.world.pods:
                self.start(name, 0.0)
            pod = self.world.pods[name]
            pod.link._store.how = "well"  # type: ignore[attr-defined]
            while self.open[name]:
                self.settles(name, whole=True)
        self.lasts(15)
        if not self.given_up:
            spent = sum(self.spent.values())
            assert self.world.held == 0
            for _, line in self.world.everything():
                assert sum(line.sums.values()) + sum(line.gone.values()) == spent


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=40, stateful_step_count=40)
