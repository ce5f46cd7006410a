"""`retry`: a call is sent again where that may help and cannot harm (spec 3.2).

The decision is made in sync code when an attempt has failed, in this order: is it something that
repeating may mend, does the upstream allow it, is it proven harmless, is there an attempt left, can
the body be sent again, does the wait fit, is there a token. The first objection ends the loop and
is written into `reply.given_up`, so that the agent's SDK is told not to go on where we stopped.

While a call waits to be repeated it holds nothing of its failed attempt: the reply is finished, so
its permits have gone back and its result is counted, and one whose body has not come whole is
closed as well, so that no connection is held. What is left of it, a head and at most 64 KiB, is
kept until the next attempt has been let through: if a gate refuses that one (an open circuit, above
all), what the upstream itself said last is worth more to the agent than our refusal.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, Effect
from proxy.clock import Clock
from proxy.counts import Counts
from proxy.protocols.pushback import forbids_retry, pushback, retry_after
from proxy.reply import Reply, Result
from proxy.stage import LATE, SPREAD, Ground, Handler, Section, Sender, Target
from proxy.state.allowance import Allowance
from proxy.symptom import Symptom, symptom_of, symptoms
from proxy.units import Seconds, Size

Count = Annotated[int, Meta(ge=1, le=20)]
Factor = Annotated[float, Meta(ge=1, le=10)]


class Backoff(Section, frozen=True, kw_only=True):
    """Waiting between attempts: `random(0, min(max, base · factor^n))`."""

    base: Annotated[Seconds, Meta(description="The longest first wait.")] = Seconds(0.1)
    factor: Annotated[Factor, Meta(description="By how much each further wait may be longer.")] = (
        2.0
    )
    max: Annotated[
        Seconds, Meta(description="No wait is longer, unless the upstream asks for it.")
    ] = Seconds(5.0)
    jitter: Annotated[
        Literal["full", "none"],
        Meta(description="full: anything from zero; none: exactly the formula."),
    ] = "full"


class Throttled(Section, frozen=True, kw_only=True):
    """The same after a throttled attempt: a busy upstream needs longer than a broken one."""

    base: Annotated[Seconds, Meta(description="The longest first wait.")] = Seconds(1.0)
    max: Annotated[
        Seconds, Meta(description="No wait is longer, unless the upstream asks for it.")
    ] = Seconds(20.0)


class RetryBudget(Section, frozen=True, kw_only=True):
    """How many attempts may be repetitions, per upstream: a token bucket, full at the start."""

    ratio: Annotated[
        float, Meta(ge=0, le=1, description="Tokens that each original call brings.")
    ] = 0.2
    min_per_minute: Annotated[
        float, Meta(ge=0, le=6000, description="Tokens that a minute brings.")
    ] = 5.0
    burst: Annotated[int, Meta(ge=1, le=1000, description="The most tokens there can be.")] = 10


class Retry(Section, frozen=True, kw_only=True):
    """When and how often a call is sent again."""

    attempts: Annotated[Count, Meta(description="Sendings in all, the first one included.")] = 3
    on: Annotated[
        tuple[Symptom, ...],
        Meta(
            description="What is tried again: connect, disconnect, timeout, truncated, or a status."
        ),
    ] = ("connect", "disconnect", "timeout", "truncated", 429, 500, 502, 503, 504, 529)
    safe: Annotated[
        Literal["auto", "never_executed", "always"],
        Meta(
            description="auto: writes only where nothing ran; never_executed: reads as well; "
            "always: like auto for reads; refused at load for writes."
        ),
    ] = "auto"
    backoff: Backoff = Backoff()
    throttled: Throttled = Throttled()
    retry_after_cap: Annotated[
        Seconds,
        Meta(description="An upstream that asks for a longer wait gets no further attempt."),
    ] = Seconds(30.0)
    replay: Annotated[
        Size | None,
        Meta(description="Bodies up to this size are kept; default 1MiB, 8MiB for LLMs."),
    ] = None
    treat_as_not_executed: Annotated[
        tuple[Annotated[int, Meta(ge=400, le=599)], ...],
        Meta(description="Statuses that prove, for this upstream, that nothing ran."),
    ] = ()
    on_retrying_client: Annotated[
        Literal["single", "ignore"],
        Meta(description="A client that repeats by itself gets one attempt a time."),
    ] = "single"
    budget: RetryBudget = RetryBudget()


class Once:
    """One attempt: what a call without `retry` has."""

    def __init__(self, inner: Sender, target: Target, ground: Ground) -> None:
        self._inner = inner
        self._upstream = target.upstream
        self._now = ground.clock.now
        self._budget = Allowance.of(ground, target)

    @classmethod
    def wrap(cls, inner: Sender, target: Target, ground: Ground) -> Handler:
        """The handler of a pipeline that never repeats."""
        return cls(inner, target, ground).handle

    async def handle(self, call: Call) -> Reply:
        """Send it."""
        number = len(call.attempts) + 1
        attempt = Attempt(call, number, number, self._now(), call.deadline, upstream=self._upstream)
        call.attempts.append(attempt)
        reply = await self._inner(attempt)
        if attempt.sent:
            self._budget.earn()  # others may repeat calls to this upstream
        return reply


class Repeat:
    """A call's attempts, one after the other."""

    def __init__(self, section: Retry, inner: Sender, target: Target, ground: Ground) -> None:
        self._inner = inner
        self._clock = ground.clock
        self._upstream = target.upstream
        self._single = section.on_retrying_client == "single"
        self._attempts = section.attempts
        self._replay = _replay(section, target)
        self._mends = symptoms(section.on) | _SAYS_NOT_RUN
        self._safety = _Safety(section, target)
        self._waits = _Waits(section, ground.clock)
        self._budget = _allowance(section, target, ground)
        self._retries = ground.kept(
            ("counts", "holdfast_retries_total"), lambda: Counts(("upstream", "decision", "reason"))
        )
        self._disabled = ground.kept(
            ("counts", "holdfast_retry_disabled_total"), lambda: Counts(("reason",))
        )

    @classmethod
    def wrap(cls, section: Retry, inner: Sender, target: Target, ground: Ground) -> Handler:
        """The handler of a pipeline that repeats."""
        return cls(section, inner, target, ground).handle

    async def handle(self, call: Call) -> Reply:
        """Send it, and again where that may help. The reply is that of the last attempt sent."""
        most = self._limit(call)
        before = len(call.attempts)  # hedges and other upstreams have attempts of the same call
        attempt = Attempt(
            call=call,
            number=before + 1,
            of=before + most,
            started=self._clock.now(),
            deadline=call.deadline,
            upstream=self._upstream,
        )
        call.attempts.append(attempt)
        reply = await self._inner(attempt)
        if attempt.sent:
            self._budget.earn()
        if reply.result is _SUCCESS:
            return reply
        return await self._repeat(attempt, reply, _Tries(most))

    async def _repeat(self, attempt: Attempt, reply: Reply, tries: "_Tries") -> Reply:
        bug: Exception | None = None  # of a gate of an attempt that is not the last
        while reply.result is not _SUCCESS:
            wait = self._decide(attempt, reply, tries)
            if wait is None:
                break
            last = reply.set_aside()
            bug = bug or reply.bug
            attempt = self._again(attempt.call)
            tries.made += 1
            try:
                reply = await self._send_later(attempt, wait, tries.left)
            except BaseException:  # cancelled, or a bug further in: nothing may leak either way
                self._take_back(attempt)
                _drop(last)
                raise
            if reply.refused:
                self._take_back(attempt)
                bug = bug or reply.bug
                reply = _hand_back(last, reply)
                break
            _drop(last)
        reply.bug = reply.bug or bug
        return reply

    def _again(self, call: Call) -> Attempt:
        """One that is not numbered yet: others may be sent while it waits."""
        return Attempt(call, 0, 0, 0.0, call.deadline, upstream=self._upstream, retry=True)

    async def _send_later(self, attempt: Attempt, wait: float, left: int) -> Reply:
        call = attempt.call
        began = self._clock.now()
        try:
            await self._clock.sleep(wait)
        finally:
            attempt.started = self._clock.now()
            call.waited += attempt.started - began
        attempt.number = len(call.attempts) + 1
        attempt.of = attempt.number + left
        call.attempts.append(attempt)
        return await self._inner(attempt)

    def _limit(self, call: Call) -> int:
        """How many attempts there may be, as far as the head of the call tells."""
        head = call.head
        if self._attempts == 1 or (head.signs and self._single and client_retries(head.fields)):
            return 1
        if head.length is not None and head.length > self._replay:
            self._disabled.add("body_too_large")
            return 1
        if call.body.whole is None:
            call.body.keep(self._replay)
        return self._attempts

    def _decide(self, attempt: Attempt, reply: Reply, tries: "_Tries") -> float | None:
        """Seconds to wait before the next attempt; None: this reply stays the last."""
        symptom = symptom_of(reply)
        if reply.refused or symptom not in self._mends or attempt.call.stopped is not None:
            return None
        objection = self._objection(attempt.call, reply, tries)
        wait = 0.0
        if not objection:
            wait, objection = self._waits.after(attempt.call, reply, tries.made)
        if not objection and not self._budget.take(self._clock.now()):
            objection = "retry_budget"
        self._retries.add(self._upstream, "denied" if objection else "sent", objection or symptom)
        if not objection:
            return wait
        reply.given_up = "" if objection == "upstream" else objection  # it has said so itself
        return None

    def _objection(self, call: Call, reply: Reply, tries: "_Tries") -> str:
        """What speaks against another attempt, in the words of `given_up`; empty: nothing."""
        if forbids_retry(reply.fields):
            return "upstream"
        if reply.quota_exhausted:
            return "quota"
        if not self._safety.allows(symptom_of(reply), call):
            return "not_safe"
        if not tries.left:
            return self._why_no_more(call, tries)
        if not call.body.replayable:
            self._disabled.add("body_too_large")
            return "not_replayable"
        return ""

    def _why_no_more(self, call: Call, tries: "_Tries") -> str:
        if tries.most == self._attempts:
            return "attempts"
        retrying = self._single and client_retries(call.head.fields)
        return "client_retries" if retrying else "not_replayable"

    def _take_back(self, attempt: Attempt) -> None:
        if not attempt.sent:
            self._budget.give_back()


