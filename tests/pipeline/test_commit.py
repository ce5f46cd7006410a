"""Where the result of an attempt is decided."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.pipeline.commit import Commit
from proxy.protocols.http import Http
from proxy.protocols.recognise import HTTP
from proxy.reply import Executed, Failure, Reply, Result
from proxy.strand import Strand
from proxy.wire.body import AHEAD, Body
from tests.fakes import FakeClock, FakeSource, make_attempt, make_reply

EVENTS = {b"content-type": b"text/event-stream; charset=utf-8"}


class Answer:
    """The answer to one attempt, on its way to its commit."""

    def __init__(
        self, status: int = 200, fields: dict[bytes, bytes] | None = None, *, hold: bool = True
    ) -> None:
        self.clock = FakeClock()
        self.source = FakeSource()
        self.body = Body(self.source)
        self.commits: list[bool] = []  # for each, whether it is a stream
        reply = Reply(status=status, fields=fields or {}, body=self.body)
        reply.on_commit = self.commits.append
        self.reply: Reply = reply
        self.attempt: Attempt = make_attempt(started=self.clock.now())
        self.attempt.call.finishes_alone = True
        self.hold = hold
        self.came: list[Reply] = []
        self.ends: list[BaseException | None] = []
        self.strand = Strand(self._committed(), self.ends.append)

    async def _committed(self) -> None:
        waits = Commit(HTTP, self.clock, hold=self.hold)(self.attempt, self.reply)
        if waits is not None:
            await waits
        self.came.append(self.reply)

    def go(self) -> "Answer":
        """Its head has come."""
        self.strand.step()
        return self

    @property
    def result(self) -> Result | None:
        """Of what was committed."""
        assert self.came == [self.reply]
        assert self.attempt.result == self.reply.result
        assert self.attempt.status == self.reply.status
        assert self.attempt.failure == self.reply.failure
        return self.reply.result


def committed(reply: Reply, **of_it: Any) -> Attempt:
    """The attempt at a reply that has nothing to wait for."""
    attempt = make_attempt(**of_it)
    assert Commit(HTTP, FakeClock(at=1005.0), hold=True)(attempt, reply) is None
    return attempt


def test_a_whole_answer_is_committed_at_once() -> None:
    """Its result, its status and its end are on the attempt."""
    reply = make_reply(404, result=None)
    attempt = committed(reply)
    assert (reply.result, attempt.result, attempt.status) == (
        Result.CALLER_ERROR, Result.CALLER_ERROR, 404,
    )  # fmt: skip
    assert attempt.ended == 1005.0


def test_an_attempt_ends_with_the_first_byte_of_its_answer() -> None:
    """That is what slow means; the rest is the answer's length."""
    assert committed(make_reply(200), first_byte=1001.0).ended == 1001.0


def test_what_is_here_whole_is_no_stream() -> None:
    """Whatever its type says: nothing of it is still to come."""
    commits: list[bool] = []
    committed(make_reply(200, EVENTS, on_commit=commits.append))
    assert commits == [False]


def test_a_failure_is_no_commit() -> None:
    """It may be sent again; other time limits do not rule yet."""
    commits: list[bool] = []
    reply = make_reply(Failure.CONNECT, result=None, on_commit=commits.append)
    attempt = committed(reply)
    assert (reply.result, reply.executed) == (Result.FAILURE, Executed.NO)
    assert (attempt.failure, attempt.status, commits) == (Failure.CONNECT, 0, [])


@pytest.mark.parametrize("hold", [True, False])
def test_a_stream_is_committed_at_its_head(hold: bool) -> None:
    """Its first event may be a minute away. And nobody sees it through without its agent."""
    answer = Answer(200, EVENTS, hold=hold).go()
    assert (answer.result, answer.commits) == (Result.SUCCESS, [True])
    assert not answer.attempt.call.finishes_alone
    assert answer.attempt.call.waited == 0


def test_where_nobody_holds_an_answer_is_committed_at_its_head() -> None:
    """Nothing could send it again, and nobody asks how it ended."""
    answer = Answer(503, hold=False).go()
    assert (answer.result, answer.commits) == (Result.FAILURE, [False])
    assert answer.attempt.call.finishes_alone


