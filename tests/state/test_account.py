"""An account: reserve, settle, and where it is full."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.clock import NEVER
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.periods import period

NOW = 1_767_225_600.0
"""The first moment of 2026, UTC."""


def account(*limits: Limit, at: float = NOW, key: str = "", **more: object) -> Account:
    """Of a cap with these limits, and all promised."""
    made = Account(Cap("agent", "agent", limits, **more), key, at)  # type: ignore[arg-type]  # of a test
    made.promise(1 << 60)
    return made


HOUR = Limit("hour", 1_000)
DAY = Limit("day", 2_000)


def spend(one: Account, micros: int, at: float = NOW) -> None:
    """Reserved, and settled to just that."""
    if not one.since <= at < one.until:
        one.enter(at)
    one.reserve(micros)
    one.settle(micros, micros, at)


def spent(one: Account) -> list[int]:
    """In each of its windows."""
    return [each.spent for each in one.windows()]


def kept(one: Account) -> Any:
    """What its limits remember, as it is read from a snapshot."""
    return json.loads(one.row())[-1]


def test_there_is_room_up_to_the_limit_and_not_beyond() -> None:
    """To the micro-dollar."""
    one = account(HOUR)
    assert one.has_room(1_000)
    assert not one.has_room(1_001)
    one.reserve(1_000)
    assert not one.has_room(1)
    assert one.has_room(0)


def test_what_is_settled_takes_the_place_of_what_was_reserved() -> None:
    """What was too much is free again."""
    one = account(HOUR)
    one.reserve(900)
    one.settle(900, 100, NOW)
    assert (one.spent, one.reserved, spent(one)) == (100, 0, [100])
    assert one.has_room(900)
    assert not one.has_room(901)


def test_all_limits_count() -> None:
    """The fullest one says no."""
    one = account(HOUR, DAY)
    spend(one, 1_000)
    spend(one, 1_000, NOW + 3_600)
    one.enter(NOW + 7_200)
    assert spent(one) == [0, 2_000]
    assert not one.has_room(1)
    assert [each.limit for each in one.fullest(1)] == [DAY]


def test_a_new_window_is_empty() -> None:
    """It begins by itself, and what is reserved counts in it."""
    one = account(HOUR)
    spend(one, 700)
    one.reserve(300)
    one.enter(NOW + 3_600)
    assert (spent(one), one.reserved) == ([0], 300)
    assert one.has_room(700)
    assert not one.has_room(701)
    one.settle(300, 300, NOW + 3_601)
    assert spent(one) == [300]


def test_a_clock_that_jumps_back_finds_what_was_spent() -> None:
    """Nobody spends an hour's money twice in the same hour."""
    one = account(HOUR)
    spend(one, 1_000)
    spend(one, 400, NOW + 3_600)
    one.enter(NOW)
    assert spent(one) == [1_000]
    one.enter(NOW + 3_600)
    assert spent(one) == [400]


def test_what_was_dearer_than_reserved_is_charged_in_full() -> None:
    """And told as overrun, as far as it is beyond the limit."""
    one = account(HOUR)
    one.reserve(900)
    one.settle(900, 1_200, NOW)
    assert (spent(one), one.overrun) == ([1_200], 200)
    assert not one.has_room(1)


def test_alerts_are_raised_once_in_a_window() -> None:
    """At three quarters and at nine tenths, and again in the next hour."""
    one = account(HOUR)
    spend(one, 749)
    assert one.spent < one.quiet_below
    spend(one, 1)
    assert one.spent >= one.quiet_below
    assert [each.share for each in one.passed()] == [750_000]
    spend(one, 250)
    assert [(each.share, each.spent) for each in one.passed()] == [(900_000, 1_000)]
    assert list(one.passed()) == []
    spend(one, 800, NOW + 3_600)
    assert [each.share for each in one.passed()] == [750_000]


