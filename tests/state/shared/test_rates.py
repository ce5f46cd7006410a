"""One limit that all pods have in common: what is drawn, comes back and is owed."""

import pytest

from proxy.state.memory import Memory
from proxy.state.shared.rates import VOID, Back, DrawUnits, Told
from proxy.state.store import Near, Unreachable
from tests.fakes import FakeClock

WITHIN = 5.0
HOUR = 3.6e9
"""Microseconds: while a test runs, nothing of that drains."""


def take(number=1, burst=10, interval=HOUR, **more):
    """A draw of so many that are needed, all or none."""
    said = {"least": number, "need": number, "want": number} | more
    return DrawUnits("c", 0, interval, burst, **said)


def back(told, units, **changes):
    """They are not used."""
    return Back(units, **({"end": told.end, "mark": told.mark, "shift": told.shift} | changes))


async def test_a_burst_and_then_nothing(store):
    """Whoever draws is told when all of it will have drained."""
    first = await store.ask(take(4), WITHIN)
    second = await store.ask(take(6), WITHIN)
    third = await store.ask(take(1), WITHIN)

    assert [told.given for told in (first, second, third)] == [4, 6, 0]
    assert first.ahead == pytest.approx(4 * HOUR, rel=0.01)
    assert third.ahead == pytest.approx(10 * HOUR, rel=0.01)
    assert first.mark == third.mark


async def test_keys_have_cells_of_their_own(store):
    """One that is used up says nothing of another."""
    await store.ask(take(10), WITHIN)

    assert (await store.ask(DrawUnits("d", 0, HOUR, 10, 1, 1, 1), WITHIN)).given == 1


async def test_it_gives_all_that_is_needed_or_what_there_is(store):
    """And nothing where not even the first can be served."""
    assert (await store.ask(take(least=3, need=12, want=12), WITHIN)).given == 10
    assert (await store.ask(take(least=1, need=5, want=5), WITHIN)).given == 0
    assert (await store.ask(DrawUnits("d", 0, HOUR, 10, 8, 8, 8), WITHIN)).given == 8
    assert (await store.ask(DrawUnits("d", 0, HOUR, 10, 3, 9, 9), WITHIN)).given == 0


async def test_what_nobody_needs_yet_is_given_from_plenty_only(store):
    """The less there is the less of it, down to what is needed now."""
    given = [
        (await store.ask(take(least=1, need=1, want=9, parts=4), WITHIN)).given for _ in range(6)
    ]
    assert given == [3, 2, 2, 1, 1, 1]
    assert (await store.ask(take(least=0, need=0, want=9), WITHIN)).given == 0


async def test_what_comes_back_is_free_again(store):
    """Once."""
    told = await store.ask(take(10), WITHIN)
    await store.ask(take(0, back=(back(told, 4),)), WITHIN)

    assert (await store.ask(take(4), WITHIN)).given == 4
    assert (await store.ask(take(1), WITHIN)).given == 0


async def test_all_that_comes_back_leaves_nothing_behind(store):
    """What is said of it once more is void."""
    told = await store.ask(take(10), WITHIN)
    after = await store.ask(take(0, back=(back(told, 10),)), WITHIN)
    assert after.ahead == 0.0

    await store.ask(take(10), WITHIN)
    await store.ask(take(0, back=(back(told, 10),)), WITHIN)

    assert (await store.ask(take(1), WITHIN)).given == 0


async def test_those_behind_what_came_back_have_moved_up(store):
    """Though nobody told them: what they give back has drained by as much more."""
    first = await store.ask(take(5), WITHIN)
    second = await store.ask(take(5), WITHIN)
    await store.ask(take(0, back=(back(first, 5),)), WITHIN)

    told = await store.ask(take(0, back=(back(second, 9),)), WITHIN)

    assert told.shift == pytest.approx(10 * HOUR, rel=0.01)
    assert told.ahead == 0.0


async def test_what_has_drained_does_not_come_back(store):
    """While it drained nothing else did."""
    told = await store.ask(take(10), WITHIN)
    drained = back(told, 10, end=0.0)

    assert (await store.ask(take(1, back=(drained,)), WITHIN)).given == 0


