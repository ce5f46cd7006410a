"""Why there is no good answer."""

from typing import Any

import msgspec
import pytest

from proxy.protocols.lacking import code_of, lack_of
from proxy.refusal import KINDS, Refusal
from proxy.reply import Failure, Result
from tests.fakes import make_reply

LACKS = {
    "circuit_open": "circuit_open",
    "rate_limited": "throttled",
    "bulkhead_full": "throttled",
    "overloaded": "failure",
    "deadline_exceeded": "deadline",
    "no_route": "failure",
    "budget_exceeded": "budget",
}


@pytest.mark.parametrize("code", KINDS)
def test_refusals(code: str) -> None:
    """Those that speak of the upstream's state, or ours; a policy's will and the caller's own fault
    are no lack."""
    reply = make_reply(Refusal(code, "No"))
    assert (lack_of(reply), code_of(reply)) == (LACKS.get(code, ""), code)


def test_a_refusal_that_is_to_be_told_is_no_lack() -> None:
    """Whoever else could answer."""
    stands = msgspec.structs.replace(Refusal("circuit_open", "No"), stands=True)
    assert lack_of(make_reply(stands)) == ""


@pytest.mark.parametrize(
    ("what", "lack", "code"),
    [
        (200, "", "success"),
        (404, "", "caller_error"),
        (500, "failure", "failure"),
        (429, "throttled", "throttled"),
        (Failure.CONNECT, "failure", "upstream_unreachable"),
        (Failure.TIMEOUT, "failure", "upstream_timeout"),
        (Failure.TRUNCATED, "failure", "truncated"),
        (Failure.BAD_REQUEST, "", "bad_request"),
        (Failure.CANCELLED, "", "shutting_down"),
    ],
)
def test_answers_and_failures(what: Any, lack: str, code: str) -> None:
    """By their results; a failure before any answer has a code of its own."""
    reply = make_reply(what)
    assert (lack_of(reply), code_of(reply)) == (lack, code)


def test_an_internal_error_is_no_lack_of_the_upstream() -> None:
    """Nor would another answer make it good."""
    reply = make_reply(Refusal("internal_error", "oh"), result=Result.FAILURE)
    assert lack_of(reply) == "failure"
    assert code_of(reply) == "internal_error"
