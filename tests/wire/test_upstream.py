"""One exchange with an upstream: its times to the second, and ends that sockets seldom show."""

from typing import Any, cast

import pytest

from proxy.call import Effect, Header, RequestHead, Whole
from proxy.clock import NEVER
from proxy.reply import NEVER_SENT, Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body
from proxy.wire.head import Heads, Limits
from proxy.wire.pool import ConnectionPool
from proxy.wire.upstream import UpstreamConnection
from tests.fakes import FakeClock, make_attempt, make_call
from tests.harness import answer, chunked
from tests.wire.plug import Plug
from tests.wire.test_body import Glass, Tap

HEAD = b"POST / HTTP/1.1\r\nHost: up\r\n\r\n"
OK = answer(200, body=b"ok")
STREAM = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)


class Shelf:
    """A pool that only notes what is given back to it, and what is lost."""

    def __init__(self) -> None:
        self.released: list[UpstreamConnection] = []
        self.losses: list[UpstreamConnection] = []

    def release(self, connection: UpstreamConnection) -> None:
        self.released.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        self.losses.append(connection)


class Line:
    """A connection to an upstream, with everything around it."""

    def __init__(self) -> None:
        self.clock, self.pool, self.plug = FakeClock(), Shelf(), Plug()
        pool = cast("ConnectionPool", self.pool)
        self.connection = UpstreamConnection(pool, self.clock, Heads(Limits()))
        self.connection.connection_made(self.plug)
        self.interim: list[bytes] = []

    def ask(self, body: Body | Whole | None = None, **times: Any) -> Signal[Reply]:
        """Send a request; its body has a length unless it is still to come in chunks."""
        call = make_call(effect=Effect.READ)
        call.body = Whole(b"") if body is None else body
        chunks = body is not None
        call.head = RequestHead("POST", b"/", 1, [], {}, chunked=chunks)
        call.interim = self.interim.append
        return self.connection.send(make_attempt(call, **times), HEAD)

    def reply(self, *pieces: bytes) -> Reply:
        """The reply to a request that is answered by these bytes."""
        signal = self.ask()
        for piece in pieces:
            self.connection.data_received(piece)
        return told(signal)


def told(signal: Signal[Reply]) -> Reply:
    """What it was set to."""
    replies: list[Reply] = []
    try:
        signal.__await__().send(None)
    except StopIteration as end:
        replies.append(end.value)
    assert replies, "no reply came"
    return replies[0]


def flowing(reply: Reply) -> Glass:
    """Where the rest of an answer arrives."""
    assert isinstance(reply.body, Body)
    glass = Glass()
    reply.body.flow(glass)
    return glass


# time


@pytest.mark.parametrize(("deadline", "first_byte_by"), [(1005.0, NEVER), (1030.0, 1005.0)])
def test_no_answer_in_time(deadline, first_byte_by):
    """The sooner of the attempt's end and the first byte's time; the connection goes with it."""
    line = Line()
    signal = line.ask(deadline=deadline, first_byte_by=first_byte_by)
    line.clock.advance(4.9)
    assert not signal.is_set
    line.clock.advance(0.2)
    assert told(signal).failure is Failure.TIMEOUT
    assert line.plug.aborted
    assert line.pool.losses


def test_a_stream_may_last_as_long_as_it_speaks():
    """From the commit on only silence ends it, measured anew after each piece."""
    line = Line()
    signal = line.ask(deadline=1005.0)
    line.connection.data_received(STREAM + b"1\r\na\r\n")
    glass = flowing(told(signal))
    line.connection.committed(10.0, NEVER)
    for _ in range(9):
        line.clock.advance(9.9)
        line.connection.data_received(b"1\r\na\r\n")
    assert (glass.held, glass.failure) == (b"a" * 10, None)
    line.clock.advance(10.0)
    assert glass.failure is Failure.TIMEOUT
    assert line.plug.aborted


def test_an_answer_that_is_no_stream_ends_with_the_calls_time():
    """However much of it comes."""
    line = Line()
    signal = line.ask(deadline=1005.0)
    line.connection.data_received(answer(200, "Content-Length: 999", body=b"a"))
    glass = flowing(told(signal))
    line.connection.committed(None, 1030.0)
    for _ in range(29):
        line.clock.advance(1.0)
        line.connection.data_received(b"a")
    assert glass.failure is None
    line.clock.advance(1.0)
    assert glass.held == b"a" * 30
    assert glass.failure is Failure.TIMEOUT


def test_an_exchange_that_is_over_is_not_timed():
    """Nor is an answer that was here before it was committed."""
    line = Line()
    signal = line.ask(deadline=1005.0)
    line.connection.data_received(OK)
    line.connection.committed(1.0, 1002.0)
    line.clock.advance(999.0)
    assert told(signal).status == 200
    assert not line.plug.is_closing()


# one answer for one request


def test_a_whole_answer_frees_the_connection():
    """It is given back before whoever waits for the answer runs on."""
    line = Line()
    body = line.reply(OK).body
    assert body is not None
    assert body.whole == b"ok"
    assert line.pool.released == [line.connection]
    assert line.reply(OK).status == 200


def test_what_nobody_asked_for_ends_the_connection():
    """Before the first request, or between two."""
    for asked in (False, True):
        line = Line()
        if asked:
            line.reply(OK)
        line.connection.data_received(b"HTTP/1.1 200 OK\r\n")
        assert line.plug.aborted
        assert line.pool.losses


def test_a_connection_that_has_ended_takes_no_request():
    """Nothing is written; who asked hears of it at once."""
    line = Line()
    line.connection.eof_received()
    assert told(line.ask()).failure in NEVER_SENT
    assert line.plug.written == b""


