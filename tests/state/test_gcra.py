"""One limit, as arithmetic."""

from itertools import accumulate
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.clock import NEVER
from proxy.state.gcra import Gcra, Pace, Slot

TENTH = Pace(interval=0.1, burst=10)
ROUNDING = 1e-4


def admitted(limit: Gcra, now: float, most: int = 100) -> int:
    """So many calls that come at one moment go."""
    number = 0
    while number < most and limit.turn(1.0) <= now:
        limit.take(now, 1.0)
        number += 1
    return number


PACE = pytest.mark.parametrize("pace", [TENTH, Pace(1e-3, 1000), Pace(36.0, 100), Pace(0.7, 1)])


@PACE
@pytest.mark.parametrize("now", [0.0, 1000.0])
def test_a_burst_goes_at_once_and_no_more(now: float, pace: Pace) -> None:
    """All of it, for all that floats add up to."""
    assert admitted(Gcra(pace), now, 2000) == pace.burst


@PACE
@pytest.mark.parametrize("now", [1e6, 1e8])
def test_on_a_clock_that_runs_for_years_rounding_costs_one_call(now: float, pace: Pace) -> None:
    """At most, of a thousand that come at one moment; never is it one too many."""
    assert pace.burst - 1 <= admitted(Gcra(pace), now, 2000) <= pace.burst


def test_after_it_they_go_at_the_rate() -> None:
    """One each interval; a quiet time brings a burst back, and no more than that."""
    limit = Gcra(TENTH)
    assert admitted(limit, 0.0) == 10
    assert [admitted(limit, 0.1 * step) for step in range(1, 6)] == [1] * 5
    assert admitted(limit, 0.95) == 4
    assert admitted(limit, 3600.0) == 10


def test_the_wait_is_told_exactly() -> None:
    """At that moment it goes, a little earlier it does not; asking changes nothing."""
    limit = Gcra(TENTH)
    admitted(limit, 5.0)
    turn = limit.turn(3.0)
    assert turn == pytest.approx(5.3)
    assert limit.turn(3.0) == turn
    limit.take(turn, 3.0)
    assert limit.turn(1.0) == pytest.approx(5.4)


def test_what_is_more_than_a_burst_never_goes() -> None:
    """Not after any wait."""
    limit = Gcra(TENTH)
    assert limit.turn(10.0) <= 0.0
    assert (limit.turn(10.5), limit.turn_after(0.0, 10.5)) == (NEVER, NEVER)


def test_what_is_given_back_at_once_was_never_taken() -> None:
    """Nothing of it has drained."""
    limit = Gcra(TENTH)
    limit.take(1.0, 4.0)
    before = limit.turn(1.0)
    limit.give_back(limit.take(1.0, 6.0), 6.0, 1.0)
    assert limit.turn(1.0) == pytest.approx(before)


def test_what_has_drained_is_gone() -> None:
    """Of a piece that drains from 1.0 to 1.5, two fifths are left at 1.3."""
    limit = Gcra(TENTH)
    slot = limit.take(1.0, 5.0)
    limit.give_back(slot, 5.0, 1.3)
    assert limit.tat == pytest.approx(1.3)
    slot = limit.take(2.0, 5.0)
    limit.give_back(slot, 5.0, 9.0)
    assert limit.tat == pytest.approx(2.5)


def test_a_part_is_given_back_from_its_end() -> None:
    """What was used of it drains first."""
    limit = Gcra(TENTH)
    slot = limit.take(1.0, 5.0)
    limit.give_back(slot, 2.0, 1.1)
    assert limit.tat == pytest.approx(1.3)
    slot = limit.take(1.1, 5.0)
    limit.give_back(slot, 2.0, 1.7)
    assert limit.tat == pytest.approx(1.7)


def test_those_behind_move_up() -> None:
    """And so drain earlier: given back later, less of them is left."""
    limit = Gcra(TENTH)
    first, second, third = (limit.take(0.0, 3.0) for _ in range(3))
    limit.give_back(first, 3.0, 0.0)
    assert [second.start, third.start] == pytest.approx([0.0, 0.3])
    limit.take(0.6, 10.0)  # all of them have drained by now
    limit.give_back(third, 3.0, 0.6)
    assert limit.tat == pytest.approx(1.6)


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
def test_whatever_goes_back_first_all_of_it_is_free_again(order: tuple[int, ...]) -> None:
    """Calls cancelled together cost nothing, in any order."""
    limit = Gcra(TENTH)
    limit.take(0.0, 2.0)
    slots = [limit.take(0.0, 2.0) for _ in range(4)]
    for which in order:
        limit.give_back(slots[which], 2.0, 0.1)
    assert limit.tat == pytest.approx(0.2)


def test_what_was_kept_or_given_back_already_is_not_given_back() -> None:
    """Nor what was taken of another limit that stood here before."""
    limit = Gcra(TENTH)
    kept, given_back = limit.take(0.0, 3.0), limit.take(0.0, 3.0)
    limit.keep(kept)
    limit.give_back(given_back, 3.0, 0.0)
    for slot in (kept, given_back, Slot(0.0, 0.3)):
        limit.give_back(slot, 3.0, 0.0)
        limit.keep(slot)
    assert limit.tat == pytest.approx(0.3)


