"""One agent's connection: its times to the second, and moments that sockets seldom show."""

import pytest

from proxy.call import Stop
from proxy.clock import NEVER
from proxy.reply import Failure
from proxy.wire import vigil
from proxy.wire.body import AHEAD, Body
from proxy.wire.outgoing import MANY
from tests.harness import chunked, request
from tests.wire.plug import Plug
from tests.wire.visit import REFUSED, Visit, raw_of, reply_of

# times


def test_a_silent_agent_is_let_go_without_a_word():
    """Before its first request after `header_timeout`, after an answer after `keepalive`."""
    new, old = Visit(), Visit()
    old.desk.replies.append(reply_of())
    old.says(request())
    assert old.plug.taken() == raw_of()
    for visit, seconds in ((new, 10.0), (old, 60.0)):
        visit.clock.advance(seconds - 0.1)
        assert not visit.plug.closed
        visit.clock.advance(0.2)
        assert (visit.plug.closed, visit.plug.written) == (True, b"")
        assert visit.desk.bad == []


@pytest.mark.parametrize("before", [0, 1])
def test_a_head_has_its_time_from_its_first_byte(before):
    """However steadily it drips: 408 and the end."""
    visit = Visit()
    visit.desk.replies += [reply_of()] * before
    visit.says(*[request()] * before)
    visit.clock.advance(5.0)
    visit.plug.taken()
    for byte in request("/slow")[:9]:
        visit.says(bytes([byte]))
        visit.clock.advance(1.0)
    assert not visit.plug.closed
    visit.clock.advance(1.1)
    assert visit.plug.written == REFUSED
    assert visit.plug.eof
    visit.clock.advance(2.1)
    assert visit.plug.closed
    assert [(bad.reason, bad.code) for bad in visit.desk.bad] == [("slow_head", "request_timeout")]


def test_nothing_is_timed_while_an_answer_is_made():
    """How long that may take is the policies' business."""
    visit = Visit()
    visit.says(request())
    visit.clock.advance(9999.0)
    assert not visit.plug.closed


def test_a_body_that_is_waited_for_is_watched():
    """Slower than 1 KiB a second over 30 s it is ended, and who waits for it hears of it."""
    visit = Visit()
    visit.desk.reads = True
    visit.says(request("/", "Content-Length: 99999", method="POST"))
    visit.says(b"x" * 31_000)
    visit.clock.advance(30.0)
    assert visit.exchange.bad is None
    visit.says(b"x" * 9)
    visit.clock.advance(30.0)
    assert visit.exchange.bad is not None
    assert visit.exchange.bad.reason == "slow_body"
    visit.desk.next.set(reply_of())
    assert b"Connection: close" in visit.plug.written


def test_a_body_that_came_is_not_watched():
    """Its time is over with its last byte."""
    visit = Visit()
    visit.desk.reads = True
    visit.says(request("/", "Content-Length: 3", method="POST"), b"abc")
    visit.clock.advance(9999.0)
    visit.desk.next.set(reply_of())
    assert visit.plug.written == raw_of()


# heads in pieces


@pytest.mark.parametrize("at", range(1, 8))
def test_empty_lines_before_a_request_may_be_cut(at):
    """RFC 9112 2.2: they are no part of it, in however many reads they come."""
    visit = Visit()
    visit.desk.replies.append(reply_of())
    raw = b"\r\n\r\n" + request("/x")
    visit.says(raw[:at], raw[at:])
    assert visit.desk.bad == []
    assert visit.plug.written == raw_of()


def test_empty_lines_alone_are_no_request():
    """They neither begin one nor give more time for it."""
    visit = Visit()
    visit.clock.advance(9.0)
    visit.says(b"\r\n\r\n")
    visit.clock.advance(1.1)
    assert (visit.plug.closed, visit.plug.written) == (True, b"")


def test_a_head_that_can_only_be_wrong_is_not_waited_for():
    """Over the limits, or with a bare LF: refused before its end."""
    for part in (b"GET / HTTP/1.1\r\nX: " + b"a" * (65 << 10), b"GET / HTTP/1.1\nHost: a\n"):
        visit = Visit()
        visit.says(part)
        assert visit.plug.written == REFUSED
        visit.says(b"\r\n\r\n" + request())
        assert visit.desk.targets == []


# one after the other


