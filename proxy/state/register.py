"""The register of the desk: which requests there are, for how long, and how they outlive a restart.

What is written down is in milliseconds since 1970, what is waited for is on the clock that only
goes forward. Setting the time changes nothing for what is at the desk; after a restart what is left
of a request's time is never more than all of it.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from proxy.call import Call
from proxy.clock import NEVER, Clock
from proxy.counts import APPROVALS
from proxy.keep import Keep
from proxy.keys import NEWS
from proxy.news import ApprovalChange, News
from proxy.record import Noted
from proxy.refusal import Refusal
from proxy.reply import Executed
from proxy.state.asking import Consumed, Decided, Expired, Requested, Terms, read
from proxy.state.case import (
    AGAIN,
    APPROVED,
    DENIED,
    DONE,
    LISTINGS,
    OPEN,
    PENDING,
    REVIEW,
    USED,
    Case,
    Exhibits,
    File,
    Undecided,
    Untold,
    gone,
    spent,
)
from proxy.state.outcomes import Outcome

MOST = 1_000
"""Requests that wait for people, of the process."""
MOST_OF_ONE = 200
"""The same of one agent: none of them takes the desk from all others."""


class Register:
    """Part of Rebuilt. All is called on the loop."""

    name = "approvals"
    types = frozenset({Requested.type, Decided.type, Consumed.type, Expired.type})
    idle = False

    def __init__(self, clock: Clock, keep: Keep) -> None:
        self._clock = clock
        self._cases: dict[str, Case] = {}
        self._bound: dict[str, Case] = {}  # by digest: those that a call can attach to
        self._reviews: dict[str, Case] = {}  # the oldest first
        self._alarm = clock.alarm(self._went_off)
        self._next = NEVER
        self._leaving = False
        self._bytes = 0  # of outcomes
        self._untold: Untold | None = Untold()  # until there is a journal
        self._noted: Noted = self._untold
        self._exhibits: Exhibits = self._untold
        self._news = keep.of(NEWS, News)
        self._counts = keep.of(APPROVALS.key, APPROVALS.counts)

    # --- over a restart ---

    def dump(self) -> Any:
        """Part of Rebuilt."""
        return [msgspec.to_builtins(case.file) for case in self._cases.values() if case.noted]

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt."""
        for file in msgspec.convert(state, list[File]):
            self._cases[file.request.id] = _rebuilt(file)

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt."""
        kind = record.get("type")
        if kind == Requested.type and (asked := read(Requested, record)) is not None:
            file = File(asked, PENDING if asked.needs else REVIEW)
            self._cases[asked.id] = _rebuilt(file)
            return
        case = self._cases.get(str(record.get("id")))
        if case is None:
            return
        if kind == Expired.type:
            del self._cases[case.request.id]
        elif kind == Decided.type and (decided := read(Decided, record)) is not None:
            if self._take(case, decided):
                del self._cases[case.request.id]
        elif kind == Consumed.type and (used := read(Consumed, record)) is not None:
            case.file.state, case.file.used = USED, used

    def begin(self, noted: Noted, exhibits: Exhibits) -> None:
        """From now on there is a journal. What was at the desk when the last process ended is
        there again; what was used by then may have run, and nobody knows what came of it."""
        self._noted, self._exhibits, self._untold = noted, exhibits, None
        for case in list(self._cases.values()):
            self._restored(case)
        self._went_off()  # what is over by now is noted so, before the clock can go back
        exhibits.only(frozenset(case.request.id for case in self._shown()))

    def leave(self) -> None:
        """The process is about to end: who waits for people is told to come again, to the next one.
        Who waits for a call that runs may still get its answer."""
        self._leaving = True
        for case in list(self._cases.values()):
            case.wake()

    def end(self) -> None:
        """Nothing expires any more: that is the next process's business."""
        self._alarm.close()

    def _restored(self, case: Case) -> None:
        file, asked, used = case.file, case.request, case.file.used
        whole, ends = asked.expires_ms - asked.asked_ms, asked.expires_ms
        if used is not None:
            whole, ends = asked.replay_ms, used.until_ms
            told = f"the approved call {used.call} was sent before Holdfast started anew"
            case.outcome = Outcome(spent(case, told, Executed.UNKNOWN))
        left = min(max(0.0, ends - self._clock.wall() * 1000), whole)
        if file.state == REVIEW:
            self._reviews[asked.id] = case
        else:
            self._bound[asked.digest] = case
        self._arm(case, self._clock.now() + left / 1000)

    # --- what people see ---

    @property
    def files(self) -> list[File]:
        """All that people may see, the oldest first."""
        return [case.file for case in self._cases.values() if case.listed]

    def has(self, name: str) -> bool:
        """Is it one of them?"""
        case = self._cases.get(name)
        return case is not None and case.listed

    def file(self, name: str) -> File:
        """One of them. Raises Undecided for what there is not."""
        return self._known(name).file

    def left(self, name: str) -> float:
        """Seconds until a request expires, or is forgotten."""
        case = self._cases.get(name)
        return 0.0 if case is None else max(0.0, case.due - self._clock.now())

    async def shown(self, name: str) -> bytes | None:
        """The exact call (`Exhibit`, encoded); None: there is nothing to be shown."""
        return await self._exhibits.read(name) if self._known(name).file.state in OPEN else None

    def _shown(self) -> Iterable[Case]:
        return (case for case in self._cases.values() if case.file.state in OPEN)

    def _known(self, name: str) -> Case:
        case = self._cases.get(name)
        if case is None or not case.listed:
            raise Undecided("unknown", "nothing of this id waits for people, or it is over")
        return case

    # --- making and ending ---

    def _asked(self, call: Call, terms: Terms, bound: str) -> Requested:
        now = int(self._clock.wall() * 1000)
        return Requested(
            id=self._clock.uuid(),
            digest=bound,
            call=call.id,
            agent=call.agent,
            upstream=call.upstream,
            tool=call.tool,
            method=call.head.method,
            policy=terms.policy,
            needs=terms.needs,
            asked_ms=now,
            expires_ms=now + int(self._clock.lasting(terms.expires) * 1000),
            replay_ms=int(terms.replay * 1000),
            why=terms.why,
            groups=terms.groups,
            workflow=call.workflow,
            task=call.task,
            detail=terms.detail,
            place=terms.place,
        )

    def _full(self, agent: str, policy: str) -> Refusal | None:
        waiting = [each for each in self._bound.values() if each.file.state in OPEN]
        own = sum(each.request.agent == agent for each in waiting)
        if len(waiting) < MOST and own < MOST_OF_ONE:
            return None
        whose = f"{own} calls of this agent" if own >= MOST_OF_ONE else f"{len(waiting)} calls"
        text = f"{whose} wait for people already, and no more are asked about"
        return Refusal("overloaded", text, policy=policy, retry_after=AGAIN)

    def _made(self, call: Call, terms: Terms, bound: str, content: bytes) -> Case:
        case = Case(File(self._asked(call, terms, bound), PENDING))
        self._cases[case.request.id] = self._bound[bound] = case
        self._arm(case, self._clock.now() + self._clock.lasting(terms.expires))
        if self._untold is None:
            case.opening = self._clock.spawn(self._open(case, content))
        else:
            self._untold.put(case.request.id, content)
            case.noted = True
            self._list(case)
        return case

    async def _open(self, case: Case, content: bytes) -> None:
        """What is shown is kept first, then it is noted, then people are told."""
        asked = case.request
        try:
            await self._exhibits.keep(asked.id, content)
        except OSError:
            self._fail(case, "this call cannot be kept, to be shown to people")
        if case.over is not None:  # it has ended meanwhile
            self._exhibits.drop(asked.id)
            return
        case.noted = True
        self._noted.note(asked)
        if not await self._noted.durable():
            self._noted.note(Expired(asked.id, "journal"))
            self._fail(case, "it cannot be recorded that people are asked about this call")
        elif case.over is None:
            self._list(case)

    def _list(self, case: Case) -> None:
        """People are told."""
        case.listed = True
        self._counts.add("requested")
        self._tell(case, "requested")

    def _fail(self, case: Case, text: str) -> None:
        policy = case.request.policy
        case.over = Refusal("journal_unavailable", text, policy=policy, retry_after=AGAIN)
        self._end(case)

    def _take(self, case: Case, decided: Decided) -> bool:
        """It is noted: what it makes of the request. True: that was only listed, and is over."""
        file = case.file
        file.decided.append(decided)
        if file.state == REVIEW or file.request.why in LISTINGS:
            file.state = DONE[decided.decision == "approve"]
            return True
        if decided.decision == "deny":
            file.state = DENIED
            self._exhibits.drop(file.request.id)
        elif decided.break_glass or len(file.decided) >= file.request.needs:
            file.state = APPROVED
        return False

    def _expire(self, case: Case, why: str) -> None:
        """Noted, unless it never was."""
        if case.noted:
            self._noted.note(Expired(case.request.id, why))
        self._counts.add("expired")
        if case.file.state != REVIEW:
            self._tell(case, "expired")
        self._end(case, _EXPIRED[why])

    def _end(self, case: Case, why: str = "") -> None:
        """It is forgotten; who waits is told."""
        asked = case.request
        if self._cases.pop(asked.id, None) is None:
            return
        if why and case.over is None and case.outcome is None:
            case.over = gone(case, why)
        self._reviews.pop(asked.id, None)
        if self._bound.get(asked.digest) is case:
            del self._bound[asked.digest]
        if case.outcome is not None:
            self._bytes -= case.outcome.size
        self._exhibits.drop(asked.id)
        case.wake()

    # --- time ---

    def _arm(self, case: Case, due: float) -> None:
        case.due = due
        if due < self._next:
            self._next = due
            self._alarm.set(due)

    def _went_off(self) -> None:
        now, self._next = self._clock.now(), NEVER
        for case in list(self._cases.values()):
            if case.due > now:
                self._arm(case, case.due)
            elif case.file.state in {*OPEN, REVIEW}:
                if not case.runner:  # else it is about to be used
                    self._expire(case, "time")
            else:
                self._end(case)

    def _tell(self, case: Case, state: str, decided: Decided | None = None) -> None:
        asked = case.request
        by, why = ("", asked.detail) if decided is None else (decided.by, decided.reason)
        self._news.tell(
            ApprovalChange(
                asked.id,
                state,
                asked.agent,
                asked.upstream,
                asked.tool,
                asked.policy,
                asked.needs,
                by,
                why,
            )
        )


def _rebuilt(file: File) -> Case:
    return Case(file, noted=True, listed=True)


_EXPIRED = {
    "time": "nobody decided about this call in time",
    "changed": "policies have changed since people were asked about this call",
    "crowded": "too many calls are listed for review",
}
