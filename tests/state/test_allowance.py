"""The budget of repetitions."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.state.allowance import Allowance, RetryBudget
from tests.fakes import FakeClock, make_ground, make_target


def make(burst: int = 3, ratio: float = 0.2, per_minute: float = 0.0) -> Allowance:
    """A full one, at time 0."""
    allowance = Allowance(0.0)
    allowance.follow(RetryBudget(ratio=ratio, min_per_minute=per_minute, burst=burst))
    return allowance


def test_it_is_full_at_the_start() -> None:
    """A quiet agent's first failures may be repeated, up to the burst."""
    allowance = make(burst=3)
    assert [allowance.take(0.0) for _ in range(4)] == [True, True, True, False]


def test_original_calls_bring_their_share() -> None:
    """Ten calls at a tenth bring one repetition, though tenths do not add up in binary."""
    allowance = make(burst=1, ratio=0.1)
    assert allowance.take(0.0)
    for _ in range(9):
        allowance.earn()
    assert not allowance.take(0.0)
    allowance.earn()
    assert allowance.take(0.0)


def test_time_brings_the_minimum() -> None:
    """Five a minute is one in twelve seconds."""
    allowance = make(burst=1, per_minute=5.0)
    assert allowance.take(0.0)
    assert not allowance.take(11.9)
    assert allowance.take(12.0)


def test_what_is_given_back_can_be_taken_again() -> None:
    """A repetition that was never sent costs nothing."""
    allowance = make(burst=1)
    assert allowance.take(0.0)
    allowance.give_back()
    assert allowance.take(0.0)


def test_a_smaller_burst_holds_at_once() -> None:
    """A policy that lowers the burst is obeyed without waiting for tokens to be spent."""
    allowance = make(burst=10)
    allowance.follow(RetryBudget(min_per_minute=0.0, burst=1))
    assert [allowance.take(0.0), allowance.take(0.0)] == [True, False]


def test_an_upstream_has_one_for_all_who_ask() -> None:
    """Whoever repeats calls to an upstream spends the same tokens; another upstream has its own."""
    ground = make_ground(FakeClock())
    one = Allowance.of(ground, make_target())
    assert Allowance.of(ground, make_target(tool="other")) is one
    assert Allowance.of(ground, make_target(upstream="b")) is not one
    assert Allowance.of(ground, make_target(domain="core")) is not one
    assert not one.idle


@given(
    st.lists(st.tuples(st.sampled_from(["earn", "take", "wait"]), st.floats(0, 100)), max_size=80),
    st.integers(1, 5),
    st.floats(0, 1),
    st.floats(0, 60),
)
def test_never_more_than_was_brought(
    steps: list[tuple[str, float]], burst: int, ratio: float, per_minute: float
) -> None:
    """In any order of what happens: taken <= burst + calls * ratio + time * rate."""
    allowance = make(burst, ratio, per_minute)
    now, calls, taken = 0.0, 0, 0
    for what, seconds in steps:
        if what == "earn":
            allowance.earn()
            calls += 1
        elif what == "wait":
            now += seconds
        else:
            taken += allowance.take(now)
        assert taken <= burst + calls * ratio + now * per_minute / 60 + 1e-6


def test_what_is_left_is_seen_without_taking() -> None:
    """With what time has brought, and never more than the burst."""
    allowance = make(burst=2, per_minute=60.0)
    assert allowance.take(0.0)
    assert [allowance.left(0.5), allowance.left(0.5), allowance.left(9.0)] == [1.5, 1.5, 2.0]
