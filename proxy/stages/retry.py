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

Three statuses have rules of their own, whatever `on` lists. **401**: with `on_401: refresh` the
call takes the upstream's next credential, once. The upstream did not act (RFC 9110 15.5.2), so a
write may do that too, and it is no second try of the same request: it does not count against
`attempts`, and neither a client that repeats nor `x-should-retry` forbids it. It does cost a token
of the budget, for to the upstream it is one request more, and a key that was revoked must not
double the traffic of all agents. **402**: paying is nobody's here; `stop` says so. **403**: with
`escalate` a person is told, who alone can give the permission.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, latest_start
from proxy.clock import NEVER
from proxy.counts import RETRIES, RETRY_DISABLED
from proxy.keys import NEWS
from proxy.news import Escalation, News
from proxy.protocols.clients import client_retries
from proxy.protocols.pushback import forbids_retry, pushback, retry_after
from proxy.protocols.safety import SAYS_NOT_RUN, Safety
from proxy.reply import SUCCESS, Reply, Result
from proxy.stage import Said, Section, Site, Target
from proxy.state.allowance import Allowance, RetryBudget
from proxy.state.asking import Terms
from proxy.state.backoff import Backoff, Throttled, Wait, Waits
from proxy.state.desk import Desk
from proxy.symptom import Symptom, symptom_of, symptoms
from proxy.units import Seconds, Size

Count = Annotated[int, Meta(ge=1, le=20)]
Times = Annotated[int, Meta(ge=0, le=20)]


class Retry(Section, frozen=True, kw_only=True):
    """When and how often a call is sent again."""

    holds: ClassVar[bool] = True

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
    limits: Annotated[
        dict[Symptom, Times],
        Meta(description="How often each is tried again within one call: {500: 2, 504: 1}."),
    ] = msgspec.field(default_factory=dict)
    treat_as_not_executed: Annotated[
        tuple[Annotated[int, Meta(ge=400, le=599)], ...],
        Meta(description="Statuses that prove, for this upstream, that nothing ran."),
    ] = ()
    on_retrying_client: Annotated[
        Literal["single", "ignore"],
        Meta(description="A client that repeats by itself gets one attempt a time."),
    ] = "single"
    on_401: Annotated[
        Literal["pass", "refresh"],
        Meta(description="refresh: once, with the next credential of the upstream's auth."),
    ] = "pass"
    on_402: Annotated[
        Literal["stop", "pass"],
        Meta(
            description="stop: no quota is left, and the tool is left alone for a while; "
            "pass: it is a price, and the agent may pay it and come again."
        ),
    ] = "stop"
    on_403: Annotated[
        Literal["pass", "escalate"],
        Meta(description="escalate: handed back at once, and a person is told."),
    ] = "pass"
    budget: RetryBudget = RetryBudget()


class Once:
    """One attempt: what a call without `retry` has."""

    def __init__(self, section: Section, site: Site) -> None:
        self._inner = site.sender
        self._upstream = site.target.upstream
        self._now = site.ground.clock.now
        self._budget = Allowance.of(site.ground, site.target)

    async def handle(self, call: Call) -> Reply:
        """Send it."""
        number = len(call.attempts) + 1
        attempt = Attempt(call, number, number, self._now(), call.deadline, upstream=self._upstream)
        call.attempts.append(attempt)
        reply = await self._inner(attempt)
        if attempt.sent:
            self._budget.earn()  # others may repeat calls to this upstream
        return reply

    def says(self, call: Call) -> Said:
        """Just this."""
        return _ONE


