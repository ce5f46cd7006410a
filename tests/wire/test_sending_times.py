"""The times of one sending: its limits to the second, what is waited, and a call that is gone."""

from typing import Any

import pytest

from proxy.clock import NEVER
from proxy.pipeline.commit import Commit
from proxy.protocols.recognise import HTTP
from proxy.reply import Failure, Reply
from proxy.strand import Strand
from proxy.wire.body import Body
from tests.fakes import FakeSource
from tests.harness import answer, chunked
from tests.wire.line import LONG, OK, STREAM, Line, Waiting, flowing, told
from tests.wire.test_body import Glass

# limits


@pytest.mark.parametrize(("deadline", "first_byte_by"), [(1005.0, NEVER), (1030.0, 1005.0)])
def test_no_answer_in_time(deadline, first_byte_by):
    """The sooner of the attempt's end and the first byte's time; the connection goes with it."""
    line = Line()
    sending = line.ask(deadline=deadline, first_byte_by=first_byte_by)
    line.clock.advance(4.9)
    assert not sending.is_set
    line.clock.advance(0.2)
    assert told(sending).failure is Failure.TIMEOUT
    assert line.plug.aborted
    assert line.pool.losses


def test_a_stream_may_last_as_long_as_it_speaks():
    """From the commit on only silence ends it, measured anew after each piece."""
    line = Line()
    reply = line.reply(STREAM + b"1\r\na\r\n", deadline=1005.0, total=1005.0, stream_idle=10.0)
    glass = flowing(reply)
    reply.commit(streams=True)
    for _ in range(9):
        line.clock.advance(9.9)
        line.comes(b"1\r\na\r\n")
    assert (glass.held, glass.failure) == (b"a" * 10, None)
    line.clock.advance(10.0)
    assert glass.failure is Failure.TIMEOUT
    assert line.plug.aborted


def test_a_stream_without_a_limit_may_be_silent():
    """Its attempt's time was for its head."""
    line = Line()
    reply = line.reply(STREAM + b"1\r\na\r\n", deadline=1005.0, total=1005.0)
    glass = flowing(reply)
    reply.commit(streams=True)
    line.clock.advance(9999.0)
    line.comes(b"1\r\na\r\n0\r\n\r\n")
    assert (glass.held, glass.trailers) == (b"aa", [])


@pytest.mark.parametrize(("deadline", "total"), [(1030.0, 1060.0), (1060.0, 1030.0)])
def test_an_answer_that_is_no_stream_ends_with_its_calls_time(deadline, total):
    """Or its attempt's, however much of it comes; the first byte's time is over with it."""
    line = Line()
    times: dict[str, Any] = {"deadline": deadline, "first_byte_by": 1005.0, "stream_idle": 2.0}
    reply = line.reply(LONG, total=total, **times)
    glass = flowing(reply)
    reply.commit(streams=False)
    for _ in range(29):
        line.clock.advance(1.0)
        line.comes(b"a")
    assert glass.failure is None
    line.clock.advance(1.0)
    assert glass.held == b"a" * 30
    assert glass.failure is Failure.TIMEOUT


@pytest.mark.parametrize("raw", [LONG, answer(200, "Content-Length: 9", body=None)])
def test_before_its_commit_its_attempts_time_rules(raw: bytes):
    """Its first byte has come in time; but whoever holds it would else hold it for ever."""
    line = Line()
    glass = flowing(line.reply(raw, deadline=1030.0, first_byte_by=1005.0, stream_idle=60.0))
    line.clock.advance(29.9)
    assert glass.failure is None
    line.clock.advance(0.2)
    assert glass.failure is Failure.TIMEOUT


def held_error(line: Line) -> Reply:
    """A 503 whose head came in time, and whose body is waited for: its result may stand in it."""
    raw = answer(503, "Content-Length: 2", body=None)
    reply = line.reply(raw, deadline=1030.0, first_byte_by=1005.0)
    waits = Commit(HTTP, line.clock, hold=True)(line.attempt, reply)

    async def committed() -> None:
        assert waits is not None
        await waits

    Strand(committed(), lambda _: None).step()
    return reply


def test_an_error_whose_body_comes_late_is_that_error():
    """The upstream did answer."""
    line = Line()
    reply = held_error(line)
    line.clock.advance(20.0)
    line.comes(b"no")
    assert (reply.status, reply.failure, line.attempt.failure) == (503, None, None)
    assert reply.body is not None
    assert reply.body.whole == b"no"


def test_an_error_whose_body_never_comes_is_a_timeout():
    """And it is said that it had begun."""
    line = Line()
    reply = held_error(line)
    line.clock.advance(30.1)
    assert (reply.status, reply.failure) == (0, Failure.TIMEOUT)
    assert reply.detail == "the answer did not go on in time"


# an agent that is too slow is not the upstream's fault


def streamed(line: Line, **times: Any) -> tuple[Reply, Glass]:
    """A stream of which one byte has come, with ten seconds for silence."""
    reply = line.reply(STREAM + b"1\r\na\r\n", **({"stream_idle": 10.0} | times))
    return reply, flowing(reply)


