"""Circuits that pods share: opened by a quorum, tried by one, closed for all."""

import asyncio

import msgspec
import pytest

from proxy.attempt import Attempt
from proxy.counts import BREAKER_TRANSITIONS
from proxy.keys import CircuitKey
from proxy.pipeline.glance import Glance
from proxy.refusal import Refusal
from proxy.reply import Failure
from proxy.stage import Ground, Site
from proxy.stages.breaker import Breaker, ProbeLease
from proxy.state import fleet_circuits
from proxy.state.circuit import Circuit
from proxy.state.circuit_rules import CircuitRules
from proxy.state.fleet_circuits import FleetCircuits, circuit_of, name_of
from proxy.state.shared import circuits
from proxy.state.shared.circuits import View, Vote
from proxy.state.store import Unreachable
from tests.fakes import make_attempt, make_call, make_target, settled
from tests.state.circuit_pods import TOOL, FleetPod, Pods


async def opened(count=3, **fields):
    """A fleet whose circuit two pods have opened, and all have heard of it."""
    fleet = Pods()
    pods = await fleet.pods(count, **fields)
    for pod in pods:
        await pod.send()
    for pod in pods[:2]:
        await pod.send(500, times=5)
    for pod in pods:
        await pod.exchange()
    return fleet, pods


async def half_open(count=3, **fields):
    """The same when its time is over."""
    fleet, pods = await opened(count, **fields)
    fleet.clock.advance(6.0)
    for pod in pods:
        await pod.beat()
    return fleet, pods


class Between:
    """A store in which something happens when a verb of a kind is asked, or with its answer."""

    def __init__(self, pod, kind, then):
        self._ask = pod.link._store.ask
        self._kind = kind
        self._then = then
        pod.link._store = self

    async def ask(self, verb, within):
        """Part of Store."""
        answer = await self._ask(verb, within)
        return self._then(answer) if isinstance(verb, self._kind) else answer


# --- opening ---


async def test_one_pod_alone_opens_its_own():
    """The others go on: it may be that pod's network."""
    fleet = Pods()
    first, other = await fleet.pods(2)
    await first.send(500, times=5)
    await other.exchange()
    assert first.state == "open"
    assert not first.circuit().fleet
    assert await other.send() is None


async def test_a_quorum_opens_it_for_all():
    """Those that saw nothing of it too, after one exchange; they say why."""
    _, pods = await opened()
    assert [pod.state for pod in pods] == ["open"] * 3
    assert all(pod.circuit().fleet for pod in pods)
    refusal = await pods[2].send()
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after == pytest.approx(5.0, abs=0.1)
    assert "fleet" in refusal.detail
    (change,) = pods[2].news
    assert (change.before, change.after, change.why) == ("closed", "open", "fleet")
    assert change.open_for == pytest.approx(5.0, abs=0.1)


async def test_what_is_published_opens_it_at_once():
    """Nobody waits for the next exchange."""
    fleet = Pods()
    pods = await fleet.pods(3)
    published: list[bytes] = []
    listening = asyncio.ensure_future(fleet.store.listen(lambda _, said: published.append(said)))
    await pods[2].send()
    for pod in pods[:2]:
        await pod.send(500, times=5)
    listening.cancel()
    for said in [*published, b"nothing", b"\xff"]:
        pods[2].part.heard(said)
    assert pods[2].state == "open"


async def test_a_circuit_that_is_made_later_is_open_too():
    """Its first call in this pod comes now. What is told of that is told once, to who asks."""
    fleet, _ = await opened()
    late = await fleet.pod("late")
    await late.exchange()
    fleet.clock.advance(2.0)
    assert "open for another 3.0 s (fleet)" in late.gates[0].says(make_call()).note
    assert late.news == []

    refusal = await late.send()
    again = await late.send()

    assert isinstance(refusal, Refusal)
    assert isinstance(again, Refusal)
    assert refusal.retry_after == pytest.approx(3.0, abs=0.1)
    assert [(change.before, change.after, change.why) for change in late.news] == [
        ("closed", "open", "fleet")
    ]


async def test_one_that_is_made_later_may_be_closed():
    """Or may have been open long ago."""
    fleet, pods = await half_open()
    for _ in range(2):
        await pods[0].send()
    late = await fleet.pod("late")
    await late.exchange()
    assert await late.send() is None
    assert late.news == []