class _Tries(msgspec.Struct):
    """The attempts that one run of `Repeat` makes at a call."""

    most: int
    made: int = 1

    @property
    def left(self) -> int:
        """So many more may follow."""
        return self.most - self.made


class _Safety:
    """May a call be repeated without harm?"""

    def __init__(self, section: Retry, target: Target) -> None:
        harmless = target.effect is not Effect.WRITE
        # `always` on a write is an error where a policy says so; where only an overlap of policies
        # brings it about, it counts as `auto`.
        self._always = harmless and section.safe != "never_executed"
        self._keyed = target.idempotent_upstream and section.safe != "never_executed"
        self._proofs = _SAYS_NOT_RUN | {"connect"} | symptoms(section.treat_as_not_executed)

    def allows(self, symptom: str, call: Call) -> bool:
        """By its effect, by its idempotency key, or because nothing ran."""
        return (
            self._always or symptom in self._proofs or (self._keyed and bool(call.idempotency_key))
        )


class _Waits:
    """How long to wait before an attempt."""

    def __init__(self, section: Retry, clock: Clock) -> None:
        self._clock = clock
        self._cap = float(section.retry_after_cap)
        self._factor = section.backoff.factor
        self._jitter = section.backoff.jitter == "full"
        self._usual = (float(section.backoff.base), float(section.backoff.max))
        self._throttled = (float(section.throttled.base), float(section.throttled.max))

    def after(self, call: Call, reply: Reply, made: int) -> tuple[float, str]:
        """Seconds to wait after so many attempts, or the objection: `pushback`, `deadline`.

        What the upstream asks for is a floor, never shortened: to come back too early is worse
        than not at all. Chance makes it longer, as far as there is room.
        """
        room = call.deadline - call.min_attempt - LATE - self._clock.now()
        throttled = reply.result is Result.THROTTLED
        wait = self._backoff(made - 1, *(self._throttled if throttled else self._usual))
        asked = (pushback if throttled else retry_after)(reply.fields, self._clock.wall())
        if asked is not None:
            if asked > min(self._cap, room):
                return 0.0, "pushback"
            longer = asked * (1 + SPREAD * self._chance()) if self._jitter else asked
            wait = max(wait, longer if longer <= room else asked)
        return (wait, "") if wait <= room else (0.0, "deadline")

    def _backoff(self, repeated: int, base: float, longest: float) -> float:
        most = min(longest, base * self._factor**repeated)
        return self._chance() * most if self._jitter else most

    def _chance(self) -> float:
        return self._clock.chance.random()