def body_of(reply: Reply) -> Body:
    """As whoever takes it holds it."""
    assert isinstance(reply.body, Body)
    return reply.body


def test_a_stream_is_not_silent_while_it_is_held_back():
    """Nobody listens to it; when it is listened to again it has all of its time."""
    line = Line()
    reply, glass = streamed(line)
    reply.commit(streams=True)
    line.clock.advance(9.0)
    body_of(reply).pause()
    line.comes(b"1\r\na\r\n")  # was read before
    line.clock.advance(9999.0)
    assert glass.failure is None
    body_of(reply).resume()
    line.clock.advance(9.9)
    assert (glass.failure, glass.held) == (None, b"aa")
    line.clock.advance(0.2)
    assert glass.failure is Failure.TIMEOUT


def test_a_stream_may_be_held_back_before_it_is_committed():
    """More came with its head than is taken at once."""
    line = Line()
    reply, glass = streamed(line)
    body_of(reply).pause()
    reply.commit(streams=True)
    line.clock.advance(9999.0)
    assert glass.failure is None
    body_of(reply).resume()
    line.clock.advance(10.1)
    assert glass.failure is Failure.TIMEOUT


def test_a_stream_without_a_limit_has_none_when_it_goes_on():
    """Holding it back does not give it one."""
    line = Line()
    reply, glass = streamed(line, stream_idle=None)
    reply.commit(streams=True)
    body_of(reply).pause()
    body_of(reply).resume()
    line.clock.advance(9999.0)
    assert glass.failure is None


@pytest.mark.parametrize(
    ("held_back", "failure"), [(True, Failure.CANCELLED), (False, Failure.TIMEOUT)]
)
def test_time_that_an_agent_took_is_not_the_upstreams(held_back: bool, failure: Failure):
    """The call's time ends either way; who did not read until then is no failure of a tool."""
    line = Line()
    reply = line.reply(LONG, total=1030.0)
    glass = flowing(reply)
    reply.commit(streams=False)
    body_of(reply).pause()
    line.clock.advance(29.0)
    if not held_back:
        body_of(reply).resume()
    line.clock.advance(1.1)
    assert glass.failure is failure
    assert line.plug.aborted


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("pieces", [(OK,), (LONG, b"a" * 998)])
def test_an_answer_that_is_over_is_not_timed(pieces, streams):
    """Nor is one that was here before it was committed."""
    line = Line()
    times: dict[str, Any] = {"deadline": 1005.0, "total": 1002.0, "stream_idle": 1.0}
    reply = line.reply(*pieces, **times)
    reply.commit(streams=streams)
    line.clock.advance(999.0)
    assert reply.status == 200
    assert not line.plug.is_closing()


# what a stream says


PING = b"event: ping\ndata: {}\n\n"
SAYS = b"data: x\n\n"
GZIPPED = STREAM.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n")


def chunk(said: bytes) -> bytes:
    """In a chunk of its own."""
    return b"%x\r\n%b\r\n" % (len(said), said)


def test_pings_do_not_keep_a_stream_alive():
    """It speaks, and says nothing: `stream_progress` ends it, though it is not idle."""
    line = Line()
    reply, glass = streamed(line, stream_progress=30.0)
    reply.commit(streams=True)
    line.comes(chunk(b"\n"))  # ends the line under way
    for _ in range(6):
        line.clock.advance(4.9)
        line.comes(chunk(PING))
    assert glass.failure is None
    line.clock.advance(0.7)
    assert glass.failure is Failure.TIMEOUT
    assert reply.detail == "stream_progress: nothing that matters came for 30 s"
    assert line.plug.aborted


@pytest.mark.parametrize(("head", "said"), [(STREAM, SAYS), (GZIPPED, PING)])
def test_what_matters_keeps_a_stream_alive(head: bytes, said: bytes):
    """An event with data does; of a stream that cannot be read, every byte."""
    line = Line()
    reply = line.reply(head + chunk(b"\n"), stream_progress=30.0)
    glass = flowing(reply)
    reply.commit(streams=True)
    for _ in range(9):
        line.clock.advance(29.9)
        line.comes(chunk(said))
    assert glass.failure is None


def test_the_framing_of_chunks_says_nothing():
    """The beginning of a chunk is a byte on the wire, and none of the stream."""
    line = Line()
    reply = line.reply(GZIPPED + chunk(b"a"), stream_progress=30.0)
    glass = flowing(reply)
    reply.commit(streams=True)
    line.clock.advance(29.9)
    line.comes(b"f")
    line.clock.advance(0.2)
    assert glass.failure is Failure.TIMEOUT


@pytest.mark.parametrize("begun", [b"", b"data: x\n"])
def test_an_event_may_begin_before_the_commit(begun: bytes):
    """It is looked at from its first byte."""
    line = Line()
    reply = line.reply(STREAM + (chunk(begun) if begun else b""), stream_progress=30.0)
    glass = flowing(reply)
    line.comes(chunk(SAYS[len(begun) : -1]) if len(begun) < 8 else b"")
    reply.commit(streams=True)
    line.clock.advance(29.9)
    line.comes(chunk(b"\n"))
    line.clock.advance(29.9)
    assert glass.failure is None


