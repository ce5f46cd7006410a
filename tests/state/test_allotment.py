"""What one limit allots in each of its windows."""

import json

import pytest

from proxy.clock import NEVER
from proxy.state.allotment import Allotment, allotted
from proxy.state.caps import Limit

NOW = 1_767_225_600.0
"""The first moment of 2026, UTC."""
HOUR = 3_600
ROLLING = Limit("rolling", 1_000, 600)


def made(limit: Limit, at: float = NOW) -> Allotment:
    """One that the clock was told to."""
    one = allotted(limit, "UTC")
    one.enter(at)
    return one


def again(one: Allotment, at: float) -> Allotment:
    """As a restart has it: through JSON."""
    new = allotted(one.limit, "UTC")
    new.restore(tuple(json.loads(json.dumps(one.kept()))))
    new.enter(at)
    return new


def test_what_is_spent_is_spent_in_the_window_that_is_on() -> None:
    """The next one is empty, and says when it ends."""
    one = made(Limit("hour", 1_000))
    one.spend(7)
    assert (one.spent, one.since, one.until, one.resets_at) == (7, NOW, NOW + HOUR, NOW + HOUR)
    one.enter(NOW + HOUR)
    assert (one.spent, one.resets_at) == (0, NOW + 2 * HOUR)


def test_a_total_never_ends() -> None:
    """No waiting makes room in it."""
    one = made(Limit("total", 1_000))
    one.spend(7)
    one.enter(NOW * 2)
    assert (one.spent, one.resets_at) == (7, NEVER)


def test_some_windows_before_are_remembered_and_no_more() -> None:
    """For a clock that jumps back: three, those that were left last."""
    one = made(Limit("hour", 1_000))
    for hour in range(6):
        one.enter(NOW + hour * HOUR)
        one.spend(hour + 1)
    assert len(one.kept()) == 4
    seen = []
    for hour in (2, 5, 3, 4, 1, 5):
        one.enter(NOW + hour * HOUR)
        seen.append(one.spent)
    assert seen == [3, 6, 4, 5, 0, 6]


def test_windows_survive_a_restart() -> None:
    """That which is on, those before, and the alerts that were raised."""
    one = made(Limit("hour", 1_000))
    one.spend(3)
    one.enter(NOW + HOUR)
    one.spend(800)
    one.alerted = 1
    new = again(one, NOW + HOUR + 5)
    assert (new.spent, new.alerted) == (800, 1)
    new.enter(NOW)
    assert (new.spent, new.alerted) == (3, 0)


def test_what_rolls_is_forgotten_part_by_part() -> None:
    """A sixtieth of it later than it might be, and never sooner."""
    one = made(ROLLING)
    one.spend(5)
    one.enter(NOW + 300)
    one.spend(6)
    one.enter(NOW + 609)
    assert one.spent == 11
    assert one.resets_at == NOW + 610
    one.enter(NOW + 610)
    assert one.spent == 6
    one.enter(NOW + 5_000)
    assert (one.spent, one.resets_at) == (0, NEVER)


def test_what_rolls_survives_a_restart() -> None:
    """Each part by its time; what is too old by then is gone."""
    one = made(ROLLING)
    one.spend(5)
    one.enter(NOW + 300)
    one.spend(6)
    one.alerted = 2
    new = again(one, NOW + 301)
    assert (new.spent, new.alerted, new.resets_at) == (11, 2, NOW + 610)
    late = again(one, NOW + 700)
    assert (late.spent, late.alerted) == (6, 2)
    assert again(one, NOW + 9_000).spent == 0


def test_a_restart_in_the_part_that_is_on_goes_on_with_it() -> None:
    """What is spent then is added to what was spent in it."""
    one = made(ROLLING)
    one.spend(5)
    new = again(one, NOW + 9)
    new.spend(1)
    assert new.spent == 6
    assert len(new.kept()) == 1


@pytest.mark.parametrize("limit", [ROLLING, Limit("hour", 1_000)])
def test_what_is_taken_over_replaces_what_was_there(limit: Limit) -> None:
    """A snapshot is the state, and nothing beside it."""
    one = made(limit)
    one.spend(9)
    one.restore(([NOW, 4, 0],))
    one.enter(NOW)
    assert one.spent == 4


def test_a_share_is_all_that_may_be_spent() -> None:
    """By this pod, of a limit that it has with others; a new window begins with nothing."""
    one = allotted(Limit("hour", 1_000), "UTC", leased=True)
    one.enter(NOW)
    assert one.room == 0
    one.share, one.others = 300, 200
    one.spend(100)
    assert (one.room, one.all_spent) == (200, 300)
    assert one.line == (int(one.since), 0, 0)
    assert one.parts() == {0: 100}
    one.remember(0, 50)
    assert one.room == 150

    one.enter(NOW + 3_600)
    assert (one.room, one.others) == (0, 0)
    one.enter(NOW)
    assert one.room == 0
    assert one.spent == 150


def test_what_rolls_out_is_anybodys() -> None:
    """Its share gets smaller by as much; what was forgotten finds its part again."""
    one = allotted(Limit("rolling", 1_000, 600), "UTC", leased=True)
    one.enter(NOW)
    one.share = 500
    one.spend(100)
    since, oldest, newest = one.line
    assert (since, newest - oldest) == (0, 60)
    assert one.parts() == {newest: 100}
    one.remember(newest, 20)
    one.remember(newest - 2, 30)
    one.remember(newest - 1, 5)
    assert one.parts() == {newest: 120, newest - 1: 5, newest - 2: 30}
    assert one.room == 345

    one.enter(NOW + 595)
    assert (one.spent, one.share, one.rolled) == (125, 470, 30)
    one.enter(NOW)
    assert (one.spent, one.share) == (155, 500)
    again = allotted(Limit("rolling", 1_000, 600), "UTC", leased=True)
    again.restore(one.kept())
    assert again.room == 0


def test_a_total_has_no_beginning() -> None:
    """Its line is the same for ever."""
    one = allotted(Limit("total", 1_000), "UTC", leased=True)
    one.enter(NOW)
    assert one.line == (0, 0, 0)
