"""How an end counts: one table, of calls and of tasks (spec 5.2).

An end is *good*, *bad*, or *excluded*: it says nothing of whether we keep what we promised, and is
counted apart, by its name. The rule behind the table: bad is what an agent could not help and what
somebody could have done better, the upstream or we, a full bulkhead and a failed journal of ours
among it. Excluded is what the agent brought about itself, and what a policy or a person wanted so.

What a stand-in may put right is bad where there is none: an open circuit, a rate that is used up.
Else an outage would be gone from the figures as soon as the circuit opens.
"""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

import msgspec

from proxy.observe.slo.objective import Objective
from proxy.record import Record
from proxy.reply import SAID, Result

Counts: TypeAlias = Literal["good", "bad", "excluded"]


class End(msgspec.Struct, frozen=True):
    """One row."""

    name: str
    counts: Counts
    means: str  # for people, in docs/slos.md


SUCCESS = End("success", "good", "It was answered, by the upstream, or out of a fresh cache.")
FALLBACK = End(
    "fallback", "good", "Another upstream or model answered (tier 1), or what was kept (tier 2)."
)
FAILURE = End(
    "failure",
    "bad",
    "It failed: at the upstream, at an open circuit, at a limit of ours that is full, by a bug of "
    "ours, or because the process stopped or died under it. MCP's `isError` is one too. A task: "
    "its agent, or an operator, says so.",
)
TIMEOUT = End("timeout", "bad", "There was no answer in time.")
TRUNCATED = End("truncated", "bad", "The answer ended early.")
THROTTLED = End(
    "throttled", "bad", "It came too often, for the upstream or for a `rate_limit` of ours."
)
STATIC = End("static", "bad", "What a policy says stood in for an answer (tier 3).")
ABANDONED = End(
    "abandoned", "bad", "A task: nothing came of it for `idle`, and its last call had gone well."
)
CALLER_ERROR = End("caller_error", "excluded", "The request was wrong.")
CANCELLED = End("cancelled", "excluded", "The agent hung up.")
REFUSED = End(
    "refused",
    "excluded",
    "A policy said no: `deny`, a budget, a loop, a deadlock, or that people look at it first.",
)
KILLED = End("killed", "excluded", "A kill switch stopped it.")
REJECTED = End("rejected", "excluded", "A person said no, or nobody said yes in time.")
CANARY = End("canary_aborted", "excluded", "The canary that had it was taken back.")

ENDS = (
    SUCCESS, FALLBACK, FAILURE, TIMEOUT, TRUNCATED, THROTTLED, STATIC, ABANDONED, CALLER_ERROR,
    CANCELLED, REFUSED, KILLED, REJECTED, CANARY,
)  # fmt: skip
"""All of them."""
NAMED = {end.name: end for end in ENDS}

OUTCOMES: dict[str, End | None] = {
    "ok": SUCCESS,
    "fallback": FALLBACK,
    "stale": FALLBACK,
    "truncated": TRUNCATED,
    "unknown": FAILURE,
    "refused": None,
    "failed": None,
    "cancelled": None,
}
"""What a record says of its outcome; None: its code says more."""

CODES: dict[str, End] = {
    "killed": KILLED,
    "denied": REFUSED,
    "approval_pending": REFUSED,
    "approval_denied": REJECTED,
    "approval_expired": REJECTED,
    "budget_exceeded": REFUSED,
    "loop_detected": REFUSED,
    "deadlock": REFUSED,
    "bulkhead_full": FAILURE,
    "circuit_open": FAILURE,
    "rate_limited": THROTTLED,
    "deadline_exceeded": TIMEOUT,
    "upstream_unreachable": FAILURE,
    "upstream_timeout": TIMEOUT,
    "upstream_disconnected": FAILURE,
    "truncated": TRUNCATED,
    "bad_upstream_response": FAILURE,
    "overloaded": FAILURE,
    "journal_unavailable": FAILURE,
    "store_unavailable": FAILURE,
    "internal_error": FAILURE,
    "shutting_down": FAILURE,
    "proxy_loop": CALLER_ERROR,
    "no_route": CALLER_ERROR,
    "method_refused": CALLER_ERROR,
    "unknown_method": CALLER_ERROR,
    "bad_request": CALLER_ERROR,
    "ambiguous_call": CALLER_ERROR,
    "body_too_large": CALLER_ERROR,
    "head_too_large": CALLER_ERROR,
    "unsupported_encoding": CALLER_ERROR,
    "request_timeout": CALLER_ERROR,
    "agent_gone": CANCELLED,
    "canary_aborted": CANARY,
}
"""Of a call that was refused or stopped: every code of a refusal, and who hung up."""

RESULTS: dict[str, End] = {
    Result.SUCCESS: FAILURE,  # the sending went well, and what it says has failed: `tool_error`
    Result.FAILURE: FAILURE,
    Result.THROTTLED: THROTTLED,
    Result.CALLER_ERROR: CALLER_ERROR,
    Result.CANCELLED: FAILURE,  # not by its agent, or the outcome were another one
    Result.TRUNCATED: TRUNCATED,
}
"""What the last sending of a call came to that failed."""

_SLOW = frozenset({"deadline_exceeded", "upstream_timeout"})


def end_of(record: Record) -> End:
    """Of a call."""
    if record.outcome == "ok":
        return SUCCESS
    last = record.attempts[-1].result if record.attempts else ""
    return end_by(record.outcome, record.code, record.tier, last)


def end_of_line(told: Mapping[str, Any]) -> End:
    """The same of a record as it stands in the journal."""
    attempts = told.get("attempts") or ()
    last = attempts[-1].get("result", "") if attempts else ""
    return end_by(told.get("outcome", ""), told.get("code", ""), told.get("tier", 0), last)


def end_by(outcome: str, code: str, tier: int, last: str) -> End:
    """`last`: the result of its last sending."""
    end = OUTCOMES.get(outcome, FAILURE)
    if end is not None:
        return STATIC if tier == SAID and end is FALLBACK else end
    if outcome != "failed" or not last:
        return CODES.get(code, FAILURE)  # without a code of somebody's: the process stopped
    # The code may be that for which a stand-in was asked. But something was sent, and that failed.
    return TIMEOUT if code in _SLOW else RESULTS.get(last, FAILURE)


def verdict(objective: Objective, end: End, took_us: int, micros: int) -> bool | str:
    """Is it good or bad for the objective; or the reason why it does not count.

    `took_us` is without the time that people took to decide. What went wrong faster than it may
    take says nothing of how long answers take; slower than that is too slow however it ended.
    """
    if end.counts == "excluded":
        return end.name
    if objective.sli == "latency":
        if took_us > objective.most_us:
            return False
        return True if end.counts == "good" else end.name
    if objective.sli == "cost":
        return micros <= objective.most_micros
    return end.counts == "good"
