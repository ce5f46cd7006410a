"""Where the result of an attempt is decided."""

import asyncio

import pytest

from proxy.attempt import Attempt
from proxy.pipeline.commit import Commit
from proxy.protocols.recognise import HTTP
from proxy.reply import Executed, Failure, Reply, Result
from proxy.strand import Strand
from proxy.wire.body import AHEAD, Body
from tests.fakes import FakeClock, ScriptedUpstream, make_attempt, make_reply

EVENTS = {b"content-type": b"text/event-stream; charset=utf-8"}


class Source:
    """Where a body comes from."""

    def __init__(self) -> None:
        self.paused = False
        self.abandoned = False

    def pause(self) -> None:
        """Part of Source."""
        self.paused = True

    def resume(self) -> None:
        """Part of Source."""
        self.paused = False

    def abandon(self) -> None:
        """Part of Source."""
        self.abandoned = True


class Sending:
    """One attempt on its way to its commit."""

    def __init__(
        self, status: int = 200, fields: dict[bytes, bytes] | None = None, *, hold: bool = True
    ) -> None:
        self.clock = FakeClock()
        self.source = Source()
        self.body = Body(self.source)
        self.commits: list[str] = []
        reply = Reply(status=status, fields=fields or {}, body=self.body)
        reply.on_commit = lambda: self.commits.append("committed")
        self.reply: Reply = reply
        self.attempt: Attempt = make_attempt(started=self.clock.now())
        self.attempt.call.finishes_alone = True
        self.hold = hold
        self.came: list[Reply] = []
        self.ends: list[BaseException | None] = []
        self.strand = Strand(self._sent(), self.ends.append)

    async def _sent(self) -> None:
        commit = Commit(ScriptedUpstream(self.reply), HTTP, self.clock, hold=self.hold)
        self.came.append(await commit(self.attempt))

    def go(self) -> "Sending":
        """Send it; the head of the answer comes at once."""
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


async def sent(reply: Reply, *, hold: bool = True) -> tuple[Reply, Attempt]:
    """A reply that has nothing to wait for, committed."""
    attempt = make_attempt()
    commit = Commit(ScriptedUpstream(reply), HTTP, FakeClock(at=1005.0), hold=hold)
    return await commit(attempt), attempt


async def test_a_whole_answer_is_committed_at_once() -> None:
    """Its result, its status and its end are on the attempt."""
    reply, attempt = await sent(make_reply(404, result=None))
    assert (reply.result, attempt.result, attempt.status) == (
        Result.CALLER_ERROR, Result.CALLER_ERROR, 404,
    )  # fmt: skip
    assert attempt.ended == 1005.0


async def test_an_attempt_ends_with_the_first_byte_of_its_answer() -> None:
    """That is what slow means; the rest is the answer's length."""
    attempt = make_attempt(first_byte=1001.0)
    await Commit(ScriptedUpstream(200), HTTP, FakeClock(at=1005.0), hold=True)(attempt)
    assert attempt.ended == 1001.0


async def test_a_failure_is_no_commit() -> None:
    """It may be sent again; other time limits do not rule yet."""
    commits: list[str] = []
    failed = make_reply(Failure.CONNECT, result=None)
    failed.on_commit = lambda: commits.append("committed")
    reply, attempt = await sent(failed)
    assert (reply.result, reply.executed) == (Result.FAILURE, Executed.NO)
    assert (attempt.failure, attempt.status, commits) == (Failure.CONNECT, 0, [])


@pytest.mark.parametrize("hold", [True, False])
def test_a_stream_is_committed_at_its_head(hold: bool) -> None:
    """Its first event may be a minute away. And nobody sees it through without its agent."""
    sending = Sending(200, EVENTS, hold=hold).go()
    assert (sending.result, sending.commits) == (Result.SUCCESS, ["committed"])
    assert not sending.attempt.call.finishes_alone
    assert sending.attempt.call.waited == 0


def test_where_nobody_holds_an_answer_is_committed_at_its_head() -> None:
    """Nothing could send it again, and nobody asks how it ended."""
    sending = Sending(503, hold=False).go()
    assert (sending.result, sending.commits) == (Result.FAILURE, ["committed"])
    assert sending.attempt.call.finishes_alone


def test_an_answer_is_held_until_its_first_byte() -> None:
    """The waiting is not our own time."""
    sending = Sending().go()
    assert sending.came == []
    sending.clock.advance(2.0)
    sending.body.feed(b"x")
    assert (sending.result, sending.commits) == (Result.SUCCESS, ["committed"])
    assert sending.attempt.call.waited == 2.0


def test_an_answer_without_a_body_is_held_until_its_end() -> None:
    """An end is as good as a first byte."""
    sending = Sending().go()
    sending.body.finish(b"", [])
    assert sending.result is Result.SUCCESS


def test_an_error_is_read_whole() -> None:
    """Its result may stand in its body."""
    sending = Sending(429).go()
    sending.body.feed(b'{"error": "insufficient_')
    assert sending.came == []
    sending.body.finish(b'quota"}', [])
    assert (sending.result, sending.reply.quota_exhausted) == (Result.THROTTLED, True)
    assert sending.body.whole == b'{"error": "insufficient_quota"}'


def test_an_error_is_not_read_without_end() -> None:
    """64 KiB say enough; the rest comes later, to whom it is passed on."""
    sending = Sending(500).go()
    sending.body.feed(b"x" * AHEAD)
    assert sending.came == []
    sending.body.feed(b"x")
    assert (sending.result, sending.commits) == (Result.FAILURE, ["committed"])
    assert sending.body.whole is None


@pytest.mark.parametrize(
    ("status", "failure", "result"),
    [
        (200, Failure.TRUNCATED, Result.TRUNCATED),
        (200, Failure.TIMEOUT, Result.FAILURE),
        (500, Failure.DISCONNECT, Result.FAILURE),
    ],
)
def test_an_answer_that_breaks_off_before_its_first_byte_never_was(
    status: int, failure: Failure, result: Result
) -> None:
    """It can be sent again: a failure without a status, and no commit."""
    sending = Sending(status).go()
    sending.body.fail(failure)
    assert sending.result is result
    assert (sending.reply.status, sending.reply.failure) == (0, failure)
    assert (sending.reply.executed, sending.commits) == (Executed.UNKNOWN, [])
    assert sending.reply.detail


def test_an_answer_that_breaks_off_later_is_committed() -> None:
    """Its bytes go to the agent, who learns of the end from the body."""
    sending = Sending().go()
    sending.body.feed(b"x")
    sending.body.fail(Failure.TRUNCATED)
    assert (sending.result, sending.reply.failure) == (Result.SUCCESS, None)


@pytest.mark.parametrize("status", [200, 500])
def test_a_cancelled_hold_lets_the_answer_go(status: int) -> None:
    """It is nobody's; its connection must not wait for a reader."""
    sending = Sending(status).go()
    sending.strand.cancel()
    assert (sending.ends, sending.came) == ([None], [])
    assert sending.source.abandoned


async def test_a_cancellation_while_it_is_sent_comes_out() -> None:
    """There is nothing yet to let go of."""
    commit = Commit(ScriptedUpstream(asyncio.CancelledError()), HTTP, FakeClock(), hold=True)
    with pytest.raises(asyncio.CancelledError):
        await commit(make_attempt())
