"""Sending again: where it may help and cannot harm."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.attempt import Attempt
from proxy.call import Call, Effect, Stop
from proxy.counts import RETRIES, RETRY_DISABLED, Counted, Counts
from proxy.protocols.pushback import retry_after
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.stage import Ground, Section, Sender, Site
from proxy.stages.retry import Once, Repeat, Retry
from proxy.state.allowance import RetryBudget
from proxy.state.backoff import Backoff, Throttled
from proxy.symptom import symptom_of
from proxy.units import Seconds, Size
from tests.fakes import (
    FakeBody,
    FakeClock,
    Ledger,
    ScriptedUpstream,
    Turn,
    make_call,
    make_ground,
    make_reply,
    make_target,
    run,
)

OPEN = Refusal(code="circuit_open", detail="The tool keeps failing")
STEADY = Backoff(base=Seconds(1.0), jitter="none")


class Pipeline:
    """A `retry` section before an upstream, and what is seen of it."""

    def __init__(
        self,
        upstream: Sender,
        effect: Effect = Effect.READ,
        target: dict[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        self.clock: FakeClock = fields.pop("clock", None) or FakeClock()
        self.ground: Ground = fields.pop("ground", None) or make_ground(self.clock)
        section = Retry(**({"backoff": STEADY} | fields))
        site = Site(make_target(effect, **(target or {})), self.ground, sender=upstream)
        self.handle = Repeat(section, site).handle

    def __call__(self, call: Call | None = None) -> Reply:
        """The reply to a call."""
        return run(self.handle(call or self.call()))

    def start(self) -> "asyncio.Task[Reply]":
        """The same, as a task."""

        async def handled() -> Reply:
            return await self.handle(self.call())

        return asyncio.get_running_loop().create_task(handled())

    def call(
        self, left: float = 45.0, fields: dict[bytes, bytes] | None = None, **changes: Any
    ) -> Call:
        """A call with so many seconds left."""
        now = self.clock.now()
        return make_call(fields, started=now, **({"deadline": now + left} | changes))

    def counted(self, metric: Counted = RETRIES) -> dict[tuple[str, ...], int]:
        """The rows of a metric."""
        found = dict(self.ground.keep.items())[metric.key]
        assert isinstance(found, Counts)
        return found.rows


def limited(seconds: float, status: int = 429) -> Reply:
    """An answer that asks to be left alone."""
    return make_reply(status, {b"retry-after-ms": b"%d" % (seconds * 1000)})


# --- when ---


def test_a_success_is_the_end_of_it() -> None:
    """One attempt, no wait, nothing counted."""
    upstream = ScriptedUpstream(200)
    pipeline = Pipeline(upstream)
    call = pipeline.call()
    reply = pipeline(call)
    assert (reply.status, reply.given_up, pipeline.clock.slept) == (200, "", [])
    assert call.attempts == upstream.attempts
    assert (call.attempts[0].number, call.attempts[0].of, call.attempts[0].upstream) == (
        1,
        3,
        "gateway",
    )


@pytest.mark.parametrize(
    "what",
    [
        *(Failure.CONNECT, Failure.OVERLOADED, Failure.DISCONNECT, Failure.BAD_RESPONSE),
        *(Failure.TIMEOUT, Failure.TRUNCATED, 421, 425, 429, 500, 502, 503, 504, 529),
    ],
)
def test_a_read_is_repeated_on_what_may_pass(what: int | Failure) -> None:
    """All that `on` lists, and what says by itself that nothing ran."""
    upstream = ScriptedUpstream(what, 200)
    pipeline = Pipeline(upstream)
    call = pipeline.call()
    assert pipeline(call).status == 200
    assert [attempt.number for attempt in call.attempts] == [1, 2]
    assert list(pipeline.counted()) == [("gateway", "sent", symptom_of(make_reply(what)))]


@pytest.mark.parametrize("what", [400, 401, 404, 409, 501, Failure.CERTIFICATE, Failure.CANCELLED])
def test_what_repeating_does_not_mend_is_final(what: int | Failure) -> None:
    """The caller's errors, a wrong certificate, a cancellation: nothing was given up."""
    reply = Pipeline(ScriptedUpstream(what))()
    assert reply.given_up == ""


