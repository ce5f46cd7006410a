"""What a vendor's error is, where the status does not say it."""

from typing import Any

import pytest

from proxy.protocols.failing import QUOTA_CODES, told_of, used_up
from proxy.protocols.hearing import Told
from proxy.reply import Executed, Result

NO, UNKNOWN = Executed.NO, Executed.UNKNOWN


def told(error: Any, *, said: bool = False) -> Told:
    """What is made of it."""
    return told_of(error, said=said)


@pytest.mark.parametrize(
    ("error", "status", "result"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, 529, Result.FAILURE),
        ({"type": "api_error"}, 500, Result.FAILURE),
        ({"type": "timeout_error"}, 504, Result.FAILURE),
        ({"type": "rate_limit_error"}, 429, Result.THROTTLED),
        ({"type": "invalid_request_error", "code": None}, 400, Result.CALLER_ERROR),
        ({"type": "tokens", "code": "rate_limit_exceeded"}, 429, Result.THROTTLED),
        ({"code": "server_error"}, 500, Result.FAILURE),
        ({"code": "invalid_image_format"}, 400, Result.CALLER_ERROR),
        ({"code": "failed_to_download_image"}, 400, Result.CALLER_ERROR),
        ({"type": "BadRequestError", "code": 400}, 400, Result.CALLER_ERROR),
        ({"code": "502"}, 502, Result.FAILURE),
        ({"type": "x", "status": 503}, 503, Result.FAILURE),
        ({"code": 501}, 501, Result.CALLER_ERROR),
        ({"code": 200}, 500, Result.FAILURE),
        ({"code": "²²²"}, 500, Result.FAILURE),
        ("something broke", 500, Result.FAILURE),
        ({}, 500, Result.FAILURE),
    ],
)
def test_an_error_has_the_status_that_it_would_have_had(
    error: Any, status: int, result: Result
) -> None:
    """By its code, its type or a status; what is unknown is the server's fault."""
    found = told(error)
    assert (found.status, found.result, found.quota) == (status, result, False)


@pytest.mark.parametrize("code", QUOTA_CODES)
def test_what_is_used_up_is_throttled_for_good(code: bytes) -> None:
    """Wherever the code stands in it, whatever else it says."""
    assert used_up(b'{"error":{"code":"%b"}}' % code)
    found = told({"type": "server_error", "details": {"error_code": code.decode()}})
    assert (found.status, found.result, found.quota) == (429, Result.THROTTLED, True)


def test_a_bill_that_is_not_paid_is_a_quota() -> None:
    """As the status 402 is one."""
    assert told({"type": "billing_error"}) == Told(402, Result.THROTTLED, UNKNOWN, quota=True)


def test_only_what_was_refused_at_once_did_not_run() -> None:
    """An error after the first words comes of something that ran."""
    assert told({"type": "invalid_request_error"}).executed is NO
    assert told({"type": "invalid_request_error"}, said=True).executed is UNKNOWN
    assert told({"type": "conflict_error"}).executed is UNKNOWN
    assert told({"type": "overloaded_error"}).executed is UNKNOWN
