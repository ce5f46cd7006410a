"""The record: the one fact kept of a finished call. Journal, metrics and logs have it from here.

Beside it the intent, which some calls leave before they are sent.
"""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeAlias

import msgspec

if TYPE_CHECKING:
    from proxy.call import Call, Effect, Risk


class Noted(Protocol):
    """Where records, and what else is to be remembered, are noted: the journal."""

    def note(self, entry: Any, /) -> None:
        """To be written. From any thread; never waits, never raises."""

    def durable(self) -> Awaitable[bool]:
        """On the loop: is all that was noted? False: it cannot be made so now."""


class Recorder(Protocol):
    """Somebody who wants to know of each call that has ended."""

    def note(self, record: "Record", /) -> None:
        """Never waits, never raises."""


class AttemptRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One sending, as it ended; `ms` are whole milliseconds."""

    n: int
    result: str
    ms: int
    upstream: str
    status: int = 0  # 0: no answer came


class Intent(msgspec.Struct, frozen=True, omit_defaults=True):
    """A call that is about to be sent. Its record ends it; without one its outcome is unknown."""

    id: str  # the call's
    agent: str
    upstream: str
    protocol: str
    layer: str
    tool: str
    method: str
    policy_version: str
    effect: str
    risk: str
    workflow: str = ""
    task: str = ""
    fleet: str = ""
    model: str = ""
    reserved_micros: int = 0
    charges: dict[str, int] | None = None  # to which budgets, by budget:key
    caller: str = ""
    type: ClassVar[str] = "call.intent"  # what its line in the journal says


def intent_of(call: "Call", effect: "Effect", risk: "Risk") -> Intent:
    """Of a call whose upstream's policies say so of it."""
    purse = call.purse
    charges = None if purse is None else purse.promised() or None
    return Intent(
        id=call.id,
        agent=call.agent,
        upstream=call.upstream,
        protocol=call.protocol,
        layer=call.layer,
        tool=call.tool,
        method=call.method,
        policy_version=call.rule.version,
        effect=effect.value,
        risk=risk.value,
        workflow=call.workflow,
        task=call.task,
        fleet=call.fleet,
        model=call.model,
        reserved_micros=0 if purse is None else purse.reserved,
        charges=charges,
        caller=call.caller,
    )


Beginnings: TypeAlias = "Callable[[], tuple[list[Intent], bool]]"
"""Intents of calls that do without, if they end soon; and are there more such calls?"""


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    """A request or an answer, of which the journal keeps no byte."""

    bytes: int
    commitment: str = ""  # HMAC-SHA-256 of it, under a salt of its own


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One finished call. No floats; durations are whole microseconds (`_us`)."""

    id: str
    agent: str
    upstream: str
    protocol: str
    layer: str
    tool: str
    method: str
    policy_version: str
    decision: (
        str  # allow | refuse | shadow: allowed, and a policy in shadow mode would have refused
    )
    outcome: str  # ok | failed | refused | truncated | cancelled | fallback | stale | unknown
    executed: str  # no | yes | unknown
    status: int
    attempts: tuple[AttemptRecord, ...]
    duration_us: int
    overhead_us: int  # our own time, without any waiting for others
    ttfb_us: int = -1  # -1: nothing was sent to the agent
    code: str = ""  # of a refusal, or why a call failed
    policy: str = ""  # the policy that refused, or would have
    workflow: str = ""
    task: str = ""
    tier: int = 0  # 0 the primary, 1 a backup, 2 kept from before, 3 what a policy says
    served_by: str = ""  # the upstream or model, where it is not the one that was called
    queue_us: int = 0  # spent in queues of ours
    detail: str = (
        ""  # how an answer that had begun went wrong; which clock ended a stream; a shadow
    )
    agent_version: str = ""
    fleet: str = ""
    model: str = ""
    approval: str = ""
    trace: str = ""
    span: str = ""
    tokens: dict[str, int] | None = None
    cost_micros: int = 0
    cost_estimated: bool = False
    reserved_micros: int = 0
    request: Payload | None = None
    response: Payload | None = None
    idempotency: str = ""
    charges: dict[str, int] | None = None  # micro-dollars to which budgets, by budget:key
    caller: str = ""  # the agent that waits for this one, of calls that may cost something
    unguarded: bool = False  # a limit that pods share let it go without the store
    held_us: int = 0  # of its duration: what people took to decide
    task_end: str = ""  # success | failure: its agent says that this call ends its task
    type: ClassVar[str] = "call.finished"  # what its line in the journal says
