"""The sections of a policy that say whether and how a call goes, and their one order."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import msgspec

from proxy.stage import Section, Site
from proxy.stages.approval import Approval, Approve, NotAsked, WouldAsk
from proxy.stages.audit import Audit, IntentFirst, RecordFirst, Takes
from proxy.stages.breaker import Breaker, CircuitCheck, ProbeLease
from proxy.stages.budget import Budgets, Spending
from proxy.stages.bulkhead import Bulkhead, BulkheadPermit, Permit
from proxy.stages.cache import Cache, Cached
from proxy.stages.cooldown import CoolDown
from proxy.stages.cost import Cost
from proxy.stages.deny import Denial, Deny
from proxy.stages.failover import Backups, Failover
from proxy.stages.fallback import Chain, Fallback
from proxy.stages.hedge import Hedge, Race
from proxy.stages.idempotency import Idempotency, IdempotencyKey
from proxy.stages.kill import AttemptSwitch, Switch
from proxy.stages.loop import Loop, LoopGuard
from proxy.stages.rate_limit import RateLimit, Turnstile
from proxy.stages.retry import Once, Repeat, Retry
from proxy.stages.route import Fork, Route
from proxy.stages.timeout import AttemptTime, Deadline, Timeout

SECTIONS: dict[str, type[Section]] = {
    "deny": Deny,
    "approval": Approval,
    "timeout": Timeout,
    "retry": Retry,
    "idempotency": Idempotency,
    "breaker": Breaker,
    "rate_limit": RateLimit,
    "bulkhead": Bulkhead,
    "hedge": Hedge,
    "fallback": Fallback,
    "route": Route,
    "cache": Cache,
    "audit": Audit,
    "loop": Loop,
    "cost": Cost,
}
"""What a policy may hold, by the name it has in a file."""

DOMAIN = "domain"
"""What is in force because of the bulkhead that the calling agent is in: no policy holds it."""

IN_FORCE: dict[str, type[Section]] = {**SECTIONS, DOMAIN: Bulkhead}
"""All rules that can be in force for a call, as they are told to people."""

BACKUPS = "backups"
"""What is in force because the call's own upstream has backups: no policy holds it either."""

BUDGETS = "budgets"
"""What calls cost and what they fall under, of prices, budgets and the section `cost`."""

TYPES: dict[str, type[Section]] = {**IN_FORCE, BACKUPS: Backups, BUDGETS: Budgets}
"""All that a stage can be built from."""

Phase: TypeAlias = Literal["call", "link", "attempt"]
Kind: TypeAlias = Literal["gate", "wrapper", "maker"]
Build: TypeAlias = Callable[[Any, Site], Any]
"""Makes a gate or a wrapper of a section; None where the section leaves it nothing to do."""


class Entry(msgspec.Struct, frozen=True):
    """One stage of a pipeline; a section may have several, in any phases.

    `call` stands once in front of all upstreams that a call may go to. Each of these has the rest
    for itself, by its own policies: `link` for each call that goes there, `attempt` for each time
    that it is sent.

    A `gate` decides whether, a `wrapper` how. Both may stand in any order: a gate is asked when
    all in front of it have let the call through, and again if a wrapper in front hands it on again.
    Gates that are neighbours share a guard (`proxy/pipeline/walk.py`). The `maker`, of which there
    is one, ends the phase `link`: it makes attempts of a call. In `attempt` there are gates only.

    The stage is on if one of `sections` is; it is built from the first, else by `otherwise` from
    none, if that is given. `Site.policy` is the one that gave the field `giver`, or else switched
    the section on: what stands under a policy's name in the keep hangs on it, and a section that
    gives two limits has a stage for each. Without a `giver` nothing does, and it is the last that
    said something about the section.
    """

    phase: Phase
    kind: Kind
    sections: tuple[str, ...]
    build: Build
    giver: str = ""
    otherwise: Build | None = None


