"""What is seen of a circuit by those who only look."""

from proxy.state.circuit import BUSY, CircuitRules, Event, State
from tests.state.test_circuit import NOW, Subject, opened


def test_what_was_never_anything_but_closed() -> None:
    """Nobody can say since when, nor why."""
    circuit = Subject().circuit
    assert (circuit.since, circuit.why, circuit.left(NOW)) == (None, "", 0.0)


def test_it_knows_since_when_and_why() -> None:
    """From each change to the next."""
    subject = opened()
    circuit = subject.circuit
    assert (circuit.why, circuit.since) == ("consecutive", subject.now)
    subject.probe(Event.SUCCESS)
    assert circuit.why == "open_time_over"
    subject.probe(Event.SUCCESS)
    assert (circuit.state, circuit.why) == (State.CLOSED, "probes_passed")
    assert circuit.since == subject.now


def test_looking_does_not_make_it_half_open() -> None:
    """What is left is told; only who wants to send changes its state."""
    subject = opened()
    circuit = subject.circuit
    assert circuit.left(subject.now + 2.0) == 3.0
    assert circuit.left(subject.now + 6.0) == 0.0
    assert circuit.state is State.OPEN


def test_a_probe_under_way_is_seen() -> None:
    """Until its lease is over; how many have passed as well."""
    subject = opened()
    circuit = subject.circuit
    subject.probe(Event.SUCCESS)
    assert circuit.passed == 1
    circuit.lease(subject.attempt(), subject.now + 9.0)
    assert circuit.left(subject.now) == BUSY
    assert circuit.left(subject.now + 9.0) == 0.0


def test_failures_in_a_row_as_far_as_they_count() -> None:
    """Those held count once a second tool fails."""
    subject = Subject(CircuitRules(consecutive=9))
    subject.fail(2, held=True, tool="a")
    assert subject.circuit.streak == 0
    subject.fail(1, held=True, tool="b")
    assert subject.circuit.streak == 3


def test_it_can_be_opened_by_hand() -> None:
    """As if it had failed: for the first open time, and then it may be probed."""
    subject = Subject()
    subject.circuit.trip(NOW)
    assert subject.changes == [("closed", "open", "by_hand", 5.0)]
    assert subject.circuit.left(NOW + 5.0) == 0.0


# --- kept by hand ---


def changes_of(subject: Subject) -> list[tuple[str, str, str]]:
    """Without for how long."""
    return [change[:3] for change in subject.changes]


def test_a_hand_keeps_it_open_until_it_is_let_go() -> None:
    """However long that is; then it is half-open, and the next call is the probe."""
    subject = Subject()
    circuit = subject.circuit
    circuit.force(NOW, closed=False, by="ann")
    assert (circuit.closed, circuit.forced, circuit.idle) == (False, True, False)
    assert circuit.wait(NOW + 1e9) == circuit.left(NOW + 1e9) == float("inf")
    assert circuit.told(NOW) == "open, by hand"
    assert subject.hear(Event.SUCCESS) == ""
    circuit.release(subject.now, "bob")
    assert circuit.wait(subject.now) == 0.0
    assert changes_of(subject) == [("closed", "open", "by_hand"), ("open", "half_open", "by_hand")]
    subject.probe(Event.SUCCESS)
    subject.probe(Event.SUCCESS)
    assert circuit.closed


def test_a_hand_keeps_it_closed_whatever_fails() -> None:
    """And what failed meanwhile is forgotten when it is let go."""
    subject = opened()
    circuit = subject.circuit
    circuit.force(subject.now, closed=True, by="ann")
    assert circuit.told(subject.now) == "closed, by hand"
    subject.fail(20)
    circuit.trip(subject.now)
    assert circuit.closed
    assert not circuit.idle
    circuit.release(subject.now, "ann")
    assert changes_of(subject)[1:] == [
        ("open", "closed", "by_hand"), ("closed", "closed", "by_hand"),
    ]  # fmt: skip
    assert circuit.streak == 0
    subject.fail(5)
    assert circuit.state is State.OPEN


def test_a_probe_that_was_under_way_changes_nothing() -> None:
    """A hand that came after it knows more."""
    subject = opened()
    subject.now += 6.0
    assert subject.circuit.wait(subject.now) == 0.0
    attempt = subject.attempt()
    subject.circuit.lease(attempt, subject.now + 50.0)
    subject.circuit.force(subject.now, closed=False, by="ann")
    subject.hear(Event.SUCCESS, attempt)
    assert subject.circuit.left(subject.now) == float("inf")


def test_one_that_nobody_keeps_cannot_be_let_go() -> None:
    """It goes by its rules as it is."""
    subject = opened()
    subject.circuit.release(subject.now, "ann")
    assert changes_of(subject) == [("closed", "open", "consecutive")]