def test_a_policy_may_list_other_statuses() -> None:
    """And then the usual ones are not meant."""
    assert Pipeline(ScriptedUpstream(409, 200), on=(409,))().status == 200
    assert Pipeline(ScriptedUpstream(503), on=("409",))().given_up == ""


def test_attempts_are_all_of_them() -> None:
    """`attempts: 3` is three sendings; the last answer is handed back, and we have given up."""
    upstream = ScriptedUpstream(500, 502, 503)
    pipeline = Pipeline(upstream)
    reply = pipeline()
    assert (reply.status, reply.given_up) == (503, "attempts")
    assert pipeline.counted()["gateway", "denied", "attempts"] == 1
    assert reply is upstream.replies[-1]


def test_a_call_that_was_stopped_is_not_sent_again() -> None:
    """Its agent is gone: a write that is seen through is, but once."""

    async def upstream(attempt: Attempt) -> Reply:
        attempt.sent = True
        attempt.call.stop(Stop.AGENT_GONE)
        return make_reply(503)

    assert Pipeline(upstream)().status == 503


# --- what cannot harm ---


@pytest.mark.parametrize("what", [Failure.CONNECT, Failure.OVERLOADED, 421, 425])
def test_a_write_is_repeated_on_proof(what: int | Failure) -> None:
    """Nothing was sent, or the upstream says that it did not act."""
    assert Pipeline(ScriptedUpstream(what, 200), Effect.WRITE)().status == 200


@pytest.mark.parametrize(
    "what",
    [
        Failure.DISCONNECT,
        Failure.TIMEOUT,
        Failure.TRUNCATED,
        Failure.BAD_RESPONSE,
        429,
        500,
        502,
        503,
        504,
    ],
)
def test_a_write_is_not_repeated_without_proof(what: int | Failure) -> None:
    """It may have run."""
    assert Pipeline(ScriptedUpstream(what), Effect.WRITE)().given_up == "not_safe"


def test_an_operator_may_know_that_a_status_is_proof() -> None:
    """`treat_as_not_executed` makes it one, for that status."""
    fields: dict[str, Any] = {"effect": Effect.WRITE, "treat_as_not_executed": (429, 503)}
    assert Pipeline(ScriptedUpstream(503, 200), **fields)().status == 200
    assert Pipeline(ScriptedUpstream(500), **fields)().given_up == "not_safe"


def test_safe_always_and_never_executed() -> None:
    """The first is `auto` on writes, the second asks proof for reads as well."""
    for honours in (True, False):  # keys: a call without one is not made safe by that
        target = {"idempotent_upstream": honours}
        write = Pipeline(ScriptedUpstream(500), Effect.WRITE, target, safe="always")
        assert write().given_up == "not_safe"
    assert Pipeline(ScriptedUpstream(500, 200), safe="always")().status == 200
    assert Pipeline(ScriptedUpstream(500), safe="never_executed")().given_up == "not_safe"
    assert Pipeline(ScriptedUpstream(Failure.CONNECT, 200), safe="never_executed")().status == 200


def test_an_idempotent_tool_is_repeated_like_a_read() -> None:
    """Repeating gives the same end state."""
    assert Pipeline(ScriptedUpstream(500, 200), Effect.IDEMPOTENT)().status == 200


@pytest.mark.parametrize(
    ("honoured", "key", "status"), [(True, "k", 200), (True, "", 500), (False, "k", 500)]
)
def test_a_key_that_the_upstream_honours_makes_a_write_safe(
    honoured: bool, key: str, status: int
) -> None:
    """Both are needed: a key on the call, and an upstream declared to honour it."""
    pipeline = Pipeline(ScriptedUpstream(500, 200), Effect.WRITE, {"idempotent_upstream": honoured})
    assert pipeline(pipeline.call(idempotency_key=key)).status == status


