"""proxy/lab/trials/script.py."""

import pytest

from proxy.lab.trials.script import Endless, Scripted
from proxy.lab.trials.written import Answer
from proxy.reply import Failure
from proxy.units import Seconds
from tests.fakes import FakeClock, make_attempt, run


def scripted(script):
    """An upstream with a script, and the clock by which it answers."""
    clock = FakeClock()
    upstream = Scripted(clock)
    upstream.follow(script)
    return clock, upstream


def statuses(upstream, times):
    return [run(upstream.send(make_attempt())).status for _ in range(times)]


def test_a_list_is_given_in_its_order_and_then_it_is_well():
    """A single one is given every time."""
    assert statuses(scripted((503, 429))[1], 4) == [503, 429, 200, 200]
    assert statuses(scripted(500)[1], 3) == [500, 500, 500]


@pytest.mark.parametrize(
    ("word", "sent"), [("connect", False), ("disconnect", True), ("certificate", False)]
)
def test_how_the_network_fails(word, sent):
    """As the wire tells it; what cannot have been sent was not."""
    attempt = make_attempt()
    reply = run(scripted(word)[1].send(attempt))

    assert (reply.failure, reply.status, attempt.sent) == (Failure(word), 0, sent)


def test_a_timeout_takes_until_the_attempts_end():
    """The nearer of its limits."""
    clock, upstream = scripted("timeout")
    attempt = make_attempt(started=clock.now(), deadline=1009.0, first_byte_by=1004.0)

    assert run(upstream.send(attempt)).failure is Failure.TIMEOUT
    assert clock.now() == 1004.0
    late = make_attempt(deadline=900.0)
    assert run(upstream.send(late)).failure is Failure.TIMEOUT


def test_a_timeout_that_nothing_limits_never_ends():
    """That is told, for whoever wrote the test wants to know."""
    with pytest.raises(Endless):
        run(scripted("timeout")[1].send(make_attempt()))


def test_an_answer_takes_its_time():
    """And comes too late where that is more than the attempt has."""
    clock, upstream = scripted(Answer(status=201, after=Seconds(2.0), headers={"A": "b"}, body=[1]))
    attempt = make_attempt(deadline=1005.0)
    reply = run(upstream.send(attempt))

    assert (reply.status, reply.fields[b"a"], reply.body.whole) == (201, b"b", b"[1]")
    assert (attempt.first_byte, reply.length) == (1002.0, 3)
    assert reply.lines.startswith(b"HTTP/1.1 201 Scripted\r\ncontent-type: application/json\r\n")
    slow = make_attempt(deadline=clock.now() + 1.0)
    assert run(upstream.send(slow)).failure is Failure.TIMEOUT