async def test_what_was_made_open_and_was_not_asked_for_is_closed_with_the_others():
    """News tells that it was open, and that it is not any more."""
    fleet, pods = await half_open()
    late = await fleet.pod("late")
    await late.exchange()
    assert late.gates
    for _ in range(2):
        await pods[0].send()
    await late.exchange()
    assert [(change.before, change.after) for change in late.news] == [
        ("closed", "open"),
        ("open", "closed"),
    ]


async def test_who_only_looks_changes_nothing():
    """Nor is what was made for him told of what happens."""
    fleet, _ = await opened()
    late = await fleet.pod("late")
    await late.exchange()
    ground = Ground(late.clock, Glance(late.keep))
    lease = ProbeLease.build(Breaker(), Site(make_target(), ground, "careful"))
    assert lease is not None
    assert lease.says(make_call()).refusal is not None
    assert late.news == []
    assert late.keep.seen(CircuitKey("", "gateway", "search")) is None


async def test_a_quorum_that_a_policy_gives():
    """One is enough, if it says so."""
    fleet = Pods()
    first, other = await fleet.pods(2, quorum=1)
    await other.send()
    await first.send(500, times=5)
    await other.exchange()
    assert other.state == "open"


async def test_throttling_needs_one_vote():
    """The upstream says it to whoever asks: the policy has it that this counts."""
    fleet = Pods()
    first, other, third = await fleet.pods(3, counts=(429,))
    await first.send(429, times=5)
    assert first.circuit().fleet
    await other.send()
    assert other.state == "closed"
    await other.exchange()
    assert other.state == "open"
    await third.exchange()
    assert isinstance(await third.send(), Refusal)


async def test_throttling_that_did_not_open_it_is_no_reason_to():
    """A call that was under way when this pod opened its own is throttled: others go on."""
    fleet = Pods()
    first, _ = await fleet.pods(2)
    late = await first.admit()
    assert isinstance(late, Attempt)
    await first.send(500, times=5)
    first.end(late, 429)
    await first.exchange()
    assert first.state == "open"
    assert not first.circuit().fleet


async def test_a_probe_that_is_throttled_opens_it_for_all():
    """One pod had it open for itself; what its probe was told holds for everybody."""
    fleet = Pods()
    first, _ = await fleet.pods(2)
    await first.send(500, times=5)
    fleet.clock.advance(6.0)
    await first.send(429)
    assert first.circuit().fleet


async def test_slowness_is_one_pods_own_word():
    """What was throttled before does not make it everybody's."""
    fleet = Pods()
    first, _ = await fleet.pods(2, counts=(429,), consecutive=100, rate=1.0)
    await first.send(429)
    circuit = first.circuit()
    for _ in range(10):
        circuit.succeeded(fleet.clock.now(), slow=True)
    await settled()
    assert first.state == "open"
    assert not circuit.fleet


async def test_a_vote_is_told_again():
    """A pod died, and now two of three are enough … or the store had lost it."""
    fleet = Pods()
    pods = await fleet.pods(11)
    for pod in pods[:3]:
        await pod.send(500, times=5)
    assert not pods[0].circuit().fleet
    fleet.memory.of("pods", dict).clear()
    for pod in pods[:3]:
        await pod.beat()
    await pods[0].exchange()
    assert pods[0].circuit().fleet


async def test_who_opens_many_keeps_nobody_busy(monkeypatch):
    """An agent makes up tools that all fail. Votes are told again a few at a time, and in turn; and
    what is new need not wait behind them."""
    monkeypatch.setattr(fleet_circuits, "AT_ONCE", 3)
    fleet = Pods()
    pods = await fleet.pods(2)
    part, votes, ask = pods[0].part, [], fleet.store.ask

    async def noted(verb, within):
        if isinstance(verb, Vote):
            votes.append(verb.circuit)
        return await ask(verb, within)

    monkeypatch.setattr(fleet.store, "ask", noted)
    ground = Ground(fleet.clock, pods[0].keep)
    tools = [circuit_of(ground, make_target(), f"t{each}", CircuitRules()) for each in range(7)]
    for circuit in tools:
        circuit.trip(fleet.clock.now())
    await pods[0].told()
    assert len(votes) == 7

    votes.clear()
    for told in (3, 6):
        await pods[0].exchange()
        assert len(set(votes)) == told
    votes.clear()
    await part.exchange(pods[0].link)
    await pods[0].send(500, times=5)
    await pods[0].told()
    assert votes[0] == TOOL
    assert len(votes) == 4


