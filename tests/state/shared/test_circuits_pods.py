"""Pods on the stores that there are: what one opens, tries and closes is so for all."""

import asyncio

from proxy.attempt import Attempt
from proxy.refusal import Refusal
from proxy.state.circuit_rules import Open
from proxy.state.store import Near
from proxy.units import Seconds
from tests.fakes import FakeClock
from tests.state.circuit_pods import FleetPod

LONG = Open(base=Seconds(60.0), jitter=0.0)
BRIEF = Open(base=Seconds(0.05), jitter=0.0)


async def opened(store, count, section=BRIEF):
    """Pods of which two have found it broken."""
    pods = [FleetPod(store, FakeClock(), f"p{number}", open=section) for number in range(count)]
    for pod in pods:
        await pod.beat()
        await pod.send()
    for pod in pods[:2]:
        await pod.send(500, times=5)
        await pod.told()
    while not pods[0].circuit().fleet:  # on a slow machine one vote ends before the other comes
        for pod in pods[:2]:
            await pod.beat()
            await pod.exchange()
    for pod in pods:
        await pod.exchange()
    return pods


async def all_try(pods):
    """Each has a call, at once; those that may go."""
    came = await asyncio.gather(*(pod.admit() for pod in pods))
    return [(pod, each) for pod, each in zip(pods, came, strict=True) if isinstance(each, Attempt)]


async def tried(store, pods):
    """The same, as soon as its time is over."""
    clocks = [pod.clock for pod in pods]
    if isinstance(store, Near):  # a real one has a clock that nobody moves
        clocks.append(store._memory._wall.__self__)
    while not (trying := await all_try(pods)):
        for clock in clocks:
            clock.advance(0.05)
    return trying


async def test_a_quorum_opens_it_for_all(store):
    """After one exchange."""
    pods = await opened(store, 5, LONG)
    for pod in pods:
        assert pod.state == "open"
        assert pod.circuit().fleet
        assert isinstance(await pod.send(), Refusal)


async def test_of_calls_that_come_at_once_one_tries(store):
    """And when it has passed, again one. Then it is closed for all."""
    pods = await opened(store, 6)
    for passed in range(2):
        ((pod, attempt),) = await tried(store, pods)
        assert pod.circuit().passed == passed
        assert not await all_try([other for other in pods if other is not pod])
        pod.end(attempt)
        await pod.told()
    for each in pods:
        await each.exchange()
        assert each.state == "closed"


async def test_a_probe_that_fails_opens_it_for_all(store):
    """Nobody tries again at once."""
    pods = await opened(store, 3)
    ((pod, attempt),) = await tried(store, pods)
    pod.end(attempt, 500)
    await pod.told()
    for each in pods:
        await each.exchange()
        assert each.circuit().generation == pod.circuit().generation
        assert each.state == "open"
