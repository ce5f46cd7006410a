"""The table of a circuit."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from proxy.attempt import Attempt
from proxy.keys import NEWS
from proxy.news import CircuitChange, News
from proxy.news import Event as Told
from proxy.state.circuit import BUSY, Circuit, Event, Outcome, State
from proxy.state.circuit_rules import CircuitRules
from tests.fakes import make_attempt, make_ground, make_target

NOW = 1000.0
STEADY = CircuitRules(jitter=0.0)
Change = tuple[str, str, str, float]


class Subject:
    """A circuit with its changes, and a clock to drive it by."""

    def __init__(
        self, rules: CircuitRules = STEADY, chance: Callable[[], float] = lambda: 0.5
    ) -> None:
        self.now = NOW
        self.changes: list[Change] = []
        self.circuit = Circuit(rules, chance, lambda *change: self.changes.append(change[:4]))

    def attempt(self) -> Attempt:
        """One that begins now."""
        return make_attempt(started=self.now)

    def hear(self, event: Event, attempt: Attempt | None = None, **more: Any) -> str:
        """It came to this, a moment after it began."""
        attempt = attempt or self.attempt()
        self.now += 0.01
        more = {"tool": "search"} | more
        return self.circuit.settle(attempt, Outcome(event, self.now, **more))

    def fail(self, times: int, **more: Any) -> None:
        """So many failures."""
        for _ in range(times):
            self.hear(Event.FAILURE, **more)

    def probe(self, event: Event, **more: Any) -> str:
        """Wait until it may be probed, take the lease, and come to this."""
        self.now += self.circuit.wait(self.now)
        assert self.circuit.wait(self.now) == 0.0
        attempt = self.attempt()
        self.circuit.lease(attempt, self.now + 50.0)
        return self.hear(event, attempt, **more)


def opened(rules: CircuitRules = STEADY) -> Subject:
    """One that has just opened."""
    subject = Subject(rules)
    subject.fail(rules.consecutive)
    assert subject.circuit.state is State.OPEN
    return subject


# --- closed → open ---


def test_failures_in_a_row_open_it() -> None:
    """After `consecutive` of them, and not one earlier, it opens for the first open time."""
    subject = Subject()
    subject.fail(4)
    assert subject.circuit.closed
    subject.fail(1)
    assert subject.changes == [("closed", "open", "consecutive", 5.0)]


def test_a_success_ends_a_row() -> None:
    """Rows begin anew after each success; with few calls in the window, rates do not count yet."""
    subject = Subject(msgspec.structs.replace(STEADY, min_calls=100))
    for _ in range(5):
        subject.fail(4)
        subject.hear(Event.SUCCESS)
    assert subject.circuit.closed


def test_a_rate_opens_it_once_there_are_enough_calls() -> None:
    """Every second call fails: no row, but at `min_calls` the rate is reached."""
    subject = Subject(msgspec.structs.replace(STEADY, min_calls=6))
    for _ in range(2):
        subject.hear(Event.SUCCESS)
        subject.hear(Event.FAILURE)
    subject.hear(Event.SUCCESS)
    assert subject.circuit.closed
    subject.hear(Event.FAILURE)
    assert subject.changes[0][2] == "rate"


def test_a_rate_below_the_limit_does_not_open_it() -> None:
    """One failure in three is less than half."""
    subject = Subject()
    for _ in range(30):
        subject.hear(Event.SUCCESS)
        subject.hear(Event.SUCCESS)
        subject.hear(Event.FAILURE)
    assert subject.circuit.closed


def test_old_failures_do_not_count_in_a_rate() -> None:
    """What has left the window is forgotten."""
    subject = Subject()
    subject.hear(Event.SUCCESS)
    subject.fail(3)
    subject.now += 61.0
    subject.hear(Event.SUCCESS)
    for _ in range(4):
        subject.hear(Event.SUCCESS)
    subject.fail(3)
    assert subject.circuit.closed


def test_slow_answers_open_it() -> None:
    """Successes, but most of them slow: open at the slow rate."""
    subject = Subject(msgspec.structs.replace(STEADY, slow_rate=0.8))
    subject.hear(Event.SUCCESS)
    for _ in range(3):
        subject.hear(Event.SUCCESS, slow=True)
    assert subject.circuit.closed
    subject.hear(Event.SUCCESS, slow=True)
    assert subject.changes == [("closed", "open", "slow", 5.0)]


@pytest.mark.parametrize("event", [Event.ANSWERED, Event.THROTTLED, Event.NOTHING])
def test_other_outcomes_are_neutral_in_closed(event: Event) -> None:
    """They neither open it, nor end a row, nor thin out a rate."""
    subject = Subject()
    subject.fail(4)
    for _ in range(20):
        assert subject.hear(event) == ""
    assert subject.circuit.closed
    subject.fail(1)
    assert subject.circuit.state is State.OPEN


# --- of an upstream: what is held ---


def test_one_tool_alone_does_not_open_its_upstream() -> None:
    """However often it fails: its own circuit sees to it."""
    subject = Subject()
    subject.fail(50, tool="search", held=True)
    assert subject.circuit.closed


def test_two_tools_make_all_that_was_held_count() -> None:
    """The first failure of a second tool brings the four of the first into the row."""
    subject = Subject()
    subject.fail(4, tool="search", held=True)
    subject.fail(1, tool="deposit", held=True)
    assert subject.changes[0][2] == "consecutive"


def test_two_tools_make_what_was_held_count_in_the_rate() -> None:
    """Successes in between end the row, but not the rate."""
    subject = Subject()
    subject.hear(Event.SUCCESS)
    subject.fail(2, tool="search", held=True)
    subject.hear(Event.SUCCESS)
    subject.fail(1, tool="deposit", held=True)
    assert subject.changes[0][2] == "rate"


def test_a_second_tool_that_failed_long_ago_does_not_count() -> None:
    """Both must have failed within the window."""
    subject = Subject()
    subject.fail(1, tool="deposit", held=True)
    subject.now += 61.0
    subject.fail(20, tool="search", held=True)
    assert subject.circuit.closed


def test_failures_of_the_host_count_whatever_the_tool() -> None:
    """No connection is no tool's fault."""
    subject = Subject()
    subject.fail(5, tool="search")
    assert subject.circuit.state is State.OPEN


