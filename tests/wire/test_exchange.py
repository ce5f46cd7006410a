"""One request and its answer: in whose hands it is, and that an early end never looks whole."""

import socket
import struct

import pytest

from proxy.call import Stop, Whole
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body
from tests.fakes import FakeSource, make_call
from tests.harness import request
from tests.wire.visit import LINES, Visit, raw_of, reply_of


def stream_of(visit: Visit, version: str = "1.1") -> Body:
    """A streamed answer that has begun."""
    visit.says(request(version=version))
    body = Body(FakeSource())
    visit.desk.next.set(Reply(200, LINES, body=body))
    return body


def test_interim_answers_come_before_the_answer():
    """HTTP/1.0 gets none (RFC 9110 15.2), and none comes within an answer."""
    lines = b"HTTP/1.1 103 Early\r\nLink: <a>\r\n"
    new, old = Visit(), Visit()
    new.says(request())
    old.says(request(version="1.0"))
    for visit, expected in ((new, lines + b"\r\n"), (old, b"")):
        visit.exchange.interim(lines)
        assert visit.plug.taken() == expected
    visit = Visit()
    stream_of(visit)
    visit.plug.taken()
    visit.exchange.interim(lines)
    assert visit.plug.written == b""


def test_a_stream_that_ends_leaves_the_connection():
    """The next request is taken on it."""
    visit = Visit()
    body = stream_of(visit)
    body.feed(b"one")
    body.finish(b"", [])
    assert visit.plug.taken().endswith(b"3\r\none\r\n0\r\n\r\n")
    visit.desk.replies.append(reply_of())
    visit.says(request("/2"))
    assert visit.plug.written == raw_of()


def test_a_stream_needs_no_request_any_more():
    """It may go on for an hour, and others need the memory."""
    visit = Visit()
    visit.says(request(method="POST", body=b"0123456789")[:-5])
    visit.exchange.call = call = make_call(content=b"0123456789")
    visit.says(b"56789")
    body = Body()
    visit.desk.next.set(Reply(200, LINES, body=body))
    assert call.content is None
    body.finish(b"", [])


def test_a_stream_that_breaks_off_ends_without_its_end():
    """By a close where chunks tell of it, for HTTP/1.0 by a reset."""
    with socket.socket() as plugged:
        for version in ("1.1", "1.0"):
            visit = Visit(plugged)
            body = stream_of(visit, version)
            body.feed(b"one")
            body.fail(Failure.TRUNCATED)
            assert b"0\r\n\r\n" not in visit.plug.written
            assert visit.plug.aborted is (version == "1.0")
            assert visit.plug.closed is (version == "1.1")
        linger = plugged.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        assert linger == struct.pack("ii", 1, 0)


def test_a_slow_agent_holds_its_stream_back():
    """And only while there is one."""
    visit = Visit()
    visit.connection.pause_writing()
    visit.connection.resume_writing()
    visit.says(request())
    tap = FakeSource()
    visit.desk.next.set(Reply(200, LINES, body=Body(tap)))
    visit.connection.pause_writing()
    assert tap.paused
    visit.connection.resume_writing()
    assert not tap.paused


def test_a_stream_whose_agent_left_is_read_to_know_its_end():
    """Nothing more is written; it holds nothing back."""
    visit = Visit()
    body = stream_of(visit)
    visit.connection.pause_writing()
    written = visit.plug.written
    visit.connection.connection_lost(None)
    body.feed(b"one")
    body.finish(b"", [])
    assert visit.plug.written == written
    assert visit.desk.stopped == [Stop.AGENT_GONE]
    assert visit.server.exchanges == set()


def test_an_end_of_the_process_stops_what_runs():
    """The call hears why."""
    visit = Visit()
    visit.says(request())
    visit.exchange.shut_down()
    assert visit.desk.stopped == [Stop.DRAIN]


@pytest.mark.parametrize("streamed", [False, True])
def test_a_bug_after_an_answer_has_begun_is_no_second_answer(streamed):
    """The connection breaks off: another answer within the first would be believed to be it."""
    visit = Visit()
    if streamed:
        stream_of(visit).feed(b"one")
        strand = visit.exchange.strand
        assert strand is not None
        strand.step(ValueError("bug"))
        assert b"0\r\n\r\n" not in visit.plug.written
    else:
        visit.desk.breaks = ValueError("bug")
        visit.says(request())
        visit.desk.next.set(reply_of())
        assert visit.plug.written == raw_of()
    assert b"500" not in visit.plug.written
    assert visit.plug.closed


@pytest.mark.parametrize("streamed", [False, True])
def test_a_bug_of_who_settles_does_not_harm_the_answer(streamed):
    """It goes out whole, and the connection stays; the bug is in the reply."""
    visit = Visit()
    visit.says(request())
    body = Body(FakeSource())
    reply = Reply(200, LINES, body=body) if streamed else reply_of()
    reply.finishers = [(broken, None)]
    visit.desk.next.set(reply)
    if streamed:
        body.feed(b"one")
        body.finish(b"", [])
        assert visit.plug.written.endswith(b"3\r\none\r\n0\r\n\r\n")
    else:
        assert visit.plug.written == raw_of()
    assert (visit.plug.closed, type(reply.bug)) == (False, ValueError)


def broken(subject: None, reply: Reply) -> None:
    """A settler with a bug."""
    raise ValueError("bug")


