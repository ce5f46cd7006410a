"""In whatever order pods call, lose messages, die and give back: a fleet never goes too fast."""

import asyncio
import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.state.cell import Grant, Waiter
from proxy.state.fleet_cell import FleetCell
from proxy.state.fleet_cells import FleetRates
from proxy.state.gcra import Pace
from proxy.state.leased import HOLDS
from proxy.state.shared.rates import DrawUnits
from proxy.state.store import Unreachable
from tests.fakes import FakeClock, settled
from tests.state.rating_pods import Shared

PODS = 3
ROUNDING = 1e-3
"""Of a unit; and the store of these tests knows milliseconds."""


class Pod:
    """One of the fleet, on a clock of its own."""

    def __init__(self, world: "World", ahead: float) -> None:
        self.clock = FakeClock(at=1000.0 + ahead, asleep=False)
        self.link = world.shared.link(world.on_failure, self.clock)
        self.way = world.shared.ways[-1]
        self.rates = FleetRates()
        self.cell = FleetCell(world.pace, self.clock, self.link, "c", self.rates)
        self.late: list[DrawUnits] = []


class Use(list[Any]):
    """When it was, how much, by which pod's grant."""


class World:
    """Pods, a store, and what was used when."""

    def __init__(self, pace: Pace, on_failure: str) -> None:
        self.pace = pace
        self.on_failure = on_failure
        self.shared = Shared()
        self.pods = [Pod(self, 3600.0 * number) for number in range(PODS)]
        self.uses: list[tuple[Pod, float, Use]] = []
        self.open: list[tuple[Pod, Grant, Use]] = []
        self.waiting: list[tuple[Pod, Waiter]] = []

    @property
    def now(self) -> float:
        """By the store's clock."""
        return self.shared.clock.now()

    def granted(self, pod: Pod, grant: Grant) -> None:
        """It goes now."""
        use = Use([grant.cost])
        self.uses.append((pod, self.now, use))
        self.open.append((pod, grant, use))

    async def step(self, what: str, which: int, number: int) -> None:
        """One thing that may happen."""
        await getattr(self, what)(self.pods[which], number)
        await settled()
        self.served()

    def served(self) -> None:
        """Those who waited, and go now."""
        for pair in list(self.waiting):
            pod, waiter = pair
            if waiter.future.done():
                self.waiting.remove(pair)
                if waiter.grant is not None:
                    self.granted(pod, waiter.grant)

    async def call(self, pod: Pod, number: int) -> None:
        """As the gate does it; some wait for their turn."""
        now, cost = pod.clock.now(), float(min(number, self.pace.burst))
        alone = pod.cell.alone(now)
        grant = pod.cell.take(now, cost) or (pod.cell.without(now, cost) if alone else None)
        if grant is not None:
            self.granted(pod, grant)
        elif not alone or self.on_failure == "local":
            room = 5 if number % 2 else 0
            if pod.cell.turn(now, cost) <= now or room:
                self.waiting.append((pod, pod.cell.join(now, cost, now + 60.0, room)))

    async def calls(self, pod: Pod, number: int) -> None:
        """Many small ones, one after the other in little time: it draws ahead."""
        for _ in range(20):
            await self.step("call", self.pods.index(pod), 2)
            self.pass_by(0.005)

    async def unsent(self, pod: Pod, number: int) -> None:
        """One that went was not sent after all."""
        if self.open:
            owner, grant, use = self.open.pop(number % len(self.open))
            owner.cell.give_back(grant)
            use[0] = 0.0

    async def settles(self, pod: Pod, number: int) -> None:
        """One used less than it had said."""
        if self.open:
            owner, grant, use = self.open.pop(number % len(self.open))
            use[0] = min(float(number), grant.cost)
            owner.cell.keep(grant, use[0])

    async def leaves(self, pod: Pod, number: int) -> None:
        """One waits no longer."""
        if self.waiting:
            owner, waiter = self.waiting.pop(number % len(self.waiting))
            owner.cell.leave(waiter)

    async def passes(self, pod: Pod, number: int) -> None:
        """Time."""
        self.pass_by(number * number / 100)
        await settled()
        await self.shared.beat(*[pod.link for pod in self.pods])

    def pass_by(self, seconds: float) -> None:
        """For all: their clocks go alike. Who waits is served in the millisecond of his turn."""
        parts = max(1, round(seconds * 1000)) if self.waiting else 1
        for _ in range(parts):
            for clock in [self.shared.clock, *(pod.clock for pod in self.pods)]:
                clock.advance(seconds / parts)
            self.served()

    async def returns(self, pod: Pod, number: int) -> None:
        """One that went was not sent, and the store hears of it."""
        await self.unsent(pod, number)
        for each in self.pods:
            await self.says(each, number)

    async def empties(self, pod: Pod, number: int) -> None:
        """It takes all there is, in pieces."""
        for _ in range(self.pace.burst):
            await self.step("call", self.pods.index(pod), number)

    async def says(self, pod: Pod, number: int) -> None:
        """It tells what is to be told."""
        if pod.link.up:
            with contextlib.suppress(Unreachable):
                await pod.rates.exchange(pod.link)

    async def loses(self, pod: Pod, number: int) -> None:
        """The next message is lost, on its way there or back."""
        pod.way.fate = "lost" if number % 2 else "unanswered"

    async def delays(self, pod: Pod, number: int) -> None:
        """A message that its pod has given up arrives after all."""
        takes = [verb for verb in pod.way.asked if isinstance(verb, DrawUnits)]
        if pod.way.fate == "lost" and takes:
            pod.way.fate = ""
            takes[-1].on(self.shared.memory)

    async def dies(self, pod: Pod, number: int) -> None:
        """With all that it had drawn; another one comes."""
        self.open = [each for each in self.open if each[0] is not pod]
        self.waiting = [each for each in self.waiting if each[0] is not pod]
        self.pods[self.pods.index(pod)] = made = Pod(self, number * 77.0)
        await self.shared.beat(made.link)

    @staticmethod
    def most(uses: list[tuple[float, float]], pace: Pace, held: float) -> None:
        """In any time t no more than rate · t + burst, and what was drawn shortly before."""
        for first, (begin, _) in enumerate(uses):
            total = 0.0
            for end, cost in uses[first:]:
                total += cost
                allowed = pace.burst + (end - begin + held) / pace.interval
                assert total <= allowed + ROUNDING * (1 + 1 / pace.interval)