def test_a_held_failure_of_one_tool_decides_no_probe() -> None:
    """Opened by its host; one tool's own error says nothing about that: the lease goes back."""
    subject = opened()
    subject.now += 61.0
    assert subject.probe(Event.FAILURE, tool="deposit", held=True) == "given_back"
    assert subject.circuit.state is State.HALF_OPEN


def test_a_held_failure_fails_a_probe_while_other_tools_fail_as_well() -> None:
    """Opened by two tools; the next one that fails shows that it is still so."""
    subject = Subject()
    subject.fail(4, tool="search", held=True)
    subject.fail(1, tool="deposit", held=True)
    assert subject.probe(Event.FAILURE, tool="search", held=True) == "failed"


# --- open → half-open → closed ---


def test_open_lets_nothing_through_before_its_time() -> None:
    """It says how long there is to wait."""
    subject = opened()
    assert subject.circuit.wait(subject.now) == pytest.approx(5.0)
    assert subject.circuit.wait(subject.now + 4.0) == pytest.approx(1.0)
    assert subject.circuit.state is State.OPEN


def test_probes_in_a_row_close_it() -> None:
    """Two by default; one is not enough."""
    subject = opened()
    assert subject.probe(Event.SUCCESS) == "passed"
    assert subject.circuit.state is State.HALF_OPEN
    assert subject.probe(Event.SUCCESS) == "passed"
    assert subject.circuit.closed
    assert [change[2] for change in subject.changes[1:]] == ["open_time_over", "probes_passed"]


def test_a_callers_error_is_a_recovery() -> None:
    """Somebody was there to complain."""
    subject = opened()
    subject.probe(Event.ANSWERED)
    subject.probe(Event.ANSWERED)
    assert subject.circuit.closed