# --- one owner ---


@pytest.mark.parametrize(("count", "retries"), [(b"0", False), (b"1", True)])
def test_who_repeats_is_in_front_of_us(count: bytes, retries: bool) -> None:
    """Then we send once, and say why; `on_retrying_client: ignore` does not look."""
    fields = {b"x-stainless-retry-count": count}
    pipeline = Pipeline(ScriptedUpstream(503, 200))
    reply = pipeline(pipeline.call(fields=fields))
    assert reply.given_up == ("client_retries" if retries else "")
    pipeline = Pipeline(ScriptedUpstream(503, 200), on_retrying_client="ignore")
    assert pipeline(pipeline.call(fields=fields)).status == 200


def test_an_upstream_may_forbid_it() -> None:
    """`x-should-retry: false` ends it; it has said so itself, so there is nothing to add."""
    pipeline = Pipeline(ScriptedUpstream(make_reply(503, {b"x-should-retry": b"false"})))
    assert pipeline().given_up == ""
    assert pipeline.counted() == {("gateway", "denied", "upstream"): 1}


def test_an_upstream_that_forbids_it_in_other_words_is_translated() -> None:
    """Agents' SDKs do not know those of gRPC, and would go on."""
    pipeline = Pipeline(ScriptedUpstream(make_reply(503, {b"grpc-retry-pushback-ms": b"-1"})))
    assert pipeline().given_up == "upstream"


def test_a_used_up_quota_is_not_asked_again() -> None:
    """Throttled, but waiting will not help."""
    assert Pipeline(ScriptedUpstream(make_reply(429, quota_exhausted=True)))().given_up == "quota"


# --- waiting ---


def test_waits_grow() -> None:
    """Without chance they are the formula: base, base times factor, … and never over max."""
    pipeline = Pipeline(
        ScriptedUpstream(500, 500, 500, 500, 200),
        attempts=5,
        backoff=Backoff(base=Seconds(1.0), factor=3.0, max=Seconds(5.0), jitter="none"),
    )
    call = pipeline.call()
    pipeline(call)
    assert pipeline.clock.slept == [1.0, 3.0, 5.0, 5.0]
    assert call.waited == 14.0
    assert [attempt.started for attempt in call.attempts] == [
        1000.0,
        1001.0,
        1004.0,
        1009.0,
        1014.0,
    ]


def test_throttling_is_waited_for_longer() -> None:
    """It has a base and a max of its own."""
    pipeline = Pipeline(
        ScriptedUpstream(429, 429, 200),
        throttled=Throttled(base=Seconds(4.0), max=Seconds(6.0)),
    )
    pipeline()
    assert pipeline.clock.slept == [4.0, 6.0]


@given(st.integers(0, 1000), st.floats(0.001, 60), st.floats(1, 10), st.floats(0.001, 60))
def test_chance_never_waits_longer_than_the_formula(
    seed: int, base: float, factor: float, longest: float
) -> None:
    """Full jitter: anything between nothing and the formula."""
    clock = FakeClock(seed=seed)
    base = min(base, longest)
    backoff = Backoff(base=Seconds(base), factor=factor, max=Seconds(longest))
    pipeline = Pipeline(
        ScriptedUpstream(500, 500, 500, 200), attempts=4, backoff=backoff, clock=clock
    )
    pipeline(pipeline.call(left=1e9))
    for repeated, slept in enumerate(clock.slept):
        assert 0.0 <= slept <= min(longest, base * factor**repeated)


