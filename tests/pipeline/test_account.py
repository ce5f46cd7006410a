"""What an answer says of its call, and what is written down of it."""

from typing import Any

import pytest

from proxy.call import Call, Effect, Stop
from proxy.pipeline.account import Last, lines_of, record_of, refusal_of, sent
from proxy.pipeline.compile import Pipeline
from proxy.protocols.recognise import HTTP
from proxy.record import Record
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result
from tests.fakes import FakeBody, FakeClock, make_attempt, make_call, make_reply

OPEN = Refusal("circuit_open", "The tool keeps failing", policy="money")
NOW = 1002.5


async def unused(call: Call) -> Reply:
    """A pipeline's handler that nobody calls."""
    raise AssertionError


def pipeline(*, minimal: bool = False) -> Pipeline:
    """With one rule."""
    told = b"holdfast-policy: last@v1\r\n"
    return Pipeline(unused, Effect.READ, ("last",), "v1", told, b"at-once: yes\r\n", minimal)


def called(*results: Result | None, **changes: Any) -> Call:
    """A call with attempts that came to this, a second each; None: it was refused before."""
    call = make_call(**changes)
    for number, result in enumerate(results, 1):
        of_it = {"started": 999.0 + number, "upstream": "gateway"}
        if result is not None:
            of_it |= {"sent": True, "ended": 1000.0 + number, "result": result, "status": 200}
        call.attempts.append(make_attempt(call, number=number, of=3, **of_it))
    return call


def lines(call: Call, reply: Reply, refusal: Refusal | None = None, **how: Any) -> dict[str, str]:
    """The lines, by their names."""
    text = lines_of(call, reply, how.get("pipeline", pipeline()), refusal).decode()
    assert text.endswith("\r\n")
    return dict(line.split(": ", 1) for line in text.splitlines())


# --- the lines of an answer ---


def test_a_plain_success_says_what_was_made_for_it() -> None:
    """Only the call's id is its own."""
    assert lines_of(called(Result.SUCCESS), make_reply(200), pipeline(), None) == (
        b"holdfast-call: c1\r\nat-once: yes\r\n"
    )


def test_a_second_attempt_is_not_plain() -> None:
    """It is counted."""
    assert lines(called(Result.FAILURE, Result.SUCCESS), make_reply(200)) == {
        "holdfast-call": "c1",
        "holdfast-origin": "upstream",
        "holdfast-attempts": "2",
        "holdfast-outcome": "ok",
        "holdfast-policy": "last@v1",
    }


@pytest.mark.parametrize("status", [404, 500, 429])
def test_an_error_of_the_upstream_is_the_upstreams(status: int) -> None:
    """It is passed on, and is none of ours."""
    told = lines(called(Result.FAILURE), make_reply(status))
    assert (told["holdfast-origin"], told["holdfast-outcome"]) == ("upstream", "failed")
    assert "holdfast-reason" not in told


def test_a_streams_head_does_not_say_how_it_ends() -> None:
    """Nobody knows yet."""
    told = lines(called(Result.SUCCESS), make_reply(200, body=FakeBody(None)))
    assert "holdfast-outcome" not in told
    assert told["holdfast-attempts"] == "1"


def test_an_answer_without_any_body_is_over() -> None:
    """Its outcome is known."""
    assert lines(called(Result.SUCCESS), Reply(status=204, result=Result.SUCCESS))[
        "holdfast-outcome"
    ] == ("ok")


@pytest.mark.parametrize(
    ("failure", "code", "outcome"),
    [
        (None, "circuit_open", "refused"),
        (Failure.CONNECT, "upstream_unreachable", "failed"),
        (Failure.TRUNCATED, "truncated", "truncated"),
    ],
)
def test_what_we_say_ourselves(failure: Failure | None, code: str, outcome: str) -> None:
    """With the reason, and the policy that decided where there is one."""
    refusal = Refusal(code, "so it is", policy="" if failure else "money")
    reply = make_reply(refusal, failure=failure)
    told = lines(called(None), reply, refusal)
    assert (told["holdfast-origin"], told["holdfast-outcome"]) == ("holdfast", outcome)
    assert (told["holdfast-reason"], told["holdfast-attempts"]) == (code, "0")
    assert told["holdfast-policy"] == ("last@v1" if failure else "money@v1")


def test_before_any_policy_was_asked_none_is_named() -> None:
    """A call that nobody recognised has no pipeline."""
    told = lines(called(), make_reply(OPEN), OPEN, pipeline=None)
    assert "holdfast-policy" not in told
    assert told["holdfast-attempts"] == "0"


