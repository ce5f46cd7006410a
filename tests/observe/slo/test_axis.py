"""The axis of rings: it only grows, whatever the wall does."""

from proxy.observe.slo.axis import Axis
from tests.fakes import EPOCH, FakeClock


class Clock(FakeClock):
    """Whose wall may jump."""

    ahead = 0.0

    def wall(self) -> float:
        return super().wall() + self.ahead


def test_it_begins_with_the_wall_and_goes_with_the_other_clock() -> None:
    """A wall that jumps is told by the offset alone."""
    clock = Clock()
    axis = Axis(clock)
    assert (axis.now(), axis.offset) == (0, 0)
    began = axis.begin()
    assert began == EPOCH + clock.time
    clock.advance(10)
    clock.ahead = -500
    assert (axis.now(), axis.offset) == (began + 10, -500)


def test_a_restart_puts_it_on_by_what_has_passed() -> None:
    """What the wall said before is where it was; what it says now, where it is."""
    clock = Clock()
    axis = Axis(clock)
    before = clock.wall() - 1000
    axis.load(before - 500, 500.0)  # the wall had jumped by 500 then
    assert (axis.now(), axis.offset) == (before - 500, 500.0)
    assert axis.reach(before + 100) == before - 400
    assert axis.reach(before + 50) == before - 400  # records need not stand in their order
    assert axis.begin() == clock.wall() - 500
    assert axis.offset == 500


def test_a_wall_that_went_back_holds_it() -> None:
    """No slot is written twice, and from there it goes on."""
    clock = Clock()
    axis = Axis(clock)
    axis.load(clock.wall() + 3600, 0.0)
    began = axis.begin()
    assert began == clock.wall() + 3600
    clock.advance(5)
    assert axis.now() == began + 5


def test_in_a_drill_it_goes_faster() -> None:
    """With the clock of windows."""
    clock = Clock(drill=60)
    axis = Axis(clock)
    began = axis.begin()
    clock.advance(2)
    assert axis.now() == began + 120


def test_records_of_a_drill_are_as_far_apart_as_they_were() -> None:
    """They tell the real time; the first one, and what a start says, is where the wall was."""
    clock = Clock(drill=60)
    axis = Axis(clock)
    began = axis.reach(EPOCH, 60)
    assert began == EPOCH
    assert axis.reach(EPOCH + 10, 60) == began + 600
    assert axis.reach(EPOCH + 5, 60) == began + 600
    assert axis.reach(EPOCH + 30) == began + 620  # a start: nobody was there


def test_a_snapshot_of_a_drill_is_gone_on_from() -> None:
    """Records behind it are told from where it was, and so is the next process."""
    clock = Clock(drill=60)
    before = Axis(clock)
    began = before.begin()
    clock.advance(10)
    after = Axis(clock)
    after.load(before.now(), before.offset)
    clock.advance(10)
    assert after.reach(clock.wall(), 60) == before.now() == began + 1200
    assert after.begin() == began + 1200
