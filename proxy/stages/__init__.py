"""The sections of a policy that say whether and how a call goes, and their one order."""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from proxy.stage import Section
from proxy.stages.breaker import Breaker, CircuitCheck, ProbeLease
from proxy.stages.bulkhead import Bulkhead, BulkheadPermit, Permit
from proxy.stages.cache import Cache, Cached
from proxy.stages.cooldown import CoolDown
from proxy.stages.deny import Denial, Deny
from proxy.stages.fallback import Chain, Fallback
from proxy.stages.hedge import Hedge, Race
from proxy.stages.idempotency import Idempotency, IdempotencyKey
from proxy.stages.rate_limit import RateLimit, Turnstile
from proxy.stages.retry import Once, Repeat, Retry
from proxy.stages.route import Fork, Route
from proxy.stages.timeout import AttemptTime, Deadline, Timeout

SECTIONS: dict[str, type[Section]] = {
    "deny": Deny,
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
}
"""What a policy may hold, by the name it has in a file."""

DOMAIN = "domain"
"""What is in force because of the bulkhead that the calling agent is in: no policy holds it."""

IN_FORCE: dict[str, type[Section]] = {**SECTIONS, DOMAIN: Bulkhead}
"""All that can be in force for a call."""


class Entry(msgspec.Struct, frozen=True):
    """One stage of a pipeline.

    `build(section, target, ground, policy)` makes a gate, or None where the section leaves it
    nothing to do. `build(section, inner, target, ground)`
    makes a wrapper: a handler around another handler or, in the phase `attempts`, of which there is
    one, around what sends an attempt. In `link` it is given both, `build(section, inner, sender,
    target, ground)`, for it may send beside what makes the attempts. The stage is on if one of
    `sections` is; it is built from the first. `policy` is the one that gave the field `giver`, or
    else switched the section on: what stands under a policy's name in the keep hangs on it, and a
    section that gives two limits has a stage for each. Without a `giver` nothing does, and it is
    the last that said something about the section.

    `call` and `wrap` stand once in front of all upstreams that a call may go to; each of these has
    the rest for itself, by its own policies: `link`, `attempts`, `attempt`.
    """

    phase: Literal["call", "wrap", "link", "attempts", "attempt"]
    sections: tuple[str, ...]
    build: Callable[..., Any]
    giver: str = ""


ORDER: tuple[Entry, ...] = (
    # What must not go need not be asked anything else.
    Entry("call", ("deny",), Denial.build),
    # Once for a call. The deadline comes before all that takes time: it eats from it.
    Entry("call", ("timeout",), Deadline.build),
    # Before anything is sent, and once: all attempts, hedges and links have the same key.
    Entry("call", ("idempotency",), IdempotencyKey.build),
    # The outermost wrapper. After the gates of the call, for what is denied is denied, whatever was
    # answered before; in front of all that costs something or takes a permit. And around all that
    # might still find a new answer: an old one is the last thing that is given instead of an error.
    Entry("wrap", ("cache",), Cached.wrap),
    # Around all upstreams that it may go to; each has the stages below for itself.
    Entry("wrap", ("fallback",), Chain.wrap),
    # Innermost of what is for the call as such: what is inside it belongs to one upstream.
    Entry("wrap", ("route",), Fork.wrap, giver="choices"),
    # A hedge is an attempt beside those of a retry: it is never repeated, nor held up by one.
    Entry("link", ("hedge",), Race.wrap),
    # Each attempt passes all that is below; for a call without `retry` there is one (`ONCE`).
    Entry("attempts", ("retry",), Repeat.wrap),
    # Before anything that waits or takes something: what would not be sent need not ask for more.
    Entry("attempt", ("breaker",), CircuitCheck.build),
    # May wait for an upstream that asked for it.
    Entry("attempt", ("retry", "breaker", "hedge"), CoolDown.build),
    # May wait for its turn. After the cool-down: a turn that is taken and then waits is a turn of
    # some other moment, and at the end of the wait they would all go at once. So calls come last:
    # they are counted, and tokens are estimated.
    Entry("attempt", ("rate_limit",), Turnstile.of_tokens, giver="tokens"),
    Entry("attempt", ("rate_limit",), Turnstile.of_calls, giver="rate"),
    # A permit is held from here until the attempt settles: not while it waits for what is above.
    Entry("attempt", ("bulkhead",), Permit.build, giver="limit"),
    # The tool's own comes first: who waits for a slow tool must not hold what others could use.
    Entry("attempt", (DOMAIN,), BulkheadPermit.build),
    # After all waiting, so that an attempt's own time is its upstream's alone.
    Entry("attempt", ("timeout",), AttemptTime.build),
    # Last: a probe that a later stage refused would be lost. It needs the attempt's deadline.
    Entry("attempt", ("breaker",), ProbeLease.build),
)

WRAPPERS, GATES = (
    frozenset(
        name
        for entry in ORDER
        if (entry.phase in {"call", "attempt"}) is gate
        for name in entry.sections
    )
    for gate in (False, True)
)
"""Sections that act, and those that judge. A shadow of the former computes nothing."""

HOLDS = frozenset({"retry", "breaker", "hedge", "fallback", "cache"})
"""Sections that want to know how an attempt ended before its answer goes to the agent."""

RESTRICTS = frozenset({"deny", "rate_limit", "bulkhead"})
"""Sections that only ever keep calls back: they hold as well where a policy's condition fails."""

ONCE = Once.wrap
"""Makes the handler where no section makes attempts: `ONCE(inner, target, ground)`."""