def test_the_next_request_waits_for_the_answer():
    """In order, and each of them once."""
    visit = Visit()
    visit.says(request("/1") + request("/2"), request("/3"))
    for number in (1, 2, 3):
        assert visit.desk.targets == [b"/%d" % one for one in range(1, number + 1)]
        visit.desk.next.set(reply_of(b"%d" % number))
        assert visit.plug.taken() == raw_of(b"%d" % number)


def test_many_requests_that_are_answered_at_once_do_not_nest():
    """A pipeline of thousands is no deep recursion."""
    visit = Visit()
    visit.desk.replies += [reply_of()] * 5000
    visit.says(request("/") * 5000)
    assert visit.plug.written == raw_of() * 5000


def test_an_agent_that_asks_on_and_on_is_not_read_on():
    """What waits behind an answer is bounded; it is read on when that is out."""
    visit = Visit()
    visit.says(request("/1"), b"x" * AHEAD)
    assert not visit.plug.paused
    visit.says(b"x")
    assert visit.plug.paused
    visit.desk.next.set(reply_of())
    assert not visit.plug.paused


def test_a_request_after_the_last_answer_is_not_heard():
    """`Connection: close` was said."""
    visit = Visit()
    visit.desk.replies.append(reply_of())
    visit.says(request("/1", "Connection: close") + request("/2"), request("/3"))
    assert visit.desk.targets == [b"/1"]
    assert visit.plug.closed


def test_a_full_house_turns_away():
    """503 for one too many; whoever is in stays."""
    visit = Visit(connections=1)
    late = Plug()
    visit.another(late)
    assert (late.written, late.eof) == (REFUSED, True)
    assert [bad.code for bad in visit.desk.bad] == ["overloaded"]
    visit.desk.replies.append(reply_of())
    visit.says(request())
    assert visit.plug.written == raw_of()


def test_a_bug_is_an_answer_too():
    """500, and the end of a connection of which nobody knows where it stands."""
    visit = Visit()
    visit.desk.replies.append(ValueError("bug"))
    visit.says(request())
    assert visit.plug.written == b"HTTP/1.1 500 Oh\r\nX: bug\r\nConnection: close\r\n\r\n"
    assert visit.plug.closed


# bodies that nobody reads


def test_an_answer_to_an_unread_request_can_still_be_read():
    """Closing at once would reset it away: the sending side ends, the rest comes two seconds on."""
    visit = Visit()
    visit.says(request("/", "Content-Length: 9", method="POST"))
    visit.connection.pause()
    visit.desk.next.set(reply_of())
    assert b"Connection: close" in visit.plug.written
    assert (visit.plug.eof, visit.plug.closed, visit.plug.paused) == (True, False, False)
    visit.says(b"123456789", request("/2"))
    visit.clock.advance(1.9)
    assert not visit.plug.closed
    visit.clock.advance(0.2)
    assert visit.plug.closed
    assert visit.desk.targets == [b"/"]


@pytest.mark.parametrize("framing", ["Content-Length: 9", "Transfer-Encoding: chunked"])
def test_a_request_that_ends_before_its_answer_keeps_the_connection(framing):
    """Though nobody read its body."""
    visit = Visit()
    visit.says(request("/", framing, method="POST"))
    visit.says(b"123456789" if "Length" in framing else chunked(b"123456789"))
    visit.desk.next.set(reply_of())
    assert visit.plug.written == raw_of()


# half an end


def half_closed(monkeypatch: pytest.MonkeyPatch, *there: bool) -> Visit:
    """A request came, then a FIN; whether its agent is there, each time that is asked."""
    answers = list(there)
    monkeypatch.setattr(vigil, "still_there", lambda connection: answers.pop(0))
    visit = Visit(plugged=object())
    visit.says(request())
    assert visit.connection.eof_received() is there[0]
    return visit


def test_an_agent_that_said_all_hears_its_answer(monkeypatch):
    """While it is there; after the answer the connection ends."""
    visit = half_closed(monkeypatch, True, True, True)
    visit.clock.advance(0.101)
    assert (visit.desk.stopped, visit.plug.closed) == ([], False)
    visit.desk.next.set(reply_of())
    assert visit.plug.written == raw_of()
    assert visit.plug.closed


