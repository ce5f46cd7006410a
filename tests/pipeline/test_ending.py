"""What is written down of a call."""

import asyncio
from typing import Any

import pytest

from proxy.call import UNRULED, Batch, Call, Effect, InFlight, Stop
from proxy.journal.sealing import Who
from proxy.journal.taking import Parcel
from proxy.pipeline.ending import Ending, record_of
from proxy.pipeline.told import refusal_of, sent
from proxy.protocols.recognise import HTTP
from proxy.protocols.trace import Trace as Traced
from proxy.protocols.trace import parsed
from proxy.record import Record
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result, cancelled
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from proxy.state.purse import Purse
from proxy.state.till import Till
from proxy.strand import Signal
from tests.fakes import FakeBody, FakeClock, make_attempt, make_call, make_reply, settled
from tests.pipeline.called import NOW, OPEN, called


def recorded(call: Call, reply: Reply) -> Record:
    """As the gateway does it: what is said in our own words is what is finished."""
    answer, refusal = reply, refusal_of(call, reply, lambda: NOW)
    if refusal is not None:
        answer = HTTP.refuse(refusal, call, sent(call))
        answer.failure, answer.result = reply.failure, reply.result
    return record_of(call, answer, NOW)


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
    record = recorded(called(None), make_reply(OPEN))
    assert (record.decision, record.outcome, record.executed) == ("refuse", "refused", "no")
    assert (record.status, record.code, record.policy) == (503, "circuit_open", "money")
    assert record.attempts == ()


def test_the_record_of_a_call_that_went_unguarded() -> None:
    """A limit let it go without the store; of others nothing is said of it."""
    for unguarded in (True, False):
        call = called(Result.SUCCESS, unguarded=unguarded)
        assert recorded(call, make_reply(200)).unguarded is unguarded


def test_the_record_of_a_call_that_belongs_to_a_trace() -> None:
    """Which one; of others nothing is said of it."""
    traced = called(Result.SUCCESS, trace=parsed(b"00-%b-%b-01" % (b"a" * 32, b"b" * 16)))
    assert recorded(traced, make_reply(200)).trace == "a" * 32
    held = called(Result.SUCCESS, held=1.5, task_end="success")
    record = recorded(held, make_reply(200))
    assert (record.trace, record.held_us, record.task_end) == ("", 1_500_000, "success")


def test_the_record_of_a_call_in_the_shadow_of_a_policy() -> None:
    """It went; who would have refused it is told, where nothing else has to be."""
    call = called(Result.SUCCESS, shadowed=("circuit_open", "money"), fleet="shop")
    record = recorded(call, make_reply(200, executed=Executed.YES))
    assert (record.decision, record.outcome, record.code) == ("shadow", "ok", "")
    assert (record.policy, record.detail, record.fleet) == ("money", "shadow: circuit_open", "shop")

    call = called(Result.FAILURE, shadowed=("circuit_open", "money"))
    record = recorded(call, make_reply(Failure.TIMEOUT))
    assert (record.decision, record.policy, record.code) == ("shadow", "money", "upstream_timeout")
    assert record.detail == ""

    refused = recorded(called(None, shadowed=("rate_limited", "slow")), make_reply(OPEN))
    assert (refused.decision, refused.policy, refused.detail) == ("refuse", "money", "")


def test_the_record_of_a_failure() -> None:
    """It was allowed, and then it failed."""
    call = called(Result.FAILURE, effect=Effect.WRITE)
    record = recorded(call, make_reply(Failure.TIMEOUT))
    assert (record.decision, record.outcome, record.executed) == ("allow", "failed", "unknown")
    assert (record.status, record.code, record.policy) == (504, "upstream_timeout", "")


def test_the_record_says_what_broke_an_answer_off() -> None:
    """The clock that ended a stream, or how the connection did."""
    reply = make_reply(200, body=FakeBody(None), detail="stream_max: the stream went on for 9 s")
    reply.finish(Failure.EXPIRED)
    assert recorded(called(Result.SUCCESS), reply).detail.startswith("stream_max: ")
    assert recorded(called(Result.SUCCESS), make_reply(200, executed=Executed.YES)).detail == ""


