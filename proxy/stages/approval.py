"""`approval`: a person says whether the call may go (spec 4.3).

How many people, unless the policy says so, is a matter of what is at stake: none where the risk is
low, one where it is high, two where it is critical. Where it is medium the call passes, and is
listed for review.

The call is held for a while, and goes when enough people have agreed; its agent only sees a slow
call. Where that takes longer, the agent is told so (`approval_pending`): the same call, sent again,
attaches to the same request. What is bound to what, and why it runs once, stands in
`state/desk.py`.

A call that was held passes the gates in front of this stage again, and by the policies of now: the
newest table takes it from the start. When it comes by here for the second time it has a ticket,
which is used up, durably, before it goes on.
"""

from typing import Annotated, ClassVar, Literal

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from proxy.call import Call, Risk
from proxy.expression import Expression
from proxy.protocols.clients import Holding, answers_late
from proxy.protocols.condition import Condition
from proxy.protocols.recognise import PROTOCOLS
from proxy.refusal import Refusal
from proxy.reply import Reply, refused
from proxy.stage import Check, Said, Section, Site
from proxy.state.asking import LARGEST, Terms
from proxy.state.case import Case, spent
from proxy.state.desk import Desk
from proxy.state.outcomes import Outcome
from proxy.units import Seconds
from proxy.wire.compose import with_length

_BY_RISK = {Risk.LOW: None, Risk.MEDIUM: 0, Risk.HIGH: 1, Risk.CRITICAL: 2}
"""So many must agree; 0: nobody, but somebody is to look at it afterwards. None: not even that."""


class Approval(Section, frozen=True, kw_only=True, rename={"way": "mode"}):
    """Calls that people must approve: all, or those for which a condition holds."""

    restricts: ClassVar[bool] = True
    ways: ClassVar[tuple[str, ...]] = ("hold", "async")

    way: Annotated[
        Literal["hold", "async"],
        Meta(
            description="hold (the default): the call waits. async: its agent is told at once to "
            "come again."
        ),
    ] = "hold"
    when: Annotated[
        Expression | None,
        Meta(
            description="A condition in CEL; where it fails people are asked as well. Default: all."
        ),
    ] = None
    approvers: Annotated[
        Literal[1, 2] | None,
        Meta(
            description="So many different people. Default: by the risk: low none, medium none "
            "(listed for review), high 1, critical 2."
        ),
    ] = None
    groups: Annotated[
        tuple[str, ...],
        Meta(description="Whoever decides is in one of them. Default: every approver may."),
    ] = ()
    review: Annotated[
        bool, Meta(description="Where the risk is medium, list the call, to be looked at in 24 h.")
    ] = True
    hold: Annotated[
        Seconds,
        Meta(description="So long the call waits; less where its client says it waits less."),
    ] = Seconds(50.0)
    expires: Annotated[
        Seconds, Meta(description="After that nobody decides any more, and it was no.")
    ] = Seconds(900.0)
    replay: Annotated[
        Seconds,
        Meta(description="So long the same call gets the same answer, after it has run."),
    ] = Seconds(600.0)
    on_timeout: Annotated[
        Literal["deny"], Meta(description="What it counts as when nobody decides in time.")
    ] = "deny"
    execute_when_gone: Annotated[
        bool, Meta(description="Run it also where its agent has hung up while it waited.")
    ] = False

    def __post_init__(self) -> None:
        """Raises ValueError where nobody could ever decide."""
        if self.expires <= 0:
            raise ValueError("expires: must be longer than 0")

    def needs(self, risk: Risk) -> int | None:
        """How many people; 0: none, but it is listed. None: there is nothing to do."""
        needs = self.approvers or _BY_RISK[risk]
        return None if needs == 0 and not self.review else needs

    def terms(self, needs: int, site: Site) -> Terms:
        """How people are asked."""
        place = site.ground.places.get(site.target.upstream, "")
        expires, replay = float(self.expires), float(self.replay)
        return Terms(site.policy, needs, self.groups, expires, replay, place=place)


class Approve:
    """The stage: holds what people must approve."""

    def __init__(self, section: Approval, needs: int, site: Site) -> None:
        ground = site.ground
        self._inner = site.inner
        self._again = ground.newest or site.inner
        self._now = ground.clock.now
        self._desk = Desk.of(ground.keep, ground.clock)
        self._condition = Condition.of(section.when, "approval", site)
        self._terms = section.terms(needs, site)
        self._hold = float(section.hold) if section.way == "hold" else 0.0
        self._alone = section.execute_when_gone
        self._full = site.quote.full
        self._streams = PROTOCOLS[site.target.protocol].streams

    @classmethod
    def build(cls, section: Approval, site: Site) -> "Approve | None":
        """For one pipeline. None where nothing is to be done about such calls."""
        needs = section.needs(site.target.risk)
        return None if needs is None else cls(section, needs, site)

    async def handle(self, call: Call) -> Reply:
        """The call's reply, once it may go."""
        holds = True if self._condition is None else self._condition.holds(call)
        if holds is False:
            return await self._inner(call)
        if type(holds) is Refusal:
            return refused(holds)
        if not self._terms.needs:
            self._desk.review(call, self._terms)
            return await self._inner(call)
        if call.ticket is not None:
            return await self._use(call)
        refusal = await self._read(call)
        case = self._desk.attach(call, self._terms) if refusal is None else refusal
        if isinstance(case, Refusal):
            return refused(case)
        answer = await self._held(call, case)
        if answer is None:
            return await self._go(call, case)
        if isinstance(answer, Outcome):
            return _once_more(call, case, answer)
        return refused(_told(call, answer))

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        return Said(_said(self._terms, self._condition, self._hold, call))

    async def _read(self, call: Call) -> Refusal | None:
        """Its body is here; what says no where it cannot be."""
        if call.body.whole is not None or call.fetch is None:
            return None
        return await call.fetch(LARGEST)

    async def _held(self, call: Call, case: Case) -> Refusal | Outcome | None:
        """What it comes to at the desk. What people take is neither our time nor the call's."""
        began = self._now()
        late = answers_late(call.head.fields)
        until = Holding(call, began, 0.0 if late else self._hold)
        call.stays = self._alone
        try:
            return await self._desk.passed(case, call, until)
        finally:
            call.stays = False
            held = self._now() - began
            call.held += held
            call.waited += held

    async def _go(self, call: Call, case: Case) -> Reply:
        """It may: through all that is in force now."""
        call.ticket = case
        try:
            reply = await self._again(call)
        except BaseException:  # cancelled, or a bug: whoever waits for its answer is told
            self._desk.lost(call)
            raise
        self._desk.returns(call, reply, self._streams)
        return reply

    async def _use(self, call: Call) -> Reply:
        """It has a ticket, which is used up before it goes on; not where a budget has no room now,
        for then nothing would be sent."""
        refusal = self._desk.unmet(call, self._terms) or self._full(call)
        if refusal is None:
            began = self._now()
            refusal = await self._desk.consume(call)
            call.waited += self._now() - began
        return await self._inner(call) if refusal is None else refused(refusal)


