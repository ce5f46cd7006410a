"""The buckets of a circuit."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.state.window import BUCKETS, Window

WIDTH = 2.0
STEPS = st.lists(
    st.tuples(st.integers(0, 90), st.sampled_from(["call", "failure", "hold", "slow_call"])),
    max_size=60,
)


def counted(window: Window) -> tuple[int, int, int, int]:
    """What a window holds."""
    return window.calls, window.failures, window.held, window.slow


@given(STEPS)
def test_sums_equal_a_recount_of_everything_that_happened(steps: list[tuple[int, str]]) -> None:
    """Whatever happens when, the running sums are those of the calls in the last ten buckets."""
    window = Window(WIDTH * BUCKETS)
    now, happened = 0.0, []
    for quarters, what in steps:
        now += quarters / 4
        window.call(now)
        if what != "call":
            getattr(window, what)()
        happened.append((int(now / WIDTH), what))
        recent = [kind for tick, kind in happened if tick > int(now / WIDTH) - BUCKETS]
        naive = [recent.count(kind) for kind in ("failure", "hold", "slow_call")]
        assert counted(window) == (len(recent), *naive)


def test_time_alone_empties_it() -> None:
    """`turn` forgets what is too old without anything being added."""
    window = Window(60.0)
    window.call(1000.0)
    window.failure()
    window.turn(1001.0)
    window.turn(1055.0)
    assert window.calls == 1
    window.turn(1056.0)
    assert counted(window) == (0, 0, 0, 0)


def test_an_earlier_time_counts_as_the_latest() -> None:
    """Results may come a little out of order; none is lost, and time does not go back."""
    window = Window(10.0)
    window.call(1000.0)
    window.call(998.0)
    assert (window.calls, window.tick) == (2, 1000)


def test_clear_forgets_counts_and_not_the_time() -> None:
    """After clearing, the buckets go on where they were."""
    window = Window(10.0)
    window.call(1003.0)
    window.clear()
    window.call(1004.0)
    assert (window.calls, window.tick) == (1, 1004)


@given(st.floats(0.001, 1e5), st.lists(st.floats(0, 1e4), max_size=30))
def test_any_width_keeps_up_with_the_time(length: float, gaps: list[float]) -> None:
    """However lengths and times are rounded, a call is counted and never more than came."""
    window = Window(length)
    now = 1e6
    for number, gap in enumerate(gaps, 1):
        now += gap
        window.call(now)
        assert 1 <= window.calls <= number


@given(STEPS, st.floats(0.5, 500))
def test_another_length_keeps_what_was_counted(steps: list[tuple[int, str]], length: float) -> None:
    """All of it, as if it were of now: it is there for as long as the other window lasts."""
    window, now = Window(WIDTH * BUCKETS), 1000.0
    for quarters, what in steps:
        now += quarters / 4
        window.call(now)
        if what != "call":
            getattr(window, what)()
    other = window.of_length(length)
    assert counted(other) == counted(window)
    other.turn(now)
    if length > WIDTH * 2:  # what was of now is at most half a bucket older than that
        assert counted(other) == counted(window)
    other.turn(now + WIDTH + length * 1.2)
    assert counted(other) == (0, 0, 0, 0)


def test_another_length_of_a_window_without_any_time() -> None:
    """It has not begun: any time is good for it."""
    other = Window(60.0).of_length(10.0)
    assert (other.length, other.tick, counted(other)) == (10.0, -1, (0, 0, 0, 0))
    other.call(3.0)
    assert (other.calls, other.tick) == (1, 3)


def test_the_window_before_is_left_as_it_was() -> None:
    """Nothing is shared."""
    window = Window(10.0)
    window.call(1003.0)
    other = window.of_length(20.0)
    other.call(1004.0)
    assert (window.calls, other.calls) == (1, 2)


@given(STEPS, st.integers(0, 200))
def test_who_only_looks_sees_what_turning_would_leave(
    steps: list[tuple[int, str]], later: int
) -> None:
    """At any moment, and the window stays as it is."""
    window = Window(WIDTH * BUCKETS)
    now = 0.0
    for quarters, what in steps:
        now += quarters / 4
        window.call(now)
        if what != "call":
            getattr(window, what)()
    before = counted(window)
    seen = window.seen(now + later / 4)
    assert counted(window) == before
    window.turn(now + later / 4)
    assert counted(window) == tuple(seen)