def test_a_stand_in_that_stalls_is_out_of_time() -> None:
    """Why it stood in is told of it while it is well."""
    reply = make_reply(200, body=FakeBody(None), outcome="fallback", reason="circuit_open")
    reply.finish(Failure.TIMEOUT)
    assert recorded(called(Result.SUCCESS), reply).code == "deadline_exceeded"


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
        (broken(Failure.TIMEOUT), "failed", "deadline_exceeded"),
        (broken(Failure.EXPIRED), "failed", "deadline_exceeded"),
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
    record = recorded(call, make_reply(Failure.CANCELLED))
    assert (record.outcome, record.decision, record.ttfb_us) == ("cancelled", "allow", -1)


def test_a_stream_that_was_killed_says_so() -> None:
    """It was cancelled; a drain, which nobody decided, has no code of its own."""
    call = called(Result.SUCCESS)
    call.stop(Stop.KILLED, Refusal("killed", "why"))
    record = recorded(call, broken(Failure.CANCELLED))
    assert (record.outcome, record.code, record.decision) == ("cancelled", "killed", "allow")
    drained = called(Result.SUCCESS)
    drained.stop(Stop.DRAIN)
    assert recorded(drained, broken(Failure.CANCELLED)).code == "cancelled"


def test_a_call_that_came_to_no_table_has_no_version() -> None:
    """There are no policies that could have been asked."""
    assert make_call().rule is UNRULED
    assert record_of(make_call(), make_reply(OPEN), NOW).policy_version == ""


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


def test_an_internal_error_is_a_failure_and_no_refusal() -> None:
    """The call was let through, and then we failed it."""
    reply = make_reply(Refusal("internal_error", "oh"), result=Result.FAILURE)
    record = recorded(called(None), reply)
    assert (record.decision, record.outcome, record.code) == ("allow", "failed", "internal_error")


@pytest.mark.parametrize("failure", [Failure.TRUNCATED, Failure.CANCELLED])
def test_a_stream_that_broke_off_changes_the_result_of_its_attempt(failure: Failure) -> None:
    """The head had promised a success; the one before it keeps its own."""
    call = called(Result.FAILURE, Result.SUCCESS)
    reply = broken(failure)
    reply.attempt = call.attempts[1]
    assert results(call, reply) == [(1, "failure"), (2, str(failure))]


def test_a_reply_changes_no_other_result_than_its_own() -> None:
    """A hedge was sent last and has lost; the one that won broke off."""
    call = called(Result.SUCCESS, Result.CANCELLED)
    reply = broken(Failure.TRUNCATED)
    reply.attempt = call.attempts[0]
    assert results(call, reply) == [(1, "truncated"), (2, "cancelled")]


CANCELLED = cancelled(sent=True)
"""What the gateway makes of a cancellation before there was a reply."""


def test_an_attempt_that_has_no_end_lasted_until_the_record() -> None:
    """It was cancelled just now."""
    call = called(Result.SUCCESS)
    call.attempts[0].ended = call.attempts[0].result = None
    (attempt,) = recorded(call, CANCELLED).attempts
    assert (attempt.result, attempt.ms) == (Result.CANCELLED, 2500)


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
        self.bugs: list[BaseException] = []

    def note(self, record: Record) -> None:
        """Keep it."""
        self.records.append(record)

    def keep(self, parcel: Parcel) -> None:
        """Part of Watcher."""
        self.records.append(parcel.record)

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""

    def bug(self, error: BaseException, call: str = "") -> None:
        """Keep it."""
        self.bugs.append(error)


@pytest.mark.parametrize("recognised", [True, False])
def test_the_record_is_made_when_the_reply_is_finished(recognised: bool) -> None:
    """Once; and the call is in flight no longer, if it ever was."""
    watching, reply, call = Watching(), make_reply(200), called(Result.SUCCESS)
    flight = InFlight(now=2)
    call.flight = flight if recognised else None
    reply.finishers.append((Ending(FakeClock(at=NOW), watching).settle, call))
    assert (watching.records, flight.now) == ([], 2)
    reply.finish()
    reply.close()
    assert [record.duration_us for record in watching.records] == [2_500_000]
    assert flight.now == (1 if recognised else 2)