def test_a_promise_is_for_a_little_more_than_is_asked() -> None:
    """So that the next who comes need not wait; and never for more than there is."""
    one = Account(Cap("agent", "agent", (Limit("day", 10_000),)), "", NOW)
    assert one.wants(50)
    assert one.ask(50) == 150
    assert one.ask(50) == 200  # who asks at the same time
    one.promise(200)
    assert not one.wants(200)
    one.reserve(151)
    assert one.wears_thin(1)
    one.ask(9_849)
    assert one.asked == 10_000
    one.promise(10_000)
    one.reserve(9_849)
    assert not one.wears_thin(0)


def test_a_key_that_nobody_uses_is_forgotten() -> None:
    """After its time to live; a call in flight keeps it."""
    one = account(Limit("total", 1_000), ttl=60.0)
    spend(one, 800)
    assert one.until == NOW + 60
    one.reserve(100)
    one.enter(NOW + 61)
    assert spent(one) == [800]
    one.settle(100, 100, NOW + 61)
    one.enter(NOW + 122)
    assert spent(one) == [0]
    assert one.spent == 900


def test_other_limits_keep_what_was_spent() -> None:
    """A reload changes what may be, not what was."""
    one = account(HOUR, DAY)
    spend(one, 600)
    one.obey(Cap("agent", "agent", (Limit("hour", 700), Limit("month", 9_000))), NOW)
    assert [(each.limit.window, each.spent) for each in one.windows()] == [
        ("hour", 600), ("month", 0),
    ]  # fmt: skip
    assert not one.has_room(101)


def test_another_zone_has_other_days() -> None:
    """What was spent in the days of before is of no day of now; a total is."""
    one = account(DAY, Limit("total", 5_000))
    spend(one, 600)
    one.obey(Cap("agent", "agent", (DAY, Limit("total", 5_000)), zone="Asia/Tokyo"), NOW)
    assert spent(one) == [0, 600]


def test_without_a_limit_there_is_always_room() -> None:
    """Only what is spent is known then."""
    one = account()
    assert one.has_room(10**15)
    assert one.until == NEVER


ROLLING = Limit("rolling", 1_000, seconds=600)


def test_a_rolling_window_forgets_bit_by_bit() -> None:
    """Never sooner than its time, and a sixtieth later at most."""
    one = account(ROLLING)
    spend(one, 600, NOW)
    spend(one, 400, NOW + 300)
    one.enter(NOW + 600)
    assert spent(one) == [1_000]
    one.enter(NOW + 610)
    assert spent(one) == [400]
    assert next(iter(one.windows())).resets_at == NOW + 910


def test_a_rolling_window_is_found_by_a_clock_that_was_ahead() -> None:
    """Once forward and back does not empty it; also over a restart."""
    one = account(ROLLING)
    spend(one, 600, NOW)
    spend(one, 300, NOW + 300)
    one.enter(NOW + 90_000)
    assert spent(one) == [0]
    spend(one, 50, NOW + 90_000)
    again = account(ROLLING, at=NOW + 90_000)
    again.restore(950, 950, kept(one))
    for each in (one, again):
        each.enter(NOW + 310)
        assert spent(each) == [950]
        each.enter(NOW + 615)
        assert spent(each) == [350]
        each.enter(NOW + 950)
        assert spent(each) == [0]


def test_a_rolling_window_keeps_what_a_clock_spent_ahead() -> None:
    """It counts from when the clock came back on."""
    one = account(ROLLING)
    spend(one, 600, NOW + 86_400)
    one.enter(NOW)
    assert spent(one) == [600]
    one.enter(NOW + 599)
    assert spent(one) == [600]
    one.enter(NOW + 620)
    assert spent(one) == [0]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), st.integers(0, 400)),
        st.tuples(st.just("settle"), st.integers(0, 500)),
        st.tuples(st.just("pass"), st.integers(-9_000, 90_000)),
    ),
    max_size=60,
)