async def test_a_vote_is_taken_back():
    """Its own probes have passed, so nobody may count it any more."""
    fleet = Pods()
    first, other = await fleet.pods(2)
    await first.send(500, times=5)
    first.circuit().until = fleet.clock.now()  # a hand was quicker than the time
    await first.send(times=2)
    assert first.state == "closed"
    await first.exchange()
    await first.exchange()
    await other.send(500, times=5)
    assert not other.circuit().fleet


# --- half-open ---


async def test_one_pod_tries_for_all():
    """Until what it came to is known the others are told to wait, and do not ask the store for
    each of their calls."""
    fleet, pods = await half_open()
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    for _ in range(3):
        refusal = await pods[1].send()
        assert isinstance(refusal, Refusal)
        assert 0 < (refusal.retry_after or 0.0) <= 1.0
    asked = pods[1].link.counts.asked
    await pods[1].send()
    assert pods[1].link.counts.asked == asked
    pods[0].end(attempt)
    await settled()
    fleet.clock.advance(1.0)
    assert await pods[1].send() is None


async def test_probes_of_several_pods_close_it_for_all():
    """Two in a row, of whichever pods."""
    fleet, pods = await half_open()
    await pods[0].send()
    fleet.clock.advance(1.0)
    await pods[1].send()
    assert pods[1].state == "closed"
    for pod in (pods[0], pods[2]):
        await pod.exchange()
        assert pod.state == "closed"
    assert [(change.after, change.why) for change in pods[2].news][-1] == ("closed", "fleet")


async def test_a_probe_that_fails_keeps_it_closed_to_all_for_longer():
    """Twice the time, whichever pod tries; and so on until the longest."""
    fleet, pods = await half_open()
    left = 5.0
    for turn in range(7):
        await pods[turn % 3].send(500)
        left = min(120.0, 2 * left)
        for pod in pods:
            await pod.exchange()
            assert pod.state == "open"
            assert pod.circuit().left(fleet.clock.now()) == pytest.approx(left, abs=0.1)
        fleet.clock.advance(left + 0.1)
        for pod in pods:
            await pod.beat()


async def test_who_has_found_it_broken_is_not_told_so_by_the_others():
    """Its own news have it already."""
    _, pods = await half_open()
    await pods[0].send(500)
    await pods[1].exchange()
    told = [(change.before, change.after, change.why) for change in pods[0].news]
    assert told[-1] == ("half_open", "open", "probe_failed")
    assert pods[1].news[-1].why == "fleet"
    assert pods[0].circuit().generation == pods[1].circuit().generation


async def test_a_throttled_probe_is_a_failed_one():
    """It is too early for everybody."""
    _, pods = await half_open()
    await pods[0].send(429)
    await pods[1].exchange()
    assert isinstance(await pods[1].send(), Refusal)
    assert pods[1].state == "open"


async def test_a_call_that_comes_to_nothing_gives_the_probe_back():
    """Another pod may have it."""
    _, pods = await half_open()
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    pods[0].end(attempt, Failure.CANCELLED)
    await settled()
    assert await pods[1].send() is None


async def test_who_is_told_that_it_is_closed_believes_it():
    """By what number ever: or nobody would try it again, nor use it."""
    fleet, pods = await half_open()
    kept = fleet.memory.seen(f"circuit:{TOOL}")
    kept.open = False
    await pods[0].send()
    assert await pods[0].send() is None
    assert pods[0].state == "closed"


@pytest.mark.parametrize("generation", [2**53, 2**52, 4_000_000_000_000])
async def test_an_opening_of_times_to_come_is_not_believed(generation):
    """Somebody published it. Nothing that follows could be newer, so it would stay."""
    fleet = Pods()
    pods = await fleet.pods(3)
    for pod in pods:
        await pod.send()
    forged = View(TOOL, generation, 1, 3_600_000, 5_000)
    pods[0].part.heard(msgspec.json.encode(forged))
    assert pods[0].state == "closed"
    for pod in pods[:2]:
        await pod.send(500, times=5)
    await pods[0].exchange()
    assert pods[0].circuit().fleet
    assert pods[0].circuit().generation < generation


