"""One request on its way to an upstream: its answer, and early ends."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.call import Header, Message, Whole
from proxy.reply import Failure
from proxy.wire.body import Body
from tests.fakes import FakeSource, make_call
from tests.harness import answer, chunked
from tests.wire.line import HEAD, LONG, OK, STREAM, Line, Waiting, flowing, told
from tests.wire.test_body import Glass

TO_THE_END = answer(200, body=None)


# the request


def test_a_whole_request_goes_in_one_piece():
    """And is sent from then on."""
    line = Line()
    line.ask()
    assert (line.plug.taken(), line.attempt.sent) == (HEAD, True)


def test_another_message_goes_in_the_place_of_the_calls_own():
    """In one piece, whatever the call's own body is."""
    line = Line()
    sending = line.ask(Body(FakeSource()), sends=Message(make_call().head, b"other", "m"))
    assert line.plug.taken() == HEAD + b"other"
    line.comes(OK)
    assert told(sending).status == 200
    assert line.pool.released == [line.connection]


def test_a_kept_body_is_sent_with_its_trailers():
    """As chunks, where the agent sent it so; the connection is free for another after it."""
    trailers: list[Header] = [(b"x-t", b"X-T", b"1")]
    line = Line()
    sending = line.ask(Whole(b"body", trailers))
    assert line.plug.taken() == HEAD + b"4\r\nbody\r\n0\r\nX-T: 1\r\n\r\n"
    line.comes(OK)
    assert told(sending).status == 200
    assert line.pool.released == [line.connection]


def test_a_request_that_breaks_off_is_never_finished():
    """The upstream must not take it for whole: the connection is cut."""
    line = Line()
    body = Body(FakeSource())
    sending = line.ask(body)
    body.feed(b"part")
    body.fail(Failure.CANCELLED)
    assert told(sending).failure is Failure.CANCELLED
    assert line.plug.taken() == HEAD + b"4\r\npart\r\n"
    assert line.plug.aborted


def test_a_request_that_had_broken_off_is_told_at_once():
    """Its body failed before there was a connection."""
    line = Line()
    body = Body(FakeSource())
    body.fail(Failure.BAD_REQUEST)
    assert told(line.ask(body)).failure is Failure.BAD_REQUEST
    assert line.plug.aborted


def test_a_request_that_breaks_off_within_its_answer_cuts_that_too():
    """The upstream answers as it reads, and will never have read it all."""
    line = Line()
    body = Body(FakeSource())
    sending = line.ask(body)
    line.comes(STREAM + b"4\r\npart\r\n")
    glass = flowing(told(sending))
    body.fail(Failure.BAD_REQUEST)
    assert (glass.held, glass.failure) == (b"part", Failure.BAD_REQUEST)
    assert line.plug.aborted


# the head of the answer


ANSWERS = {
    "length": answer(200, body=b"hello world"),
    "chunks": STREAM + chunked(b"hello ", b"world"),
    "no bytes": answer(200, "Content-Length: 0", body=None),
    "no body": answer(204, body=None),
    "interim": answer(103, "Link: </a>", body=None) + answer(200, body=b"hello world"),
}


@pytest.mark.parametrize("raw", ANSWERS.values(), ids=ANSWERS.keys())
@given(cuts=st.sets(st.integers(1, 200), max_size=6))
def test_an_answer_is_the_same_in_any_pieces(raw: bytes, cuts: set[int]):
    """Wherever it is cut, its head, its bytes and its end are what they are in one piece."""
    found = []
    for places in (set[int](), cuts):
        at = [0, *sorted(cut for cut in places if cut < len(raw)), len(raw)]
        line = Line()
        reply = line.reply(*(raw[a:b] for a, b in itertools.pairwise(at)))
        body = reply.body
        assert body is not None
        content = flowing(reply).held if isinstance(body, Body) else body.whole
        found.append((reply.status, reply.lines, reply.length, content, line.interim))
        assert line.pool.released == [line.connection]
    assert found[0] == found[1]


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


def test_interim_answers_where_nobody_takes_them():
    """They are passed over."""
    line = Line()
    sending = line.ask()
    line.attempt.call.interim = None
    line.comes(answer(103, body=None) + OK)
    assert told(sending).status == 200


@pytest.mark.parametrize("at_once", [True, False])
def test_interim_answers_are_not_without_number(at_once: bool):
    """A hundred pass; one more is no answer, and the connection is cut."""
    for number, status in ((100, 200), (101, 0)):
        pieces = [answer(103, body=None)] * number + [OK]
        line = Line()
        sending = line.ask()
        line.connection.data_received(b"".join(pieces)) if at_once else line.comes(*pieces)
        reply = told(sending)
        assert (reply.status, len(line.interim)) == (status, 100)
        assert line.plug.aborted is (status == 0)


