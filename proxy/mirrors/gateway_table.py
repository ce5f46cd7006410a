"""Which record becomes which call of the tool gateway. One table:

| record | tool | when |
| --- | --- | --- |
| `call.finished` | `create_audit_trail` | it may have changed something, was refused, went wrong, or a person was asked |
| | `record_transaction` | it cost something: its `cost_micros` |
| | `submit_metrics` | once a minute, sums of each agent (`gateway_sums.py`) |
| decisions: `kill.*`, `approval.decided`, `budget.accepted`, `policy.loaded`, `config.rejected`, `erasure`, `prune`, `recovery` | `create_audit_trail` and `publish_event` | always |
| `call.intent`, `checkpoint`, `budget.lease` | none | their calls, or the journal itself, say the same |
| all others, and gaps | `publish_event` | always |

What is audited and published is the CloudEvent of the record. Calls of agents to the four tools
become none of this: a gateway that is reached through a Holdfast would else be told of what it was
told, without end.
"""  # noqa: E501 -- a table

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from proxy.journal.entries import FINISHED, INTENT
from proxy.mirrors.event import PREFIX, Event
from proxy.state.price import dollars

AUDIT, EVENT, MONEY, METRICS = (
    "create_audit_trail", "publish_event", "record_transaction", "submit_metrics",
)  # fmt: skip
NOBODY = "holdfast"
"""Whose what is of no agent."""
DECISIONS = frozenset({
    "kill.engaged", "kill.released", "approval.decided", "budget.accepted", "policy.loaded",
    "config.rejected", "erasure", "prune", "recovery",
})  # fmt: skip
SILENT = frozenset({INTENT, "checkpoint", "budget.lease"})
READS = ("get_", "list_", "search_", "check_", "estimate_")
"""How the names of tools begin that change nothing."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OURS = frozenset({AUDIT, EVENT, MONEY, METRICS})


class Called(msgspec.Struct):
    """What is read of a record; most types have few of these."""

    agent: str = ""
    fleet: str = ""
    layer: str = ""
    tool: str = ""
    upstream: str = ""
    method: str = ""
    workflow: str = ""
    decision: str = ""
    outcome: str = ""
    executed: str = ""
    approval: str = ""
    cost_micros: int = 0
    duration_us: int = 0
    tokens: dict[str, int] = {}
    scope: str = ""
    origin: str = ""
    pod: str = ""
    id: str = ""


class Step(NamedTuple):
    """One call."""

    tool: str
    given: Mapping[str, Any]
    key: str


_called = msgspec.json.Decoder(Called)


def called(event: Event) -> Called:
    """What its record says. One that cannot be read says nothing."""
    try:
        return _called.decode(event.line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Called()


def steps(event: Event, found: Called) -> Iterator[Step]:
    """The calls that it becomes, in their order: the one that may be refused for want of money is
    the last."""
    if event.type == FINISHED:
        yield from _of_a_call(event, found)
    elif event.type not in SILENT:
        if event.type in DECISIONS:
            yield _audited(event, found, event.type)
        yield published(event, found.agent, PREFIX + event.type, event.encoded())


def published(event: Event, agent: str, word: str, payload: bytes) -> Step:
    """Something that others may want to hear of."""
    given = {"agent_id": agent or NOBODY, "event_type": word, "payload": msgspec.Raw(payload)}
    return Step(EVENT, given, f"{event.id}/{word}")


def _of_a_call(event: Event, found: Called) -> Iterator[Step]:
    if found.tool in _OURS:
        return
    if _counts(found):
        yield _audited(event, found, found.tool)
    if found.cost_micros > 0 and found.agent:
        given = {
            "agent_id": found.agent,
            "amount": dollars(found.cost_micros),
            "description": f"{found.tool} at {found.upstream}, call {found.id}"[:500],
        }
        yield Step(MONEY, given, f"{event.id}/{MONEY}")


def _audited(event: Event, found: Called, action: str) -> Step:
    given = {
        "agent_id": found.agent or NOBODY,
        "action": action or event.type,
        "details": msgspec.Raw(event.encoded()),
    }
    return Step(AUDIT, given, f"{event.id}/{AUDIT}")


def _counts(found: Called) -> bool:
    """Would an auditor ask for it?"""
    if found.decision != "allow" or found.outcome != "ok" or found.approval:
        return True
    if found.layer in ("tool", "agent"):
        return not found.tool.startswith(READS)
    return found.layer == "http" and found.method not in _SAFE
