"""What a vendor's error is, where the status does not say it: in a stream, or in a good answer.

The words are those of OpenAI and Anthropic, and of servers that speak like them. Each stands for
the status that the same error has where it is told before anything else.
"""

from typing import Any

import msgspec

from proxy.protocols.hearing import Told
from proxy.protocols.statuses import executed_by, result_of
from proxy.reply import Executed

QUOTA_CODES = (
    b"insufficient_quota",
    b"billing_hard_limit_reached",
    b"credit_balance_exhausted",
    b"organization_spend_limit_exceeded",
    b"organization_usage_limit_exceeded",
    b"project_spend_limit_exceeded",
    b"enforced_spend_limit_reached",
)
"""What is used up until somebody pays or a month is over: waiting a while does not help."""

_STATUSES = {
    "invalid_request_error": 400,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "content_policy_violation": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "slow_down": 429,
    "server_error": 500,
    "api_error": 500,
    "service_unavailable": 503,
    "timeout": 504,
    "timeout_error": 504,
    "vector_store_timeout": 504,
    "overloaded_error": 529,
}
_OF_A_PICTURE = ("image", "invalid")  # in the codes of what is wrong with what was handed in


def used_up(content: bytes) -> bool:
    """Does an error say that a quota is used up?"""
    return any(code in content for code in QUOTA_CODES)


def told_of(error: Any, *, said: bool) -> Told:
    """An error, as JSON has it. `said`: something of the answer came before it."""
    status = _status(error)
    quota = status == 402 or used_up(msgspec.json.encode(error))
    if quota and status not in {402, 429}:
        status = 429
    result = result_of(status)
    executed = Executed.UNKNOWN if said else executed_by(result, status)
    return Told(status, result, executed, quota)


def _status(error: Any) -> int:
    """Some say the status itself, as a number or its digits; what nobody knows is the server's."""
    if not isinstance(error, dict):
        return 500
    said = [error.get(name) for name in ("code", "type", "status", "status_code")]
    for word in said:
        digits = str(word)
        if len(digits) == 3 and digits.isdecimal() and "400" <= digits <= "599":
            return int(digits)
    words = [word for word in said if isinstance(word, str)]
    for word in words:
        if word in _STATUSES:
            return _STATUSES[word]
    return 400 if any(part in word for word in words for part in _OF_A_PICTURE) else 500
