"""How an agent fares."""

import pytest

from proxy.observe.behaviour.rules import Rules
from proxy.observe.behaviour.wellness import Wellness

RULES = Rules()


def fares(calls: list[tuple[int, bool]], at: float = 1000.0):
    """After these: µs, and whether it failed."""
    wellness = Wellness()
    for us, bad in calls:
        wellness.note(at, RULES, us, bad=bad)
    return wellness.fares(at, RULES)


@pytest.mark.parametrize(
    ("bad", "state"),
    [(0, "healthy"), (5, "healthy"), (6, "degraded"), (10, "degraded"), (11, "critical")],
)
def test_errors(bad, state):
    """More than 5 %, more than 10 %; exactly so many are not more."""
    found = fares([(1000, i < bad) for i in range(100)])
    assert (found.state, found.errors) == (state, bad / 100)


@pytest.mark.parametrize(
    ("slow", "us", "state"),
    [
        (1, 4_000_000, "healthy"),
        (2, 3_000_000, "healthy"),
        (2, 3_000_001, "degraded"),
        (2, 5_000_001, "critical"),
        (1, 60_000_000, "healthy"),
    ],
)
def test_a_p99_is_counted_and_not_estimated(slow, us, state):
    """Over a limit is: more than one of a hundred took longer, to the microsecond."""
    found = fares([(us if i < slow else 1000, False) for i in range(100)])
    assert found.state == state


def test_few_calls_say_nothing():
    """Neither well nor ill; and of few durations there is no p99."""
    assert fares([(1000, True)] * 19).state == "unknown"
    found = fares([(9_000_000, False)] * 20)
    assert (found.state, found.p99) == ("healthy", None)


def test_what_says_nothing_of_time_is_left_out():
    """A model's answer takes as long as it is long."""
    found = fares([(-1, False)] * 200)
    assert (found.state, found.p99, found.calls) == ("healthy", None, 200)


def test_p99_is_shown_as_the_bound_of_its_bucket():
    """Of the last bucket, its lower bound."""
    assert fares([(1_500, False)] * 200).p99 == 0.0025
    assert fares([(10**10, False)] * 200).p99 == 600.0


def test_what_is_long_ago_does_not_count():
    """A window of five minutes, to a tenth of it."""
    wellness = Wellness()
    for _ in range(100):
        wellness.note(1000.0, RULES, 1000, bad=True)
    assert wellness.fares(1000.0 + 269, RULES).state == "critical"
    later = wellness.fares(1000.0 + 301, RULES)
    assert (later.state, later.calls) == ("unknown", 0)
    wellness.note(1301.0, RULES, 1000, bad=False)
    assert wellness.fares(1301.0, RULES).calls == 1