async def test_two_calls_of_one_pod_are_one_probe():
    """The second one is refused before anybody is asked."""
    _, pods = await half_open()
    first = pods[0].gates[1].admit(make_attempt(make_call(), started=pods[0].clock.now()))
    assert not isinstance(first, Refusal | None)
    asked = pods[0].link.counts.asked
    assert isinstance(await pods[0].send(), Refusal)
    assert pods[0].link.counts.asked == asked
    assert await first is None


async def test_a_pod_that_dies_with_the_probe_blocks_nobody_for_ever():
    """Its lease ends: 45 s until the call's deadline, and 5 more."""
    fleet, pods = await half_open()
    assert isinstance(await pods[0].admit(), Attempt)
    fleet.clock.advance(49.0)
    await pods[1].beat()
    assert isinstance(await pods[1].send(), Refusal)
    fleet.clock.advance(1.1)
    assert await pods[1].send() is None


async def test_a_probe_after_its_lease_decides_nothing():
    """Another pod may have it since."""
    fleet, pods = await half_open()
    lost = await pods[0].admit()
    assert isinstance(lost, Attempt)
    fleet.clock.advance(51.0)
    assert isinstance(await pods[1].admit(), Attempt)
    pods[0].end(lost, 500)
    await settled()
    assert pods[0].state == "half_open"
    assert fleet.view().generation == pods[1].circuit().generation


async def test_a_later_call_of_the_same_pod_takes_it_over():
    """What the first one says then is not heard."""
    fleet, pods = await half_open()
    lost = await pods[0].admit()
    assert isinstance(lost, Attempt)
    fleet.clock.advance(51.0)
    assert await pods[0].send() is None
    pods[0].end(lost, 500)
    assert pods[0].state == "half_open"


async def test_who_has_missed_that_it_was_opened_again_learns_it():
    """Its call would have tried in between; the store says that it is too early."""
    fleet, pods = await half_open()
    await pods[0].send(500)
    refusal = await pods[1].send()
    assert isinstance(refusal, Refusal)
    assert refusal.retry_after == pytest.approx(10.0, abs=0.1)
    assert pods[1].circuit().generation == fleet.view().generation


async def test_who_has_missed_that_it_was_closed_goes_on():
    """There is nothing to try."""
    _, pods = await half_open()
    await pods[0].send(times=2)
    assert await pods[1].send() is None
    assert pods[1].state == "closed"


async def test_who_has_missed_an_opening_that_is_over_may_try():
    """The store's lease is of the newer one, and its results count."""
    fleet, pods = await half_open()
    await pods[0].send(500)
    fleet.clock.advance(11.0)
    await pods[1].beat()
    attempt = await pods[1].admit()
    assert isinstance(attempt, Attempt)
    pods[1].end(attempt)
    await settled()
    assert fleet.view().passed == 1


async def test_what_the_fleet_says_meanwhile_counts():
    """A newer opening is heard while the probe is under way: what that comes to is old."""
    fleet, pods = await half_open()
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    newer = View(TOOL, fleet.view().generation + 1, 1, 20_000, 20_000)
    pods[0].part.heard(msgspec.json.encode(newer))
    pods[0].end(attempt)
    assert pods[0].state == "open"
    pods[0].part.heard(msgspec.json.encode(fleet.view()))  # an old one, late
    assert pods[0].state == "open"


async def test_an_opening_while_the_store_is_asked():
    """The lease comes, and nothing may be tried: it goes back."""
    fleet, pods = await half_open()

    def forced(answer):
        pods[0].circuit().force(fleet.clock.now(), closed=False, by="Kim")
        return answer

    Between(pods[0], circuits.Probe, forced)
    refusal = await pods[0].send()
    assert isinstance(refusal, Refusal)
    assert refusal.final
    await settled()
    assert await pods[1].send() is None


async def test_an_upstream_and_a_tool_are_both_tried_or_neither():
    """One has a probe of another pod: the other one's lease goes back."""
    fleet, pods = await half_open()
    for pod in pods[:2]:
        pod.circuit("").trip(fleet.clock.now(), "consecutive")
    await settled()
    for pod in pods:
        await pod.exchange()
        assert pod.circuit("").fleet
    fleet.clock.advance(6.0)
    for pod in pods:
        await pod.beat()
    await pods[0].circuit("").probe(_leased(pods[0], ""), fleet.clock)
    refusal = await pods[1].send()
    assert isinstance(refusal, Refusal)
    assert refusal.scope == "upstream"
    await settled()
    kept = fleet.memory.seen(f"circuit:{TOOL}")
    assert not kept.owner


