"""`audit`: what the journal holds of a call before it is sent, and before its answer has ended.

A call that must leave a trace (a write, or one of high risk) has it at both ends, so that a process
that dies at any moment leaves no call that ran and is not known of. Before the first sending stands
its intent: one that has no record behind it is a call of which nobody knows whether it ran. Before
the last byte of its answer stands its record: what an agent was told is written down.

Both wait for a group commit of the disk. While the journal cannot be written, a policy decides
about the first (`on_journal_failure`); at the second the call has run, and the agent hears of it.

What was said is kept where a policy asks for it (`payload`). That is never worth a call: whatever
the side store does, or does not, no call fails for it.
"""

from asyncio import Future, shield
from collections.abc import Awaitable
from typing import Annotated, Literal

from msgspec import Meta

from proxy.attempt import Attempt
from proxy.call import Call, Unrecorded
from proxy.counts import UNRECORDED
from proxy.journal.taking import Wish
from proxy.record import intent_of
from proxy.refusal import Refusal
from proxy.stage import Check, Ground, NothingTaken, Said, Section, Site, Verdict

_DETAIL = "the journal cannot be written, and such a call must not go without its intent in it"


class Audit(Section, frozen=True, kw_only=True):
    """What the journal holds of a call before it is sent, and beside it. Each has its record."""

    intent: Annotated[
        Literal["auto", "always", "never"],
        Meta(
            description="Is its intent durable before it is sent? auto: that of a write, and where "
            "the risk is high or critical; also where the section is off."
        ),
    ] = "auto"
    payload: Annotated[
        Literal["none", "redacted", "full"],
        Meta(
            description="What is kept of requests and answers themselves, encrypted and beside the "
            "journal: their text without its secrets, or all of it."
        ),
    ] = "none"
    redact: Annotated[
        tuple[str, ...],
        Meta(
            description="Where else secrets are, beside what is found by its form or its name: "
            "paths such as input.ssn, input.rows[*].iban."
        ),
    ] = ()

    def __post_init__(self) -> None:
        """Raises ValueError for what is no path."""
        for path in self.redact:
            from proxy.journal.structure import parse_path  # with all rules, and few need them

            try:
                parse_path(path)
            except ValueError as error:
                raise ValueError(f"redact: {error}") from None

    def lack(self) -> str:
        """Paths alone do nothing."""
        if self.redact and self.payload != "redacted":
            return "redact is for payload: redacted, which must be given as well"
        return ""


class Takes(Check):
    """Both bodies are taken on their way, to be kept beside the journal."""

    __slots__ = ("_note", "_trail", "_wish")

    def __init__(self, section: Audit, site: Site) -> None:
        from proxy.journal.kept import LARGEST  # with SQLite: most have no such policy
        from proxy.journal.redaction import rules_of

        redacts = section.payload == "redacted"
        rules = rules_of(section.redact)
        self._wish = Wish(section.payload, rules, rules.largest if redacts else LARGEST)
        self._trail = site.ground.trail
        self._note = f"keeps the payload, {section.payload}"

    @classmethod
    def build(cls, section: Audit, site: Site) -> "Takes | None":
        """None where nothing is to be kept. A shadow keeps nothing."""
        return None if section.payload == "none" or site.ground.shadow else cls(section, site)

    def admit(self, call: Call) -> None:
        """From here on they are seen; those of a call that passes once more are already."""
        if call.taking is None:
            call.taking = self._trail.taking(call, self._wish)

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        return Said(self._note)


class _Missed:
    """Counts what could not be made durable in time: somebody should look at the disk."""

    __slots__ = ("_counts", "_row")

    def __init__(self, ground: Ground, entry: str) -> None:
        self._counts = ground.kept(UNRECORDED.key, UNRECORDED.counts)
        self._row = (entry,)

    def add(self) -> None:
        """One."""
        self._counts.more(self._row)

    def heard(self, durable: "Future[bool]") -> None:
        """One, if it came to that. Of what is cancelled nobody will know."""
        if not durable.cancelled() and not durable.result():
            self.add()


