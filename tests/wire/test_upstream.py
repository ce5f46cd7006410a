"""One connection to an upstream: whose its bytes are, and when it is free for another request."""

import pytest

from proxy.reply import NEVER_SENT, Failure
from proxy.strand import Strand
from proxy.wire.body import Body
from proxy.wire.sending import Sending
from tests.fakes import FakeSource
from tests.harness import answer, chunked
from tests.wire.line import OK, STREAM, Line, flowing, told

# one answer for one request


def test_a_whole_answer_frees_the_connection():
    """It is given back before whoever waits for the answer runs on."""
    line = Line()
    seen: list[bool] = []

    async def asks(sending: Sending) -> None:
        await sending
        seen.append(line.pool.released == [line.connection] and line.connection.sending is None)

    Strand(asks(line.ask()), lambda _: None).step()
    line.comes(OK)
    assert seen == [True]
    body = line.reply(OK).body
    assert body is not None
    assert body.whole == b"ok"


def test_a_connection_carries_one_request_after_another():
    """What was of one is not of the next: its beginnings, its body, its upload, its times."""
    line = Line()
    asked = [None, Body(FakeSource()), None, None]
    raws = [answer(103, body=None) * 60 + OK, OK, STREAM + chunked(b"ok"), answer(204, body=None)]
    for number, (body, raw) in enumerate(zip(asked, raws, strict=True), 1):
        sending = line.ask(body, deadline=line.clock.now() + 5.0)
        if body is not None:
            body.finish(b"x", [])
        line.comes(*[raw[at : at + 7] for at in range(0, len(raw), 7)])
        reply = told(sending)
        assert reply.failure is None
        if isinstance(reply.body, Body):
            assert flowing(reply).held == b"ok"
        assert line.pool.released == [line.connection] * number
        line.clock.advance(60.0)
    assert not line.plug.is_closing()


def test_what_nobody_asked_for_ends_the_connection():
    """Before the first request, or between two."""
    for asked in (False, True):
        line = Line()
        if asked:
            line.reply(OK)
        line.comes(b"HTTP/1.1 200 OK\r\n")
        assert line.plug.aborted
        assert line.pool.losses


@pytest.mark.parametrize("reset", [False, True])
def test_a_connection_that_has_ended_takes_no_request(reset: bool):
    """Nothing is written; who asked hears of it at once, and has not waited."""
    line = Line()
    line.ends(reset=reset)
    assert told(line.ask()).failure in NEVER_SENT
    assert line.plug.written == b""
    assert not line.attempt.sent
    assert line.attempt.call.waited == 0.0


def test_a_connection_that_is_closing_takes_no_request():
    """Its transport knows it before the connection does."""
    line = Line()
    line.plug.close()
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
    body = Body(FakeSource())
    sending = line.ask(body)
    body.feed(b"part")
    line.comes(answer(413, body=b"no"))
    assert told(sending).status == 413
    assert line.pool.released == []
    assert line.plug.aborted


# its ends


@pytest.mark.parametrize("asked", [False, True])
@pytest.mark.parametrize("reset", [False, True])
def test_the_pool_hears_of_an_end(asked: bool, reset: bool):
    """Whether a request is on it or not; nothing rings any more."""
    line = Line()
    if asked:
        line.ask(deadline=1005.0)
    line.ends(reset=reset)
    assert line.connection in line.pool.losses
    assert line.connection.closed
    assert [alarm.due for alarm in line.clock.alarms] == [float("inf")]


def test_closing_it_lets_go_of_everything():
    """At once, and as often as anybody wants it."""
    line = Line()
    line.ask(deadline=1005.0)
    for _ in range(2):
        line.connection.close()
    assert line.plug.aborted
    assert (line.connection.closed, line.connection.sending) == (True, None)
    line.clock.advance(60.0)
    assert line.pool.released == []


def test_an_alarm_between_two_requests_is_nobodys():
    """The time of the last one may come due when the next has not begun."""
    line = Line()
    line.reply(OK)
    line.connection.alarm.set(line.clock.now() + 1.0)
    line.clock.advance(2.0)
    assert not line.plug.is_closing()


# pressure


def test_a_full_upstream_stops_the_agent():
    """Its body is not read on until it is taken."""
    line, tap = Line(), FakeSource()
    body = Body(tap)
    line.ask(body)
    line.connection.pause_writing()
    assert tap.paused
    line.connection.resume_writing()
    assert not tap.paused


@pytest.mark.parametrize("asked", [False, True])
def test_pressure_without_a_body_is_nobodys(asked: bool):
    """A request that was sent whole has nothing to hold back, and where there is none, neither."""
    line = Line()
    if asked:
        line.ask()
    line.connection.pause_writing()
    line.connection.resume_writing()
    assert not line.plug.paused


# tunnels

GRANTED = answer(101, "Connection: Upgrade", "Upgrade: chat/1", body=None)


def test_a_tunnel_ends_in_one_direction_at_a_time():
    """The upstream sends no more: what the agent said last still goes out, and then it closes."""
    line = Line()
    reply = line.reply(GRANTED + b"raw", upgrade=True)
    glass, agent = flowing(reply), Body(FakeSource())
    assert reply.tunnel is not None
    reply.tunnel.join(agent)
    agent.feed(b"last")
    line.plug.taken()
    assert line.connection.eof_received()
    assert (glass.held, glass.failure, glass.trailers) == (b"raw", None, [])
    assert (line.plug.closed, line.plug.aborted) == (True, False)
    agent.feed(b"for nobody")
    assert line.plug.written == b""
    line.connection.connection_lost(None)
    assert line.pool.released == []


def test_a_tunnel_that_is_reset_is_cut():
    """In both directions."""
    line = Line()
    glass = flowing(line.reply(GRANTED, upgrade=True))
    line.ends(reset=True)
    assert glass.failure is Failure.TRUNCATED
    assert line.plug.aborted
