"""A circuit that obeys another policy: what it has counted stays, whatever the window."""

import msgspec
import pytest

from proxy.state.circuit import CircuitRules, Event, State
from tests.state.test_circuit import STEADY, Subject

WINDOWS = [6.0, 600.0]  # the usual one has 60 s


def with_window(seconds: float, rules: CircuitRules = STEADY) -> CircuitRules:
    """The same rules with a window of another length."""
    return msgspec.structs.replace(rules, window=seconds)


@pytest.mark.parametrize("seconds", WINDOWS)
def test_a_row_goes_on(seconds: float) -> None:
    """Agents decide when something is compiled: they must not begin it anew."""
    subject = Subject()
    subject.fail(4)
    subject.circuit.follow(with_window(seconds))
    assert subject.circuit.closed
    subject.fail(1)
    assert subject.changes[0][2] == "consecutive"


@pytest.mark.parametrize("seconds", WINDOWS)
def test_a_rate_goes_on(seconds: float) -> None:
    """What was called, what failed, and what was slow."""
    rules = msgspec.structs.replace(STEADY, min_calls=6)
    failing = Subject(rules)
    for event in (Event.FAILURE, Event.SUCCESS, Event.FAILURE, Event.SUCCESS, Event.SUCCESS):
        failing.hear(event)
    failing.circuit.follow(with_window(seconds, rules))
    failing.hear(Event.FAILURE)
    assert failing.changes[0][2] == "rate"
    slow_rules = msgspec.structs.replace(rules, slow_rate=1.0)
    slow = Subject(slow_rules)
    for _ in range(5):
        slow.hear(Event.SUCCESS, slow=True)
    slow.circuit.follow(with_window(seconds, slow_rules))
    slow.hear(Event.SUCCESS, slow=True)
    assert slow.changes[0][2] == "slow"


@pytest.mark.parametrize("seconds", WINDOWS)
def test_another_window_takes_the_place_of_the_one_before(seconds: float) -> None:
    """And what leaves it is forgotten."""
    subject = Subject()
    subject.fail(3)
    subject.circuit.follow(with_window(seconds))
    assert (subject.circuit.window.length, subject.circuit.window.failures) == (seconds, 3)
    subject.now += seconds * 1.2 + 6.0
    subject.hear(Event.SUCCESS)
    assert subject.circuit.window.failures == 0


@pytest.mark.parametrize("seconds", WINDOWS)
def test_what_two_tools_did_goes_on(seconds: float) -> None:
    """What is held of them counts, as it did."""
    rules = msgspec.structs.replace(STEADY, min_calls=100)
    subject = Subject(rules)
    subject.fail(1, tool="deposit", held=True)
    subject.fail(3, tool="search", held=True)
    assert subject.circuit.closed
    subject.circuit.follow(with_window(seconds, rules))
    subject.fail(1, tool="search", held=True)
    assert subject.circuit.state is State.OPEN


@pytest.mark.parametrize("seconds", WINDOWS)
@pytest.mark.parametrize("before", ["nothing", "a success", "another tool long ago"])
def test_another_window_makes_no_failure_of_another_tool(seconds: float, before: str) -> None:
    """One tool alone does not open its upstream: not where none had failed, or one long ago."""
    subject = Subject()
    if before == "another tool long ago":
        subject.fail(1, tool="deposit", held=True)
        subject.now += 61.0
    if before != "nothing":
        subject.hear(Event.SUCCESS)
    subject.circuit.follow(with_window(seconds))
    subject.fail(20, tool="search", held=True)
    assert subject.circuit.closed


def test_an_open_circuit_stays_open() -> None:
    """Its time is not begun anew."""
    subject = Subject()
    subject.fail(5)
    subject.circuit.follow(with_window(600.0))
    assert subject.circuit.wait(subject.now) == pytest.approx(5.0)
