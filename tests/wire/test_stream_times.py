"""The clocks of a stream, without one. How they ring is in test_sending_times.py."""

from typing import Any

import pytest

from proxy.clock import NEVER
from proxy.reply import Failure
from proxy.wire.stream_times import StreamTimes
from tests.fakes import make_attempt

SSE = {b"content-type": b"text/event-stream"}


def times(**limits: Any) -> StreamTimes:
    """Of a stream of events with these limits."""
    made = StreamTimes.of(make_attempt(**limits), SSE)
    assert made is not None
    return made


def test_without_limits_there_are_none() -> None:
    """A stream that nobody limits costs nothing."""
    assert StreamTimes.of(make_attempt(), SSE) is None


@pytest.mark.parametrize(
    ("limits", "due"),
    [
        ({"stream_idle": 5.0}, 105.0),
        ({"stream_progress": 6.0}, 106.0),
        ({"stream_max": 7.0}, 107.0),
        ({"stream_idle": 5.0, "stream_progress": 6.0, "stream_max": 7.0}, 105.0),
        ({"stream_idle": 8.0, "stream_progress": 6.0, "stream_max": 7.0}, 106.0),
    ],
)
def test_the_first_of_them_counts(limits: dict[str, float], due: float) -> None:
    """From the commit on; each may be missing."""
    assert times(**limits).begin(100.0, held=False) == due


def test_before_its_commit_nothing_is_due() -> None:
    """Whatever comes, is held back or goes on: the times of its attempt rule."""
    clocks = times(stream_idle=5.0, stream_progress=6.0, stream_max=7.0)
    assert clocks.hear(b"data: x\n\n", 1.0, held=False) == NEVER
    assert clocks.hold() == NEVER
    assert clocks.resume(2.0) == NEVER
    assert not clocks.running


def test_what_comes_while_it_is_held_back_starts_no_clock() -> None:
    """It had been read before."""
    clocks = times(stream_idle=5.0, stream_progress=6.0)
    assert clocks.begin(100.0, held=True) == NEVER
    assert clocks.hear(b"data: x\n\n", 101.0, held=True) == NEVER
    assert clocks.resume(200.0) == 205.0


def test_bytes_start_one_clock_and_events_two() -> None:
    """Anew, each time."""
    clocks = times(stream_idle=5.0, stream_progress=6.0)
    clocks.begin(100.0, held=False)
    assert clocks.hear(b": beat\n\n", 104.0, held=False) == 106.0
    assert clocks.hear(b"data: x\n\n", 105.0, held=False) == 110.0
    assert clocks.hear(b"", 106.0, held=False) == 111.0


@pytest.mark.parametrize(
    ("now", "failure", "name"),
    [
        (105.0, Failure.TIMEOUT, "stream_progress"),
        (106.0, Failure.TIMEOUT, "stream_idle"),
        (107.0, Failure.EXPIRED, "stream_max"),
    ],
)
def test_it_is_known_which_of_them_it_was(now: float, failure: Failure, name: str) -> None:
    """If several have come, the one that says most."""
    clocks = times(stream_progress=5.0, stream_idle=6.0, stream_max=7.0)
    clocks.begin(100.0, held=False)
    assert clocks.over(now)[0] is failure
    assert clocks.over(now)[1].startswith(f"{name}: ")