class Model:
    """An account, and beside it plain sums by window."""

    def __init__(self, zone: str) -> None:
        self.zone = zone
        self.limits = (HOUR, DAY, Limit("month", 5_000), Limit("total", 20_000))
        self.one = account(*self.limits, zone=zone)
        self.now = NOW
        self.told = [NOW]
        self.open: list[int] = []
        self.sums: dict[tuple[str, float], int] = {}
        self.came_back: set[tuple[str, float]] = set()  # into these, with something reserved

    def at(self, limit: Limit) -> tuple[str, float]:
        """The window of a limit that is on."""
        return limit.window, period(limit.window, self.zone, self.now)[0]

    def step(self, what: str, number: int) -> None:
        """Do it to both."""
        if what == "pass":
            self.jump(number)
        elif what == "reserve" and self.one.has_room(number):
            self.one.reserve(number)
            self.open.append(number)
        elif what == "settle" and self.open:
            reserved = self.open.pop(0)
            spent_now = min(number, reserved)
            self.one.settle(reserved, spent_now, self.now)
            for limit in self.limits:
                self.sums[self.at(limit)] = self.sums.get(self.at(limit), 0) + spent_now

    def jump(self, seconds: int) -> None:
        """The clock goes on, or back; not too often, for only so many windows are remembered."""
        before = set(map(self.at, self.limits))
        self.now += seconds
        if len(self.told) > 3:
            self.now = max(self.now, *self.told)
        self.told.append(self.now)
        if self.open:  # back, or forth again to where it was before
            entered = set(map(self.at, self.limits)) - before
            self.came_back |= {at for at in entered if self.sums.get(at)}
        self.one.enter(self.now)

    def agrees(self) -> None:
        """What is spent is the sum, and there is room for what is reserved."""
        for each in self.one.windows():
            at = self.at(each.limit)
            assert each.spent == self.sums.get(at, 0)
            fits = each.spent + self.one.reserved <= each.limit.micros
            assert fits or at in self.came_back
        assert self.one.reserved == sum(self.open)


@given(STEPS)
@pytest.mark.parametrize("zone", ["UTC", "Europe/Madrid", "Australia/Lord_Howe"])
def test_it_agrees_with_a_plain_model(zone: str, steps: list[tuple[str, int]]) -> None:
    """Whatever is reserved, settled, and however the clock jumps. Only where it came back into a
    window may what was reserved meanwhile be more than that has room for."""
    model = Model(zone)
    for what, number in steps:
        model.step(what, number)
        model.agrees()


ROLLS = Limit("rolling", 1_000, 600)


def test_an_alert_of_what_rolls_is_raised_again() -> None:
    """When half of what it is for was not spent any more; there is no end of a window there."""
    one = account(ROLLS)
    spend(one, 800)
    assert [each.share for each in one.passed()] == [750_000]
    spend(one, 100, NOW + 300)
    assert [each.share for each in one.passed()] == [900_000]
    one.enter(NOW + 620)  # 100 are left
    spend(one, 649, NOW + 621)
    assert list(one.passed()) == []
    spend(one, 1, NOW + 622)
    assert [each.share for each in one.passed()] == [750_000]


def test_an_alert_that_stays_near_is_raised_once() -> None:
    """It does not come with each part that is forgotten."""
    one = account(ROLLS)
    spend(one, 400)
    spend(one, 400, NOW + 300)
    assert len(list(one.passed())) == 1
    one.enter(NOW + 620)
    spend(one, 400, NOW + 621)
    assert list(one.passed()) == []


def test_fewer_alerts_after_a_reload() -> None:
    """Those that are gone are forgotten, and those that are left are not raised again."""
    one = account(HOUR)
    spend(one, 950)
    assert len(list(one.passed())) == 2
    one.obey(Cap("agent", "agent", (HOUR,), alert_at=(500_000,)), NOW)
    assert list(one.passed()) == []
    one.obey(Cap("agent", "agent", (HOUR,), alert_at=()), NOW)
    assert list(one.passed()) == []


def test_who_looks_sees_the_window_that_is_on() -> None:
    """Not the one in which somebody last spent something."""
    one = account(HOUR, DAY)
    spend(one, 900)
    one.reserve(50)
    assert [each.spent for each in one.windows()] == [900, 900]
    assert [each.spent for each in one.windows(NOW + 3_600)] == [0, 900]
    assert one.reserved == 50
    assert [each.spent for each in one.windows(NOW)] == [900, 900]