class Repeat:
    """A call's attempts, one after the other."""

    def __init__(self, section: Retry, site: Site) -> None:
        target, ground = site.target, site.ground
        self._inner = site.sender
        self._clock = ground.clock
        self._upstream = target.upstream
        self._single = section.on_retrying_client == "single"
        self._attempts = section.attempts
        self._replay = _replay(section, target)
        self._refreshes = section.on_401 == "refresh"
        self._ends = _ends(section)
        self._mends = symptoms(section.on) | SAYS_NOT_RUN | self._ends.keys()
        self._limits = {str(symptom): most for symptom, most in section.limits.items()}
        keyed, proofs = target.idempotent_upstream, section.treat_as_not_executed
        self._safety = Safety(target.effect, section.safe, proofs, honours_keys=keyed)
        cap, chance = float(section.retry_after_cap), ground.clock.chance.random
        self._waits = Waits(section.backoff, section.throttled, cap, chance)
        self._budget = Allowance.of(ground, target, section.budget)
        self._news = ground.kept(NEWS, News)
        self._desk = Desk.of(ground.keep, ground.clock)
        self._asks = Terms(site.policy, why="escalated", detail="the upstream forbids it (403)")
        self._retries = ground.kept(RETRIES.key, RETRIES.counts)
        self._disabled = ground.kept(RETRY_DISABLED.key, RETRY_DISABLED.counts)

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
        if reply.result is SUCCESS:
            return reply
        return await self._repeat(attempt, reply, _Tries(most))

    async def _repeat(self, attempt: Attempt, reply: Reply, tries: "_Tries") -> Reply:
        bug: Exception | None = None  # of a gate of an attempt that is not the last
        while reply.result is not SUCCESS:
            wait = self._decide(attempt, reply, tries)
            if wait is None:
                break
            why = symptom_of(reply)
            last = reply.set_aside()
            bug = bug or reply.bug
            attempt = self._again(attempt.call)
            attempt.credential = tries.credential
            try:
                reply = await self._send_later(attempt, wait, tries.left)
            except BaseException:  # cancelled, or a bug further in: nothing may leak either way
                self._count(attempt, "cancelled", why)
                _drop(last)
                raise
            self._count(attempt, "" if reply.refusal is None else reply.refusal.code, why)
            if reply.refused:
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

    def says(self, call: Call) -> Said:
        """How often and on what it would be repeated, and how many repetitions there are left."""
        if self._attempts == 1:
            return _ONE
        if self._single and client_retries(call.head.fields):
            return Said("one attempt: this client repeats by itself")
        if (call.head.length or 0) > self._replay:
            return Said("one attempt: the body is too large to be kept")
        often = f"up to {self._attempts} attempts {self._safety.told(call)}"
        left = self._budget.told(self._clock.now())
        return Said(f"{often}; waits {self._waits.told}; {left}")

    def _limit(self, call: Call) -> int:
        """How many attempts there may be, as far as the head of the call tells."""
        head = call.head
        if self._attempts == 1 or (head.signs and self._single and client_retries(head.fields)):
            if self._refreshes and call.body.whole is None:  # whoever repeats, that is one more
                call.body.keep(self._replay)
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
        if reply.refused or attempt.call.stopped is not None:
            return None
        refreshes = self._refreshes and symptom == "401"
        if not (refreshes or symptom in self._mends):
            return None
        judged = self._with_another if refreshes else self._with_the_same
        wait, objection = judged(attempt, reply, tries)
        if not objection and not self._budget.take(self._clock.now()):
            objection = "retry_budget"
        if objection:
            self._retries.add(self._upstream, "denied", objection)
            self._give_up(attempt.call, reply, objection)
            return None
        tries.go_on("" if refreshes else symptom, attempt)
        return wait

    def _with_another(self, attempt: Attempt, reply: Reply, tries: "_Tries") -> Wait:
        """May it be sent with another credential?"""
        call = attempt.call
        if attempt.spare < 0 or tries.refreshed:
            return 0.0, "no_credential"
        if not call.body.replayable:
            return 0.0, self._not_replayable()
        room = self._room(call)
        if room < 0:
            return 0.0, "deadline"
        return self._waits.asked(retry_after(reply.fields, self._clock.wall()) or 0.0, room)

    def _with_the_same(self, attempt: Attempt, reply: Reply, tries: "_Tries") -> Wait:
        """May it be sent again as it was?"""
        call = attempt.call
        objection = self._objection(call, reply, tries)
        if objection:
            return 0.0, objection
        throttled = reply.result is Result.THROTTLED
        asked = (pushback if throttled else retry_after)(reply.fields, self._clock.wall())
        return self._waits.after(tries.made, self._room(call), asked, throttled=throttled)

    def _room(self, call: Call) -> float:
        """Seconds that may be waited so that there is time for another attempt."""
        return latest_start(call) - self._clock.now()

    def _objection(self, call: Call, reply: Reply, tries: "_Tries") -> str:
        """What speaks against another attempt, in the words of `given_up`; empty: nothing."""
        symptom = symptom_of(reply)
        if symptom in self._ends:
            return self._ends[symptom]
        if forbids_retry(reply.fields):
            return "upstream"
        if reply.quota_exhausted:
            return "quota"
        if not self._safety.allows(symptom, call):
            return "not_safe"
        if not tries.left:
            return self._why_no_more(call, tries)
        if tries.again.get(symptom, 0) >= self._limits.get(symptom, NEVER):
            return "limit"
        return "" if call.body.replayable else self._not_replayable()

    def _not_replayable(self) -> str:
        self._disabled.add("body_too_large")
        return "not_replayable"

    def _give_up(self, call: Call, reply: Reply, objection: str) -> None:
        if objection == "upstream" and b"x-should-retry" in reply.fields:
            return  # it has said so itself, in the words that agents know
        reply.given_up = objection
        if objection == "escalated":
            self._news.tell(Escalation(self._upstream, call.tool, call.agent, reply.status))
            self._desk.enlist(call, self._asks)

    def _why_no_more(self, call: Call, tries: "_Tries") -> str:
        if tries.most == self._attempts:
            return "attempts"
        retrying = self._single and client_retries(call.head.fields)
        return "client_retries" if retrying else "not_replayable"

    def _count(self, attempt: Attempt, refused: str, why: str) -> None:
        """A repetition that a gate refused, or that was cancelled first, gives its token back."""
        if attempt.sent or not refused:
            self._retries.add(self._upstream, "sent", why)
        else:
            self._retries.add(self._upstream, "denied", refused)
            self._budget.give_back()


