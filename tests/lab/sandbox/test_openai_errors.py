"""proxy/lab/sandbox/openai_errors.py"""

import pytest

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.openai_errors import ERRORS, refusal, told


@pytest.mark.parametrize(("name", "kind"), [
    ("server", "server_error"), ("overloaded", "server_error"),
    ("rate_limit", "requests"), ("quota", "insufficient_quota"),
])  # fmt: skip
def test_types_are_the_vendors(name: str, kind: str) -> None:
    """By what went wrong."""
    assert told(ERRORS[name])["type"] == kind


def test_only_a_rate_limit_says_when_to_come_back() -> None:
    """Waiting does not fill a quota up."""
    assert refusal(ERRORS["rate_limit"]).headers["retry-after"] == "1"
    assert "retry-after" not in refusal(ERRORS["quota"]).headers


def test_others_are_told_by_their_status() -> None:
    """The server's fault, or that of who asked."""
    assert told(GatewayError(503, "x", ""))["type"] == "server_error"
    assert told(GatewayError(418, "x", ""))["type"] == "invalid_request_error"
