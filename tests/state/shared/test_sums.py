"""Sums of a fleet: each thing that was counted counts once, whatever becomes of messages."""

import secrets

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.endpoint import Endpoint
from proxy.state.memory import Memory
from proxy.state.redis import RedisStore
from proxy.state.shared import sums
from proxy.state.shared.fleet import Pod
from proxy.state.shared.sums import KEPT, Minute, Summed, Sums, SumsByMinute, TellSums
from proxy.state.store import Near
from tests.fakes import EPOCH, FakeClock

WITHIN = 5.0
A, B = Pod("a", 1, "x"), Pod("b", 1, "y")
NAMES = ("calls", "failed")


async def tell(store, pod, *told, of="all"):
    """Of minutes, each with its counts."""
    await store.ask(TellSums(pod, of, tuple(Minute(*each) for each in told)), WITHIN)


async def asked(store, minutes=5, names=NAMES, of="all") -> Summed:
    return await store.ask(Sums(of, minutes, names), WITHIN)


@pytest.fixture
async def now(store) -> int:
    """The minute that runs; tests have it in the middle of what they ask for."""
    return (await asked(store)).at // 60_000


async def test_what_pods_counted_is_added_up(store, now):
    """Over pods and minutes; what was never counted is zero."""
    await tell(store, A, (now, {"calls": 3}), (now - 1, {"calls": 10, "failed": 2}))
    await tell(store, B, (now, {"calls": 4}))

    found = await asked(store)
    assert found.counts == {"calls": 17, "failed": 2}
    assert found.pods == ("a", "b")
    assert (await asked(store, names=("other",))).counts == {"other": 0}
    assert (await asked(store, names=())).counts == {}


async def test_nothing_was_told(store):
    """Then all is zero, and nobody told it."""
    found = await asked(store)
    assert (found.counts, found.pods) == ({"calls": 0, "failed": 0}, ())


async def test_what_is_told_twice_or_late_counts_once(store, now):
    """An answer was lost, or a message came after a later one."""
    await tell(store, A, (now, {"calls": 3}))
    await tell(store, A, (now, {"calls": 3}))
    await tell(store, A, (now, {"calls": 8, "failed": 1}))
    await tell(store, A, (now, {"calls": 3}))

    assert (await asked(store)).counts == {"calls": 8, "failed": 1}


async def test_another_life_counts_from_zero(store, now):
    """What the one before counted stays, also if it is told only now."""
    await tell(store, A, (now, {"calls": 8}))
    await tell(store, Pod("a", 2, "z"), (now, {"calls": 2}))
    await tell(store, A, (now, {"calls": 9}))

    found = await asked(store)
    assert (found.counts["calls"], found.pods) == (11, ("a",))


async def test_what_was_counted_of_something_else_is_apart(store, now):
    """It has sums of its own."""
    await tell(store, A, (now, {"calls": 8}))
    await tell(store, A, (now, {"calls": 1}), of="slow")

    assert (await asked(store)).counts["calls"] == 8
    assert (await asked(store, of="slow")).counts["calls"] == 1


async def test_each_minute_by_itself(store, now):
    """Also one in which nobody counted anything; what nobody told of is not there."""
    await tell(store, A, (now, {"calls": 3}), (now - 1, {}), (now - 3, {"failed": 2}))
    await tell(store, B, (now, {"calls": 4, "other": 1}))

    found = await by_minute(store, 10 * KEPT)
    assert abs(found.at - now * 60_000) < 180_000
    assert found.minutes == (
        Minute(now - 3, {"calls": 0, "failed": 2}),
        Minute(now - 1, {"calls": 0, "failed": 0}),
        Minute(now, {"calls": 7, "failed": 0}),
    )
    assert [each.minute for each in (await by_minute(store, 2)).minutes] == [now - 1, now]
    assert (await by_minute(store, 2, ())).minutes == (Minute(now - 1, {}), Minute(now, {}))
    assert (await by_minute(store, 2, of="slow")).minutes == ()


async def by_minute(store, minutes, names=NAMES, of="all"):
    return await store.ask(SumsByMinute(of, minutes, names), WITHIN)


async def test_minutes_that_are_over_are_not_in_it(store, now):
    """Nor who told of nothing else."""
    await tell(store, A, (now - 9, {"calls": 8}))
    await tell(store, B, (now - 1, {"calls": 1}))

    found = await asked(store)
    assert (found.counts["calls"], found.pods) == (1, ("b",))
    assert (await asked(store, 12)).pods == ("a", "b")
    await tell(store, B, (now - 9, {"calls": 5}))
    assert (await asked(store)).pods == ("b",)


async def test_only_minutes_near_now_are_taken(store, now):
    """The others are of a clock that is wrong, or long past."""
    far = [(now + 3, {"calls": 1}), (now - KEPT - 1, {"calls": 1})]
    await tell(store, A, *far, (now - KEPT + 3, {"calls": 5}))

    found = await asked(store, 10 * KEPT)
    assert (found.counts["calls"], found.pods) == (5, ("a",))
    await tell(store, B, *far)
    assert (await asked(store, KEPT)).pods == ("a",)