@pytest.mark.parametrize("bug", [None, ZeroDivisionError()])
def test_a_bug_of_who_settled_before_is_reported(bug: Exception | None) -> None:
    """Once, and the call has its record all the same."""
    watching, reply = Watching(), make_reply(200, bug=bug)
    Ending(FakeClock(at=NOW), watching).settle(called(Result.SUCCESS), reply)
    assert watching.bugs == ([] if bug is None else [bug])
    assert [record.outcome for record in watching.records] == ["ok"]


def test_calls_of_one_gateway_share_an_ending() -> None:
    """Each record is of the call that it was settled for."""
    watching = Watching()
    ending = Ending(FakeClock(at=NOW), watching)
    replies = [make_reply(200), make_reply(404)]
    for number, reply in enumerate(replies):
        reply.finishers.append((ending.settle, called(Result.SUCCESS, id=f"c{number}")))
    for reply in reversed(replies):
        reply.finish()
    assert [(record.id, record.status) for record in watching.records] == [("c1", 404), ("c0", 200)]


def test_the_record_says_who_stood_in() -> None:
    """A backup answered in time: the call is well, but not plainly so."""
    call = called(Result.FAILURE, Result.SUCCESS)
    call.queued = 0.25
    reply = make_reply(200, outcome="fallback", tier=1, served_by="spare")
    record = recorded(call, reply)
    assert (record.outcome, record.code, record.tier) == ("fallback", "", 1)
    assert (record.served_by, record.queue_us) == ("spare", 250_000)


def test_a_stand_in_that_broke_off_is_no_answer() -> None:
    """What it came to counts for more than who gave it."""
    call = called(Result.SUCCESS)
    reply = broken(Failure.TRUNCATED)
    reply.outcome = "fallback"
    assert recorded(call, reply).outcome == "truncated"


def test_an_old_answer_that_stood_in_does_not_hide_the_failure() -> None:
    """The attempt is written down as it ended, and why the answer is old."""
    call = called(Result.FAILURE)
    reply = make_reply(200, outcome="stale", reason="circuit_open", tier=2)
    record = recorded(call, reply)
    assert [attempt.result for attempt in record.attempts] == ["failure"]
    assert (record.outcome, record.code, record.tier) == ("stale", "circuit_open", 2)


def test_an_answer_without_any_attempt_has_none() -> None:
    """It was kept from before."""
    record = recorded(called(), make_reply(200, tier=2, executed=Executed.NO))
    assert (record.attempts, record.outcome, record.executed) == ((), "ok", "no")


