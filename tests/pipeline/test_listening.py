"""An answer that its protocol listens to, on its way to the commit."""

from typing import Any

import pytest

from proxy.attempt import Attempt
from proxy.call import Call, Whole
from proxy.pipeline.commit import Commit
from proxy.protocols.hearing import Hearing
from proxy.protocols.http import Http
from proxy.reply import Executed, Failure, Reply, Result, outcome_of
from proxy.strand import Strand
from proxy.symptom import symptom_of
from proxy.wire.body import Body
from tests.fakes import FakeClock, FakeSource, make_attempt
from tests.hearings import FakeHearing

SSE = {b"content-type": b"text/event-stream"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: x\r\nETag: a\r\n"


class Talk(Http):
    """A protocol that listens."""

    listens = True

    def __init__(self, hearing: FakeHearing | None) -> None:
        self.hearing = hearing

    def hears(self, call: Call, reply: Reply) -> Hearing | None:
        """See Protocol."""
        return self.hearing


class Answer:
    """One that is on its way to its commit."""

    def __init__(
        self,
        hearing: FakeHearing | None,
        *,
        hold: bool = True,
        whole: bytes | None = None,
        status: int = 200,
        **fields: Any,
    ) -> None:
        self.clock = FakeClock()
        self.source = FakeSource()
        self.body = Body(self.source)
        self.reply = Reply(status, HEAD, **fields)
        self.reply.body = self.body if whole is None else Whole(whole)
        self.attempt: Attempt = make_attempt(started=self.clock.now())
        self.commit = Commit(Talk(hearing), self.clock, hold=hold)
        self.committed = False
        self.strand = Strand(self._work(), lambda error: None)
        self.strand.step()

    async def _work(self) -> None:
        waits = self.commit(self.attempt, self.reply)
        if waits is not None:
            await waits
        self.committed = True

    @property
    def content(self) -> bytes | None:
        """Of what is handed on."""
        return None if self.reply.body is None else self.reply.body.whole


def test_a_stream_is_held_until_it_says_something() -> None:
    """Frames that open a message may still be followed by an error, and be sent again."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.body.feed(b": note\n\ndata: start\n\n")
    assert not answer.committed
    answer.body.feed(b"data: a\n\n")
    assert (answer.committed, answer.reply.result) == (True, Result.SUCCESS)
    assert answer.body.held == len(b": note\n\ndata: start\n\ndata: a\n\n")


def test_an_error_before_that_is_the_result() -> None:
    """By the status that it would have had."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.body.feed(b"data: start\n\ndata: error\n\n")
    assert answer.committed
    assert (answer.reply.result, answer.reply.executed) == (Result.FAILURE, Executed.NO)
    assert (answer.attempt.result, symptom_of(answer.reply)) == (Result.FAILURE, "529")


@pytest.mark.parametrize("how", ["finish", "fail"])
def test_one_that_ends_before_that_has_failed(how: str) -> None:
    """With its body whole or not: it may be sent again."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.body.feed(b"data: start\n\n")
    if how == "finish":
        answer.body.finish(b"", [])
    else:
        answer.body.fail(Failure.TRUNCATED)
    assert answer.committed
    assert (answer.reply.status, answer.reply.failure) == (0, Failure.TRUNCATED)
    assert answer.reply.result is Result.TRUNCATED


def test_it_is_not_held_for_long() -> None:
    """Two seconds, or 16 KiB."""
    patient = Answer(FakeHearing(), fields=SSE)
    patient.body.feed(b"data: start\n\n")
    patient.clock.advance(1.9)
    assert not patient.committed
    patient.clock.advance(0.1)
    assert patient.committed
    full = Answer(FakeHearing(), fields=SSE)
    full.body.feed(b": " + b"x" * (16 << 10))
    assert full.committed


def test_it_is_not_held_where_nobody_would_send_it_again() -> None:
    """But heard all the same."""
    hearing = FakeHearing()
    answer = Answer(hearing, hold=False, fields=SSE)
    assert answer.committed
    answer.body.feed(b"data: a\n\n")
    assert hearing.content


def test_a_stream_without_an_end_of_its_own_is_passed_on_at_once() -> None:
    """A subscription."""
    assert Answer(FakeHearing(ended=True), fields=SSE).committed


def test_whoever_leaves_while_it_is_held_lets_it_go() -> None:
    """The answer is nobody's."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.strand.cancel()
    assert answer.source.abandoned


def test_an_error_after_its_commit_is_the_result_in_the_end() -> None:
    """Of the call, and of its attempt's settling; nothing is sent again."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.body.feed(b"data: a\n\n")
    assert answer.reply.result is Result.SUCCESS
    answer.body.feed(b"data: error\n\n")
    answer.reply.finish()
    assert (answer.reply.result, answer.reply.tokens) == (Result.FAILURE, 11)


@pytest.mark.parametrize(
    ("said", "failure", "executed"),
    [
        (b"", Failure.TRUNCATED, Executed.UNKNOWN),
        (b"", Failure.CANCELLED, Executed.UNKNOWN),
        (b"data: end\n\n", None, Executed.YES),
        (b"data: end\n\n", Failure.CANCELLED, Executed.UNKNOWN),
        (b"data: error\n\n", None, Executed.NO),
    ],
)
def test_while_a_stream_goes_on_nobody_knows_what_came_of_it(
    said: bytes, failure: Failure | None, executed: Executed
) -> None:
    """A head that looks good says that it began. Who breaks off before the end must check."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.body.feed(b"data: a\n\n")
    assert answer.reply.executed is Executed.UNKNOWN
    answer.body.feed(said)
    answer.reply.finish(failure)
    assert answer.reply.executed is executed


def test_a_stream_that_has_no_end_is_what_was_asked_for() -> None:
    """A subscription: it was begun."""
    hearing = FakeHearing()
    hearing.ended = True
    answer = Answer(hearing, fields=SSE)
    answer.body.feed(b"data: a\n\n")
    assert answer.reply.executed is Executed.YES


def test_how_it_broke_off_counts_before_what_it_said() -> None:
    """And what it used until then is known."""
    answer = Answer(FakeHearing(), fields=SSE)
    answer.body.feed(b"data: abc\n\n")
    answer.reply.finish(Failure.TRUNCATED)
    assert (answer.reply.result, answer.reply.tokens) == (Result.TRUNCATED, 13)


def test_a_whole_answer_is_heard_at_once() -> None:
    """Its own error is its result."""
    answer = Answer(FakeHearing(), whole=b"error")
    assert (answer.committed, answer.reply.result) == (True, Result.FAILURE)
    good = Answer(FakeHearing(), whole=b"fine")
    assert (good.reply.result, good.content) == (Result.SUCCESS, b"fine")
    good.reply.finish()
    assert good.reply.tokens == 3


def test_a_tool_that_failed_has_been_called_well() -> None:
    """The attempt succeeded, and the call did not (spec 2.6)."""
    answer = Answer(FakeHearing(), whole=b"tool failed")
    assert answer.reply.result is Result.SUCCESS
    assert (outcome_of(answer.reply), answer.reply.reason) == ("failed", "tool_error")


def test_a_stream_that_came_at_once_is_cut_if_it_has_no_end() -> None:
    """Nothing of it has gone to the agent."""
    answer = Answer(FakeHearing(), whole=b"data: a\n\n", fields=SSE)
    assert (answer.reply.status, answer.reply.failure) == (0, Failure.TRUNCATED)
    whole = b"data: a\n\ndata: end\n\n"
    good = Answer(FakeHearing(), whole=whole, fields=SSE)
    assert (good.reply.result, good.content) == (Result.SUCCESS, whole)


def test_what_is_sifted_is_as_long_as_it_is_then() -> None:
    """Its head says so, and nothing of the bytes that came."""
    fields = {b"content-encoding": b"identity"}
    answer = Answer(FakeHearing(sifts=True), whole=b"swap", fields=fields)
    assert (answer.content, answer.reply.length) == (b"swapped", 7)
    assert answer.reply.lines == b"HTTP/1.1 200 OK\r\nContent-Type: x\r\ncontent-length: 7\r\n"
    events = Answer(FakeHearing(sifts=True), whole=b"data: drop\n\ndata: end\n\n", fields=SSE)
    assert events.content == b"data: end\n\n"
    same = Answer(FakeHearing(sifts=True), whole=b"same")
    assert (same.content, same.reply.lines) == (b"same", HEAD)


def test_one_that_is_sifted_is_read_first() -> None:
    """Whoever holds it or not."""
    answer = Answer(FakeHearing(sifts=True), hold=False)
    answer.body.feed(b"sw")
    assert not answer.committed
    answer.body.finish(b"ap", [])
    assert (answer.committed, answer.content) == (True, b"swapped")


def test_one_that_is_too_large_to_be_sifted_goes_on_as_it_came() -> None:
    """It is not read."""
    answer = Answer(FakeHearing(sifts=True), hold=False)
    answer.body.feed(b"x" * (1 << 20))
    answer.body.feed(b"x")
    assert (answer.committed, answer.content) == (True, None)


def test_an_answer_whose_content_decides_is_read_before_its_commit() -> None:
    """As far as somebody wants to know."""
    answer = Answer(FakeHearing(decides=True))
    answer.body.feed(b"err")
    assert not answer.committed
    answer.body.finish(b"or", [])
    assert (answer.committed, answer.reply.result) == (True, Result.FAILURE)
    assert Answer(FakeHearing(decides=True), hold=False).committed
    begun = Answer(FakeHearing())
    begun.body.feed(b"err")
    assert begun.committed


def test_whose_content_is_long_may_be_judged_at_its_end() -> None:
    """No more than 64 KiB are read before."""
    answer = Answer(FakeHearing(decides=True))
    answer.body.feed(b"x" * (64 << 10) + b"y")
    assert answer.committed


def test_nobody_listens_to_errors_nor_where_a_protocol_does_not() -> None:
    """They are told by their status."""
    assert Answer(FakeHearing(), whole=b"error", status=500).reply.hearing is None
    assert Answer(None, whole=b"error").reply.hearing is None