_SAYS_NOT_RUN = frozenset({"421", "425"})
"""Misdirected Request, Too Early (RFC 9110 15.5.20, RFC 8470 5.2): the upstream did not act, and
says that another attempt may do better. They are repeated whatever `on` lists."""

_SUCCESS = Result.SUCCESS  # looking into an enum costs more than the rest of a good call
_COUNTERS = {
    b"x-stainless-retry-count": 1,
    b"x-envoy-attempt-count": 2,
    b"grpc-previous-rpc-attempts": 1,
}
_AMZ_ATTEMPT = re.compile(rb"(?:^|[;,])\s*attempt=(\d{1,9})(?=\s*(?:[;,]|$))")


def client_retries(fields: dict[bytes, bytes]) -> bool:
    """Is this a repetition already? Then who repeats is in front of us, and one owner is enough."""
    if b"holdfast-attempt" in fields:
        return True
    for name, least in _COUNTERS.items():
        for value in fields.get(name, b"").split(b","):  # a header may come twice
            count = value.strip()
            if count.isdigit() and int(count[:9]) >= least:
                return True
    attempts = _AMZ_ATTEMPT.findall(fields.get(b"amz-sdk-request", b""))
    return any(int(attempt) > 1 for attempt in attempts)


_WHY = {"circuit_open": "circuit_open", "rate_limited": "pushback", "deadline_exceeded": "deadline"}


def _drop(reply: Reply | None) -> None:
    if reply is not None:
        reply.drop()


def _hand_back(last: Reply | None, refused: Reply) -> Reply:
    """The upstream's own last answer, where there is one; it was the reason for the refusal."""
    if last is None or refused.refusal is None:
        return refused
    _drop(refused)
    last.given_up = _WHY.get(refused.refusal.code, refused.refusal.code)
    return last


def _replay(section: Retry, target: Target) -> int:
    if section.replay is not None:
        return int(section.replay)
    return 8 << 20 if target.layer == "llm" else 1 << 20


def _allowance(section: Retry, target: Target, ground: Ground) -> Allowance:
    budget = section.budget
    allowance = Allowance.of(ground, target)
    allowance.follow(budget.ratio, budget.min_per_minute, budget.burst)
    return allowance