class RecordFirst(Check):
    """The answer to such a call ends when its record is durable."""

    __slots__ = ("_missed", "_trail")

    def __init__(self, site: Site) -> None:
        self._trail = site.ground.trail
        self._missed = _Missed(site.ground, "record")

    @classmethod
    def build(cls, section: Section, site: Site) -> "RecordFirst | None":
        """None for calls that need not wait. A shadow makes nobody wait."""
        return None if site.ground.shadow or not site.target.traced else cls(site)

    def admit(self, call: Call) -> None:
        """Whoever ends it is told."""
        call.lasting = self._lasting

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        kind = self._trail.state.kind
        return Said("the end of the answer waits for its record" + _not_now(kind))

    def _lasting(self) -> "Future[bool] | None":
        """Part of Call. Where the journal is known not to be well, nobody waits for it."""
        trail = self._trail
        if trail.state.kind != "ok":
            self._missed.add()
            return None
        durable = trail.durable()
        if durable is not None:
            durable.add_done_callback(self._missed.heard)
        return durable


class IntentFirst(NothingTaken):
    """The call is sent when its intent is durable."""

    __slots__ = ("_ending", "_missed", "_refusal", "_target", "_trail")

    def __init__(self, site: Site) -> None:
        self._target = site.target
        self._trail = site.ground.trail
        self._missed = _Missed(site.ground, "intent")
        self._ending = RecordFirst.build(Audit(), site)
        denied = site.target.unrecorded is Unrecorded.DENY
        self._refusal = self._refused(site) if denied else None

    @classmethod
    def build(cls, section: Audit, site: Site) -> "IntentFirst | None":
        """For one pipeline, or link; None where such calls need no intent."""
        wanted = section.intent == "always" or (section.intent == "auto" and site.target.traced)
        made = ShadowIntent if site.ground.shadow else cls
        return made(site) if wanted else None

    def _refused(self, site: Site) -> Refusal:
        """In the name of who says that such a call must not go, whoever gave the section."""
        policy, says = site.target.unrecorded_giver
        why = f"{_DETAIL} (policy {policy}: {says})" if policy else _DETAIL
        named = policy or site.policy
        return Refusal("journal_unavailable", why, policy=named, scope="call")

    @classmethod
    def usual(cls, section: Section, site: Site) -> "IntentFirst | None":
        """Where no policy has the section. In shadow there is nothing then to be compared with."""
        return None if site.ground.shadow else cls.build(Audit(), site)

    def admit(self, attempt: Attempt) -> Verdict | Awaitable[Verdict]:
        """Refuses `journal_unavailable`. Once for a call: later sendings have the same intent."""
        call = attempt.call
        if self._ending is not None and call.lasting is None:  # this link must, the call need not
            self._ending.admit(call)
        intent = self._noted(call) if call.intent is None else call.intent
        if isinstance(intent, bool):
            return self._verdict(intent)
        return self._verdict(intent.result()) if intent.done() else self._asked(intent)

    def says(self, call: Call) -> Said:
        """What it would do with the call now."""
        kind = self._trail.state.kind
        refusal = None if kind == "ok" else self._refusal
        return Said("waits until the call's intent is in the journal" + _not_now(kind), refusal)

    def _noted(self, call: Call) -> "Future[bool] | bool":
        """Its intent is on its way. What is refused at once leaves none: nothing was sent."""
        trail = self._trail
        well = trail.state.kind == "ok"
        if not well and self._refusal is not None:
            return False
        trail.note(intent_of(call, self._target.effect, self._target.risk))
        if not well:
            self._missed.add()
            call.intent = False
            return False
        durable = trail.durable()
        if durable is not None and self._refusal is None:
            durable.add_done_callback(self._missed.heard)
        call.intent = True if durable is None else durable
        return call.intent

    async def _asked(self, intent: "Future[bool]") -> Verdict:
        """Others may wait for the same one: who leaves must not cancel it."""
        return self._verdict(await shield(intent))

    def _verdict(self, durable: bool) -> Verdict:
        return None if durable else self._refusal


class ShadowIntent(IntentFirst):
    """Says which calls would be refused. It writes nothing, and waits for nothing."""

    __slots__ = ()

    def _refused(self, site: Site) -> Refusal:
        """In the name of the policy that is tried."""
        return Refusal("journal_unavailable", _DETAIL, policy=site.policy, scope="call")

    def admit(self, attempt: Attempt) -> Verdict:
        """Leaves the call as it is."""
        return self.says(attempt.call).refusal


def _not_now(kind: str) -> str:
    return "" if kind == "ok" else f"; now it cannot be written: {kind}"