@pytest.mark.parametrize("refusal", [None, OPEN])
def test_minimal_answers_say_two_things(refusal: Refusal | None) -> None:
    """The call, and who answered."""
    reply = make_reply(500 if refusal is None else refusal)
    assert lines(called(None), reply, refusal, pipeline=pipeline(minimal=True)).keys() == {
        "holdfast-call", "holdfast-origin",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("given_up", "fields", "advice"),
    [
        ("attempts", {}, "false"),
        ("retry_budget", {}, "false"),
        ("client_retries", {}, None),
        ("attempts", {b"x-should-retry": b"true"}, None),
        ("", {}, None),
    ],
)
def test_where_we_gave_up_the_client_is_told_not_to_go_on(
    given_up: str, fields: dict[bytes, bytes], advice: str | None
) -> None:
    """Unless the upstream has said so itself, or the client is the one who repeats."""
    told = lines(called(Result.FAILURE), make_reply(503, fields, given_up=given_up))
    assert told.get("x-should-retry") == advice
    assert told.get("holdfast-reason", "") == given_up


def test_an_answer_that_is_known_to_be_incomplete_says_so() -> None:
    """A head had come; then its body broke off."""
    reply = make_reply(200, failure=Failure.TRUNCATED, result=Result.TRUNCATED)
    told = lines(called(Result.SUCCESS), reply)
    assert told["proxy-status"] == "holdfast; error=http_response_incomplete"


# --- what has to be said in our own words ---


def test_an_answer_needs_no_words_of_ours() -> None:
    """Nor one whose body broke off: its status is out."""
    assert refusal_of(make_call(), make_reply(500), NOW) is None
    assert refusal_of(make_call(), make_reply(200, failure=Failure.TRUNCATED), NOW) is None


def test_a_refusal_is_said_as_it_is() -> None:
    """The same object."""
    assert refusal_of(make_call(), make_reply(OPEN), NOW) is OPEN


@pytest.mark.parametrize(
    ("effect", "deadline", "code", "should"),
    [
        (Effect.READ, 2000.0, "upstream_timeout", True),
        (Effect.IDEMPOTENT, 2000.0, "upstream_timeout", True),
        (Effect.WRITE, 2000.0, "upstream_timeout", False),
        (Effect.READ, NOW, "deadline_exceeded", True),
        (Effect.WRITE, NOW, "deadline_exceeded", False),
    ],
)
def test_a_failure_is_said_by_what_it_may_have_done(
    effect: Effect, deadline: float, code: str, should: bool
) -> None:
    """A write that may have run is not repeated; a timeout at the call's own end is the call's."""
    call = make_call(effect=effect, deadline=deadline)
    refusal = refusal_of(call, make_reply(Failure.TIMEOUT), NOW)
    assert refusal is not None
    assert (refusal.code, refusal.should_retry) == (code, should)


def test_attempts_are_those_that_were_tried() -> None:
    """Also where no connection came about; not those that a gate refused."""
    call = called(Result.SUCCESS, None)
    call.attempts.append(make_attempt(call, number=3, failure=Failure.CONNECT))
    assert sent(call) == 2


# --- the record ---


def recorded(call: Call, reply: Reply, refusal: Refusal | None = None) -> Record:
    """As the gateway does it: what is said in our own words is what is finished."""
    answer = reply
    if refusal is not None:
        answer = HTTP.refuse(refusal, call.id, sent(call), b"")
        answer.failure, answer.result = reply.failure, reply.result
    return record_of(call, answer, pipeline(), refusal, NOW)


def test_the_record_of_a_success() -> None:
    """Whole microseconds; our own time is what is left when all waiting is taken off."""
    call = called(
        Result.SUCCESS, agent="a", workflow="w", task="t", protocol="tools", layer="tool",
        tool="search", waited=2.0, answered=1002.25,
    )  # fmt: skip
    record = recorded(call, make_reply(200, executed=Executed.YES))
    (attempt,) = record.attempts
    assert (attempt.n, attempt.result, attempt.status) == (1, "success", 200)
    assert (attempt.ms, attempt.upstream) == (1000, "gateway")
    assert record == Record(
        "c1", "a", "gateway", "tools", "tool", "search", "POST", "v1", "allow", "ok", "yes", 200,
        (attempt,), 2_500_000, 250_000, 2_250_000, "", "", "w", "t",
    )  # fmt: skip


def test_the_record_of_a_refusal() -> None:
    """Who decided, and that nothing ran."""
    record = recorded(called(None), make_reply(OPEN), OPEN)
    assert (record.decision, record.outcome, record.executed) == ("refuse", "refused", "no")
    assert (record.status, record.code, record.policy) == (503, "circuit_open", "money")
    assert record.attempts == ()


def test_the_record_of_a_failure() -> None:
    """It was allowed, and then it failed."""
    call = called(Result.FAILURE, effect=Effect.WRITE)
    reply = make_reply(Failure.TIMEOUT)
    record = recorded(call, reply, refusal_of(call, reply, NOW))
    assert (record.decision, record.outcome, record.executed) == ("allow", "failed", "unknown")
    assert (record.status, record.code, record.policy) == (504, "upstream_timeout", "")


def broken(failure: Failure) -> Reply:
    """An answer of which the rest did not come."""
    reply = make_reply(200, body=FakeBody(None))
    reply.finish(failure)
    return reply