async def test_a_minute_has_room_for_so_many(store, now, monkeypatch):
    """Those that are there count on; no other is added."""
    monkeypatch.setattr(sums, "MOST", 2)
    await tell(store, A, (now, {"calls": 1}))
    await tell(store, B, (now, {"calls": 1}))
    await tell(store, A, (now, {"calls": 2}))

    found = await asked(store)
    assert (found.counts["calls"], found.pods) == (2, ("a",))


async def test_there_are_so_many_names(store, now, monkeypatch):
    """Of one process in a minute; others are passed over. Nor are more asked for."""
    monkeypatch.setattr(sums, "MOST_NAMES", 2)
    await tell(store, A, (now, {"a": 0, "b": 1, "c": 1, "d": 1}))
    await tell(store, A, (now, {"d": 2, "c": 5}))
    await tell(store, B, (now, {"d": 7}))

    assert (await asked(store, names=("b", "c", "d"))).counts == {"b": 1, "c": 5}
    assert (await asked(store, names=("d",))).counts == {"d": 7}


async def test_great_numbers_stay_whole(store, now):
    """Below 2 ** 53."""
    await tell(store, A, (now, {"calls": 2**52}))
    await tell(store, A, (now, {"calls": 2**52 + 1}))
    await tell(store, B, (now, {"calls": 2**52 - 7}))

    assert (await asked(store)).counts["calls"] == 2**53 - 6


async def test_what_is_kept_ends():
    """An hour later, and who told it with it."""
    clock = FakeClock()
    near = Near(Memory(clock.wall))
    now = int(EPOCH + clock.time) // 60
    await tell(near, A, (now, {"calls": 8}))
    clock.advance((KEPT - 1) * 60.0)
    await tell(near, B, (now + KEPT - 1, {"calls": 1}))
    assert (await asked(near, KEPT)).counts["calls"] == 9
    clock.advance(60.0)
    await tell(near, B, (now + KEPT, {"calls": 1}))
    found = await asked(near, KEPT)
    assert (found.counts["calls"], found.pods) == (2, ("b",))
    assert near._memory.of(sums._tellers("all"), dict).keys() == {"b"}


async def test_all_that_is_kept_in_a_real_store_ends(server, request):
    """Nothing of it stays for ever."""
    fleet = secrets.token_hex(4)
    store = RedisStore(Endpoint(hosts=(("127.0.0.1", server.port),)), fleet, WITHIN)
    now = (await asked(store)).at // 60_000
    await tell(store, A, (now, {"calls": 1}))
    client = store._client
    keys = [name async for name in client.scan_iter(f"*{fleet}*")]
    left = [await client.pttl(name) for name in keys]
    await store.close()
    assert len(keys) == 2
    assert all(0 < each <= KEPT * 60_000 for each in left)


def test_what_the_store_says_is_read():
    """Whoever can write to it may have put anything there."""
    told = Sums("all", 5, ("calls",)).answer([7, [b"12"], [b"\xff"]])
    assert told == Summed(7, {"calls": 12}, ("�",))


# --- all orders ---

PODS = (A, B, Pod("a", 2, "z"))
TOLD = st.lists(
    st.tuples(
        st.sampled_from(PODS),
        st.lists(
            st.tuples(
                st.integers(-2, 0), st.dictionaries(st.sampled_from(NAMES), st.integers(0, 20))
            ),
            max_size=3,
        ),
    ),
    max_size=12,
)


@pytest.fixture(scope="module")
def shared(server):
    """For many fleets."""
    return server


@given(told=TOLD)
async def test_the_sum_is_of_the_most_that_each_has_said(shared, told):
    """In whatever order, and however often; in a real store as in its definition."""
    real = RedisStore(Endpoint(hosts=(("127.0.0.1", shared.port),)), secrets.token_hex(4), WITHIN)
    most: dict[tuple[Pod, int, str], int] = {}
    try:
        now = (await asked(real)).at // 60_000
        clock = FakeClock()
        clock.advance(now * 60.0 + 30.0 - EPOCH - clock.time)
        near = Near(Memory(clock.wall))
        for pod, minutes in told:
            for store in (real, near):
                await tell(store, pod, *((now + ago, counts) for ago, counts in minutes))
            for ago, counts in minutes:
                for name, number in counts.items():
                    said = most.get((pod, ago, name), 0)
                    most[pod, ago, name] = max(said, number)
        found = [await asked(store, 10) for store in (real, near)]
    finally:
        await real.close()
    expected = {name: sum(n for (_, _, of), n in most.items() if of == name) for name in NAMES}
    assert [each.counts for each in found] == [expected, expected]
    assert found[0].pods == found[1].pods