def test_a_stream_has_a_longest_life():
    """Whatever it says; that is a limit of ours, and no timeout of the upstream's."""
    line = Line()
    reply, glass = streamed(line, stream_max=60.0, stream_progress=30.0)
    reply.commit(streams=True)
    for _ in range(12):
        line.clock.advance(4.99)
        line.comes(chunk(SAYS))
    assert glass.failure is None
    line.clock.advance(0.2)
    assert glass.failure is Failure.EXPIRED
    assert reply.detail == "stream_max: the stream went on for 60 s"


def test_a_longest_life_goes_on_while_the_agent_does_not_read():
    """An agent could else hold a stream for as long as it likes."""
    line = Line()
    reply, glass = streamed(line, stream_max=60.0)
    reply.commit(streams=True)
    body_of(reply).pause()
    line.clock.advance(60.1)
    assert glass.failure is Failure.EXPIRED


def test_a_stream_that_is_held_back_need_say_nothing():
    """When it is listened to again it has all of its time."""
    line = Line()
    reply, glass = streamed(line, stream_progress=30.0, stream_idle=None)
    reply.commit(streams=True)
    body_of(reply).pause()
    line.clock.advance(9999.0)
    body_of(reply).resume()
    line.clock.advance(29.9)
    assert glass.failure is None
    line.clock.advance(0.2)
    assert glass.failure is Failure.TIMEOUT


def test_the_silence_of_a_stream_names_its_clock():
    """So that who reads the record knows which limit it was."""
    line = Line()
    reply, _ = streamed(line, stream_progress=10.0)
    reply.commit(streams=True)
    line.clock.advance(10.1)
    assert reply.detail == "stream_idle: not a byte came for 10 s"


# what is waited for an upstream is not our own time


def answers(line: Line) -> None:
    """At once whole."""
    line.comes(OK)


def streams(line: Line) -> None:
    """And talks on for a minute."""
    line.comes(STREAM)
    line.clock.advance(60.0)
    line.comes(chunked(b"ok"))


def breaks(line: Line) -> None:
    """Closed without a word."""
    line.ends()


def speaks_wrongly(line: Line) -> None:
    """No answer at all."""
    line.comes(b"hello\r\n\r\n")


@pytest.mark.parametrize("ends", [answers, streams, breaks, speaks_wrongly])
def test_the_time_until_the_head_is_waiting(ends):
    """However it ended, counted once; what comes after the head is the answer's length."""
    line = Line()
    sending = line.ask()
    line.clock.advance(2.0)
    ends(line)
    line.clock.advance(3.0)
    assert told(sending).status in (0, 200)
    assert line.attempt.call.waited == 2.0


def test_the_time_until_it_is_too_late_is_waiting():
    """All of it."""
    line = Line()
    sending = line.ask(deadline=1005.0)
    line.clock.advance(60.0)
    assert told(sending).failure is Failure.TIMEOUT
    assert line.attempt.call.waited == 5.0


def test_the_attempt_learns_of_the_first_byte():
    """When it came, and with which status."""
    line = Line()
    line.ask()
    line.clock.advance(2.0)
    line.comes(answer(404, body=b"no"))
    assert (line.attempt.first_byte, line.attempt.status) == (1002.0, 404)


# a call that is cancelled while it waits


@pytest.mark.parametrize("came", [b"", answer(103, body=None), b"HTTP/1.1 200 OK\r\nContent-Le"])
def test_a_sending_that_nobody_awaits_any_more_ends_its_connection(came: bytes):
    """Its answer must not become the next one's; the time until then was waited."""
    line = Line()
    waiting = Waiting(line, deadline=1060.0)
    if came:
        line.comes(came)
    line.clock.advance(2.0)
    waiting.strand.cancel()
    assert (waiting.ends, waiting.replies) == ([None], [])
    assert line.plug.aborted
    assert (line.pool.losses, line.pool.released) == ([line.connection], [])
    assert line.attempt.call.waited == 2.0
    line.ends()
    line.clock.advance(99.0)
    assert (line.attempt.call.waited, waiting.replies) == (2.0, [])


def test_a_cancelled_upload_is_nobodys():
    """What still comes of the agent's body goes nowhere, and nothing holds it back."""
    line, tap = Line(), FakeSource()
    body = Body(tap)
    waiting = Waiting(line, body)
    body.feed(b"part")
    line.connection.pause_writing()
    line.plug.taken()
    waiting.strand.cancel()
    assert not tap.paused
    body.feed(b"more")
    assert line.plug.written == b""


def test_a_cancellation_after_the_head_is_the_bodys_business():
    """The answer is here: its connection is free, or its body says who lets it go."""
    line = Line()
    waiting = Waiting(line)
    line.comes(OK)
    waiting.strand.cancel()
    assert len(waiting.replies) == 1
    assert line.pool.released == [line.connection]
    assert not line.plug.is_closing()