def test_a_call_that_is_stopped_within_its_answer_breaks_it_off():
    """Its agent must not take what came for the whole."""
    visit = Visit()
    stream_of(visit)
    visit.exchange.cancel()
    assert b"0\r\n\r\n" not in visit.plug.written
    assert visit.plug.closed
    assert visit.server.exchanges == set()


def test_a_request_without_a_call_is_stopped_all_the_same():
    """Between its head and its recognition, too."""
    for tell in ("agent_left", "shut_down"):
        visit = Visit()
        visit.says(request())
        visit.exchange.call = None
        getattr(visit.exchange, tell)()
        assert visit.server.exchanges == set()
        assert visit.plug.written == b""


def test_an_agent_leaves_only_once():
    """However many signs of it there are."""
    visit = Visit()
    visit.says(request())
    visit.exchange.agent_left()
    visit.exchange.agent_left()
    assert visit.desk.stopped == [Stop.AGENT_GONE]


class Outlet:
    """The upstream's end of a tunnel."""

    def __init__(self) -> None:
        self.heard = b""
        self.ended = False

    def join(self, body: Body) -> None:
        body.flow(self)

    def watch(self, tap: object) -> None:
        """Nobody looks."""

    def write(self, piece: bytes) -> None:
        self.heard += piece

    def end(self, last: bytes, trailers: object) -> None:
        self.heard += last
        self.ended = True

    def broken(self, failure: Failure) -> None:
        """Not here."""


def test_a_tunnel_takes_all_that_comes():
    """What came before it was granted as well, and the end of it; requests are bytes there."""
    visit, outlet, body = Visit(), Outlet(), Body(FakeSource())
    visit.says(request("/", "Connection: upgrade", "Upgrade: x"), b"early ")
    visit.desk.next.set(
        Reply(101, b"HTTP/1.1 101 Go\r\n", {b"upgrade": b"x"}, body=body, tunnel=outlet)
    )
    visit.says(b"late ", request("/2"))
    assert outlet.heard == b"early late " + request("/2")
    assert visit.desk.targets == [b"/"]
    assert visit.connection.eof_received() is True
    assert outlet.ended
    body.feed(b"back")
    body.finish(b"", [])
    assert visit.plug.written.endswith(b"\r\n\r\nback")
    assert visit.plug.closed


def test_an_answer_to_nobody_is_not_written():
    """The agent left before it was there; the reply is finished all the same."""
    visit = Visit()
    visit.says(request())
    visit.exchange.agent_left()
    reply = Reply(200, LINES, body=Whole(b"ok"), length=2)
    visit.desk.next.set(reply)
    assert reply.finished
    assert visit.plug.written == b""


# --- an answer whose end waits for its record ---


def waiting(visit: Visit, *, streamed: bool) -> Signal[bool]:
    """An answer that has all come and is finished; what is durable when the signal is set."""
    visit.says(request())
    durable: Signal[bool] = Signal()
    body = Body(FakeSource())
    reply = Reply(200, LINES, body=body) if streamed else reply_of()
    reply.durable = durable
    visit.desk.next.set(reply)
    if streamed:
        body.feed(b"one")
        body.finish(b"", [])
    return durable


@pytest.mark.parametrize("durable", [True, False])
def test_the_last_byte_goes_when_the_record_is_durable(durable):
    """Nothing of a whole answer goes before, nor the last bytes of a stream. Where it cannot be
    made durable they go as well: the call has run."""
    whole, stream = Visit(), Visit()
    waits = waiting(whole, streamed=False)
    assert whole.plug.written == b""
    waits.set(durable)
    assert whole.plug.written == raw_of()
    waits = waiting(stream, streamed=True)
    assert not stream.plug.written.endswith(b"0\r\n\r\n")
    waits.set(durable)
    assert stream.plug.written.endswith(b"3\r\none\r\n0\r\n\r\n")


@pytest.mark.parametrize("streamed", [False, True])
def test_an_agent_that_leaves_while_its_record_is_awaited_is_told_nothing(streamed):
    """Whatever becomes of the record then, the exchange ends."""
    visit = Visit()
    durable = waiting(visit, streamed=streamed)
    written = visit.plug.written
    visit.connection.connection_lost(None)
    assert visit.desk.stopped == [Stop.AGENT_GONE]
    durable.set(True)
    assert visit.plug.written == written
    assert visit.server.exchanges == set()


@pytest.mark.parametrize("streamed", [False, True])
def test_what_was_answered_goes_out_when_the_process_ends_meanwhile(streamed):
    """The call has run, and its agent is there."""
    visit = Visit()
    waiting(visit, streamed=streamed)
    visit.exchange.cancel()
    assert visit.plug.written.endswith(b"0\r\n\r\n" if streamed else raw_of())
    assert not visit.plug.aborted
    assert visit.server.exchanges == set()


@pytest.mark.parametrize("streamed", [False, True])
def test_the_end_of_an_answer_whose_agent_left_waits_for_nothing(streamed):
    """Nobody would get it."""
    visit = Visit()
    visit.says(request())
    body = Body(FakeSource())
    reply = Reply(200, LINES, body=body) if streamed else reply_of()
    reply.durable = Signal()
    visit.connection.connection_lost(None)
    visit.desk.next.set(reply)
    if streamed:
        body.finish(b"", [])
    assert visit.server.exchanges == set()
