"""The cells of one limit, and what becomes of names that are made up."""

import gc
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st

from proxy.clock import NEVER
from proxy.state.cell import Cell
from proxy.state.cells import Cells
from proxy.state.gcra import Pace
from tests.fakes import FakeClock

SLOW = Pace(interval=10.0, burst=1)
FAST = Pace(interval=1.0, burst=1)


class Rate(Cells):
    """Cells, as a gate asks for them."""

    def of(self, key: Hashable) -> Cell:
        """It follows."""
        cell = super().of(key)
        cell.follow(self.pace)
        return cell


def make(most: int = 3) -> tuple[Rate, FakeClock]:
    """Room for so many."""
    clock = FakeClock()
    return Rate(SLOW, clock, most), clock


def goes(cell: Cell, clock: FakeClock) -> bool:
    """Does a call go that comes now?"""
    return cell.take(clock.now(), 1.0) is not None


def test_a_key_has_one_cell() -> None:
    """Another key has another one."""
    cells, clock = make()
    assert goes(cells.of("a"), clock)
    assert not goes(cells.of("a"), clock)
    assert goes(cells.of("b"), clock)


def test_the_one_asked_for_longest_ago_makes_room() -> None:
    """If nothing of it is left to drain."""
    cells, _ = make()
    first = cells.of("a")
    for key in "bcabd":
        cells.of(key)
    assert first.kept
    gone = [key for key in "abcd" if not cells.peek(key).kept]
    assert gone == ["c"]


def test_who_makes_up_names_does_not_get_another_burst() -> None:
    """What still drains is not pushed out; who finds no room shares one cell with the others."""
    cells, clock = make()
    went = [goes(cells.of(key), clock) for key in "abcdef"]
    assert went == [True, True, True, True, False, False]
    assert not any(goes(cells.of(key), clock) for key in "abc")
    gc.collect()
    assert cells.of("d") is cells.of("e")


def test_who_shared_a_cell_and_finds_room_owes_what_was_left_in_it() -> None:
    """Or he would have two bursts."""
    cells, clock = make(most=1)
    assert goes(cells.of("a"), clock)
    clock.advance(6.0)
    assert goes(cells.of("b"), clock)
    clock.advance(4.0)
    assert cells.of("b").kept
    assert not goes(cells.of("b"), clock)
    clock.advance(6.0)
    assert goes(cells.of("b"), clock)


def test_what_is_owed_is_owed_at_the_new_pace() -> None:
    """As with any other cell."""
    cells, clock = make(most=1)
    assert goes(cells.of("a"), clock)
    clock.advance(9.0)
    assert goes(cells.of("b"), clock)
    clock.advance(1.0)
    cells.follow(FAST)
    assert not goes(cells.of("b"), clock)
    clock.advance(0.9)
    assert goes(cells.of("b"), clock)


def test_there_is_room_again_when_the_time_has_come() -> None:
    """Names of yesterday are forgotten."""
    cells, clock = make()
    for key in "abcd":
        assert goes(cells.of(key), clock)
    clock.advance(10.0)
    assert all(goes(cells.of(key), clock) for key in "xyz")
    assert all(cells.of(key).kept for key in "xyz")


def test_making_room_looks_at_a_few_only() -> None:
    """The others are looked at the next time: it costs no call more than a moment."""
    cells, clock = make(most=20)
    for key in range(20):
        assert goes(cells.of(key), clock)
        clock.advance(0.1)
    for key in range(10, 20):
        cells.of(key)
    for key in range(10):
        cells.of(key)
    clock.advance(8.95)  # of 20 cells the first 10 have drained, and stand behind the others
    assert [cells.of(f"new {number}").kept for number in range(3)] == [False, True, True]


def test_what_somebody_holds_is_not_made_twice() -> None:
    """A pipeline's cell made room while it was idle; asked for again it is the same, and is kept
    if there is room."""
    cells, clock = make(most=1)
    held = cells.of("a")
    cells.of("b")
    assert not held.kept
    assert cells.of("a") is held
    assert held.kept
    cells.of("b")
    assert goes(cells.of("b"), clock)
    assert cells.of("a") is held  # there is no room, but it is there
    assert not held.kept


def test_all_follow_another_pace() -> None:
    """When they are asked for; nothing is forgotten."""
    cells, clock = make()
    assert goes(cells.of("a"), clock)
    cells.follow(FAST)
    assert not goes(cells.of("a"), clock)
    clock.advance(1.0)
    assert goes(cells.of("a"), clock)


async def test_those_who_wait_follow_at_once() -> None:
    """Perhaps nobody asks for their cell again for as long as they stand there."""
    cells, clock = make()
    cell, idle = cells.of("a"), cells.of("b")
    assert goes(cell, clock)
    waiter = cell.join(clock.now(), 1.0, NEVER)
    cells.follow(FAST)
    assert idle.pace is SLOW
    clock.advance(1.0)
    assert waiter.grant is not None


def test_a_look_makes_nothing() -> None:
    """What is not there is as good as new."""
    cells, clock = make()
    assert goes(cells.peek("a"), clock)
    assert goes(cells.of("a"), clock)
    assert not goes(cells.peek("a"), clock)


def test_an_equal_pace_is_the_same() -> None:
    """A gate sees by one look that nothing has changed."""
    cells, _ = make()
    cells.follow(Pace(10.0, 1))
    assert cells.pace is SLOW
    cells.follow(FAST)
    assert cells.pace is FAST


def test_it_stays_in_the_keep() -> None:
    """Whatever else would like its place."""
    assert Cells.idle is False


@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0, 4)), max_size=60), st.integers(1, 5))
def test_no_key_goes_faster_than_it_may(calls: list[tuple[int, float]], most: int) -> None:
    """However many keys there are for however little room."""
    cells, clock = make(most)
    last: dict[int, float] = {}
    for key, seconds in calls:
        clock.advance(seconds)
        if goes(cells.of(key), clock):
            assert clock.now() - last.get(key, 0.0) >= 10.0 - 1e-4
            last[key] = clock.now()
        assert sum(cells.peek(name).kept for name in range(10)) <= most
