"""proxy/lab/sandbox/anthropic_errors.py"""

from typing import Any

from proxy.lab.sandbox.anthropic_errors import ERRORS, refusal, told
from proxy.lab.sandbox.errors import GatewayError


def kind(status: int) -> object:
    said: Any = told(GatewayError(status, "x", "y"))
    return said["error"]["type"]


def test_types_go_by_the_status() -> None:
    """Those that are not named are the server's, or of the request."""
    assert [kind(status) for status in (402, 418, 500, 503, 529)] == [
        "billing_error", "invalid_request_error", "api_error", "api_error", "overloaded_error",
    ]  # fmt: skip


def test_a_limit_that_waiting_does_not_end_says_so() -> None:
    """In its details, where the vendor's SDK looks; it names no time."""
    said: Any = told(ERRORS["quota"])
    assert said["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}
    assert "retry-after" not in refusal(ERRORS["quota"]).headers
    assert refusal(ERRORS["rate_limit"]).headers["retry-after"] == "1"