async def test_what_is_owed_is_waited_for(store):
    """Also beyond a burst; what was used without the store at most for a burst."""
    assert (await store.ask(take(0, alone=50), WITHIN)).ahead == pytest.approx(10 * HOUR, rel=0.01)
    assert (await store.ask(take(0, alone=3), WITHIN)).ahead == pytest.approx(10 * HOUR, rel=0.01)
    assert (await store.ask(take(0, debt=7), WITHIN)).ahead == pytest.approx(17 * HOUR, rel=0.01)
    assert (await store.ask(take(0, alone=1), WITHIN)).ahead == pytest.approx(17 * HOUR, rel=0.01)


async def test_nobody_waits_for_ever(store):
    """Whatever somebody says that he used."""
    assert (await store.ask(take(0, debt=2**52), WITHIN)).ahead == pytest.approx(1e15)


async def test_at_another_pace_as_many_are_left_to_drain(store):
    """A policy has changed; what was drawn before does not come back."""
    told = await store.ask(take(6), WITHIN)

    after = await store.ask(take(0, interval=HOUR / 60, burst=8), WITHIN)

    assert after.ahead == pytest.approx(6 * HOUR / 60, rel=0.01)
    assert after.mark != told.mark
    last = await store.ask(take(3, interval=HOUR / 60, burst=8, back=(back(told, 6),)), WITHIN)
    assert last.given == 0


async def test_fractions_are_not_lost(store):
    """A unit of a third of an hour: so many make an hour, to the burst's last one."""
    given = [(await store.ask(take(interval=HOUR / 3), WITHIN)).given for _ in range(11)]
    assert given == [1] * 10 + [0]


@pytest.mark.parametrize(
    "reply", [None, [1], [1, b"x", b"0", 1, b"0"], [1, b"nan", b"0", 1, b"0"], 7]
)
def test_an_answer_that_is_none_counts_as_none(reply):
    """Whoever gave it."""
    with pytest.raises(Unreachable):
        take(3).answer(reply)


def test_nobody_gets_more_than_he_wanted():
    """Whatever a store says."""
    assert take(3).answer([9, b"1", b"2", 7, b"3"]) == Told(3, 1.0, 2.0, 7, 3.0)


async def test_a_store_that_began_anew_hears_nothing(store):
    """Until the pod knows that it did, and has told what it used."""
    await store.ask(take(3), WITHIN)

    told = await store.ask(DrawUnits("c", 7, HOUR, 10, 1, 1, 1, debt=5), WITHIN)

    assert told.mark == VOID
    assert (await store.ask(take(0), WITHIN)).ahead == pytest.approx(3 * HOUR, rel=0.01)


def make():
    """A store in this process, and its clock."""
    clock = FakeClock()
    return Near(Memory(clock.wall)), clock


async def test_it_drains_with_the_time():
    """One after the other; when all has, nothing is kept of it."""
    store, clock = make()
    assert (await store.ask(take(10, interval=1e6), WITHIN)).given == 10
    clock.advance(3.0)
    assert (await store.ask(take(3, interval=1e6), WITHIN)).given == 3
    assert (await store.ask(take(1, interval=1e6), WITHIN)).given == 0
    clock.advance(10.0)
    assert (await store.ask(take(0, interval=1e6), WITHIN)).ahead == 0.0
    clock.advance(1.0)
    assert store._memory.seen("rate:c") is None
    assert (await store.ask(take(0, interval=1e6), WITHIN)).ahead == 0.0
    assert store._memory.seen("rate:c") is None


async def test_what_was_drawn_of_a_line_that_is_over_does_not_come_back():
    """All of it had drained; now another one drains, and others stand in it."""
    store, clock = make()
    told = await store.ask(take(10, interval=1e6), WITHIN)
    clock.advance(12.0)
    assert (await store.ask(take(10, interval=1e6), WITHIN)).given == 10
    late = take(1, interval=1e6, back=(back(told, 10),))
    assert (await store.ask(late, WITHIN)).given == 0


async def test_a_clock_that_goes_back_makes_nobody_wait_longer():
    """Another server's, after a failover: as much is left to drain as was, and another line."""
    store, clock = make()
    told = await store.ask(take(10, interval=1e6), WITHIN)
    clock.advance(-500.0)
    after = await store.ask(take(0, interval=1e6, back=(back(told, 10),)), WITHIN)
    assert after.ahead == pytest.approx(10e6)
    clock.advance(10.0)
    assert (await store.ask(take(10, interval=1e6), WITHIN)).given == 10
