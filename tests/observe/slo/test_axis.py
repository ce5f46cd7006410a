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
