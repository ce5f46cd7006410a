"""What an agent says around its requests: empty lines, bytes ahead, and its leaving."""

import pytest

from proxy.call import Stop
from proxy.reply import Reply
from proxy.wire import vigil
from proxy.wire.body import AHEAD, Body
from proxy.wire.head import Limits
from tests.fakes import FakeSource
from tests.harness import request
from tests.wire.visit import LINES, REFUSED, Visit, raw_of, reply_of

MOST = Limits().header_bytes
EMPTY = b"\r\n"

# empty lines before a request (RFC 9112 2.2)


@pytest.mark.parametrize("size", [1, 2, 3, 1000, MOST])
def test_empty_lines_are_not_minded_up_to_the_size_of_a_head(size: int):
    """In reads of any size; nothing of them is kept."""
    visit = Visit()
    visit.desk.replies.append(reply_of())
    lines = EMPTY * (MOST // 2)
    for at in range(0, MOST, size):
        visit.says(lines[at : at + size])
        assert len(visit.connection._ahead.held) <= 1
    visit.says(request("/x"))
    assert visit.plug.written == raw_of()
    assert visit.desk.bad == []


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_empty_lines_without_end_are_refused(size: int):
    """431, and what comes behind them is not heard."""
    visit = Visit()
    lines = EMPTY * (MOST // 2 + 1)
    for at in range(0, len(lines), size):
        visit.says(lines[at : at + size])
    assert [bad.reason for bad in visit.desk.bad] == ["head_too_large"]
    assert visit.plug.written == REFUSED
    visit.says(request("/x"))
    assert visit.desk.targets == []


def test_empty_lines_of_a_request_are_not_the_next_ones():
    """What was skipped before one does not count for another."""
    visit = Visit()
    visit.desk.replies += [reply_of(), reply_of()]
    visit.says(EMPTY * (MOST // 2) + request("/x"), EMPTY, request("/x"))
    assert visit.plug.written == raw_of() * 2
    assert visit.desk.bad == []


def test_empty_lines_of_many_requests_do_not_add_up():
    """Each request has its own; some clients send one behind each body."""
    visit = Visit()
    for _ in range(MOST // 2 + 9):
        visit.desk.replies.append(reply_of())
        visit.says(EMPTY, request("/x"))
        visit.plug.taken()
    assert visit.desk.bad == []


@pytest.mark.parametrize("raw", [b"\r", b"\r\n\r"])
def test_a_lone_carriage_return_is_no_empty_line(raw: bytes):
    """It begins a head that is not valid, wherever it is cut."""
    for pieces in ((raw, request("/x")), (raw + request("/x"),)):
        visit = Visit()
        visit.says(*pieces)
        assert visit.desk.targets == []
        assert len(visit.desk.bad) == 1


# an agent that leaves while it is not read from


def stuffed(monkeypatch: pytest.MonkeyPatch) -> tuple[Visit, list[bool]]:
    """An agent of whom more than is read ahead waits behind its request, and whether it left."""
    gone: list[bool] = []
    monkeypatch.setattr(vigil, "fin_has_come", lambda connection: bool(gone))
    visit = Visit(plugged=object())
    visit.says(request("/1"), b"x" * (AHEAD + 1))
    assert visit.plug.paused
    visit.clock.advance(1.0)
    assert visit.desk.stopped == []
    return visit, gone


def test_hanging_up_behind_what_was_pipelined_is_seen(monkeypatch: pytest.MonkeyPatch):
    """Nobody reads up to its FIN: the kernel is asked, and the call is stopped."""
    visit, gone = stuffed(monkeypatch)
    gone.append(True)
    visit.clock.advance(0.051)
    assert visit.desk.stopped == [Stop.AGENT_GONE]
    assert visit.plug.aborted


def test_hanging_up_in_a_stream_behind_what_was_pipelined_is_seen(
    monkeypatch: pytest.MonkeyPatch,
):
    """That its answer has begun changes nothing of it."""
    visit, gone = stuffed(monkeypatch)
    visit.desk.next.set(Reply(200, LINES, body=Body(FakeSource())))
    visit.clock.advance(1.0)
    assert visit.desk.stopped == []
    gone.append(True)
    visit.clock.advance(0.051)
    assert visit.desk.stopped == [Stop.AGENT_GONE]


def test_an_agent_that_is_read_again_is_not_asked_for(monkeypatch: pytest.MonkeyPatch):
    """Its answer is out: its FIN will be read."""
    visit, gone = stuffed(monkeypatch)
    visit.desk.next.set(reply_of())
    assert not visit.plug.paused
    gone.append(True)
    visit.clock.advance(1.0)
    assert (visit.desk.stopped, visit.plug.aborted) == ([], False)


def test_who_is_not_read_from_between_requests_has_no_call_to_stop(
    monkeypatch: pytest.MonkeyPatch,
):
    """An agent that does not take its answer is stopped by that, and is not asked for."""
    monkeypatch.setattr(vigil, "fin_has_come", lambda connection: True)
    visit = Visit(plugged=object())
    visit.desk.replies.append(reply_of())
    visit.says(request("/1"))
    visit.connection.pause_writing()
    visit.says(b"x" * (AHEAD + 1))
    assert visit.plug.paused
    visit.clock.advance(1.0)
    assert not visit.plug.aborted
