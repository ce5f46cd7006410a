"""What a reply is to a circuit."""

import pytest

from proxy.reply import Failure
from proxy.state.circuit import Event
from proxy.state.circuit_events import event_of
from proxy.symptom import symptoms
from tests.fakes import make_reply


@pytest.mark.parametrize(
    ("what", "counted", "event"),
    [
        (200, None, Event.SUCCESS),
        (404, None, Event.ANSWERED),
        (429, None, Event.THROTTLED),
        (503, None, Event.FAILURE),
        (Failure.CANCELLED, None, Event.NOTHING),
        (Failure.OVERLOADED, None, Event.NOTHING),
        (429, (429,), Event.FAILURE),
        (503, (429,), Event.ANSWERED),
        (Failure.CONNECT, (429,), Event.NOTHING),
        (200, (429,), Event.SUCCESS),
    ],
)
def test_by_the_protocol_or_by_a_policy(what, counted, event):
    """The policy's word counts, where it has one; what we did ourselves is nothing to either."""
    assert event_of(make_reply(what), counted and symptoms(counted)) is event


def test_what_is_no_outcome_is_an_answer():
    """Somebody was there to say so."""
    assert event_of(make_reply(200, pending=True), None) is Event.ANSWERED
