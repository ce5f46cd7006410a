"""How OpenAI's interface says no, and the headers of all its answers."""

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.said import Answer

ERRORS = {
    "server": GatewayError(500, "server_error", "The server failed while it read this request."),
    "overloaded": GatewayError(503, "server_overloaded", "The model is overloaded at the moment."),
    "rate_limit": GatewayError(
        429,
        "rate_limit_exceeded",
        "The limit of requests per minute is reached.",
        {
            "retry-after": "1",
            "retry-after-ms": "1000",
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1s",
        },
    ),
    "quota": GatewayError(429, "insufficient_quota", "The quota of this account is used up."),
}
_TYPES = {
    "server_error": "server_error",
    "server_overloaded": "server_error",
    "rate_limit_exceeded": "requests",
    "insufficient_quota": "insufficient_quota",
}


def told(error: GatewayError) -> dict[str, object]:
    """The object under `error`."""
    ours = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "message": error.message,
        "type": _TYPES.get(error.code, ours),
        "param": None,
        "code": error.code,
    }


def refusal(error: GatewayError) -> Answer:
    """`{"error": {"message", "type", "param", "code"}}`."""
    return Answer(error.status, {"error": told(error)}, {**headers("0" * 24), **error.headers})


def headers(identity: str) -> dict[str, str]:
    """Of an answer, good or bad."""
    return {
        "x-request-id": f"req_{identity}",
        "openai-processing-ms": "1",
        "openai-version": "2020-10-01",
        "x-ratelimit-limit-requests": "10000",
        "x-ratelimit-limit-tokens": "1000000",
        "x-ratelimit-remaining-requests": "9999",
        "x-ratelimit-remaining-tokens": "999000",
        "x-ratelimit-reset-requests": "6ms",
        "x-ratelimit-reset-tokens": "1ms",
    }
