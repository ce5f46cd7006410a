"""The limits of one key, and the line of those who wait."""

from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.clock import NEVER
from proxy.state.cell import Cell, Grant, Waiter, too_late
from proxy.state.gcra import Pace
from tests.fakes import FakeClock

CALLS = Pace(interval=0.1, burst=2)
TOKENS = Pace(interval=0.01, burst=100)
ROUNDING = 1e-4


def make(pace: Pace = CALLS, used: int = 0) -> tuple[Cell, FakeClock]:
    """A cell of which so many calls were used just now, all of them sent."""
    clock = FakeClock()
    cell = Cell(pace, clock)
    for _ in range(used):
        grant = cell.take(clock.now(), 1.0)
        assert grant is not None
        cell.keep(grant, None)
    return cell, clock


def joined(cell: Cell, clock: FakeClock, number: int = 1, latest: float = NEVER) -> list[Waiter]:
    """So many who stand in the line."""
    return [cell.join(clock.now(), 1.0, latest) for _ in range(number)]


def served(waiters: list[Waiter]) -> list[bool]:
    """Who may go."""
    assert all(one.future.done() for one in waiters if one.grant is not None)
    return [one.grant is not None for one in waiters]


def test_it_goes_at_once_as_long_as_it_may() -> None:
    """Then not, and asking changes nothing."""
    cell, clock = make(used=2)
    assert cell.take(clock.now(), 1.0) is None
    assert cell.turn(clock.now(), 1.0) == pytest.approx(clock.now() + 0.1)
    clock.advance(0.1)
    assert cell.turn(clock.now(), 1.0) == clock.now()
    assert cell.take(clock.now(), 1.0) is not None


def test_tokens_that_were_not_used_go_back() -> None:
    """As far as the truth is known; without it the estimate holds."""
    cell, clock = make(TOKENS)
    now = clock.now()
    for used, free in ((None, 60.0), (40, 20.0), (10, 10.0)):
        grant = cell.take(now, 40.0 if used != 10 else 20.0)
        assert grant is not None
        cell.keep(grant, used)
        assert cell.turn(now, free) <= now < cell.turn(now, free + 1.0)


def test_more_tokens_than_were_taken_are_paid_for_later() -> None:
    """Those who come next wait for them."""
    cell, clock = make(TOKENS)
    grant = cell.take(clock.now(), 10.0)
    assert grant is not None
    cell.keep(grant, 150)
    assert cell.turn(clock.now(), 1.0) == pytest.approx(clock.now() + 0.51)


def test_what_was_not_sent_goes_back() -> None:
    """All of it."""
    cell, clock = make(TOKENS)
    for _ in range(5):
        grants = [cell.take(clock.now(), 50.0) for _ in range(2)]
        assert cell.take(clock.now(), 1.0) is None
        for grant in grants:
            assert grant is not None
            cell.give_back(grant)


@pytest.mark.parametrize(("pace", "cost"), [(CALLS, 1.0), (TOKENS, 10.0)])
def test_it_is_idle_when_all_has_drained(pace: Pace, cost: float) -> None:
    """Then it may be forgotten: a new one would be the same."""
    cell, clock = make(pace)
    assert cell.idle
    cell.take(clock.now(), cost)
    assert not cell.idle
    clock.advance(0.1)
    assert cell.idle


async def test_they_go_in_the_order_in_which_they_came() -> None:
    """Each at its turn, exactly."""
    cell, clock = make(used=2)
    waiters = joined(cell, clock, 3)
    assert [round(one.turn - clock.now(), 3) for one in waiters] == [0.1, 0.2, 0.3]
    assert cell.waiting == 3
    clock.advance(0.0999)
    assert served(waiters) == [False] * 3
    for gone in (1, 2, 3):
        clock.advance(0.1)
        assert served(waiters) == [True] * gone + [False] * (3 - gone)
    assert cell.waiting == 0


async def test_nobody_overtakes_the_line() -> None:
    """Be it ever so little that he wants, and though there would be enough for him."""
    cell, clock = make(TOKENS)
    assert cell.take(clock.now(), 50.0) is not None
    big = cell.join(clock.now(), 100.0, NEVER)
    assert cell.take(clock.now(), 1.0) is None
    assert cell.turn(clock.now(), 1.0) == pytest.approx(clock.now() + 0.51)
    small = cell.join(clock.now(), 1.0, NEVER)
    clock.advance(0.5)
    assert served([big, small]) == [True, False]
    clock.advance(0.01)
    assert served([small]) == [True]


async def test_a_line_is_idle_for_nobody() -> None:
    """Who waits is not forgotten."""
    cell, clock = make(used=2)
    joined(cell, clock)
    clock.time += 60.0  # and the alarm is late
    assert not cell.idle


