"""Policies are loaded anew while shares are out: no limit is passed by it, nothing is lost."""

import msgspec

from proxy.state.allotment import ENDLESS
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from tests.state.fleets import World

CAP = Cap("fleet", "fleet", (Limit("day", 10_000),))
LESS = Cap("fleet", "fleet", (Limit("day", 1_000),))
COUNTS = msgspec.structs.replace(CAP, on_exceed="shadow")


def obeyed(world, *caps):
    """By all pods."""
    for pod in world.pods.values():
        pod.caps = caps
        pod.ledger.obey(caps)


async def test_a_limit_that_shrinks_holds_at_once():
    """What pods hold of the greater one is not spent beyond the smaller one."""
    world = World()
    pods = [await world.pod(name, 1, CAP) for name in "abc"]
    went = sum([await pod.spend() for pod in pods for _ in range(2)])
    assert world.held >= 2_000

    obeyed(world, LESS)
    for pod in pods:
        went += await pod.spend(times=30)

    assert went <= 10
    await world.lasts(3)
    for pod in pods:
        went += await pod.spends()
    assert went == 10


async def test_a_budget_that_only_counts_for_a_while_holds_nothing():
    """What it spends meanwhile was granted by nobody, and takes nothing from others when it is
    enforced again."""
    world = World()
    pods = [await world.pod(name, 1, CAP) for name in "ab"]
    for pod in pods:
        assert await pod.spend(times=3) == 3

    obeyed(world, COUNTS)
    assert [await pod.spend(times=5) for pod in pods] == [5, 5]
    await world.lasts(2)
    assert world.held <= 10_000
    for pod in pods:
        await pod.spend(times=5)
    await world.lasts(6)
    assert world.held == 0

    obeyed(world, CAP)
    await world.lasts(1)
    went = sum([await pod.spends() for pod in pods])
    assert went == 100 - 2 * (3 + 5 + 5)


async def test_a_budget_that_only_counts_while_others_enforce_it_invents_no_money():
    """The pods load their policies one after the other, and back."""
    world = World()
    first, second = [await world.pod(name, 1, CAP) for name in "ab"]
    went = await first.spend(times=3) + await second.spend(times=3)

    first.ledger.obey([COUNTS])
    grants = [await first.reserve(100) for _ in range(5)]
    await world.lasts(2)
    first.ledger.obey([CAP])
    await world.lasts(1)
    for grant in grants:
        assert isinstance(grant, Grant)
        first.settle(grant)
    went += 5
    went += await second.spends()
    went += await first.spends()
    assert went == 100


async def test_a_budget_that_is_removed_gives_back_what_it_holds():
    """And has it again when it is back."""
    world = World()
    first, second = [await world.pod(name, 1, CAP) for name in "ab"]
    went = await first.spend(times=3)
    obeyed(world)
    await world.lasts(6)
    assert world.held == 0

    obeyed(world, CAP)
    went += await second.spends()
    went += await first.spends()
    assert went == 100


async def while_asked(pod, then):
    """Done when the store has given something, and the pod has not heard it yet."""
    ask = pod.link._store.ask

    async def between(verb, within):
        answer = await ask(verb, within)
        then()
        pod.link._store.ask = ask
        return answer

    pod.link._store.ask = between
    return await pod.spend()


async def test_what_is_granted_of_a_limit_that_shrank_meanwhile_is_not_spent():
    """It goes back; and what is free of the smaller one is there."""
    world = World()
    pods = [await world.pod(name, 1, CAP) for name in "ab"]
    went = await while_asked(pods[0], lambda: obeyed(world, LESS))
    assert pods[0].accounts()[0].windows()[0].room <= 250

    await world.lasts(2)
    went += sum([await pod.spends() for pod in pods])
    assert went == 10


async def test_what_is_granted_to_a_budget_that_only_counts_by_now_goes_back():
    """Nobody else could have it."""
    world = World()
    pods = [await world.pod(name, 1, CAP) for name in "ab"]
    assert await while_asked(pods[0], lambda: obeyed(world, COUNTS)) == 1
    assert world.held > 0
    await world.lasts(3)
    assert world.held == 0
    assert pods[0].accounts()[0].windows()[0].share == ENDLESS