def _leased(pod: FleetPod, tool: str) -> Attempt:
    circuit, now = pod.circuit(tool), pod.clock.now()
    attempt = make_attempt(make_call(), started=now)
    assert circuit.wait(now) == 0
    circuit.lease(attempt, now + 50.0)
    return attempt


async def test_a_bug_on_the_way_leaves_no_lease_behind():
    """The call fails, and the next one may try."""
    _, pods = await half_open()
    store = pods[0].link._store

    def breaks(_):
        raise RuntimeError

    Between(pods[0], circuits.Probe, breaks)
    with pytest.raises(RuntimeError):
        await pods[0].admit()
    pods[0].link._store = store
    assert pods[0].circuit().owner is None
    assert await pods[0].send() is None


async def test_one_that_the_fleet_opens_while_another_is_asked_for_is_not_tried():
    """A call needs both, and has neither then."""
    fleet, pods = await half_open()
    for pod in pods[:2]:
        pod.circuit("").trip(fleet.clock.now(), "consecutive")
    await settled()
    for pod in pods:
        await pod.exchange()
    fleet.clock.advance(6.0)
    for pod in pods:
        await pod.beat()

    def opens(answer):
        newer = View(TOOL, fleet.view().generation + 1, 1, 20_000, 20_000)
        pods[0].part.heard(msgspec.json.encode(newer))
        return answer

    Between(pods[0], circuits.Probe, opens)
    refusal = await pods[0].send()
    assert isinstance(refusal, Refusal)
    assert refusal.scope == "tool"
    assert pods[0].circuit("").owner is None


async def test_what_comes_of_a_later_probe_is_told_too():
    """It came while the earlier one was told."""
    _, pods = await half_open()
    told: list[View] = []

    def again(answer):
        if not told:
            pods[0].circuit()._tells("back", 9)
        told.append(answer)
        return answer

    Between(pods[0], circuits.Probed, again)
    await pods[0].send()
    assert len(told) == 2
    assert pods[0].circuit().result is None


@pytest.mark.parametrize("granted", [True, False])
async def test_a_store_that_says_nothing_of_the_circuit(granted):
    """What it says of the probe is done."""
    _, pods = await half_open()
    Between(pods[0], circuits.Probe, lambda _: circuits.Leased(granted, 400))
    assert isinstance(await pods[0].admit(), Attempt) is granted


# --- the store is gone, or has forgotten ---


async def test_what_was_heard_last_holds_while_the_store_is_gone():
    """Until its own end; then each pod tries by itself, and decides by itself."""
    fleet, pods = await opened()
    fleet.memory.breaks("gone")
    fleet.clock.advance(4.0)
    assert isinstance(await pods[2].send(), Refusal)
    fleet.clock.advance(1.1)
    assert await pods[2].send() is None
    assert await pods[2].send() is None
    assert pods[2].state == "closed"
    await pods[1].send(500)
    assert pods[1].state == "open"


async def test_what_came_of_it_is_told_when_the_store_is_back():
    """It closed in one pod: it is closed for all who have not found otherwise before."""
    fleet, pods = await half_open()
    fleet.memory.breaks("gone")
    await pods[2].send(times=2)
    assert pods[2].state == "closed"
    fleet.memory.heals()
    for pod in pods:
        await pod.beat()
        await pod.exchange()
    for pod in pods:
        await pod.exchange()
    assert [pod.state for pod in pods] == ["closed"] * 3


async def test_a_failure_without_a_store_is_told_too():
    """And it opens longer for all."""
    fleet, pods = await half_open()
    fleet.memory.breaks("gone")
    await pods[2].send(500)
    fleet.memory.heals()
    for pod in reversed(pods):
        await pod.beat()
        await pod.exchange()
    for pod in pods:
        assert pod.circuit().left(fleet.clock.now()) == pytest.approx(10.0, abs=0.1)


async def test_a_store_that_goes_while_a_probe_is_under_way():
    """What it came to is told later, and counts."""
    fleet, pods = await half_open()
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    fleet.memory.breaks("gone")
    pods[0].end(attempt)
    await settled()
    pods[0].part.lost()
    fleet.memory.heals()
    await pods[0].beat()
    await pods[0].exchange()
    assert fleet.view().passed == 1