async def lived(world: World, steps: list[tuple[str, int, int]]) -> World:
    """It opens, and all of this happens."""
    await world.shared.open()
    for clock in [pod.clock for pod in world.pods]:
        clock.advance(2.0)
    for what, which, number in steps:
        await world.step(what, which, number)
    for pod in world.pods:
        await pod.clock.stop()
    return world


def steps(*words: str) -> Any:
    """So many things that happen to some pod."""
    return st.lists(
        st.tuples(st.sampled_from(words), st.integers(0, PODS - 1), st.integers(1, 12)),
        max_size=60,
    )


PACES = st.sampled_from([Pace(0.1, 5), Pace(1.0, 20), Pace(0.01, 50), Pace(0.004, 1), Pace(0.5, 1)])
OFTEN = ("call",) * 4 + ("calls", "unsent", "settles", "leaves", "passes", "passes", "says", "says")


@settings(max_examples=150, deadline=None)
@given(PACES, steps(*OFTEN, "loses", "delays", "dies"))
def test_a_fleet_never_goes_faster_than_it_may(
    pace: Pace, each: list[tuple[str, int, int]]
) -> None:
    """Whatever gets lost, and whoever dies."""
    world = asyncio.run(lived(World(pace, "deny"), each))
    world.most([(when, use[0]) for _, when, use in world.uses], pace, HOLDS)


@settings(max_examples=300, deadline=None)
@given(steps("call", "call", "empties", "empties", "returns", "returns", "returns", "passes"))
def test_what_comes_back_late_is_no_second_burst(each: list[tuple[str, int, int]]) -> None:
    """It has drained, or others have moved up meanwhile, or it is of another line."""
    pace = Pace(0.1, 5)
    world = asyncio.run(lived(World(pace, "deny"), each))
    world.most([(when, use[0]) for _, when, use in world.uses], pace, HOLDS)


@settings(max_examples=80, deadline=None)
@given(PACES, steps("call", "call", "call", "calls", "unsent", "settles", "leaves", "passes"))
def test_without_the_store_no_pod_has_more_than_its_share(
    pace: Pace, each: list[tuple[str, int, int]]
) -> None:
    """Of the pace and of the burst; but that what costs more than that share goes by itself."""
    world = World(pace, "local")

    async def gone() -> None:
        await world.shared.open()
        for pod in world.pods:
            pod.clock.advance(2.0)
        world.shared.memory.breaks("gone")
        for pod in world.pods:
            pod.link.fails("gone")
        for what, which, number in each:
            await world.step(what, which, number)

    asyncio.run(gone())
    for pod in world.pods:
        uses = [(when, use[0]) for owner, when, use in world.uses if owner is pod]
        dearest = max((cost for _, cost in uses), default=1.0)
        share = Pace(pace.interval * PODS, max(1, pace.burst // PODS, int(dearest)))
        world.most(uses, share, 0.0)


@settings(max_examples=80, deadline=None)
@given(PACES, steps(*OFTEN, "loses", "delays"))
def test_what_goes_by_the_share_comes_on_top(pace: Pace, each: list[tuple[str, int, int]]) -> None:
    """`local`: a pod whose messages are lost goes on; all of it together is at most twice."""
    world = asyncio.run(lived(World(pace, "local"), each))
    dearest = max((use[0] for _, _, use in world.uses), default=1.0)
    share = max(1, pace.burst // PODS, int(dearest))
    twice = Pace(pace.interval / 2, pace.burst + PODS * share)
    world.most([(when, use[0]) for _, when, use in world.uses], twice, HOLDS)
