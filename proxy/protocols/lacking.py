"""Why there is no good answer: for who would give another one in its place."""

from proxy.refusal import code_of_failure
from proxy.reply import Reply, Result

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
        return "" if refusal.stands else refusal.kind.lack
    return _FAILED.get(reply.result, "")


def code_of(reply: Reply) -> str:
    """The same as `holdfast-reason` has it: the code of a refusal or failure, or the result."""
    if reply.refusal is not None:
        return reply.refusal.code
    if reply.failure is not None and not reply.status:
        return code_of_failure(reply.failure, late=False)
    return str(reply.result)