def test_a_head_is_not_read_without_end():
    """It is held as far as a head may be long, and no further."""
    line = Line()
    sending = line.ask()
    line.comes(b"HTTP/1.1 200 OK\r\n", *[b"X: " + b"a" * 8000 + b"\r\n"] * 40)
    assert told(sending).failure is Failure.BAD_RESPONSE
    assert line.plug.aborted


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
    sending = line.ask()
    if came:
        line.comes(came)
    line.ends(reset=reset)
    assert told(sending).failure is failure
    assert line.pool.losses
    assert line.pool.released == []


@pytest.mark.parametrize(
    ("raw", "reset", "failure"),
    [
        (answer(200, "Content-Length: 9", body=b"part"), False, Failure.TRUNCATED),
        (answer(200, "Content-Length: 9", body=b"part"), True, Failure.TRUNCATED),
        (STREAM + b"4\r\npart\r\n", False, Failure.TRUNCATED),
        (STREAM + b"4\r\npart\r\n0\r\n", False, Failure.TRUNCATED),
        (TO_THE_END + b"part", False, None),
        (TO_THE_END + b"part", True, Failure.TRUNCATED),
    ],
)
def test_an_end_within_the_answer(raw, reset, failure):
    """Only where no length and no chunks were promised is a clean close its end."""
    line = Line()
    glass = flowing(line.reply(raw))
    line.ends(reset=reset)
    assert (glass.held, glass.failure) == (b"part", failure)
    assert (glass.trailers is None) is (failure is not None)
    assert line.pool.released == []


def test_an_upload_ends_with_an_answer_that_its_connection_ends():
    """What still comes of the agent's body goes nowhere, and nothing holds the agent back."""
    line, tap = Line(), FakeSource()
    body = Body(tap)
    reply = line.reply(TO_THE_END + b"part", body=body)
    body.feed(b"part")
    line.connection.pause_writing()
    assert tap.paused
    glass = flowing(reply)
    line.ends()
    assert (glass.held, glass.trailers) == (b"part", [])
    assert not tap.paused
    line.plug.taken()
    body.feed(b"more")
    body.finish(b"", [])
    assert line.plug.written == b""


@pytest.mark.parametrize("at_once", [True, False])
def test_an_answer_that_is_not_valid_ends_there(at_once: bool):
    """What came before stays what it was; the rest is not passed on."""
    line = Line()
    head, rest = STREAM + b"4\r\npart\r\n", b"zz\r\nmore"
    reply = line.reply(head + rest) if at_once else line.reply(head)
    assert isinstance(reply.body, Body)
    if at_once:
        assert (reply.body.beginning, reply.body.failure) == (b"part", Failure.BAD_RESPONSE)
    else:
        glass = flowing(reply)
        line.comes(rest)
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


def test_what_was_let_go_of_before_is_no_concern_of_the_next():
    """A finished answer has no hold on a connection that carries another."""
    line = Line()
    first = line.reply(LONG, b"a" * 998)
    waiting = Waiting(line)
    assert isinstance(first.body, Body)
    first.commit(streams=True)
    first.close()
    first.body.pause()
    assert not line.plug.paused
    line.comes(OK)
    assert waiting.replies[0].status == 200


def test_only_the_first_outcome_counts():
    """An answer that comes with the alarm is one or the other."""
    line = Line()
    waiting = Waiting(line, deadline=1005.0)
    line.clock.advance(5.0)
    line.ends()
    assert [reply.failure for reply in waiting.replies] == [Failure.TIMEOUT]


def test_what_a_204_says_it_has_is_waited_for_by_nobody():
    """It may come later, and would be read as the next answer."""
    line = Line()
    assert line.reply(answer(204, "Content-Length: 3", body=None)).failure is None
    assert (line.pool.released, line.plug.aborted) == ([], True)


def test_an_answer_before_its_request_is_none():
    """It went out with nothing, so it is somebody else's; nothing was sent."""
    line = Line()
    line.pool.opened.update(line.crowd())
    line.clock.gathers = []
    sending = line.ask()
    assert line.plug.written == b""
    line.comes(OK)
    reply = told(sending)
    assert (reply.failure, line.attempt.sent, line.plug.aborted) == (Failure.CONNECT, False, True)
    for work in line.clock.gathers:
        work()
    assert line.plug.written == b""


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("POST", 204), ("POST", 304), ("HEAD", 404)]
)
def test_bytes_behind_an_answer_that_has_no_body_end_the_connection(method, status):
    """Whatever length is said: they would be read as the next answer, or passed on as one."""
    line = Line()
    reply = line.reply(answer(status, "Content-Length: 3", body=b"abc"), method=method)
    assert reply.body is not None
    assert (reply.status, reply.body.whole, line.pool.released) == (status, b"", [])
    assert line.plug.aborted