@pytest.mark.parametrize("rest", [b"x", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_bytes_behind_an_answer_end_the_connection(rest):
    """In the same piece, after a length, after chunks and after no body."""
    for raw in (OK, STREAM + chunked(b"ok"), answer(204, body=None)):
        line = Line()
        assert line.reply(raw + rest).failure is None
        assert line.pool.released == []
        assert line.plug.aborted


def test_an_answer_before_the_requests_end_is_the_last_on_its_connection():
    """What still comes of the request would be read as the next one."""
    line = Line()
    body = Body(Tap())
    signal = line.ask(body)
    body.feed(b"part")
    line.connection.data_received(answer(413, body=b"no"))
    assert told(signal).status == 413
    assert line.pool.released == []
    assert line.plug.aborted


def test_a_kept_body_is_sent_with_its_trailers():
    """As chunks, where the agent sent it so; the connection is free for another after it."""
    trailers: list[Header] = [(b"x-t", b"X-T", b"1")]
    line = Line()
    signal = line.ask(Whole(b"body", trailers))
    assert line.plug.taken() == HEAD + b"4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n"
    line.connection.data_received(OK)
    assert told(signal).status == 200
    assert line.pool.released == [line.connection]


def test_a_request_that_breaks_off_is_never_finished():
    """The upstream must not take it for whole: the connection is cut."""
    line = Line()
    body = Body(Tap())
    signal = line.ask(body)
    body.feed(b"part")
    body.fail(Failure.CANCELLED)
    assert told(signal).failure is Failure.CANCELLED
    assert line.plug.taken() == HEAD + b"4\r\npart\r\n"
    assert line.plug.aborted


def test_interim_answers_are_handed_on():
    """Each with its lines, in any pieces, before the answer."""
    raw = answer(103, "Link: </a>", body=None) + answer(100, body=None) + OK
    for size in (1, 7, len(raw)):
        line = Line()
        found = line.reply(*[raw[at : at + size] for at in range(0, len(raw), size)])
        assert found.status == 200
        assert line.interim == [
            b"HTTP/1.1 103 Said\r\nLink: </a>\r\n",
            b"HTTP/1.1 100 Said\r\n",
        ]


def test_a_101_that_was_not_asked_for_is_no_answer():
    """502 to the agent; nothing of what follows is believed."""
    line = Line()
    found = line.reply(answer(101, "Upgrade: x", "Connection: upgrade", body=None) + b"raw")
    assert found.failure is Failure.BAD_RESPONSE
    assert line.plug.aborted


# ends before their time


@pytest.mark.parametrize(
    ("came", "failure"),
    [
        (b"", Failure.DISCONNECT),
        (b"H", Failure.TRUNCATED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n", Failure.TRUNCATED),
        (answer(103, body=None), Failure.DISCONNECT),
    ],
)
@pytest.mark.parametrize("reset", [False, True])
def test_an_end_before_the_answer(came, failure, reset):
    """Closed or reset: with nothing of an answer, or within its head."""
    line = Line()
    signal = line.ask()
    if came:
        line.connection.data_received(came)
    if reset:
        line.connection.connection_lost(ConnectionResetError())
    else:
        line.connection.eof_received()
    assert told(signal).failure is failure
    assert line.pool.losses
    assert line.pool.released == []


@pytest.mark.parametrize(
    ("raw", "reset", "failure"),
    [
        (answer(200, "Content-Length: 9", body=b"part"), False, Failure.TRUNCATED),
        (answer(200, "Content-Length: 9", body=b"part"), True, Failure.TRUNCATED),
        (STREAM + b"4\r\npart\r\n", False, Failure.TRUNCATED),
        (STREAM + b"4\r\npart\r\n0\r\n", False, Failure.TRUNCATED),
        (answer(200, body=None) + b"part", False, None),
        (answer(200, body=None) + b"part", True, Failure.TRUNCATED),
    ],
)
def test_an_end_within_the_answer(raw, reset, failure):
    """Only where no length and no chunks were promised is a clean close its end."""
    line = Line()
    glass = flowing(line.reply(raw))
    if reset:
        line.connection.connection_lost(ConnectionResetError())
    else:
        line.connection.eof_received()
    assert (glass.held, glass.failure) == (b"part", failure)
    assert (glass.trailers is None) is (failure is not None)
    assert line.pool.released == []


def test_an_answer_that_is_not_valid_ends_there():
    """What came before stays what it was; the rest is not passed on."""
    line = Line()
    glass = flowing(line.reply(STREAM + b"4\r\npart\r\n"))
    line.connection.data_received(b"zz\r\nmore")
    assert (glass.held, glass.failure) == (b"part", Failure.BAD_RESPONSE)
    assert line.plug.aborted


# pressure


def test_a_full_sink_stops_the_reading():
    """And what nobody wants any more ends the connection; then nothing is asked of it."""
    line = Line()
    reply = line.reply(answer(200, "Content-Length: 9", body=b"part"))
    assert isinstance(reply.body, Body)
    reply.body.flow(Glass())
    reply.body.pause()
    assert line.plug.paused
    reply.body.resume()
    assert not line.plug.paused
    reply.body.abandon()
    assert line.plug.aborted
    reply.body.pause()
    assert not line.plug.paused


def test_a_full_upstream_stops_the_agent():
    """Its body is not read on until it is taken."""
    line, tap = Line(), Tap()
    body = Body(tap)
    line.ask(body)
    line.connection.pause_writing()
    assert tap.paused
    line.connection.resume_writing()
    assert not tap.paused


def test_pressure_without_a_body_is_nobodys():
    """A request that was sent whole has nothing to hold back."""
    line = Line()
    line.ask()
    line.connection.pause_writing()
    line.connection.resume_writing()
    assert not line.plug.paused
