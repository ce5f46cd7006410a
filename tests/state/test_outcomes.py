"""What came of an approved call, for the same call that comes again."""

import pytest

from proxy.call import Whole
from proxy.refusal import Refusal
from proxy.reply import KEPT, Executed, Failure, Reply, Result
from proxy.state.asking import LARGEST
from proxy.state.outcomes import ROOM, Outcome, coming, outcome
from tests.fakes import FakeBody, make_call, make_reply

LINES = b"HTTP/1.1 200 OK\r\n"


def spent(why: str, executed: Executed) -> Refusal:
    """What is told where there is no answer."""
    return Refusal("approval_expired", why, executed=executed)


def came(
    reply: Reply, room: int = ROOM, streams: bool = False, whole: bytes | None = None
) -> Outcome:
    """What is known when it has ended; its body may have come meanwhile."""
    at = coming(make_call(), reply, room, lambda _: streams)
    if whole is not None:
        assert isinstance(reply.body, FakeBody)
        reply.body.whole = whole
    return outcome(at, reply, spent)


def test_an_answer_is_given_again() -> None:
    """As it was, and nothing is said to have run for it."""
    again = came(make_reply(201, {b"x-a": b"b"}, body=FakeBody(b"paid"), lines=LINES)).reply()
    assert again.body is not None
    assert (again.status, again.lines, again.fields) == (201, LINES, {b"x-a": b"b"})
    assert (again.body.whole, again.length, again.result) == (b"paid", 4, Result.SUCCESS)
    assert (again.tier, again.reason, again.executed) == (KEPT, "approval_replayed", Executed.YES)


def test_an_error_of_the_upstream_is_an_answer() -> None:
    """It is not sent again for that."""
    again = came(make_reply(500, body=FakeBody(b"no"), lines=LINES)).reply()
    assert (again.status, again.result) == (500, Result.FAILURE)


def test_one_that_still_came_has_its_length() -> None:
    """It is known by now; a status that has no body has no length."""
    reply = make_reply(200, body=FakeBody(None), lines=LINES)
    found = came(reply, whole=b"paid")
    assert (found.lines, found.length) == (LINES + b"Content-Length: 4\r\n", 4)
    assert found.size == 4 + 2 * len(found.lines)
    bare = came(make_reply(204, body=FakeBody(None), lines=LINES), whole=b"")
    assert (bare.lines, bare.length) == (LINES, None)


def test_an_answer_may_have_no_body() -> None:
    """That is all of it."""
    reply = make_reply(200, lines=LINES)
    reply.body, reply.length = None, 0
    body = came(reply).reply().body
    assert isinstance(body, Whole)
    assert body.whole == b""


@pytest.mark.parametrize(
    ("reply", "room", "streams"),
    [
        (make_reply(200, body=FakeBody(None), length=LARGEST + 1), ROOM, False),
        (make_reply(200, body=FakeBody(None)), LARGEST - 1, False),
        (make_reply(200, body=FakeBody(None)), ROOM, True),
        (make_reply(101, body=FakeBody(None), tunnel=object()), ROOM, False),
    ],
    ids=["too large", "no room", "a stream", "a tunnel"],
)
def test_what_is_not_kept_is_said_to_have_been_answered(
    reply: Reply, room: int, streams: bool
) -> None:
    """And nobody asks for its bytes."""
    refusal = came(reply, room, streams).reply().refusal
    assert refusal is not None
    assert (refusal.code, refusal.executed) == ("approval_expired", reply.executed)
    assert "was not kept" in refusal.detail
    assert isinstance(reply.body, FakeBody)
    assert reply.body.kept == 0


def test_one_that_did_not_come_whole_is_not_given_again() -> None:
    """Nor one with trailers, which are no part of what is kept."""
    assert came(make_reply(200, body=FakeBody(None))).refusal is not None
    body = FakeBody(b"x")
    body.trailers = [(b"a", b"a", b"b")]
    assert came(make_reply(200, body=body)).refusal is not None


@pytest.mark.parametrize(
    ("what", "said", "executed"),
    [
        (Refusal("denied", "no"), "came to denied", Executed.NO),
        (Failure.CONNECT, "(connect)", Executed.NO),
        (Failure.DISCONNECT, "(disconnect)", Executed.UNKNOWN),
    ],
)
def test_what_failed_is_told(what: Refusal | Failure, said: str, executed: Executed) -> None:
    """With what is known of whether it ran."""
    reply = came(make_reply(what)).reply()
    assert reply.refusal is not None
    assert said in reply.refusal.detail
    assert (reply.executed, reply.result) == (executed, None)