@pytest.mark.parametrize(
    ("reply", "outcome", "code"),
    [
        (make_reply(404), "failed", "caller_error"),
        (make_reply(500), "failed", "failure"),
        (make_reply(429), "failed", "throttled"),
        (make_reply(503, given_up="attempts"), "failed", "attempts"),
        (make_reply(200, given_up="odd"), "ok", "odd"),
        (broken(Failure.TRUNCATED), "truncated", "truncated"),
        (broken(Failure.CANCELLED), "cancelled", "cancelled"),
        (broken(Failure.BAD_REQUEST), "failed", "caller_error"),
        (Reply(status=200), "failed", ""),
    ],
)
def test_outcomes(reply: Reply, outcome: str, code: str) -> None:
    """In the words of the metrics, with why where we know."""
    record = recorded(called(Result.FAILURE), reply)
    assert (record.outcome, record.code) == (outcome, code)


def test_a_call_that_was_stopped_is_cancelled() -> None:
    """Though it is told as a failure, if anybody is there to be told; no first byte went out."""
    call = called(Result.FAILURE)
    call.stop(Stop.AGENT_GONE)
    reply = make_reply(Failure.CANCELLED)
    record = recorded(call, reply, refusal_of(call, reply, NOW))
    assert (record.outcome, record.decision, record.ttfb_us) == ("cancelled", "allow", -1)


def test_a_call_without_a_pipeline_has_no_version() -> None:
    """No policies were asked."""
    assert record_of(make_call(), make_reply(OPEN), None, OPEN, NOW).policy_version == ""


def test_our_own_time_is_never_negative() -> None:
    """Waits are rounded, too."""
    assert recorded(called(Result.SUCCESS, waited=99.0), make_reply(200)).overhead_us == 0


def results(call: Call, reply: Reply) -> list[tuple[int, str]]:
    """Number and result of the attempts of a record."""
    return [(attempt.n, attempt.result) for attempt in recorded(call, reply).attempts]


def test_every_attempt_has_its_result() -> None:
    """What a gate refused was no attempt."""
    call = called(Result.FAILURE, Result.THROTTLED, None)
    assert results(call, make_reply(429)) == [(1, "failure"), (2, "throttled")]


@pytest.mark.parametrize("failure", [Failure.TRUNCATED, Failure.CANCELLED])
def test_a_stream_that_broke_off_changes_the_result_of_its_attempt(failure: Failure) -> None:
    """The head had promised a success; the one before it keeps its own."""
    call = called(Result.FAILURE, Result.SUCCESS)
    assert results(call, broken(failure)) == [(1, "failure"), (2, str(failure))]


def test_an_attempt_that_has_no_end_took_no_time() -> None:
    """It is not made up."""
    call = called(Result.SUCCESS)
    call.attempts[0].ended = None
    assert recorded(call, make_reply(200)).attempts[0].ms == 0


CANCELLED = Reply(status=0, failure=Failure.CANCELLED, result=Result.CANCELLED)
"""What the gateway makes of a cancellation before there was a reply."""


def test_an_attempt_cut_short_is_cancelled() -> None:
    """It was sent, so it is counted."""
    call = called(Result.FAILURE)
    call.attempts.append(make_attempt(call, number=2, of=3, sent=True))
    assert results(call, CANCELLED) == [(1, "failure"), (2, "cancelled")]


def test_the_only_attempt_cut_short_is_cancelled() -> None:
    """The upstream has seen it."""
    call = called()
    call.attempts.append(make_attempt(call, sent=True))
    assert results(call, CANCELLED) == [(1, "cancelled")]


def test_a_call_cancelled_between_attempts_keeps_the_result_of_the_first() -> None:
    """That one failed; nobody cancelled it."""
    assert results(called(Result.FAILURE), CANCELLED) == [(1, "failure")]


# --- the last to settle ---


class Watching:
    """A watcher that keeps what it hears."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.ends = 0

    def note(self, record: Record) -> None:
        """Keep it."""
        self.records.append(record)

    def ended(self) -> None:
        """One flight is over."""
        self.ends += 1

    def began(self, upstream: str, tool: str) -> "Watching":
        """Part of Watcher."""
        return self

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""

    def bug(self, error: BaseException) -> None:
        """Part of Watcher."""


@pytest.mark.parametrize("recognised", [True, False])
def test_the_record_is_made_when_the_reply_is_finished(recognised: bool) -> None:
    """Once; and the call is in flight no longer, if it ever was."""
    watching, reply, call = Watching(), make_reply(200), called(Result.SUCCESS)
    call.flight = watching if recognised else None
    reply.finishers.append(Last(FakeClock(at=NOW), watching, call, pipeline(), None))
    assert watching.records == []
    reply.finish()
    reply.close()
    assert [record.duration_us for record in watching.records] == [2_500_000]
    assert watching.ends == (1 if recognised else 0)