def _once_more(call: Call, case: Case, outcome: Outcome) -> Reply:
    """What the same call was answered, as the answer to this one."""
    if outcome.refusal is not None:
        return outcome.reply()
    coding = outcome.fields.get(b"content-encoding", b"")
    content = PROTOCOLS[call.protocol].again(call, outcome.content, coding)
    if content is None:
        told = "the approved call was answered, in a form that cannot be given again"
        return refused(spent(case, told, outcome.executed))
    if content is outcome.content:
        return outcome.reply()
    length = len(content)
    lines = with_length(outcome.lines, length)
    return replace(outcome, lines=lines, content=content, length=length).reply()


class WouldAsk(Check):
    """What a shadow computes: whom it would have held. It holds nobody, and asks nobody."""

    __slots__ = ("_condition", "_hold", "_terms")

    def __init__(self, section: Approval, needs: int, site: Site) -> None:
        self._condition = Condition.of(section.when, "approval", site)
        self._terms = section.terms(needs, site)
        self._hold = float(section.hold)

    @classmethod
    def build(cls, section: Approval, site: Site) -> "WouldAsk | None":
        """None where it would hold nobody. What is enforced is no gate."""
        needs = section.needs(site.target.risk) if site.ground.shadow else None
        return cls(section, needs, site) if needs else None

    def admit(self, call: Call) -> Refusal | None:
        """Refuses `approval_pending`, which is counted."""
        holds = True if self._condition is None else self._condition.holds(call)
        if holds is False:
            return None
        if type(holds) is Refusal:
            return holds
        text = "a person would have had to approve this call"
        return Refusal("approval_pending", text, policy=self._terms.policy)

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        return Said(_said(self._terms, self._condition, self._hold, call))


class NotAsked(Check):
    """Of an upstream that answers instead of another: people must approve what comes here, and have
    approved nothing, or less. Nobody is asked in the middle of a call."""

    __slots__ = ("_condition", "_refusal", "_terms")

    def __init__(self, section: Approval, needs: int, site: Site) -> None:
        policy, upstream = site.policy, site.target.upstream
        self._condition = Condition.of(section.when, "approval", site)
        self._terms = section.terms(needs, site)
        text = f"people must approve such calls to {upstream}, and were not asked about this one"
        self._refusal = Refusal("denied", text, policy=policy, scope="tool")

    @classmethod
    def build(cls, section: Approval, site: Site) -> "NotAsked | None":
        """None where nobody must agree."""
        needs = section.needs(site.target.risk)
        return cls(section, needs, site) if needs else None

    def admit(self, call: Call) -> Refusal | None:
        """Refuses `denied`, unless as many have agreed to the call."""
        holds = True if self._condition is None else self._condition.holds(call)
        return self._verdict(call, holds)

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        holds = True if self._condition is None else self._condition.look(call)
        refusal = self._verdict(call, holds)
        return Said("lets it come" if refusal is None else refusal.detail, refusal)

    def _verdict(self, call: Call, holds: bool | Refusal | None) -> Refusal | None:
        if holds is False:
            return None
        if type(holds) is Refusal:
            return holds
        case: Case | None = call.ticket
        agreed = case is not None and case.request.meets(self._terms)
        return None if agreed else self._refusal


def _told(call: Call, refusal: Refusal) -> Refusal:
    """Whoever asked for it is told that it was accepted, and comes later."""
    if refusal.code != "approval_pending" or not answers_late(call.head.fields):
        return refusal
    return msgspec.structs.replace(refusal, accepted=True)


def _said(terms: Terms, condition: Condition | None, hold: float, call: Call) -> str:
    if condition is not None:
        holds = condition.look(call)
        if holds is False:
            return "asks nobody: its condition does not hold"
        if type(holds) is Refusal:
            return "refuses it: its arguments can be read in two ways"
    if not terms.needs:
        return "passes, and is listed for review"
    who = "one person" if terms.needs == 1 else "two people"
    whose = f" of {' or '.join(terms.groups)}" if terms.groups else ""
    held = f"held {hold:g} s at most" if hold else "its agent is told to come again"
    return f"must be approved by {who}{whose}; {held}, expires after {terms.expires:g} s"