@given(
    st.integers(0, 1000),
    st.integers(0, 60_000),
    st.sampled_from([429, 500, 503]),
    st.floats(0.2, 90),
    st.floats(0, 60),
    st.sampled_from(["full", "none"]),
)
def test_pushback_is_never_shortened(
    seed: int, asked_ms: int, status: int, left: float, cap: float, jitter: Any
) -> None:
    """Either the call waits as long as was asked, or the upstream's answer goes back as it is."""
    clock = FakeClock(seed=seed)
    told = make_reply(status, {b"retry-after-ms": b"%d" % asked_ms})
    upstream = ScriptedUpstream(told, 200)
    backoff = Backoff(base=Seconds(0.1), jitter=jitter)
    pipeline = Pipeline(upstream, clock=clock, backoff=backoff, retry_after_cap=Seconds(cap))
    reply = pipeline(pipeline.call(left=left))
    asked = retry_after(told.fields, 0.0)
    assert asked is not None
    if reply is told:
        assert clock.slept == []
        too_long = asked > cap or asked > left - 0.11
        assert reply.given_up == ("pushback" if too_long else "deadline")
    else:
        assert asked <= clock.slept[0] <= max(asked * 1.1, 1.0)
        assert clock.now() <= 1000.0 + left - 0.1


def test_a_reset_counts_only_where_the_answer_was_throttled() -> None:
    """Such headers stand on every answer; of a 500 they say nothing."""
    told = {b"x-ratelimit-reset": b"20"}
    pipeline = Pipeline(ScriptedUpstream(make_reply(500, told), make_reply(429, told), 200))
    pipeline()
    assert pipeline.clock.slept[0] == 1.0
    assert pipeline.clock.slept[1] == 20.0


def test_a_wait_over_the_cap_is_the_agents_to_decide() -> None:
    """The answer goes back at once, with its own Retry-After."""
    pipeline = Pipeline(ScriptedUpstream(limited(31.0)))
    assert pipeline(pipeline.call(left=3600.0)).given_up == "pushback"
    assert pipeline.clock.slept == []


def test_a_wait_that_does_not_fit_the_deadline_is_not_begun() -> None:
    """There must be room for it and for an attempt of `min_attempt`."""
    pipeline = Pipeline(ScriptedUpstream(500))
    assert pipeline(pipeline.call(left=1.05)).given_up == "deadline"
    assert pipeline.clock.slept == []
    pipeline = Pipeline(ScriptedUpstream(limited(2.0)))
    assert pipeline(pipeline.call(left=2.05)).given_up == "pushback"
    pipeline = Pipeline(ScriptedUpstream(500, 200))
    assert pipeline(pipeline.call(left=3.0, min_attempt=1.5)).status == 200


def test_without_a_deadline_every_wait_fits() -> None:
    """But not every cap."""
    pipeline = Pipeline(ScriptedUpstream(limited(29.0), 200))
    assert pipeline(pipeline.call(left=float("inf"))).status == 200


# --- the budget ---


def test_an_empty_budget_ends_it() -> None:
    """The last answer is handed back; the budget is the upstream's, whatever the tool."""
    budget = RetryBudget(ratio=0.0, min_per_minute=0.0, burst=1)
    ground = make_ground(FakeClock())
    first = Pipeline(ScriptedUpstream(503, 200), ground=ground, budget=budget)
    other = Pipeline(
        ScriptedUpstream(503), target={"tool": "deposit"}, ground=ground, budget=budget
    )
    assert first().status == 200
    assert other().given_up == "retry_budget"


@pytest.mark.parametrize("never_sent", [OPEN, Failure.CONNECT, Failure.OVERLOADED])
def test_only_what_was_sent_earns(never_sent: Failure | Refusal) -> None:
    """The budget is a share of what the upstream gets: refused calls bring none."""
    budget, ground = RetryBudget(ratio=1.0, min_per_minute=0.0, burst=1), make_ground(FakeClock())

    def calls(*script: Any) -> Reply:
        return Pipeline(ScriptedUpstream(*script), ground=ground, budget=budget)()

    assert calls(503, 200).status == 200  # its only token
    for _ in range(3):
        calls(never_sent)
    assert calls(Failure.CONNECT).given_up == "retry_budget"
    assert calls(503, 200).status == 200