async def test_who_leaves_frees_his_place_at_once() -> None:
    """The others move up."""
    cell, clock = make(used=2)
    waiters = joined(cell, clock, 3)
    cell.leave(waiters[0])
    assert cell.waiting == 2
    assert waiters[2].turn == pytest.approx(clock.now() + 0.2)
    clock.advance(0.2)
    assert served(waiters) == [False, True, True]
    cell.leave(waiters[0])
    assert cell.waiting == 0


async def test_who_leaves_when_he_was_just_served_gives_it_back() -> None:
    """The next one goes."""
    cell, clock = make(used=2)
    first, second = joined(cell, clock, 2)
    clock.advance(0.1)
    assert served([first, second]) == [True, False]
    cell.leave(first)
    assert served([second]) == [True]


async def test_the_last_who_leaves_stops_the_alarm_from_doing_anything() -> None:
    """It rings for nobody."""
    cell, clock = make(used=2)
    (waiter,) = joined(cell, clock)
    cell.leave(waiter)
    clock.advance(1.0)
    assert (served([waiter]), waiter.future.done()) == ([False], False)


async def test_who_was_cancelled_is_served_without_harm() -> None:
    """He has not left yet; then he gives it back."""
    cell, clock = make(used=2)
    (waiter,) = joined(cell, clock)
    waiter.future.cancel()
    clock.advance(0.1)
    cell.leave(waiter)
    assert cell.take(clock.now(), 1.0) is not None


async def test_what_is_given_back_lets_the_next_one_go() -> None:
    """At once."""
    cell, clock = make(used=1)
    grant = cell.take(clock.now(), 1.0)
    waiters = joined(cell, clock, 2)
    assert grant is not None
    cell.give_back(grant)
    assert served(waiters) == [True, False]
    assert waiters[1].turn == pytest.approx(clock.now() + 0.1)


async def test_who_cannot_have_his_turn_in_time_any_more_is_sent_away() -> None:
    """At once: a call used more tokens than it had said. Others wait on."""
    cell, clock = make(TOKENS)
    now = clock.now()
    grant = cell.take(now, 100.0)
    assert grant is not None
    hurried, patient = cell.join(now, 10.0, now + 0.2), cell.join(now, 10.0, now + 3.0)
    cell.keep(grant, 200)
    assert (hurried.future.done(), hurried.grant) == (True, None)
    assert hurried.turn == pytest.approx(now + 1.1)
    assert not patient.future.done()
    clock.advance(1.1)
    assert served([patient]) == [True]


async def test_all_may_be_sent_away() -> None:
    """The cell goes on."""
    cell, clock = make(TOKENS)
    now = clock.now()
    grant = cell.take(now, 100.0)
    waiters = [cell.join(now, 10.0, now + 0.3) for _ in range(2)]
    assert grant is not None
    cell.keep(grant, 200)
    assert [one.future.done() for one in waiters] == [True, True]
    clock.advance(2.0)
    assert cell.take(clock.now(), 100.0) is not None


async def test_a_late_timer_does_not_make_up_for_lost_time() -> None:
    """With a burst of one, who is served late makes the next one later; the told turn follows."""
    cell, clock = make(Pace(0.1, 1), used=1)
    waiters = joined(cell, clock, 3)
    clock.time += 0.15
    clock.advance(0.0)
    assert served(waiters) == [True, False, False]
    assert waiters[2].turn == pytest.approx(clock.now() + 0.2)


async def test_several_whose_turn_has_come_go_together() -> None:
    """A late timer lets all go that may, where a burst allows it."""
    cell, clock = make(used=2)
    waiters = joined(cell, clock, 4)
    clock.time += 0.25
    clock.advance(0.0)
    assert served(waiters) == [True, True, False, False]


async def test_another_pace_moves_the_line() -> None:
    """A faster one lets it go; a slower one sends away who has no time for it."""
    cell, clock = make(used=2)
    (waiter,) = joined(cell, clock)
    cell.follow(CALLS)
    assert served([waiter]) == [False]
    cell.follow(Pace(0.1, 3))
    assert served([waiter]) == [True]
    (waiter,) = joined(cell, clock, latest=clock.now() + 0.5)
    cell.follow(Pace(10.0, 3))
    assert (waiter.future.done(), waiter.grant) == (True, None)


async def test_who_wants_more_than_a_new_burst_is_sent_away() -> None:
    """However long he would wait: nobody stands behind him for ever."""
    cell, clock = make(TOKENS)
    cell.take(clock.now(), 100.0)
    waiter, other = cell.join(clock.now(), 50.0, NEVER), cell.join(clock.now(), 5.0, NEVER)
    cell.follow(Pace(0.01, 20))
    assert (waiter.future.done(), waiter.grant, waiter.turn) == (True, None, NEVER)
    clock.advance(60.0)
    assert served([other]) == [True]


def test_a_new_one_may_owe_what_is_left_in_another() -> None:
    """He who used the other one has not got another burst."""
    other, clock = make(TOKENS)
    other.take(clock.now(), 90.0)
    cell = Cell(TOKENS, clock)
    cell.owe(other)
    assert cell.take(clock.now(), 11.0) is None
    assert cell.take(clock.now(), 10.0) is not None