def test_who_used_more_than_he_took_is_paid_for_by_those_who_come_after() -> None:
    """Even over a burst."""
    limit = Gcra(TENTH)
    admitted(limit, 0.0)
    limit.charge(5.0, 0.0)
    assert limit.turn(1.0) == pytest.approx(0.6)
    limit.charge(10.0, 100.0)
    assert limit.turn(1.0) == pytest.approx(100.1)


@pytest.mark.parametrize("pace", [Pace(1.0, 10), Pace(0.01, 100), Pace(0.1, 5)])
def test_another_pace_forgets_nothing(pace: Pace) -> None:
    """So many calls as were left to drain are left."""
    limit = Gcra(TENTH)
    limit.take(-9.0, 10.0)
    limit.take(0.0, 3.0)
    limit.take(0.0, 4.0)
    limit.follow(pace, 0.2)
    assert (limit.tat - 0.2) / pace.interval == pytest.approx(5.0)
    assert limit.turn(pace.burst - 5.0) <= 0.2 + ROUNDING
    assert limit.turn(pace.burst - 4.0) == pytest.approx(0.2 + pace.interval)


def test_at_another_pace_what_is_given_back_is_as_many_calls_as_before() -> None:
    """Also of what had begun to drain."""
    limit = Gcra(TENTH)
    first, second = limit.take(0.0, 3.0), limit.take(0.0, 4.0)
    limit.follow(Pace(1.0, 10), 0.1)
    limit.give_back(second, 4.0, 0.1)
    assert limit.tat == pytest.approx(2.1)
    limit.give_back(first, 3.0, 0.1)
    assert limit.tat == pytest.approx(0.1)


def test_another_pace_for_what_is_idle_is_only_another_pace() -> None:
    """Nothing is owed."""
    limit = Gcra(TENTH)
    limit.follow(Pace(1.0, 2), 0.0)
    assert admitted(limit, 0.0) == 2
    limit.follow(TENTH, 50.0)
    assert admitted(limit, 50.0) == 10


class Taken(msgspec.Struct):
    """Something that went, when, and how much of it counts in the end."""

    at: float
    cost: float
    counts: float
    slot: Slot | None


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.0, 3.0)),
        st.tuples(st.just("take"), st.integers(1, 7)),
        st.tuples(st.just("wait"), st.integers(1, 7)),
        st.tuples(st.just("back"), st.integers(0, 30), st.floats(0.0, 1.0)),
        st.tuples(st.just("cancel"), st.integers(0, 30)),
        st.tuples(st.just("keep"), st.integers(0, 30)),
    ),
    max_size=50,
)
PACES = st.builds(Pace, st.sampled_from([0.1, 0.25, 1.0, 1 / 3]), st.integers(1, 8))


class History:
    """All that happens to one limit."""

    def __init__(self, pace: Pace) -> None:
        self.limit = Gcra(pace)
        self.pace = pace
        self.now = 1000.0
        self.taken: list[Taken] = []

    def step(self, what: str, *how: Any) -> None:
        """One thing."""
        if what == "pass":
            self.now += how[0]
        elif what in {"take", "wait"}:
            self._asks(float(how[0]), waits=what == "wait")
        elif live := [one for one in self.taken if one.slot is not None]:
            self._ends(live[how[0] % len(live)], what, *how[1:])

    def _asks(self, cost: float, *, waits: bool) -> None:
        before = self.limit.tat
        turn = self.limit.turn(cost)
        if waits and turn < NEVER:
            self.now = max(self.now, turn)
        if turn <= self.now:
            self.taken.append(Taken(self.now, cost, cost, self.limit.take(self.now, cost)))
        else:
            assert self.limit.tat == before

    def _ends(self, one: Taken, how: str, part: float = 1.0) -> None:
        assert one.slot is not None
        if how == "keep":
            self.limit.keep(one.slot)
        else:
            unused = one.cost * part
            self.limit.give_back(one.slot, unused, self.now)
            one.counts = one.cost - unused
        one.slot = None

    def holds(self) -> bool:
        """In each window that ends with the last that went, no more than rate · t + burst."""
        if not self.taken:
            return True
        last = self.taken[-1].at
        sums = accumulate(one.counts for one in reversed(self.taken))
        return all(
            total <= (last - one.at) / self.pace.interval + self.pace.burst + ROUNDING
            for one, total in zip(reversed(self.taken), sums, strict=True)
        )


@given(PACES, STEPS)
@settings(max_examples=500)
def test_never_more_than_rate_times_t_and_a_burst(pace: Pace, steps: list[Any]) -> None:
    """In any window, in any order of comings, with waits, with calls that are cancelled, and with
    pieces that are given back in part. What was given back does not count, for it was not sent."""
    history = History(pace)
    for step in steps:
        history.step(*step)
        assert history.holds()


@given(PACES, STEPS)
def test_nothing_is_lost_but_what_has_drained(pace: Pace, steps: list[Any]) -> None:
    """When all is given back that was not kept, no more is left than what was kept would leave, and
    what had drained meanwhile."""
    history = History(pace)
    for step in steps:
        history.step(*step)
    live = sum(one.slot is not None for one in history.taken)
    for _ in range(live):
        history.step("cancel", 0)
    kept = sum(one.counts for one in history.taken)
    assert history.limit.tat <= history.now + (kept + ROUNDING) * pace.interval