STEPS = st.sampled_from([200, 404, 429, 500, 503, Failure.CONNECT, Failure.TIMEOUT, OPEN])


@given(
    st.lists(st.tuples(st.floats(0, 30), st.lists(STEPS, min_size=5, max_size=5)), max_size=25),
    st.integers(1, 5),
    st.integers(1, 4),
    st.floats(0, 1),
    st.floats(0, 30),
)
def test_no_sequence_sends_more_than_is_allowed(
    calls: list[tuple[float, list[Any]]], attempts: int, burst: int, ratio: float, per_minute: float
) -> None:
    """Never more sendings of a call than `attempts`; never more repetitions in all than the budget
    brought; every reply that is not handed back is closed, every one settled once."""
    clock = FakeClock()
    ground = make_ground(clock)
    budget = RetryBudget(ratio=ratio, min_per_minute=per_minute, burst=burst)
    repeated = 0
    for number, (gap, script) in enumerate(calls, 1):
        clock.advance(gap)
        upstream = ScriptedUpstream(*(make_reply(step) for step in script))
        pipeline = Pipeline(upstream, ground=ground, clock=clock, attempts=attempts, budget=budget)
        ledger = Ledger()
        kept = [reply for reply in upstream._script if isinstance(reply, Reply)]
        for reply in kept:
            reply.finishers.append((ledger.settle, None))
        reply = pipeline(pipeline.call(left=float("inf")))
        assert len(upstream.attempts) <= attempts
        assert all(given.closed for given in upstream.replies if given is not reply)
        assert not reply.closed
        reply.close()
        assert sorted(map(id, ledger.settled)) == sorted(map(id, upstream.replies))
        repeated += sum(1 for given in upstream.replies[1:] if given.refusal is None)
        passed = clock.now() - 1000.0
        assert repeated <= burst + number * ratio + passed * per_minute / 60 + 1e-6


# --- what is held meanwhile ---


def test_a_failed_attempt_settles_before_the_wait() -> None:
    """Its permits are not held during backoff; the answer's own result stands."""
    ledger = Ledger()
    failed = make_reply(503)
    failed.finishers.append((ledger.settle, None))
    seen: list[int] = []

    class Clock(FakeClock):
        async def sleep(self, seconds: float) -> None:
            seen.append(len(ledger.settled))
            await super().sleep(seconds)

    pipeline = Pipeline(ScriptedUpstream(failed, 200), clock=Clock())
    pipeline()
    assert seen == [1]
    assert failed.closed
    assert failed.failure is None
    assert len(ledger.settled) == 1


def test_no_connection_is_held_during_the_wait() -> None:
    """An answer whose body has not come whole is let go of before it."""
    body = FakeBody(None)
    pipeline = Pipeline(ScriptedUpstream(make_reply(503, body=body), OPEN))
    reply = pipeline()
    assert body.abandoned
    assert reply.refusal is OPEN
    assert Pipeline(ScriptedUpstream(make_reply(503, body=FakeBody(None)), 200))().status == 200


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("circuit_open", "circuit_open"),
        ("rate_limited", "pushback"),
        ("deadline_exceeded", "deadline"),
        ("overloaded", "overloaded"),
    ],
)
def test_a_refused_repetition_hands_back_the_upstreams_answer(code: str, why: str) -> None:
    """A gate said no: the loop ends, and what the upstream said last is worth more than that."""
    failed, refused = make_reply(503), make_reply(Refusal(code=code, detail="no"))
    upstream = ScriptedUpstream(failed, refused)
    pipeline = Pipeline(upstream, budget=RetryBudget(ratio=0.0, min_per_minute=0.0, burst=1))
    reply = pipeline()
    assert (reply.status, reply.result, reply.body) == (503, failed.result, failed.body)
    assert (reply.given_up, reply.finished, reply.closed) == (why, False, False)
    assert refused.closed
    assert failed.body is not None
    assert failed.body.whole == b"{}"


