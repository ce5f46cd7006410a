"""Agents that wait for each other at several pods: one call of each ring is stopped, no other."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.call import Call, Stop
from proxy.counts import LOOPS
from proxy.keep import Keep
from proxy.keys import CHAINS
from proxy.news import News
from proxy.state import waits
from proxy.state.chains import Chains
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import Beat, Pod
from proxy.state.shared.waits import LASTS, Edge, Wait, rings
from proxy.state.store import Near, Unreachable
from proxy.state.waits import BEAT, CONFIRMED, Waits
from tests.fakes import FakeClock, make_call

STEP = 0.5
"""Seconds from exchange to exchange in these tests."""


class At:
    """One pod."""

    def __init__(self, fleet: "Fleet", name: str) -> None:
        self.keep = Keep()
        self.chains = self.keep.of(CHAINS, Chains)
        self.waits = Waits(fleet.clock, self.keep)
        pod = Pod(name, 1, name)
        self.link = Link(Near(fleet.memory), pod, fleet.clock, News(), 0.05, "local")
        self.asked: list = []
        self.loses = False
        self._ask = self.link._store.ask
        self.link._store.ask = self._heard

    async def _heard(self, verb, within):
        if not isinstance(verb, Beat):
            self.asked.append(verb)
            if self.loses:
                raise Unreachable("lost")
        return await self._ask(verb, within)

    async def exchanges(self) -> None:
        """As it does all the time. What is lost is told to it."""
        await self.link.beat(Beat(self.link.pod))
        try:
            await self.waits.exchange(self.link)
        except Unreachable:
            self.waits.lost()


class Fleet:
    """Pods, and the calls that are under way in truth."""

    def __init__(self, *names: str) -> None:
        self.clock = FakeClock(asleep=False)
        self.memory = Memory(self.clock.wall)
        self.pods = {name: At(self, name) for name in names or ("p", "q")}
        self.calls: list[tuple[str, Call]] = []  # at which pod
        self.began: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    def begin(self, way: str, pod: str = "p", **members) -> Call:
        """A call of one agent to another: `a>b`."""
        agent, _, upstream = way.partition(">")
        told = {"workflow": "w", "task": "t"} | members
        call = make_call(id=f"c{len(self.calls):03}", agent=agent, upstream=upstream, **told)
        self.calls.append((pod, call))
        self.began[call.id] = self.clock.now()
        at = self.pods[pod]
        at.chains.begin(call.id, agent)
        at.waits.begin(call, "guard")
        return call

    def end(self, call: Call) -> None:
        """It is answered, or was stopped."""
        if call.id in self.ended:
            return
        self.ended[call.id] = self.clock.now()
        pod = next(name for name, each in self.calls if each is call)
        if pod in self.pods:
            self.pods[pod].waits.end(call.id)

    async def step(self, seconds: float = STEP) -> list[Call]:
        """All pods exchange; gives the calls that were stopped, which have ended then."""
        stopped = []
        for at in self.pods.values():
            await at.exchanges()
            for _, call in self.calls:
                if call.stopped is not None and call.id not in self.ended:
                    stopped.append(call)
                    self.end(call)
        self.clock.advance(seconds)
        return stopped

    async def runs(self, seconds: float) -> list[Call]:
        """For so long."""
        stopped: list[Call] = []
        until = self.clock.now() + seconds
        while self.clock.now() < until:
            stopped += await self.step()
        return stopped

    def counted(self, pod: str) -> dict[tuple[str, ...], int]:
        return self.pods[pod].keep.of(LOOPS.key, LOOPS.counts).rows


async def test_the_call_that_closed_the_ring_is_stopped() -> None:
    """After a while, at its own pod; with the agents that are in it."""
    fleet = Fleet("p", "q", "r")
    first = fleet.begin("a>b", "p")
    await fleet.step()
    second = fleet.begin("b>c", "q")
    await fleet.step()
    third = fleet.begin("c>a", "r")
    assert await fleet.runs(CONFIRMED) == []
    assert await fleet.runs(2 * STEP) == [third]
    assert (first.stopped, second.stopped, third.stopped) == (None, None, Stop.DEADLOCK)
    refusal = third.because
    assert refusal is not None
    assert (refusal.code, refusal.policy, refusal.scope) == ("deadlock", "guard", "workflow")
    assert dict(refusal.facts) == {"rule": "deadlock", "cycle": ("c", "a", "b", "c")}
    assert refusal.detail.endswith("this call closed the ring: c > a > b > c")
    assert fleet.counted("r") == {("deadlock", "refuse"): 1}
    assert fleet.counted("p") == {}
    assert await fleet.runs(2 * CONFIRMED) == []


async def test_a_ring_that_is_gone_in_time_stops_nobody() -> None:
    """Somebody gave up, or was answered though he waits."""
    fleet = Fleet()
    fleet.begin("a>b", "p")
    other = fleet.begin("b>a", "q")
    await fleet.runs(CONFIRMED - STEP)
    fleet.end(other)
    assert await fleet.runs(2 * CONFIRMED) == []


async def test_another_ring_of_the_same_agents_is_another_ring() -> None:
    """They call each other again and again, and nobody waits for long."""
    fleet = Fleet()
    for _ in range(6):
        one, other = fleet.begin("a>b", "p"), fleet.begin("b>a", "q")
        assert await fleet.runs(CONFIRMED - STEP) == []
        fleet.end(one)
        fleet.end(other)


@pytest.mark.parametrize("members", [{"task": "u"}, {"workflow": "v"}])
async def test_only_calls_for_the_same_work_wait_for_each_other(members) -> None:
    """The same agents may do other work for each other."""
    fleet = Fleet()
    fleet.begin("a>b", "p", **members)
    fleet.begin("b>a", "q")
    assert await fleet.runs(2 * CONFIRMED) == []


async def test_work_without_a_name_is_not_told() -> None:
    """Its calls have nothing to do with each other."""
    fleet = Fleet()
    fleet.begin("a>b", "p", workflow="", task="")
    await fleet.step()
    assert fleet.pods["p"].asked == []


async def test_a_short_call_is_never_told() -> None:
    """Nor is the store asked where nothing waits."""
    fleet = Fleet()
    fleet.end(fleet.begin("a>b"))
    await fleet.step()
    fleet.pods["p"].waits.end("never there")
    assert fleet.pods["p"].asked == []


async def test_who_waits_is_told_again_each_second() -> None:
    """And once that he does not."""
    fleet = Fleet("p")
    call = fleet.begin("a>b")
    at = fleet.pods["p"]
    await fleet.step(BEAT / 2)
    await fleet.step(BEAT / 2)
    assert len(at.asked) == 1
    await fleet.step(BEAT / 2)
    assert len(at.asked) == 2
    fleet.end(call)
    await fleet.runs(5 * BEAT)
    assert len(at.asked) == 3
    assert at.asked[-1].works[0].gone == (call.id,)
    assert at.waits._works == {}


async def test_what_was_not_told_is_told_later() -> None:
    """Also that a call has ended."""
    fleet = Fleet()
    one = fleet.begin("a>b", "p")
    fleet.begin("b>a", "q")
    await fleet.step()
    at = fleet.pods["p"]
    at.loses = True
    fleet.end(one)
    await fleet.step()
    at.loses = False
    await fleet.step()
    assert at.asked[-1].works[0].gone == (one.id,)
    assert await fleet.runs(2 * CONFIRMED) == []


async def test_a_call_that_ends_while_it_is_told_is_told_of_once_more() -> None:
    """What is said of it is on its way already."""
    fleet = Fleet("p")
    one, other = fleet.begin("a>b"), fleet.begin("a>c")
    await fleet.step()
    at, ask = fleet.pods["p"], fleet.pods["p"].link._store.ask

    async def meanwhile(verb, within):
        if isinstance(verb, Wait):
            fleet.end(other)
        return await ask(verb, within)

    at.link._store.ask = meanwhile
    fleet.end(one)
    await fleet.step(0.1)
    at.link._store.ask = ask
    await fleet.step(0.1)
    assert [verb.works[0].gone for verb in at.asked[1:]] == [(one.id,), (other.id,)]


async def test_a_pod_that_dies_takes_its_calls_along() -> None:
    """They waited until then, and nobody says that they do not any more."""
    fleet = Fleet()
    fleet.begin("a>b", "p")
    fleet.begin("b>a", "q")
    await fleet.step()
    del fleet.pods["p"]
    assert LASTS / 1000 < CONFIRMED
    assert await fleet.runs(2 * CONFIRMED) == []


async def test_without_the_store_nobody_is_stopped() -> None:
    """What was found before does not count any more; it is found again."""
    fleet = Fleet()
    fleet.begin("a>b", "p")
    victim = fleet.begin("b>a", "q")
    await fleet.runs(CONFIRMED - STEP)
    fleet.pods["q"].loses = True
    assert await fleet.runs(2 * CONFIRMED) == []
    fleet.pods["q"].loses = False
    assert await fleet.runs(CONFIRMED) == []
    assert await fleet.runs(2 * STEP) == [victim]


async def test_a_call_that_goes_on_though_it_was_stopped_is_stopped_again() -> None:
    """It takes a while to end."""
    fleet = Fleet("p")
    fleet.begin("a>b")
    victim = fleet.begin("b>a")
    await fleet.runs(CONFIRMED)
    await fleet.pods["p"].exchanges()
    fleet.clock.advance(STEP)
    assert victim.stopped is Stop.DEADLOCK
    for _ in range(4):
        await fleet.pods["p"].exchanges()
        fleet.clock.advance(CONFIRMED / 2)
    assert fleet.counted("p") == {("deadlock", "refuse"): 2}


async def test_names_are_cut_for_people_and_not_for_the_ring() -> None:
    """Two that begin alike are two."""
    fleet = Fleet("p")
    long = "ä" * 60
    fleet.begin(f"{long}1>b")
    fleet.begin(f"b>{long}2")
    assert await fleet.runs(2 * CONFIRMED) == []
    victim = fleet.begin(f"b>{long}1")
    assert await fleet.runs(2 * CONFIRMED) == [victim]
    assert victim.because is not None
    assert dict(victim.because.facts)["cycle"] == ("b", "ä" * 24, "b")


async def test_who_is_not_the_pod_tells_nothing() -> None:
    """A copy of its data dir."""
    fleet = Fleet("p")
    at = fleet.pods["p"]
    await at.link.beat(Beat(Pod("p", 1, "another")))
    fleet.begin("a>b")
    with contextlib.suppress(Unreachable):
        await at.link.beat(Beat(at.link.pod))
    await at.waits.exchange(at.link)
    assert at.asked == []


async def test_messages_are_bounded(monkeypatch) -> None:
    """By works, by edges and in number: the rest is told by the next exchanges."""
    monkeypatch.setattr(waits, "_WORKS", 3)
    monkeypatch.setattr(waits, "_EDGES", 4)
    monkeypatch.setattr(waits, "_AT_ONCE", 2)
    fleet = Fleet("p")
    for number in range(7):
        fleet.begin("a>b", task=f"t{number}")
    for _ in range(3):
        fleet.begin("a>b", task="t1")
    for _ in range(6):
        fleet.begin("a>b", task="big")
    at = fleet.pods["p"]
    told = []
    for _ in range(3):
        before = len(at.asked)
        await fleet.step(0.1)
        told.append([[len(each.edges) for each in verb.works] for verb in at.asked[before:]])
    assert told == [[[1], [4]], [[1, 1, 1], [1, 1]], [[4]]]


async def test_only_so_many_calls_are_told_of(monkeypatch) -> None:
    """An agent that begins calls without end fills nothing."""
    monkeypatch.setattr(waits, "MOST", 2)
    fleet = Fleet("p")
    calls = [fleet.begin("a>b") for _ in range(3)]
    await fleet.step()
    fleet.begin("a>b")
    assert [each.call for each in fleet.pods["p"].asked[0].works[0].edges] == ["c000", "c001"]
    fleet.end(calls[0])
    fleet.end(calls[2])
    again = fleet.begin("a>b")
    await fleet.step()
    assert fleet.pods["p"].asked[-1].works[0].edges[-1].call == again.id


async def test_it_is_a_part() -> None:
    """Nothing is published of it, and nothing is to be given back."""
    fleet = Fleet("p")
    part = fleet.pods["p"].waits
    part.heard(b"\xff")
    part.anew()
    await part.leave(fleet.pods["p"].link)
    assert fleet.pods["p"].asked == []
    assert (part.topic, part.every) == ("waits", 0.1)


# --- whatever happens ---

PODS = ("p", "q", "r")
AGENTS = "abcd"
BEGINS = st.tuples(st.sampled_from(PODS), st.sampled_from(AGENTS), st.sampled_from(AGENTS))
STEPS = st.one_of(
    BEGINS, BEGINS, st.integers(0, 20), st.just("time"), st.just("time"), st.just("more time")
)
ROUGH = st.one_of(STEPS, st.sampled_from(["lose p", "lose q", "die r"]))


def real(fleet: Fleet, victim: Call, since: float, until: float) -> bool:
    """Was there a ring through this call, all of whose calls were under way from then to then?"""
    now = fleet.clock.now()
    edges = [
        Edge(call.id, call.agent, call.upstream, 0, "")
        for _, call in fleet.calls
        if fleet.began[call.id] <= since and fleet.ended.get(call.id, now) >= until
    ]
    others = [each for each in edges if each.call != victim.id]
    ahead, seen = [victim.upstream], {victim.upstream}
    while ahead:
        agent = ahead.pop()
        for each in others:
            if each.caller == agent and each.called not in seen:
                seen.add(each.called)
                ahead.append(each.called)
    return victim.id in {each.call for each in edges} and victim.agent in seen


async def play(fleet: Fleet, steps, grace: float) -> None:
    """Whoever is stopped was in a ring that was real for long enough, and a moment ago still."""
    for step in steps:
        if isinstance(step, int):
            if step < len(fleet.calls):
                fleet.end(fleet.calls[step][1])
        elif isinstance(step, tuple):
            if step[0] in fleet.pods:
                fleet.begin(f"{step[1]}>{step[2]}", step[0])
        elif step == "die r":
            die(fleet, "r")
        elif step.startswith("lose"):
            fleet.pods[step[-1]].loses = True
        else:
            await passes(fleet, 1 if step == "time" else 6, grace)


async def passes(fleet: Fleet, steps: int, grace: float) -> None:
    """Time does. What was lost is found again then."""
    for _ in range(steps):
        began = fleet.clock.now()
        for call in await fleet.step():
            assert real(fleet, call, began - CONFIRMED + STEP, began - grace)
    for at in fleet.pods.values():
        at.loses = False


def die(fleet: Fleet, name: str) -> None:
    """A pod does, with its calls."""
    for pod, call in fleet.calls:
        if pod == name:
            fleet.end(call)
    fleet.pods.pop(name, None)


def open_edges(fleet: Fleet) -> list[Edge]:
    """As they are in truth."""
    return [
        Edge(call.id, call.agent, call.upstream, int(fleet.began[call.id] * 1000), "")
        for _, call in fleet.calls
        if call.id not in fleet.ended
    ]


@settings(deadline=None, max_examples=60)
@given(st.lists(STEPS, max_size=30))
async def test_every_real_ring_has_one_victim_and_nobody_else_is_stopped(steps) -> None:
    """Whoever calls whom at which pod, and whenever calls end."""
    fleet = Fleet(*PODS)
    await play(fleet, steps, STEP)
    await fleet.step()
    expected = {ring[0].call for ring in rings(open_edges(fleet))}
    stopped = await fleet.runs(2 * CONFIRMED)
    assert {call.id for call in stopped} == expected
    assert rings(open_edges(fleet)) == []


@settings(deadline=None, max_examples=60)
@given(st.lists(ROUGH, max_size=30))
async def test_nobody_is_stopped_for_a_phantom(steps) -> None:
    """Messages are lost and pods die: what is stopped was real, and what is real is stopped."""
    fleet = Fleet(*PODS)
    await play(fleet, steps, LASTS / 1000)
    await fleet.runs(4 * CONFIRMED)
    assert rings(open_edges(fleet)) == []
