"""Keys that agents make up: accounts that make room, come back, and come to their end."""

from proxy.state import leases, ledger
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.shared.fleet import Beat
from tests.fakes import Turn
from tests.state.fleets import World

CAP = Cap("work", "workflow", (Limit("total", 1_000),))
SHORT = Cap("work", "workflow", (Limit("total", 1_000),), ttl=60.0)


async def test_a_key_that_comes_back_keeps_what_it_is_given(monkeypatch):
    """What it gave back when it made room is told once, and not again when it has more."""
    monkeypatch.setattr(ledger, "MOST_KEYS", 1)
    world = World()
    first, second = [await world.pod(name, 1, CAP) for name in "ab"]
    assert await first.spend(100, "w1") == 1

    world.memory.breaks("a second long")  # it makes room, and cannot say so
    assert await first.reserve(100, "w2") == "budget_exceeded"
    world.memory.heals()
    await first.link.beat(Beat(first.link.pod, first.gathered, first.peers))

    grants = [await first.reserve(100, "w1") for _ in range(5)]
    assert all(isinstance(grant, Grant) for grant in grants)
    await world.lasts(4)
    went = 0
    while await second.spend(100, "w1"):
        went += 1
    assert went + 5 + 1 <= 10
    for grant in grants:
        assert isinstance(grant, Grant)
        first.settle(grant)
    await world.lasts(4)
    went += await first.spend(100, "w1", 9) + await second.spend(100, "w1", 9)
    assert went + 5 + 1 == 10
    await Turn()
    assert len(first.leases._shares) <= 2


async def test_what_nobody_uses_for_its_time_begins_anew():
    """In all pods; and one that uses it keeps it for all."""
    world = World()
    first, second = [await world.pod(name, 1, SHORT) for name in "ab"]
    assert await first.spend(100, "w", 10) == 10
    await world.lasts(50)
    assert await second.spend(100, "w") == 0
    await world.lasts(70)
    assert await second.spend(100, "w") + await first.spend(100, "w") == 2


async def test_what_is_under_way_stays_reserved_beyond_its_time():
    """By the store as well, which is told of it again and again."""
    world = World()
    first, second = [await world.pod(name, 1, SHORT) for name in "ab"]
    grant = await first.reserve(900, "w")
    assert isinstance(grant, Grant)
    await world.lasts(150)
    assert await second.spend(100, "w", 5) == 1
    await world.lasts(150)
    first.settle(grant)
    assert await second.spend(100, "w", 5) == 0


async def test_what_made_room_while_the_store_is_gone_is_bounded(monkeypatch):
    """An agent makes up keys, and calls go unguarded: not all of that can be remembered."""
    monkeypatch.setattr(ledger, "MOST_KEYS", 1)
    monkeypatch.setattr(leases, "_MOST_CLOSING", 5)
    world = World("allow")
    pod = await world.pod("a", 1, CAP)
    world.memory.breaks("gone")
    pod.link.fails("gone")
    for number in range(50):
        assert await pod.spend(100, f"w{number}") == 1
    assert len(pod.leases._shares) <= 7

    world.memory.heals()
    await world.lasts(6)
    assert len(pod.leases._shares) <= 1
    assert pod.leases._closing == {}


async def test_a_key_that_comes_back_goes_by_the_cap_of_now(monkeypatch):
    """It may be another one than when it made room."""
    monkeypatch.setattr(ledger, "MOST_KEYS", 1)
    world = World()
    pod = await world.pod("a", 1, CAP)
    assert await pod.spend(100, "w1") == 1
    world.memory.breaks("gone")
    pod.link.fails("gone")
    assert await pod.reserve(100, "w2") == "budget_exceeded"
    pod.caps = (Cap("work", "workflow", (Limit("total", 500),)),)
    pod.ledger.obey(pod.caps)

    account = pod.accounts("w1")[0]
    assert (account.cap, account.spent) == (pod.caps[0], 100)