def test_an_answer_is_held_until_its_first_byte() -> None:
    """The waiting is not our own time."""
    answer = Answer().go()
    assert answer.came == []
    answer.clock.advance(2.0)
    answer.body.feed(b"x")
    assert (answer.result, answer.commits) == (Result.SUCCESS, [False])
    assert answer.attempt.call.waited == 2.0


def test_an_answer_without_a_body_is_held_until_its_end() -> None:
    """An end is as good as a first byte."""
    answer = Answer().go()
    answer.body.finish(b"", [])
    assert answer.result is Result.SUCCESS


def test_an_error_is_read_whole() -> None:
    """Its result may stand in its body."""
    answer = Answer(429).go()
    answer.body.feed(b'{"error": "insufficient_')
    assert answer.came == []
    answer.body.finish(b'quota"}', [])
    assert (answer.result, answer.reply.quota_exhausted) == (Result.THROTTLED, True)
    assert answer.body.whole == b'{"error": "insufficient_quota"}'


def test_an_error_is_not_read_without_end() -> None:
    """64 KiB say enough; the rest comes later, to whom it is passed on."""
    answer = Answer(500).go()
    answer.body.feed(b"x" * AHEAD)
    assert answer.came == []
    answer.body.feed(b"x")
    assert (answer.result, answer.commits) == (Result.FAILURE, [False])
    assert answer.body.whole is None


@pytest.mark.parametrize(
    ("status", "failure", "result", "detail"),
    [
        (200, Failure.TRUNCATED, Result.TRUNCATED, "the answer broke off"),
        (200, Failure.TIMEOUT, Result.FAILURE, "the answer did not go on in time"),
        (500, Failure.DISCONNECT, Result.FAILURE, "the answer broke off"),
    ],
)
def test_an_answer_that_breaks_off_before_its_first_byte_never_was(
    status: int, failure: Failure, result: Result, detail: str
) -> None:
    """It can be sent again: a failure without a status, and no commit."""
    answer = Answer(status)
    answer.reply.lines = b"HTTP/1.1 200 OK\r\n"
    answer.go().body.fail(failure)
    assert answer.result is result
    assert (answer.reply.status, answer.reply.lines) == (0, b"")
    assert answer.reply.failure is failure
    assert (answer.reply.executed, answer.commits) == (Executed.UNKNOWN, [])
    assert answer.reply.detail == detail


def test_an_answer_that_breaks_off_later_is_committed() -> None:
    """Its bytes go to the agent, who learns of the end from the body."""
    answer = Answer().go()
    answer.body.feed(b"x")
    answer.body.fail(Failure.TRUNCATED)
    assert (answer.result, answer.reply.failure) == (Result.SUCCESS, None)


@pytest.mark.parametrize("status", [200, 500])
def test_a_cancelled_hold_lets_the_answer_go(status: int) -> None:
    """It is nobody's; its connection must not wait for a reader."""
    answer = Answer(status).go()
    answer.strand.cancel()
    assert (answer.ends, answer.came) == ([None], [])
    assert answer.source.abandoned


class Talking(Http):
    """A protocol that knows streams by a sign of its own, and calls them all throttled."""

    def streams(self, reply: Reply) -> bool:
        """See Protocol."""
        return b"x-talks" in reply.fields

    def judge(self, reply: Reply) -> None:
        """See Protocol."""
        reply.result = Result.THROTTLED


@pytest.mark.parametrize("streams", [True, False])
def test_the_protocol_knows_what_a_stream_is(streams: bool) -> None:
    """And what its result is; the commit has no opinion of its own."""
    commits: list[bool] = []
    fields = {b"x-talks": b"1"} if streams else EVENTS
    reply = Reply(200, fields=fields, body=Body(FakeSource()), on_commit=commits.append)
    attempt = make_attempt()
    Commit(Talking(), FakeClock(), hold=False)(attempt, reply)
    assert (commits, attempt.result) == ([streams], Result.THROTTLED)


@pytest.mark.parametrize("priced", [True, False])
def test_a_402_is_what_the_policy_says(priced: bool) -> None:
    """The result that is decided here is the one that all stages see."""
    reply, attempt = Reply(status=402), make_attempt()
    Commit(HTTP, FakeClock(), hold=True, priced=priced)(attempt, reply)
    assert attempt.result is (Result.CALLER_ERROR if priced else Result.THROTTLED)