def test_a_limit_that_is_new_begins_empty_after_a_restart() -> None:
    """What was kept of others is theirs."""
    one = account(HOUR)
    spend(one, 900)
    new = account(HOUR, DAY)
    new.restore(one.spent, one.promised, kept(one))
    assert [each.spent for each in new.windows(NOW)] == [900, 0]


def test_nobody_is_promised_more_than_there_is() -> None:
    """However many ask at once, or ask again: it counts as spent after a crash, also in longer
    windows that have more room."""
    one = Account(Cap("agent", "agent", (Limit("day", 10_000), Limit("month", 900_000))), "", NOW)
    assert max(one.ask(1_000) for _ in range(1_000)) == 10_000


def test_who_is_let_go_beyond_a_limit_is_promised_what_it_needs() -> None:
    """A person has said so."""
    one = Account(Cap("agent", "agent", (Limit("day", 1_000),), on_exceed="approve"), "", NOW)
    one.promise(one.ask(1_000))
    one.reserve(1_000)
    assert one.ask(500) == 1_500


def test_what_only_counts_is_promised_ahead_beyond_its_limit() -> None:
    """Else each call would wait for the disk, for a budget that stops nobody."""
    one = Account(Cap("agent", "agent", (Limit("day", 10_000),), on_exceed="shadow"), "", NOW)
    one.reserve(20_000)
    one.promise(one.ask(0))
    assert one.promised == 20_100
    assert not one.wants(50)
    assert one.wears_thin(60)


def test_what_the_journal_refused_is_not_asked_for_twice() -> None:
    """A call that is refused for it wants nothing any more."""
    one = Account(Cap("agent", "agent", (Limit("day", 100_000),)), "", NOW)
    for _ in range(5):
        assert one.ask(1_000) == 2_000
        one.refused()
    assert one.asked == one.promised == 0


def test_a_row_is_made_anew_where_something_has_changed() -> None:
    """A snapshot is made on the loop, of all accounts there are."""
    one = account(HOUR, ROLLING)
    rows = [one.row()]
    assert one.row() is rows[0]

    def changed() -> None:
        assert one.row() not in rows
        rows.append(one.row())
        assert one.row() is rows[-1]

    spend(one, 800)
    changed()
    assert list(one.passed())
    changed()
    one.ask(1 << 61)
    changed()
    one.enter(NOW + 3_600)
    changed()
    one.obey(Cap("agent", "agent", (DAY,)), NOW)
    changed()
    one.raised("day", 900_000, NOW)
    changed()
    one.restore(5, 5, [])
    changed()


WIDER, NARROWER = Limit("rolling", 1_000, seconds=6_000), Limit("rolling", 1_000, seconds=60)


@pytest.mark.parametrize("restarted", [False, True])
@pytest.mark.parametrize(
    ("other", "at", "left"),
    [
        (WIDER, 300, 700), (WIDER, 599, 700), (WIDER, 6_099, 700), (WIDER, 6_110, 300),
        (WIDER, 6_500, 0), (NARROWER, 300, 300), (NARROWER, 360, 300), (NARROWER, 380, 0),
    ],
)  # fmt: skip
def test_another_length_of_a_rolling_window_forgets_nothing(
    other: Limit, at: float, left: int, restarted: bool
) -> None:
    """What was spent in so long a time is spent; never is it forgotten sooner than it might be."""
    one = account(ROLLING)
    spend(one, 400, NOW)
    spend(one, 300, NOW + 300)
    if restarted:
        again = account(other, at=NOW + 301)
        again.restore(700, 700, kept(one))
    else:
        again = one
        again.obey(Cap("agent", "agent", (other,)), NOW + 301)
    again.enter(NOW + at)
    assert spent(again) == [left]


def test_a_rolling_window_that_is_new_begins_with_nothing() -> None:
    """What is spent in a day may have been so long before."""
    one = account(DAY)
    spend(one, 600)
    one.obey(Cap("agent", "agent", (DAY, ROLLING)), NOW)
    assert spent(one) == [600, 0]