@pytest.mark.parametrize("event", [Event.FAILURE, Event.THROTTLED])
def test_a_failed_probe_opens_it_again_for_longer(event: Event) -> None:
    """Twice as long each time, up to the longest; and a probe that passed before counts no more."""
    subject = opened()
    subject.probe(Event.SUCCESS)
    spans = []
    for _ in range(7):
        assert subject.probe(event) == "failed"
        spans.append(subject.changes[-1][3])
    assert spans == [10.0, 20.0, 40.0, 80.0, 120.0, 120.0, 120.0]
    subject.probe(Event.SUCCESS)
    assert not subject.circuit.closed


def test_closing_forgets_how_long_it_was_open() -> None:
    """The next opening is a first one again, and old failures are no part of it."""
    subject = opened()
    subject.probe(Event.FAILURE)
    subject.probe(Event.SUCCESS)
    subject.probe(Event.SUCCESS)
    subject.fail(4)
    assert subject.circuit.closed
    subject.fail(1)
    assert subject.changes[-1][3] == 5.0


def test_a_lease_given_back_decides_nothing() -> None:
    """A cancelled probe leaves it half-open, and the next may go at once."""
    subject = opened()
    assert subject.probe(Event.NOTHING) == "given_back"
    assert subject.circuit.wait(subject.now) == 0.0


def test_one_probe_at_a_time() -> None:
    """While one is under way, others are told to come back soon."""
    subject = opened()
    subject.now += 5.0
    assert subject.circuit.wait(subject.now) == 0.0
    assert not subject.circuit.lease(subject.attempt(), subject.now + 0.5)
    assert subject.circuit.wait(subject.now) == pytest.approx(0.5)
    assert subject.circuit.wait(subject.now - 10.0) == BUSY


def test_a_lost_probe_is_replaced_when_its_lease_is_over() -> None:
    """And what it says after that is not heard."""
    subject = opened()
    subject.now += 5.0
    subject.circuit.wait(subject.now)
    lost = subject.attempt()
    subject.circuit.lease(lost, subject.now + 50.0)
    subject.now += 50.0
    assert subject.circuit.wait(subject.now) == 0.0
    assert subject.circuit.lease(subject.attempt(), subject.now + 50.0)
    assert subject.hear(Event.FAILURE, lost) == ""
    assert subject.circuit.state is State.HALF_OPEN


def test_there_is_nothing_to_lease_in_closed() -> None:
    """A lease is of a probe."""
    subject = Subject()
    assert not subject.circuit.lease(subject.attempt(), NOW + 5.0)
    assert subject.circuit.owner is None


def test_slow_probes_do_not_close_what_was_slow() -> None:
    """Opened for slowness, it closes on quick answers only; else slow ones will do."""
    slow = Subject(msgspec.structs.replace(STEADY, slow_rate=0.5))
    for _ in range(5):
        slow.hear(Event.SUCCESS, slow=True)
    assert slow.probe(Event.SUCCESS, slow=True) == "failed"
    assert slow.probe(Event.SUCCESS, slow=True) == "failed"
    failed = opened(msgspec.structs.replace(STEADY, slow_rate=0.5))
    assert failed.probe(Event.SUCCESS, slow=True) == "passed"


# --- generations ---


def test_what_began_before_the_opening_is_not_heard() -> None:
    """Not while open, and not when it has closed again."""
    subject = Subject()
    late = [subject.attempt() for _ in range(12)]
    subject.fail(5)
    for attempt in late[:6]:
        assert subject.hear(Event.FAILURE, attempt) == ""
    subject.probe(Event.SUCCESS)
    subject.hear(Event.SUCCESS, late[6])
    subject.probe(Event.SUCCESS)
    for attempt in late[6:]:
        subject.hear(Event.FAILURE, attempt)
    assert subject.circuit.closed
    assert subject.circuit.window.calls == 0


# --- how long ---