class _Tries(msgspec.Struct):
    """The attempts that one run of `Repeat` makes at a call."""

    most: int
    made: int = 1
    again: dict[str, int] = {}  # how often for each symptom
    refreshed: bool = False
    credential: int = -1  # of the next attempt

    @property
    def left(self) -> int:
        """So many more may follow."""
        return self.most - self.made

    def go_on(self, symptom: str, last: Attempt) -> None:
        """There will be another one; without a symptom, for the sake of another credential."""
        if symptom:
            self.made += 1
            self.again[symptom] = self.again.get(symptom, 0) + 1
            self.credential = last.credential  # not all of them may be good
        else:
            self.refreshed = True
            self.credential = last.spare


_ONE = Said("one attempt, nothing is repeated")


def _drop(reply: Reply | None) -> None:
    if reply is not None:
        reply.drop()


def _hand_back(last: Reply | None, refused: Reply) -> Reply:
    """The upstream's own last answer, where there is one; it was the reason for the refusal."""
    if last is None or refused.refusal is None:
        return refused
    _drop(refused)
    last.given_up = refused.refusal.kind.spoils or refused.refusal.code
    return last


def _replay(section: Retry, target: Target) -> int:
    if section.replay is not None:
        return int(section.replay)
    return 8 << 20 if target.layer == "llm" else 1 << 20


def _ends(section: Retry) -> dict[str, str]:
    """Statuses that end a call whatever else is said, and what is told of it."""
    rules = {
        "402": "quota" if section.on_402 == "stop" else "",
        "403": "escalated" if section.on_403 == "escalate" else "",
    }
    return {status: why for status, why in rules.items() if why}
