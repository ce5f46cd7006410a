"""How Anthropic's interface says no, and the headers of all its answers."""

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.said import Answer

ERRORS = {
    "server": GatewayError(500, "api_error", "The server failed while it read this request."),
    "overloaded": GatewayError(529, "overloaded_error", "The model is overloaded at the moment."),
    "rate_limit": GatewayError(
        429,
        "rate_limit_error",
        "The limit of requests per minute is reached.",
        {"retry-after": "1", "anthropic-ratelimit-requests-remaining": "0"},
    ),
    "quota": GatewayError(
        429, "enforced_spend_limit_reached", "The monthly limit of this organization is reached."
    ),
}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def told(error: GatewayError) -> dict[str, object]:
    """The whole body. An error that waiting does not end says so in its details."""
    ours = "api_error" if error.status >= 500 else "invalid_request_error"
    said: dict[str, object] = {
        "type": _TYPES.get(error.status, ours),
        "message": error.message,
    }
    if error.code == "enforced_spend_limit_reached":
        said["details"] = {"error_code": error.code}
    return {"type": "error", "error": said, "request_id": f"req_{'0' * 24}"}


def refusal(error: GatewayError) -> Answer:
    """`{"type": "error", "error": {"type", "message"}, "request_id"}`."""
    return Answer(error.status, told(error), {**headers("0" * 24), **error.headers})


def headers(identity: str) -> dict[str, str]:
    """Of an answer, good or bad."""
    until = "2026-06-01T00:00:01Z"
    return {
        "request-id": f"req_{identity}",
        "anthropic-organization-id": "sandbox",
        "anthropic-ratelimit-requests-limit": "4000",
        "anthropic-ratelimit-requests-remaining": "3999",
        "anthropic-ratelimit-requests-reset": until,
        "anthropic-ratelimit-input-tokens-limit": "400000",
        "anthropic-ratelimit-input-tokens-remaining": "399000",
        "anthropic-ratelimit-input-tokens-reset": until,
        "anthropic-ratelimit-output-tokens-limit": "80000",
        "anthropic-ratelimit-output-tokens-remaining": "79000",
        "anthropic-ratelimit-output-tokens-reset": until,
    }