async def test_a_lease_that_nobody_was_told_of_goes_back():
    """The store granted it, and its answer was lost: the pod tries by its own lease."""
    fleet, pods = await half_open()
    store = pods[0].link._store

    def lost(_):
        raise Unreachable("its answer was lost")

    Between(pods[0], circuits.Probe, lost)
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    pods[0].link._store = store
    await pods[0].beat()
    await pods[0].exchange()
    assert not fleet.memory.seen(f"circuit:{TOOL}").owner


async def test_an_emptied_store_learns_it_again():
    """Of all who know; also who has a probe under way."""
    fleet, pods = await half_open()
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    fleet.memory.restarts(empty=True)
    for pod in pods:
        await pod.beat()
        pod.part.anew()
    refusal = await pods[1].send()
    assert isinstance(refusal, Refusal)
    for pod in pods:
        await pod.exchange()
    fleet.clock.advance(2.0)
    assert isinstance(await pods[1].send(), Refusal)
    pods[0].end(attempt)
    await settled()
    assert fleet.view().passed == 1


async def test_an_emptied_store_learns_what_is_open_and_what_was_closed():
    """A pod that missed the closing does not bring the opening back."""
    fleet, pods = await half_open()
    for _ in range(2):
        await pods[0].send()
    generation = fleet.view().generation
    fleet.memory.restarts(empty=True)
    for pod in reversed(pods):
        await pod.beat()
        pod.part.anew()
        await pod.exchange()
    for pod in pods:
        await pod.exchange()
    assert fleet.view().generation == generation
    assert [pod.state for pod in pods] == ["closed"] * 3


async def test_votes_are_given_again_to_an_emptied_store():
    """They are of now."""
    fleet = Pods()
    pods = await fleet.pods(2)
    await pods[0].send(500, times=5)
    fleet.memory.restarts(empty=True)
    for pod in pods:
        await pod.beat()
        pod.part.anew()
        await pod.exchange()
    await pods[1].send(500, times=5)
    assert pods[1].circuit().fleet


async def test_a_circuit_nobody_here_calls_is_remembered_for_the_store():
    """As it was heard of; for a day."""
    fleet, _ = await opened()
    late = await fleet.pod("late")
    await late.exchange()
    fleet.memory.restarts(empty=True)
    await late.beat()
    late.part.anew()
    await late.exchange()
    assert fleet.view().open
    fleet.clock.advance(2 * 86_400.0)
    await late.beat()
    fleet.memory.restarts(empty=True)
    await late.beat()
    late.part.anew()
    await late.exchange()
    assert fleet.memory.seen(f"circuit:{TOOL}") is None


async def test_only_so_many_are_remembered(monkeypatch):
    """Names come from agents."""
    monkeypatch.setattr(fleet_circuits, "MOST", 2)
    fleet = Pods()
    pod = await fleet.pod("a")
    for name in "abc":
        pod.part.heard(msgspec.json.encode(View(name, 1, 1)))
    pod.part.anew()
    await pod.exchange()
    assert fleet.memory.seen("circuit:a") is None
    assert fleet.memory.seen("circuit:c") is not None


async def test_a_store_that_never_ends_telling_is_left(monkeypatch):
    """There is a most of what it may know."""
    monkeypatch.setattr(circuits, "PAGE", 0)
    fleet = Pods()
    pod = await fleet.pod("a")
    await pod.exchange()
    assert pod.link.counts.asked == 1 + fleet_circuits.MOST // fleet_circuits.PAGE + 1


async def test_who_leaves_says_what_is_still_to_be_said():
    """The others need not wait for its lease."""
    fleet, pods = await half_open()
    attempt = await pods[0].admit()
    assert isinstance(attempt, Attempt)
    pods[0].link.up = False
    pods[0].end(attempt)
    pods[0].link.up = True
    await pods[0].part.leave(pods[0].link)
    assert fleet.view().passed == 1


# --- hands, policies, shadows ---


async def test_a_hand_is_of_one_pod():
    """Neither does it tell the others, nor do they move it; when it lets go, the fleet's word
    counts again."""
    fleet = Pods()
    pods = await fleet.pods(3)
    for pod in pods:
        await pod.send()
    pods[2].circuit().force(fleet.clock.now(), closed=True, by="Kim")
    for pod in pods[:2]:
        await pod.send(500, times=5)
    await pods[2].exchange()
    assert await pods[2].send() is None
    pods[2].circuit().release(fleet.clock.now(), "Kim")
    assert pods[2].state == "open"
    pods[2].circuit().release(fleet.clock.now(), "Kim")
    assert isinstance(await pods[2].send(), Refusal)