def test_one_that_only_would_have_waited_counts_from_his_turn() -> None:
    """As many would be waiting as have their turn in the future."""
    cell, clock = make(used=2)
    for _ in range(2):
        cell.borrow(cell.turn(clock.now(), 1.0), 1.0)
    assert cell.borrowed(clock.now()) == 2
    assert cell.turn(clock.now(), 1.0) == pytest.approx(clock.now() + 0.3)
    clock.advance(0.15)
    assert cell.borrowed(clock.now()) == 1
    clock.advance(0.1)
    assert cell.borrowed(clock.now()) == 0


def test_what_comes_too_late() -> None:
    """Never is too late for everybody."""
    assert too_late(NEVER, NEVER)
    assert too_late(2.0, 1.0)
    assert not too_late(1.0, 1.0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0.0, 2.0)),
        st.tuples(st.just("come"), st.integers(1, 4), st.floats(0.0, 3.0)),
        st.tuples(st.just("come"), st.integers(1, 4), st.floats(0.0, 3.0)),
        st.tuples(st.just("leave"), st.integers(0, 20)),
        st.tuples(st.just("end"), st.integers(0, 20), st.sampled_from(["unsent", "known", "sent"])),
    ),
    max_size=50,
)
PACES = st.builds(Pace, st.sampled_from([0.1, 0.2, 0.5]), st.integers(4, 8))


class Went:
    """One that was let through."""

    def __init__(self, at: float, grant: Grant) -> None:
        self.at = at
        self.grant = grant
        self.ended = False
        self.cost = grant.cost


class History:
    """All that happens to one cell."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.cell, self.clock = make(pace)
        self.went: list[Went] = []
        self.line: list[Waiter] = []  # in the order in which they came

    def step(self, what: str, *how: Any) -> None:
        """One thing, and who is served by it."""
        getattr(self, f"_{what}")(*how)
        self._look()

    def _pass(self, seconds: float) -> None:
        """Step by step, so that it is known when they were served."""
        end = self.clock.now() + seconds
        while self.line and (due := min(alarm.due for alarm in self.clock.alarms)) <= end:
            self.clock.advance(max(0.0, due - self.clock.now()))
            self._look()
        self.clock.advance(max(0.0, end - self.clock.now()))

    def _come(self, cost: int, patience: float) -> None:
        now, cell = self.clock.now(), self.cell
        grant = cell.take(now, cost)
        if grant is not None:
            assert not self.line  # nobody was overtaken
            self.went.append(Went(now, grant))
            return
        turn, latest = cell.turn(now, cost), now + patience
        assert turn > now
        if cell.waiting < 3 and not too_late(turn, latest):
            self.line.append(cell.join(now, cost, latest))
            assert self.line[-1].turn == turn

    def _leave(self, which: int) -> None:
        if self.line:
            waiter = self.line.pop(which % len(self.line))
            turns = [one.turn for one in self.line]
            self.cell.leave(waiter)
            assert all(
                one.turn <= before + ROUNDING for one, before in zip(self.line, turns, strict=True)
            )

    def _end(self, which: int, how: str) -> None:
        live = [one for one in self.went if not one.ended]
        if not live:
            return
        one = live[which % len(live)]
        one.ended = True
        if how == "unsent":
            self.cell.give_back(one.grant)
            one.cost = 0.0
        else:
            used = int(one.cost) // 2
            self.cell.keep(one.grant, used if how == "known" else None)
            one.cost = used if how == "known" else one.cost

    def _look(self) -> None:
        now = self.clock.now()
        gone = [one for one in self.line if one.grant is not None]
        assert gone == self.line[: len(gone)]  # in their order
        for waiter in gone:
            assert waiter.grant is not None
            assert now <= waiter.turn + ROUNDING  # never later than it was told
            self.went.append(Went(now, waiter.grant))
        self.line = self.line[len(gone) :]
        assert self.cell.waiting == len(self.line)
        assert not any(one.future.done() for one in self.line)  # nobody is sent away

    def holds(self) -> bool:
        """The promise."""
        if not self.went:
            return True
        last, pace = self.went[-1].at, self.pace
        sums = accumulate(one.cost for one in reversed(self.went))
        return all(
            total <= (last - one.at) / pace.interval + pace.burst + ROUNDING
            for one, total in zip(reversed(self.went), sums, strict=True)
        )


@given(PACES, STEPS)
@settings(max_examples=300)
async def test_a_line_keeps_its_order_its_turns_and_the_promise(
    pace: Pace, steps: list[Any]
) -> None:
    """Whoever comes, leaves, is cancelled or uses less than he took: they go in the order in which
    they came, never later than they were told, and never more than rate · t + burst."""
    history = History(pace)
    for step in steps:
        history.step(*step)
        assert history.holds()
    history.step("pass", 100.0)
    assert history.line == []
    history.step("pass", 100.0)
    assert history.cell.idle
