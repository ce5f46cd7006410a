"""Why there is no good answer: for who would give another one in its place."""

from proxy.refusal import of_failure
from proxy.reply import Reply, Result

_REFUSED = {
    "circuit_open": "circuit_open",
    "rate_limited": "throttled",
    "bulkhead_full": "throttled",
    "overloaded": "failure",
    "deadline_exceeded": "deadline",
    "budget_exceeded": "budget",
    "no_route": "failure",  # of a link: its body cannot be sent as another model
}
"""By the code of our own refusal. Others are the call's own fault, or a policy's will."""
_FAILED: dict[Result | None, str] = {
    Result.FAILURE: "failure",
    Result.TRUNCATED: "failure",
    Result.THROTTLED: "throttled",
}


def lack_of(reply: Reply) -> str:
    """failure | throttled | circuit_open | deadline | budget; empty: another answer would hide what
    is wrong with the call itself, or what a policy wants to be told."""
    refusal = reply.refusal
    if refusal is not None and reply.result is None:
        return "" if refusal.stands else _REFUSED.get(refusal.code, "")
    return _FAILED.get(reply.result, "")


def code_of(reply: Reply) -> str:
    """The same as `holdfast-reason` has it: the code of a refusal or failure, or the result."""
    if reply.refusal is not None:
        return reply.refusal.code
    if reply.failure is not None and not reply.status:
        return of_failure(reply, harmless=False, late=False).code
    return str(reply.result)