def test_what_is_handed_back_is_a_reply_of_its_own() -> None:
    """The failed attempt is over, and stays as it was settled; who joins the reply now hears of
    the end of the call."""
    failed, of_attempt, of_call = make_reply(503), Ledger(), Ledger()
    failed.finishers.append((of_attempt.settle, None))
    reply = Pipeline(ScriptedUpstream(failed, OPEN))()
    assert (failed.finished, failed.closed, failed.given_up) == (True, True, "")
    assert of_attempt.settled == [failed]
    reply.finishers.append((of_call.settle, None))
    reply.finish()
    assert (of_attempt.settled, of_call.settled) == ([failed], [reply])


def breaking(what: int | Refusal, bug: Exception) -> Reply:
    """A reply whose attempt is settled by a gate with a bug."""

    def breaks(subject: None, reply: Reply) -> None:
        raise bug

    reply = make_reply(what)
    if reply.refusal is None:
        reply.finishers.append((breaks, None))
    else:
        reply.bug = bug  # a guard gives back before it hands a refusal on
    return reply


@pytest.mark.parametrize(
    ("script", "kept"),
    [("b-", "b"), ("bo", "b"), ("-B", "B"), ("bB", "b"), ("b--", "b"), ("-b-", "b"), ("bc-", "b")],
)
def test_a_bug_of_an_attempt_that_is_not_the_last_is_kept(script: str, kept: str) -> None:
    """Whether the next one was sent or refused; the first of several. The call goes on."""
    bugs = {name: ZeroDivisionError(name) for name in "bcB"}
    steps: dict[str, Any] = {
        "-": 500,
        "o": OPEN,
        "b": breaking(503, bugs["b"]),
        "c": breaking(503, bugs["c"]),
        "B": breaking(OPEN, bugs["B"]),
    }
    upstream = ScriptedUpstream(*(steps[step] for step in script))
    reply = Pipeline(upstream, attempts=len(script))()
    assert len(upstream.attempts) == len(script)
    assert reply.bug is bugs[kept]
    assert reply.refusal is None


def test_without_a_bug_none_is_kept() -> None:
    """However often it was sent."""
    assert Pipeline(ScriptedUpstream(503, 200))().bug is None


def test_a_repetition_that_was_refused_costs_nothing() -> None:
    """Its token goes back."""
    budget = RetryBudget(ratio=0.0, min_per_minute=0.0, burst=1)
    pipeline = Pipeline(ScriptedUpstream(503, OPEN, 503, 200), budget=budget)
    assert pipeline().given_up == "circuit_open"
    assert pipeline().status == 200


def test_a_refusal_of_the_first_attempt_is_final() -> None:
    """An open circuit is not knocked at."""
    upstream = ScriptedUpstream(OPEN)
    reply = Pipeline(upstream)()
    assert reply.refusal is OPEN
    assert reply.given_up == ""


# --- what can be sent again ---


@pytest.mark.parametrize(
    ("target", "fields", "kept"),
    [
        ({}, {}, 1 << 20),
        ({"layer": "llm"}, {}, 8 << 20),
        ({"layer": "llm"}, {"replay": Size(100)}, 100),
    ],
)
def test_a_body_that_is_still_coming_is_kept(
    target: dict[str, Any], fields: dict[str, Any], kept: int
) -> None:
    """Up to `replay`, which is larger for LLMs; one that is here already need not be."""
    body = FakeBody(None)
    pipeline = Pipeline(ScriptedUpstream(200, 200), target=target, **fields)
    pipeline(pipeline.call(body=body))
    assert body.kept == kept
    here = FakeBody(b"{}")
    pipeline(pipeline.call(body=here))
    assert here.kept == 0


