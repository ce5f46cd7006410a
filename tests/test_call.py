"""Stopping a call. What else there is of it are records."""

import pytest

from proxy.call import Call, Stop, Whole
from tests.fakes import make_attempt, make_call


class Watched:
    """A call, and how often it was cancelled."""

    def __init__(self, *sent: bool, finishes_alone: bool = False) -> None:
        self.cancelled = 0
        self.call: Call = make_call(cancel=self._cancel, finishes_alone=finishes_alone)
        self.call.attempts += [make_attempt(self.call, sent=was) for was in sent]

    def _cancel(self) -> None:
        self.cancelled += 1
        assert self.call.stopped is not None  # the reason is there before anybody looks for it


def test_stopping_cancels_and_says_why() -> None:
    """The reason is set first."""
    watched = Watched(True)
    watched.call.stop(Stop.DRAIN)
    assert (watched.cancelled, watched.call.stopped) == (1, Stop.DRAIN)


@pytest.mark.parametrize("first", Stop)
def test_the_first_reason_is_kept(first: Stop) -> None:
    """Whatever comes after it."""
    watched = Watched()
    for reason in (first, *Stop):
        watched.call.stop(reason)
    assert watched.call.stopped is first


def test_an_agent_leaves_once() -> None:
    """Nothing is cancelled twice for it."""
    watched = Watched()
    watched.call.stop(Stop.AGENT_GONE)
    watched.call.stop(Stop.AGENT_GONE)
    assert watched.cancelled == 1


@pytest.mark.parametrize(
    ("sent", "finishes_alone", "cancelled"),
    [
        ((), True, 1),
        ((False,), True, 1),
        ((True,), True, 0),
        ((False, True), True, 0),
        ((True,), False, 1),
    ],
)
def test_what_may_have_run_goes_on_without_its_agent(
    sent: tuple[bool, ...], finishes_alone: bool, cancelled: int
) -> None:
    """Only where its policy wants that, and only once something of it was sent."""
    watched = Watched(*sent, finishes_alone=finishes_alone)
    watched.call.stop(Stop.AGENT_GONE)
    assert (watched.cancelled, watched.call.stopped) == (cancelled, Stop.AGENT_GONE)


def test_a_drain_stops_also_what_goes_on_alone() -> None:
    """The process ends; why it was stopped first is still true."""
    watched = Watched(True, finishes_alone=True)
    watched.call.stop(Stop.AGENT_GONE)
    watched.call.stop(Stop.DRAIN)
    assert (watched.cancelled, watched.call.stopped) == (1, Stop.AGENT_GONE)


def test_a_call_that_is_over_holds_nothing() -> None:
    """What held each other is parted, so that it is freed at once."""
    watched = Watched(True)
    watched.call.forget()
    assert (watched.call.attempts, watched.call.cancel, watched.call.interim) == ([], None, None)


def test_a_call_that_nobody_can_cancel_only_notes_it() -> None:
    """It has no strand."""
    call = make_call()
    call.stop(Stop.DRAIN)
    assert call.stopped is Stop.DRAIN


def test_calls_do_not_share_their_attempts() -> None:
    """A list of its own for each."""
    make_call().attempts.append(make_attempt())
    assert make_call().attempts == []


def test_a_whole_body_is_all_there_ever_will_be() -> None:
    """It can be sent again without being kept; nobody needs to hear that it is not wanted."""
    body = Whole(b"x")
    body.keep(0)
    body.abandon()
    assert (body.whole, body.replayable, body.trailers) == (b"x", True, [])
    assert Whole(b"", [(b"a", b"A", b"1")]).trailers == [(b"a", b"A", b"1")]