@given(st.floats(0, 1, exclude_max=True), st.floats(0, 0.5), st.floats(0, 90_000))
def test_the_wish_of_the_upstream_is_a_floor(chance: float, jitter: float, floor: float) -> None:
    """Chance moves the open time within its share, and never below what the upstream asks."""
    subject = Subject(msgspec.structs.replace(STEADY, jitter=jitter), lambda: chance)
    subject.fail(5, floor=floor)
    open_for = subject.changes[0][3]
    assert open_for >= floor
    if open_for > floor:
        assert 5.0 * (1 - jitter) <= open_for <= 5.0 * (1 + jitter)
    assert subject.circuit.wait(subject.now) == pytest.approx(open_for)


# --- what is kept ---


def test_it_may_be_forgotten_only_when_it_knows_nothing() -> None:
    """Not while open, nor after a failure; new, or after successes only, it may."""
    subject = Subject()
    subject.hear(Event.SUCCESS)
    assert subject.circuit.idle
    subject.fail(1)
    subject.hear(Event.SUCCESS)
    assert not subject.circuit.idle
    assert not opened().circuit.idle


def test_other_rules_hold_at_once() -> None:
    """A reload keeps the counts."""
    subject = Subject()
    subject.fail(2)
    subject.circuit.follow(msgspec.structs.replace(STEADY, consecutive=3))
    subject.fail(1)
    assert subject.circuit.state is State.OPEN


class Interleaved(RuleBasedStateMachine):
    """Any order of attempts, results, losses and waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = Subject(CircuitRules(consecutive=2, min_calls=2, probes=2, window=20.0))
        self.open: list[Attempt] = []
        self.probes: dict[int, float] = {}  # id of an attempt → end of its lease

    @rule(seconds=st.floats(0.01, 30))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.subject.now += seconds

    @rule(ttl=st.floats(1, 60))
    def begin(self, ttl: float) -> None:
        """An attempt asks, and takes the lease where there is one to take."""
        circuit, now = self.subject.circuit, self.subject.now
        if circuit.wait(now) > 0:
            return
        attempt = self.subject.attempt()
        self.open.append(attempt)
        if not circuit.closed:
            assert all(end <= now for end in self.probes.values()), "two probes at a time"
            circuit.lease(attempt, now + ttl)
            self.probes[id(attempt)] = now + ttl

    @precondition(lambda self: bool(self.open))
    @rule(
        which=st.integers(0, 100),
        event=st.sampled_from(Event),
        held=st.booleans(),
        tool=st.sampled_from("ab"),
    )
    def end(self, which: int, event: Event, held: bool, tool: str) -> None:
        """An attempt comes to something."""
        attempt = self.open.pop(which % len(self.open))
        was_owner = self.subject.circuit.owner is attempt
        heard = self.subject.hear(event, attempt, held=held, tool=tool)
        assert bool(heard) is was_owner
        self.probes.pop(id(attempt), None)

    @invariant()
    def owned_only_in_half_open(self) -> None:
        """Nobody owns a lease of a circuit that is not half-open."""
        circuit = self.subject.circuit
        assert circuit.owner is None or circuit.state is State.HALF_OPEN
        assert circuit.closed is (circuit.state is State.CLOSED)

    def teardown(self) -> None:
        """Whatever was lost: after the longest lease it lets an attempt through again."""
        circuit = self.subject.circuit
        assert circuit.wait(self.subject.now + 300.0) == 0.0
        circuit.follow(STEADY)
        self.subject.now += 300.0
        for _ in range(2):
            self.subject.probe(Event.SUCCESS)
        assert circuit.closed


TestInterleaved = Interleaved.TestCase


@pytest.mark.parametrize("bulkhead", ["", "core"])
def test_news_of_a_circuit_say_whose_it_is(bulkhead: str) -> None:
    """Each bulkhead has its own: one that opens says nothing of the others."""
    ground = make_ground()
    heard: list[Told] = []
    ground.kept(NEWS, News).listeners.append(heard.append)
    circuit = Circuit.of(ground, make_target(domain=bulkhead), "search", STEADY)
    circuit.trip(1.0)
    expected = CircuitChange("gateway", "search", "closed", "open", "by_hand", 5.0, bulkhead)
    assert heard == [expected]
