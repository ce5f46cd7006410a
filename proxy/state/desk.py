"""The desk: calls that people must approve, from the asking to the one sending (spec 4.3).

Whoever asks for the same call again attaches to the request that there is: nobody is asked twice,
however many ask. Of all that wait for a yes one *claims* the call and sends it; the others wait for
what comes of it, and get the same answer. What is decided, and that it was used, is in the journal
before anything follows from it:

- nobody is told of a request before it is durable;
- a decision is acknowledged when it is durable;
- a call goes out when it is durable that its approval is used up (`consume`). A process that dies
  after that has perhaps sent it, and the next one never sends it again.

A claim is in memory only. Between it and `consume` the call passes all policies that are in force
now; if one of them refuses it, the claim is given back and the approval stands.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import msgspec

from proxy.call import Call
from proxy.clock import NEVER, Clock
from proxy.keep import Keep
from proxy.keys import DESK
from proxy.refusal import Refusal
from proxy.reply import Executed, Reply
from proxy.state.asking import LARGEST, Consumed, Decided, Terms, digest, exhibit
from proxy.state.case import (
    APPROVED,
    DENIED,
    DONE,
    OPEN,
    PENDING,
    REVIEW,
    USED,
    Case,
    File,
    Hold,
    Person,
    Undecided,
    denied,
    pending,
    spent,
    stir,
)
from proxy.state.outcomes import ROOM, Coming, Outcome, coming, outcome
from proxy.state.register import Register

MOST_REVIEWS = 1_000
"""Calls that are listed for review; the oldest makes room."""
REVIEWED = 86_400.0
"""Seconds in which somebody is to look at what passed."""

Answer: TypeAlias = Refusal | Outcome | None
"""What a call comes to at the desk; None: it has claimed its approval, and goes."""


class Desk(Register):
    """What calls and people do with the register."""

    @classmethod
    def of(cls, keep: Keep, clock: Clock) -> "Desk":
        """The one of the process."""
        return keep.of(DESK, partial(cls, clock, keep))

    # --- calls ---

    def attach(self, call: Call, terms: Terms) -> Case | Refusal:
        """The request for this call, made if there is none. Its body is here.

        A refusal where it cannot be asked for: the body is too large to be shown, or too many
        requests wait.
        """
        content = call.body.whole
        if content is None or len(content) > LARGEST:
            text = f"people are shown no body of more than {LARGEST} bytes, so none can approve it"
            return Refusal("body_too_large", text, policy=terms.policy)
        bound = digest(call, content, terms.why)
        case = self._attached(bound, terms)
        if case is None:
            full = self._full(call.agent, terms.policy)
            if full is not None:
                return full
            case = self._made(call, terms, bound, exhibit(call, content).encoded())
        call.approval = case.request.id
        return case

    def _attached(self, bound: str, terms: Terms) -> Case | None:
        """The request that there is, if it still holds, and is not less than these terms ask."""
        case = self._bound.get(bound)
        if case is None or case.runner:
            return case
        if case.due <= self._clock.now():  # the alarm is late
            self._went_off()
            return self._bound.get(bound)
        if case.file.state in OPEN and not case.request.meets(terms):
            self._expire(case, "changed")
            return None
        return case

    async def passed(self, case: Case, call: Call, until: Hold) -> Answer:
        """What the call comes to; None: it has claimed the approval, and is to go, through all
        that is in force."""
        if case.opening is not None and not case.opening.done():
            await asyncio.shield(case.opening)
        while True:
            waits, answer = _answer(case, call)
            if not waits:
                return answer
            if self._leaving and not case.runner:
                return pending(case, self.left(case.request.id))
            if not await self._stirred(case, until()) and self._clock.now() >= until():
                return pending(case, self.left(case.request.id))

    def unmet(self, call: Call, terms: Terms) -> Refusal | None:
        """Why what it has claimed does not do by these terms: then people are asked anew."""
        case: Case = call.ticket
        if case.over is None and not case.request.meets(terms):
            self._expire(case, "changed")
        return case.over

    async def consume(self, call: Call) -> Refusal | None:
        """Use up what it has claimed: when this is durable, the call may be sent, once."""
        case: Case = call.ticket
        asked = case.request
        until = int(self._clock.wall() * 1000) + asked.replay_ms
        case.file.state, case.file.used = USED, Consumed(asked.id, call.id, until)
        case.due = NEVER
        self._noted.note(case.file.used)
        self._exhibits.drop(asked.id)
        self._counts.add("consumed")
        if await self._noted.durable():
            return None
        text = "it cannot be recorded that the approval of this call is used, so it is not sent"
        return Refusal("journal_unavailable", text, policy=asked.policy)

    def returns(self, call: Call, reply: Reply, streams: Callable[[Reply], bool]) -> None:
        """The claimed call has an answer, which is finished later."""
        room = ROOM - self._bytes
        reply.finishers.append((self._ran, coming(call, reply, room, streams)))

    def lost(self, call: Call) -> None:
        """The claimed call was cancelled, or broke: there is no answer."""
        told = f"the approved call {call.id} was cancelled"
        executed = Executed.UNKNOWN if call.sent else Executed.NO
        self._settle(call, Outcome(spent(call.ticket, told, executed)))

    async def ask(self, call: Call, terms: Terms, until: Hold) -> Refusal | None:
        """For who only wants to know: may this call go on? None: yes, once, and that is used up.

        Whoever asks for the same call later is asked about anew. A person's time is not the
        call's. If it is cancelled while it waits, nothing is left behind.
        """
        case = self.attach(call, terms)
        if isinstance(case, Refusal):
            return case
        began, before = self._clock.now(), call.ticket
        try:
            answer = await self.passed(case, call, until)
        finally:
            held = self._clock.now() - began
            call.held += held
            call.deadline = min(call.deadline + held, until.latest)
        if answer is not None:
            return answer.refusal if isinstance(answer, Outcome) else answer
        call.ticket = case
        try:
            return await self.consume(call)
        finally:
            call.ticket, case.runner = before, ""
            self._end(case, f"the approval was used by the call {call.id}")

    def enlist(self, call: Call, terms: Terms) -> str:
        """List it for people, who say what is to be done; nothing waits for them. Its id; empty
        where there is no room for more."""
        content = (call.body.whole or b"")[:LARGEST]
        bound = digest(call, content, terms.why)
        case = self._bound.get(bound)
        if case is None:
            if self._full(call.agent, terms.policy) is not None:
                return ""
            terms = msgspec.structs.replace(terms, expires=REVIEWED)
            case = self._made(call, terms, bound, exhibit(call, content).encoded())
        call.approval = call.approval or case.request.id
        return case.request.id

    def review(self, call: Call, terms: Terms) -> None:
        """It passes, and is listed, so that somebody looks at it. Nothing of it is shown but what
        the journal has."""
        if len(self._reviews) >= MOST_REVIEWS:
            self._expire(next(iter(self._reviews.values())), "crowded")
        terms = msgspec.structs.replace(terms, needs=0, expires=REVIEWED, why="review")
        case = Case(File(self._asked(call, terms, ""), REVIEW), noted=True, listed=True)
        name = call.approval = case.request.id
        self._cases[name] = self._reviews[name] = case
        self._noted.note(case.request)
        self._counts.add("review")
        self._arm(case, self._clock.now() + REVIEWED)

    # --- people ---

    async def decide(self, decision: Decided, person: Person) -> File:
        """One person says yes or no. Done when that is durable. Raises Undecided."""
        case = self._known(decision.id)
        approves = decision.decision == "approve"
        if approves and case.file.state == PENDING and await self.shown(decision.id) is None:
            raise Undecided("unseen", "the call cannot be shown any more: it can only be denied")
        self._may(case, decision, person)
        self._noted.note(decision)
        self._counts.add("approved" if approves else "denied")
        closed = self._take(case, decision)
        self._tell(case, "broken_glass" if decision.break_glass else DONE[approves], decision)
        if closed:
            self._end(case)
        durable = await self._noted.durable()
        case.wake()
        if not durable:
            text = "it is decided, but the journal cannot be written: a restart may forget it"
            raise Undecided("journal", text)
        return case.file

    def _may(self, case: Case, decision: Decided, person: Person) -> None:
        """Raises Undecided where this person may not, or not any more."""
        asked, state = case.request, case.file.state
        if asked.id not in self._cases or state not in {PENDING, REVIEW}:
            raise Undecided("over", f"it is over: {state}")
        if person.name == asked.agent:
            raise Undecided("forbidden", "an agent does not decide about its own calls")
        if any(before.by == person.name for before in case.file.decided):
            text = f"{person.name} has approved it already, and a second person must"
            raise Undecided("over", text)
        if decision.break_glass:
            if decision.decision != "approve" or not decision.reason:
                raise Undecided("invalid", "to break the glass is to approve, with a reason")
        elif asked.groups and not set(asked.groups) & set(person.groups):
            wanted = " or ".join(asked.groups)
            raise Undecided("forbidden", f"whoever decides must be in the group {wanted}")
        elif person.anybody and asked.needs > 1 and decision.decision == "approve":
            text = f"{person.name} may be the one who agreed before: two people show their tokens"
            raise Undecided("forbidden", text)

    # --- the inside ---

    async def _stirred(self, case: Case, until: float) -> bool:
        """Wait for something to happen to it; False: not by then."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        alarm = self._clock.alarm(lambda: stir(future, told=False))
        if until != NEVER:
            alarm.set(until)
        case.waiters.append(future)
        try:
            return await future
        finally:
            case.waiters.remove(future)
            alarm.close()

    def _ran(self, at: Coming, reply: Reply) -> None:
        """Part of Finisher: the answer to the claimed call is out, or there is none."""
        self._settle(at.call, outcome(at, reply, partial(spent, at.call.ticket)))

    def _settle(self, call: Call, came: Outcome) -> None:
        """Once for each claim."""
        case: Case = call.ticket
        asked, unused = case.request, case.file.state == APPROVED
        case.runner = ""
        if unused and not call.sent:  # something refused it before it was used: it stands
            if case.due <= self._clock.now():
                self._went_off()
            case.wake()
            return
        if unused:  # no policy asks for it any more, and so it went
            until = int(self._clock.wall() * 1000) + asked.replay_ms
            case.file.state, case.file.used = USED, Consumed(asked.id, call.id, until)
            self._noted.note(case.file.used)
        case.outcome = came
        if asked.id not in self._cases:  # it has expired meanwhile
            case.wake()
            return
        self._bytes += came.size
        if call.sent:
            self._arm(case, self._clock.now() + asked.replay_ms / 1000)
            case.wake()
        else:  # it surely did not run: whoever comes again is asked about anew
            self._end(case)


def _answer(case: Case, call: Call) -> tuple[bool, Answer]:
    """Must it wait? And if not, what does it come to?"""
    state = case.file.state
    if case.over is not None:
        return False, case.over
    if state == DENIED:
        return False, denied(case)
    if case.outcome is not None:
        return False, case.outcome
    if state != APPROVED or case.runner:
        return True, None
    case.runner = call.id
    return False, None