ORDER: tuple[Entry, ...] = (
    # First of all, and of every call: an agent that is killed does not even fill the side store.
    Entry("call", "gate", (), Switch.build, otherwise=Switch.build),
    # It says nothing against a call, and what was asked for is kept also of what must not go.
    Entry("call", "gate", ("audit",), Takes.build),
    # What must not go need not be asked anything else.
    Entry("call", "gate", ("deny",), Denial),
    # Once for a call. The deadline comes before all that takes time: it eats from it.
    Entry("call", "gate", ("timeout",), Deadline.build),
    # Before anything is sent, and once: all attempts, hedges and links have the same key.
    Entry("call", "gate", ("idempotency",), IdempotencyKey.build),
    # Whatever becomes of it from here on, an answer that was kept before too, leaves its trace.
    Entry("call", "gate", ("audit",), RecordFirst.build, otherwise=RecordFirst.build),
    # Before anybody is asked and anything given: what is refused here was answered long ago. It
    # hears what comes back, of whatever is inside: an old answer counts as one too.
    Entry("call", "gate", ("loop",), LoopGuard.build),
    # In shadow alone: whom the next one would hold.
    Entry("call", "gate", ("approval",), WouldAsk.build),
    # Nobody is asked about what must not go anyhow. Once people have agreed, the call passes all
    # above once more: its time begins anew, what was denied meanwhile is. What is below it meets
    # once: nothing is taken or answered, from what was kept before either, while a person thinks.
    Entry("call", "wrapper", ("approval",), Approve.build),
    # After the gates of the call, for what is denied is denied, whatever was
    # answered before; in front of all that costs something or takes a permit. And around all that
    # might still find a new answer: an old one is the last thing that is given instead of an error.
    Entry("call", "wrapper", ("cache",), Cached.build),
    # Around all upstreams that it may go to; each has the stages below for itself.
    Entry("call", "wrapper", ("fallback",), Chain),
    # Innermost of what is for the call as such: what is inside it belongs to one upstream.
    Entry("call", "wrapper", ("route",), Fork, giver="choices"),
    # Around all that is its own upstream's: a backup has stages of its own.
    Entry("link", "wrapper", (BACKUPS,), Failover.build),
    # A hedge is an attempt beside those of a retry: it is never repeated, nor held up by one.
    Entry("link", "wrapper", ("hedge",), Race),
    # Each attempt passes all that is below; for a call without `retry` there is one.
    Entry("link", "maker", ("retry",), Repeat, otherwise=Once),
    # Each attempt is asked anew: by its own upstream, and by what was killed since the last one.
    Entry("attempt", "gate", (), AttemptSwitch.build, otherwise=AttemptSwitch.build),
    # Each sending costs what it costs. Before all that waits: what cannot be paid for need not
    # stand in a queue. Before the intent, which says what was reserved.
    Entry("attempt", "gate", (BUDGETS,), Spending.build),
    # Before anything that waits or takes something: what would not be sent need not ask for more.
    Entry("attempt", "gate", ("breaker",), CircuitCheck.build),
    # May wait for an upstream that asked for it.
    Entry("attempt", "gate", ("retry", "breaker", "hedge"), CoolDown),
    # May wait for its turn. After the cool-down: a turn that is taken and then waits is a turn of
    # some other moment, and at the end of the wait they would all go at once. So calls come last:
    # they are counted, and tokens are estimated.
    Entry("attempt", "gate", ("rate_limit",), Turnstile.of_tokens, giver="tokens"),
    Entry("attempt", "gate", ("rate_limit",), Turnstile.of_calls, giver="rate"),
    # A permit is held from here until the attempt settles: not while it waits for what is above.
    Entry("attempt", "gate", ("bulkhead",), Permit.build, giver="limit"),
    # The tool's own comes first: who waits for a slow tool must not hold what others could use.
    Entry("attempt", "gate", (DOMAIN,), BulkheadPermit.build),
    # After all that may refuse the call or hold it up for long: what is refused has no intent, and
    # whoever finds an intent without an end knows that the call was about to be sent. Each link has
    # it by its own policies, the call its one intent: the first that asks for it writes it. Before
    # the next two, for it waits for the disk.
    Entry("attempt", "gate", ("audit",), IntentFirst.build, otherwise=IntentFirst.usual),
    # Who waits beside an attempt that runs is not stopped with those that wait for nothing else,
    # where a kill lets finish what runs: so it is asked once more.
    Entry("attempt", "gate", ("hedge",), AttemptSwitch.build),
    # After all waiting, so that an attempt's own time is its upstream's alone.
    Entry("attempt", "gate", ("timeout",), AttemptTime.build),
    # Last: a probe that a later stage refused would be lost. It needs the attempt's deadline.
    Entry("attempt", "gate", ("breaker",), ProbeLease.build),
)

BARS: tuple[Entry, ...] = (
    Entry("link", "gate", ("deny",), Denial),
    Entry("link", "gate", ("approval",), NotAsked.build),
)
"""What stands outside of a link that a call comes to from elsewhere: a backup, another model, where
a fallback or a route leads. What its own policies forbid, or want people to approve, does not come
in by that way either. The call itself has met the same in `call`, by the policies of where it was
sent to."""

_ALONE = ("approval",), ("idempotency",)
TOGETHER: tuple[Entry, ...] = (
    *(
        entry
        for entry in ORDER
        if entry.phase == "call" and entry.kind == "gate" and entry.sections not in _ALONE
    ),
    Entry("call", "gate", ("approval",), NotAsked.build),
    Entry("link", "maker", (), Once, otherwise=Once),
    *(entry for entry in ORDER if entry.phase == "attempt"),
)
"""What a call meets that comes in one message with others. Each is asked as if it came alone. But
nothing that decides how they go can be one's own: the message goes once, or not at all, with no key
that would be for all of them. Nor do people decide about one while the others wait."""

WRAPPERS, GATES = (
    frozenset(name for entry in ORDER if (entry.kind == "gate") is gate for name in entry.sections)
    for gate in (False, True)
)
"""Sections that act, and those that judge. A shadow of the former computes nothing."""

READS_ONLY = tuple(name for name, section in SECTIONS.items() if section.reads_only)
"""Sections that act only on calls whose effect is read."""