async def test_a_hand_takes_the_vote_back():
    """What somebody opens by hand is open here alone."""
    fleet = Pods()
    first, other = await fleet.pods(2)
    await first.send(500, times=5)
    first.circuit().force(fleet.clock.now(), closed=False, by="Kim")
    await settled()
    await other.send(500, times=5)
    assert not other.circuit().fleet
    first.circuit().release(fleet.clock.now(), "Kim")
    assert first.state == "half_open"


async def test_what_a_hand_does_meanwhile_is_not_told():
    """A probe failed without a store, and somebody kept it open after that, for ever."""
    fleet, pods = await half_open()
    fleet.memory.breaks("gone")
    await pods[0].send(500)
    pods[0].circuit().force(fleet.clock.now(), closed=False, by="Kim")
    fleet.memory.heals()
    for pod in pods[:2]:
        await pod.beat()
        await pod.exchange()
    assert pods[1].circuit().left(fleet.clock.now()) == pytest.approx(10.0, abs=0.1)


async def test_no_store_keeps_it_open_for_ever():
    """Whatever it says."""
    fleet = Pods()
    pod = await fleet.pod("a")
    await pod.send()
    pod.part.heard(msgspec.json.encode(View(TOOL, 7, 1, 1 << 52, 1 << 52)))
    assert pod.circuit().left(fleet.clock.now()) == 3_600.0


async def test_a_hand_ends_a_probe():
    """Another pod may try."""
    fleet, pods = await half_open()
    assert isinstance(await pods[0].admit(), Attempt)
    pods[0].circuit().force(fleet.clock.now(), closed=True, by="Kim")
    await settled()
    assert await pods[1].send() is None


async def test_what_is_only_observed_counts_as_well():
    """Nothing is leased; what calls come to by themselves closes it for all."""
    fleet, pods = await half_open()
    watcher = await fleet.pod("watcher")
    await watcher.exchange()
    site = Site(make_target(), Ground(watcher.clock, watcher.keep), "careful")
    observer = ProbeLease.build(Breaker(state="observe"), site)
    assert observer is not None
    watcher._gates = watcher.gates[0], observer
    for _ in range(2):
        attempt = make_attempt(make_call(), started=fleet.clock.now())
        watcher.end(attempt)
    await settled()
    await pods[0].exchange()
    assert pods[0].state == "closed"


async def test_a_shadow_shares_nothing():
    """Its circuit is one of its own, in this pod."""
    fleet = Pods()
    pod = await fleet.pod("a")
    ground = Ground(pod.clock, pod.keep, shadow=True)
    ProbeLease.build(Breaker(), Site(make_target(), ground, "careful"))
    found = pod.keep.seen(CircuitKey("", "gateway", "search", shadow="shadow"))
    assert type(found) is Circuit


async def test_without_a_store_it_is_a_circuit_as_ever():
    """The part is there, and nobody asks for it."""
    fleet = Pods()
    ground = Ground(fleet.clock, (await fleet.pod("a")).keep.__class__())
    FleetCircuits.of(ground.keep, fleet.clock)
    ProbeLease.build(Breaker(), Site(make_target(), ground, "careful"))
    assert type(ground.keep.seen(CircuitKey("", "gateway", "search"))) is Circuit


async def test_a_circuit_with_something_to_tell_is_kept():
    """It makes no room for others until it has told it."""
    fleet, pods = await half_open()
    fleet.memory.breaks("gone")
    await pods[0].send(times=2)
    circuit = pods[0].circuit()
    assert circuit.closed
    assert not circuit.idle
    fleet.memory.heals()
    await pods[0].beat()
    await pods[0].exchange()
    assert circuit.idle


def test_names_do_not_tell():
    """And no two circuits have the same."""
    names = {
        name_of(CircuitKey(*key))
        for key in [("", "a", "b"), ("", "ab", ""), ("a", "b", ""), ("", "a", "B" * 9999)]
    }
    assert len(names) == 4
    assert {len(name) for name in names} == {32}


async def test_changes_by_the_fleet_are_counted():
    """As any others."""
    _, pods = await opened()
    counts = pods[2].keep.seen(BREAKER_TRANSITIONS.key)
    assert counts.rows == {("gateway", "search", "closed", "open"): 1}
