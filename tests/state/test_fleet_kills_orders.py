"""Kills of a fleet in any order: what is lost, late, twice, forgotten, over restarts."""

import asyncio
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.state.scopes import Scope
from proxy.state.shared.kills import TellKills
from tests.state.at_kills import KillPod, Place, hears

SCOPES = ("all", "agent:a")
WHAT = (
    "engage", "engage", "revive", "revive", "exchange", "exchange", "exchange", "lost", "late",
    "unanswered", "arrive", "hear", "mishear", "empty", "forget", "back", "restart", "replace",
)  # fmt: skip
STEPS = st.lists(
    st.tuples(st.sampled_from(WHAT), st.integers(0, 2), st.sampled_from(SCOPES)), max_size=40
)


class World:
    """The place, and what must come of all that is done there, by a plain count."""

    def __init__(self, chance: random.Random, forgetful: bool) -> None:
        """Either the store may forget, or pods may be replaced by such that know nothing."""
        self.forgetful = forgetful
        self.place = Place()
        self.chance = chance
        self.said: list[bytes] = []
        hears(self.place.memory, lambda topic, text: self.said.append(text))
        self.forgot = False
        self.before: list[dict[str, Any]] = []
        self.alive: dict[str, set[str]] = {scope: set() for scope in SCOPES}
        self.not_revived: dict[str, bool] = dict.fromkeys(SCOPES, False)

    async def do(self, what: str, number: int, scope: str) -> None:
        pod = self.place.pods[number]
        if what in {"engage", "revive"}:
            await getattr(self, what)(pod, scope)
        elif what in {"exchange", "lost", "late", "unanswered"}:
            self.place.road.fate = "" if what == "exchange" else what
            self.place.road.fates = self.chance.choice(("all", TellKills.script))
            await pod.exchange()
            self.place.road.fate = ""
        elif self.forgetful or what not in {"empty", "forget"}:
            getattr(self, what)(pod)

    async def engage(self, pod: KillPod, scope: str) -> None:
        self.alive[scope] -= pod.kills.throws.of(Scope(scope)).on.keys()
        pod.engage(scope, reason=pod.name)
        self.alive[scope] |= pod.kills.throws.of(Scope(scope)).on.keys()
        self.not_revived[scope] = True
        self.place.clock.advance(0.001)

    async def revive(self, pod: KillPod, scope: str) -> None:
        known = set(pod.kills.throws.of(Scope(scope)).on)
        if pod.kills.thrown(Scope(scope)) is not None:
            await pod.revive(scope)
            self.alive[scope] -= known
            self.not_revived[scope] = False

    def arrive(self, pod: KillPod) -> None:
        self.place.road.arrive()

    def hear(self, pod: KillPod) -> None:
        for text in self.said[-1:]:
            pod.fleet.heard(text)

    def mishear(self, pod: KillPod) -> None:
        """Anything that was ever published."""
        if self.said:
            pod.fleet.heard(self.chance.choice(self.said))

    def empty(self, pod: KillPod) -> None:
        self.forgot = True
        self.place.memory.restarts(empty=True)

    def forget(self, pod: KillPod) -> None:
        """A failover to what was, once."""
        if self.before:
            self.forgot = True
            self.place.memory.put("kills", dict(self.chance.choice(self.before)))

    def back(self, pod: KillPod) -> None:
        """So it may be again."""
        self.before.append(dict(self.place.memory.of("kills", dict)))

    def restart(self, pod: KillPod) -> None:
        if self.chance.random() < 0.5:
            pod.start()
            return
        state = pod.kills.dump()
        pod.journal.lines = [{"type": "kill.engaged", **line} for line in state]
        pod.start()

    def replace(self, pod: KillPod) -> None:
        """It told all, and never comes back; another one has its place."""
        if not self.forgetful and not pod.fleet._untold:
            at = self.place.pods.index(pod)
            self.place.pods[at] = KillPod(pod.name, self.place.road, self.place.clock)

    async def settle(self) -> None:
        """The store is there, and if it forgot something all have noticed."""
        self.place.road.arrive()
        if self.forgot:
            for pod in self.place.pods:
                pod.fleet.anew()
        await self.place.all_know()


@settings(max_examples=200, deadline=None)
@given(STEPS, st.integers(0, 1 << 30), st.booleans())
def test_in_the_end_all_agree_and_no_kill_is_lost(
    steps: list[tuple[str, int, str]], seed: int, forgetful: bool
) -> None:
    """Whatever is lost, late, twice, forgotten: killed is what was thrown and by nobody revived."""

    async def run() -> None:
        world = World(random.Random(seed), forgetful)
        for step in steps:
            await world.do(*step)
        await world.settle()
        expected = sorted(scope for scope in SCOPES if world.alive[scope])
        assert world.place.killed == [expected] * 3
        for scope in SCOPES:
            assert not world.not_revived[scope] or scope in expected
        for pod in world.place.pods:
            pod.start()
            assert pod.killed == expected
        for scope in expected:
            await world.place.pods[1].revive(scope)
        await world.settle()
        assert world.place.killed == [[]] * 3

    asyncio.run(run())