class Trace:
    """A call's trail: what it was asked for, and after how many records."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.asked: list[int] = []
        self.durable: Signal[bool] = Signal()

    def lasting(self) -> Signal[bool]:
        """Part of Call."""
        self.asked.append(len(self.records))
        return self.durable

    def note(self, record: Record) -> None:
        """Part of Watcher."""
        self.records.append(record)

    def keep(self, parcel: Parcel) -> None:
        """Part of Watcher."""
        self.records.append(parcel.record)

    def bad_request(self, reason: str) -> None:
        """Part of Watcher."""

    def bug(self, error: BaseException, call: str = "") -> None:
        """Part of Watcher."""


@pytest.mark.parametrize("waits", [True, False])
def test_the_end_of_an_answer_waits_for_its_record_where_the_call_must(waits: bool) -> None:
    """What is waited for is asked when the record has been noted: it covers that."""
    trace, reply = Trace(), make_reply(200)
    call = called(Result.SUCCESS)
    if waits:
        call.lasting = trace.lasting
    Ending(FakeClock(), trace).settle(call, reply)
    assert reply.durable is (trace.durable if waits else None)
    assert (trace.asked, len(trace.records)) == ([1] if waits else [], 1)


def test_neither_what_did_not_run_nor_a_tunnel_waits_for_its_record() -> None:
    """A refusal of ours costs no fsync; one after a sending does, for something may have run."""
    trace = Trace()
    ending = Ending(FakeClock(), trace)
    tunnel: Any = object()
    for call, reply, waits in (
        (called(None), make_reply(OPEN), False),
        (called(Result.FAILURE), make_reply(OPEN), True),
        (called(Result.SUCCESS), make_reply(101, tunnel=tunnel), False),
    ):
        call.lasting = trace.lasting
        ending.settle(call, reply)
        assert (reply.durable is not None) is waits


@pytest.mark.parametrize("waiting", [(), (0,), (1,), (0, 1)])
async def test_calls_of_one_message_have_a_record_each(waiting: tuple[int, ...]) -> None:
    """And the end of their answer waits for all of those that it must wait for."""
    trace, reply, clock = Trace(), make_reply(200), FakeClock()
    calls = called(Result.SUCCESS, tool="a"), called(tool="b")
    batch = Batch(calls[0].head, b"", calls)
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    for at, call in enumerate(calls):
        call.batch = batch
        call.lasting = (lambda: future) if at in waiting else None
    reply.bug = ZeroDivisionError()
    Ending(clock, trace).settle(calls[0], reply)
    assert [record.tool for record in trace.records] == ["a", "b"]
    assert [len(record.attempts) for record in trace.records] == [1, 0]
    assert (reply.durable is None) is (not waiting)
    future.set_result(True)
    if reply.durable is not None:
        await reply.durable


class Taker:
    """Part of Taking: hands over a parcel that a test has."""

    def __init__(self) -> None:
        wish: Any = None
        self.made = Parcel(recorded(called(None), make_reply(200)), Who(), wish, None, None, 0.0)

    def answers(self, reply: Any) -> None:
        """Part of Taking."""

    def parcel(self, call: Any, reply: Any, record: Record) -> Parcel:
        """Part of Taking."""
        self.made.record = record
        return self.made


def test_a_record_whose_bodies_were_taken_goes_with_them() -> None:
    """Nobody waits for it where none need wait."""
    trace, reply, call = Trace(), make_reply(200), called(Result.SUCCESS)
    call.taking = Taker()
    Ending(FakeClock(), trace).settle(call, reply)
    assert (trace.records, reply.durable) == ([call.taking.made.record], None)


@pytest.mark.parametrize("known", [True, False])
async def test_who_waits_for_such_a_record_waits_until_it_is_noted(known: bool) -> None:
    """And then until it is durable; where the journal is known not to be well, no longer."""
    trace, reply, call, clock = Trace(), make_reply(200), called(Result.SUCCESS), FakeClock()
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def lasting() -> "asyncio.Future[bool] | None":
        trace.asked.append(len(trace.records))
        return None if known else future

    call.taking, call.lasting = Taker(), lasting
    Ending(clock, trace).settle(call, reply)
    await settled()
    assert isinstance(reply.durable, asyncio.Task)
    assert (trace.asked, reply.durable.done()) == ([], False)
    call.taking.made.is_noted()
    await settled()
    assert (trace.asked, reply.durable.done()) == ([1], known)
    future.set_result(True)
    await reply.durable


async def test_what_did_not_run_is_not_waited_for_either() -> None:
    """Though its bodies were taken."""
    trace, reply, call = Trace(), make_reply(OPEN), called(None)
    call.taking, call.lasting = Taker(), trace.lasting
    Ending(FakeClock(), trace).settle(call, reply)
    assert (reply.durable, trace.asked, len(trace.records)) == (None, [], 1)


def test_what_a_call_cost_is_in_its_record_and_the_record_is_awaited_no_more() -> None:
    """To which budgets, and whether it is an estimate; then its purse is put away."""
    watching, call = Watching(), called(Result.SUCCESS)
    calls = {call.id: call}
    of = Account(Cap("a", "agent", (Limit("day", 100),)), "x", 0.0)
    grant = Grant((of,), 9, Price(9, from_reply="cost"), settled=7, estimated=True)
    call.purse = Purse(calls, spent=7, grants=(grant,))
    Ending(FakeClock(at=NOW), watching).settle(call, make_reply(200))
    (record,) = watching.records
    assert (record.cost_micros, record.reserved_micros, record.cost_estimated) == (7, 9, True)
    assert (record.charges, calls) == ({"a:x": 7}, {})


def test_what_a_call_paid_of_a_till_is_in_its_record() -> None:
    """As it would be of a purse; then it is not under way any more."""
    account = Account(Cap("a", "agent", (Limit("day", 1_000),)), "ann", 0.0)
    ledger = Ledger(lambda: 0.0, lambda: "u")
    for accounts, charges in (((account,), {"a:ann": 7}), ((), None)):
        call = called(Result.SUCCESS)
        call.purse = Till(call, ledger, accounts, Price(7), None, 8, 0.0).paid
        call.caller = "boss"
        ledger.under_way.enter(call)
        watching = Watching()
        Ending(FakeClock(at=NOW), watching).settle(call, make_reply(200))
        (record,) = watching.records
        assert (record.cost_micros, record.reserved_micros, record.charges) == (7, 7, charges)
        assert (record.caller, record.cost_estimated) == ("boss", False)
        assert ledger.under_way.calls == {}


def test_where_bodies_are_kept_the_purse_is_put_away_when_the_record_is_noted() -> None:
    """Not before: a snapshot has it, or the record behind it."""
    watching, call = Watching(), called(Result.SUCCESS)
    calls = {call.id: call}
    call.purse = Purse(calls)
    call.taking = taker = Taker()
    Ending(FakeClock(at=NOW), watching).settle(call, make_reply(200))
    assert [record.charges for record in watching.records] == [None]
    assert (calls, call.purse.over) == ({call.id: call}, True)
    taker.made.is_noted()
    assert calls == {}


def test_a_call_that_has_ended_needs_no_intent_any_more() -> None:
    """Before its record is noted: an intent behind that would have no end."""
    call = called(Result.SUCCESS)
    over: list[bool] = []

    class Late(Watching):
        """Hears whether the intent is off by then."""

        def note(self, record: Record) -> None:
            over.append(call.purse.over)

    call.purse = Purse()
    Ending(FakeClock(at=NOW), Late()).settle(call, make_reply(200))
    assert over == [True]


def test_a_record_says_for_whom_money_was_spent() -> None:
    """The agent that called the one that spends, where a chain says so; of several sendings the
    charges are added up."""
    watching, call = Watching(), called(Result.SUCCESS)
    of = Account(Cap("a", "agent", (Limit("day", 100),)), "x", 0.0)
    grants = tuple(Grant((of,), 5, Price(5), settled=spent) for spent in (5, 3))
    call.purse, call.caller = Purse(spent=8, grants=grants), "boss"
    Ending(FakeClock(at=NOW), watching).settle(call, make_reply(200))
    (record,) = watching.records
    assert (record.caller, record.cost_micros, record.reserved_micros) == ("boss", 8, 10)
    assert (record.charges, record.cost_estimated) == ({"a:x": 8}, False)


class Tracing:
    """Who traces calls; `sampled` ones are kept, or cannot be."""

    def __init__(self, sampled: bool, bug: Exception | None = None) -> None:
        self.trace = parsed(b"00-%b-%b-01" % (b"a" * 32, b"b" * 16))
        assert self.trace is not None
        self.trace.sampled = sampled
        self.bug = bug
        self.kept: list[str] = []

    def of(self, call: Call) -> Any:
        """Part of Traces."""
        call.trace = self.trace
        return self.trace

    def keep(self, call: Call, reply: Reply, record: Record) -> None:
        """Part of Traces."""
        if self.bug is not None:
            raise self.bug
        self.kept.append(record.trace)


@pytest.mark.parametrize("sampled", [True, False])
def test_a_call_that_is_traced(sampled: bool) -> None:
    """Its record knows the trace; what its spans are made from is kept if it is sampled."""
    watching, tracing = Watching(), Tracing(sampled)
    Ending(FakeClock(at=NOW), watching, tracing).settle(called(Result.SUCCESS), make_reply(200))
    assert [record.trace for record in watching.records] == ["a" * 32]
    assert tracing.kept == (["a" * 32] if sampled else [])


def test_no_record_is_lost_for_the_sake_of_a_span() -> None:
    """A bug there is told, and all else goes on."""
    watching, bug = Watching(), ValueError("no")
    tracing = Tracing(sampled=True, bug=bug)
    Ending(FakeClock(at=NOW), watching, tracing).settle(called(Result.SUCCESS), make_reply(200))
    assert (len(watching.records), watching.bugs) == (1, [bug])


def test_a_trace_that_has_begun_is_not_asked_for_again() -> None:
    """It was when something of the call was sent."""
    watching, tracing = Watching(), Tracing(sampled=True)
    call = called(Result.SUCCESS, trace=Traced("c" * 32, begun=True))
    Ending(FakeClock(at=NOW), watching, tracing).settle(call, make_reply(200))
    assert [record.trace for record in watching.records] == ["c" * 32]
    assert tracing.kept == []