def test_a_large_body_is_sent_once() -> None:
    """Known by its length: it has one attempt, which may use all the time, and it is counted."""
    upstream = ScriptedUpstream(503)
    pipeline = Pipeline(upstream)
    call = pipeline.call(length=(1 << 20) + 1, body=FakeBody(None))
    assert pipeline(call).given_up == "not_replayable"
    assert upstream.attempts[0].of == 1
    assert call.body.kept == 0
    assert pipeline.counted(RETRY_DISABLED) == {("body_too_large",): 1}


def test_a_body_that_could_not_be_kept_is_sent_once() -> None:
    """It grew too large, or the pool was full: known only when it would be sent again."""
    pipeline = Pipeline(ScriptedUpstream(503))
    call = pipeline.call(length=None, body=FakeBody(None, replayable=False))
    assert pipeline(call).given_up == "not_replayable"
    assert pipeline.counted(RETRY_DISABLED) == {("body_too_large",): 1}


def test_one_attempt_keeps_nothing() -> None:
    """`attempts: 1` has given up when it has failed."""
    body = FakeBody(None)
    pipeline = Pipeline(ScriptedUpstream(503), attempts=1)
    assert pipeline(pipeline.call(body=body)).given_up == "attempts"
    assert body.kept == 0


# --- cancellation ---


async def test_cancelled_while_waiting_nothing_leaks() -> None:
    """The token goes back, the failed answer is closed, and the second attempt never was."""
    clock = FakeClock(asleep=False)
    budget = RetryBudget(ratio=0.0, min_per_minute=0.0, burst=1)
    upstream = ScriptedUpstream(503, 503, 200)
    pipeline = Pipeline(upstream, clock=clock, budget=budget)
    task = pipeline.start()
    await Turn()
    clock.advance(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert upstream.replies[0].closed
    call = upstream.attempts[0].call
    assert len(call.attempts) == 1
    assert call.waited == pytest.approx(0.5)
    again = pipeline.start()
    await Turn()
    clock.advance(2.0)
    assert (await again).status == 200


@pytest.mark.parametrize("body", [FakeBody(b"{}"), FakeBody(None)])
def test_cancelled_while_sending_again_nothing_leaks(body: FakeBody) -> None:
    """The failed answer is closed, and told to end where it still comes; the exception goes on."""
    upstream = ScriptedUpstream(make_reply(503, body=body), asyncio.CancelledError())
    with pytest.raises(asyncio.CancelledError):
        Pipeline(upstream)()
    assert upstream.replies[0].closed
    assert body.abandoned is (body.whole is None)


def test_what_was_sent_and_then_cancelled_keeps_its_token() -> None:
    """It may have reached the upstream, which is what the budget is for."""

    async def upstream(attempt: Attempt) -> Reply:
        attempt.sent = True
        if attempt.number == 1:
            return make_reply(503)
        raise asyncio.CancelledError

    pipeline = Pipeline(upstream, budget=RetryBudget(ratio=0.0, min_per_minute=0.0, burst=1))
    with pytest.raises(asyncio.CancelledError):
        pipeline()
    assert pipeline().given_up == "retry_budget"


# --- without retry ---


def test_once_is_one_attempt() -> None:
    """And it has not given up anything: nobody asked it to go on."""
    upstream = ScriptedUpstream(503)
    clock = FakeClock()
    call = make_call(started=clock.now())
    once = Once(Section(), Site(make_target(), make_ground(clock), sender=upstream))
    reply = run(once.handle(call))
    assert (reply.status, reply.given_up) == (503, "")
    assert call.attempts == upstream.attempts
    assert (call.attempts[0].of, call.attempts[0].started) == (1, clock.now())


def test_a_repetition_that_a_gate_refuses_was_not_sent() -> None:
    """It was decided upon, but is counted by what became of it."""
    pipeline = Pipeline(ScriptedUpstream(503, Refusal("circuit_open", "It keeps failing")))
    pipeline()
    assert pipeline.counted() == {("gateway", "denied", "circuit_open"): 1}