@pytest.mark.parametrize(
    ("there", "seconds"), [([False], 0.0), ([True, False], 0.051), ([True, True, False], 0.101)]
)
def test_an_agent_that_leaves_after_its_fin_is_noticed(monkeypatch, there, seconds):
    """Asked at once (the FIN may come before the close is done), then every 50 ms."""
    visit = half_closed(monkeypatch, *there)
    visit.clock.advance(max(0.0, seconds - 0.002))
    assert bool(visit.desk.stopped) is (len(there) == 1)
    visit.clock.advance(0.002)
    assert visit.desk.stopped == [Stop.AGENT_GONE]


def test_a_fin_on_what_is_no_socket_is_the_end():
    """There is nobody to ask."""
    visit = Visit()
    visit.says(request())
    assert visit.connection.eof_received() is False
    assert visit.desk.stopped == [Stop.AGENT_GONE]


def test_a_fin_within_a_body_is_the_end():
    """The rest will not come: whoever reads it hears of that, and the call is stopped."""
    visit = Visit()
    visit.says(request("/", "Content-Length: 9", method="POST"), b"abc")
    body = visit.exchange.body
    assert visit.connection.eof_received() is False
    assert isinstance(body, Body)
    assert body.failure is Failure.CANCELLED
    assert visit.desk.stopped == [Stop.AGENT_GONE]


def test_a_fin_between_requests_is_the_end():
    """Also within a head: half of one is no request."""
    for part in (b"", b"GET / HT"):
        visit = Visit()
        visit.says(part)
        assert visit.connection.eof_received() is False
        assert visit.desk.targets == []


def test_an_agent_that_is_lost_stops_its_call():
    """And no time runs for it any more; nothing is written to it."""
    visit = Visit()
    visit.says(request())
    visit.connection.connection_lost(ConnectionResetError())
    assert visit.desk.stopped == [Stop.AGENT_GONE]
    visit.desk.next.set(reply_of())
    assert visit.plug.written == b""
    assert all(alarm.due == NEVER for alarm in visit.clock.alarms)  # type: ignore[attr-defined]
    assert visit.server.connections == set()


def test_a_fin_behind_an_answer_that_is_kept_does_not_lose_it():
    """Both in one turn of the loop, among many other calls."""
    visit = Visit(connections=99)
    visit.clock.gathers = []
    for _ in range(MANY):
        visit.another(Plug()).data_received(request("/other"))
    visit.desk.replies = [reply_of()]
    visit.says(request())
    assert visit.plug.written == b""
    assert visit.connection.eof_received() is False
    assert visit.plug.written == raw_of()


def test_a_fin_does_not_lose_what_was_asked_before():
    """An agent that did not read may still do; then the connection ends."""
    visit = Visit()
    visit.connection.pause_writing()
    visit.desk.replies = [reply_of(b"1"), reply_of(b"2")]
    visit.says(request("/1") + request("/2"))
    assert visit.connection.eof_received() is True
    visit.connection.resume_writing()
    assert visit.plug.written == raw_of(b"1") + raw_of(b"2")
    assert visit.plug.closed


def test_half_a_request_behind_a_fin_is_none():
    """What came whole before it is answered; then the connection ends."""
    visit = Visit()
    visit.connection.pause_writing()
    visit.desk.replies = [reply_of(b"1")]
    visit.says(request("/1") + b"GET /2 HT")
    assert visit.connection.eof_received() is True
    visit.connection.resume_writing()
    assert visit.plug.written == raw_of(b"1")
    assert visit.plug.closed


def test_an_agent_that_never_reads_is_let_go():
    """Whatever it was that ended its connection."""
    visit = Visit()
    visit.clock.advance(10.1)
    assert visit.plug.closed
    assert not visit.plug.aborted
    visit.clock.advance(30.1)
    assert visit.plug.aborted


def test_an_agent_that_is_lost_is_asked_nothing_more():
    """Its socket is gone."""
    visit = Visit()
    visit.says(request("/", "Content-Length: 9", method="POST"), b"abc")
    visit.connection.watch_body()
    visit.connection.connection_lost(None)
    visit.connection.unwatch()
    assert all(alarm.due == NEVER for alarm in visit.clock.alarms)


def test_an_agent_that_does_not_read_gets_no_interim_answers():
    """They would be kept for it without a bound."""
    visit = Visit()
    visit.says(request())
    visit.exchange.interim(b"HTTP/1.1 103 Early Hints\r\n")
    assert visit.plug.taken() == b"HTTP/1.1 103 Early Hints\r\n\r\n"
    visit.connection.pause_writing()
    visit.exchange.interim(b"HTTP/1.1 103 Early Hints\r\n")
    assert visit.plug.taken() == b""
