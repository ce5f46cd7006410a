"""What limits are proposed."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.allocation import FEWEST, Proposal, Usage

DAY = 86_400


def used(costs: list[int], agent: str = "ann") -> Usage:
    """A task for each."""
    usage = Usage()
    for number, micros in enumerate(costs):
        usage.note(agent, str(number), micros)
    return usage


def proposed(usage: Usage, days: float = 1, safety: str = "3.0") -> list[Proposal]:
    """By agent."""
    return list(usage.proposals(int(days * DAY), Fraction(safety)))


def test_it_is_the_usual_task_times_safety_times_tasks_a_day() -> None:
    """One task that went wrong says nothing."""
    usage = used([*[1_000] * 60, 9_000_000])
    (one,) = proposed(usage, days=2)
    assert one == Proposal("ann", 61, 1_000, Fraction(61, 2), 91_500)


def test_calls_of_a_task_are_one() -> None:
    """Those that cost nothing are none."""
    usage = Usage()
    for number in range(FEWEST):
        for micros in (100, 200, 0):
            usage.note("ann", str(number), micros)
    usage.note("bob", "free", 0)
    (one,) = proposed(usage, safety="1")
    assert (one.tasks, one.per_task, one.day) == (FEWEST, 300, 300 * FEWEST)


@pytest.mark.parametrize(("tasks", "told"), [(FEWEST - 1, False), (FEWEST, True)])
def test_of_few_tasks_nothing_is_proposed(tasks: int, told: bool) -> None:
    """They are shown all the same."""
    (one,) = proposed(used([10] * tasks))
    assert (one.tasks, one.day is not None) == (tasks, told)


def test_an_hour_is_no_day() -> None:
    """What was not seen is not made up."""
    (one,) = proposed(used([10] * 40), days=1 / 24)
    assert one.a_day == 40


@given(st.lists(st.integers(1, 10**12), min_size=FEWEST, max_size=60), st.integers(1, 1_000))
def test_it_is_exact_and_never_too_little(costs: list[int], hundredths: int) -> None:
    """Rounded up, once, at the end."""
    safety = Fraction(hundredths, 100)
    (one,) = used(costs).proposals(3 * DAY, safety)
    ordered = sorted(costs)
    half, odd = divmod(len(costs), 2)
    middle = Fraction(ordered[half] if odd else ordered[half - 1] + ordered[half], 1 if odd else 2)
    exact = middle * safety * Fraction(len(costs), 3)
    assert one.day is not None
    assert exact <= one.day < exact + 1


def test_agents_are_told_apart() -> None:
    """In the order of their names; a task of one is not one of another."""
    usage = used([10] * 30, "bob")
    usage.note("ann", "0", 5)
    assert [(one.agent, one.tasks) for one in proposed(usage)] == [("ann", 1), ("bob", 30)]
