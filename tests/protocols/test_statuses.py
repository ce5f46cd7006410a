"""What statuses of errors say; `test_http.py` and `test_failing.py` have more, from outside."""

import pytest

from proxy.protocols.statuses import executed_by, result_of
from proxy.reply import Executed, Result

NO, UNKNOWN = Executed.NO, Executed.UNKNOWN


@pytest.mark.parametrize(
    ("status", "result", "executed"),
    [
        (400, Result.CALLER_ERROR, NO),
        (402, Result.THROTTLED, UNKNOWN),
        (408, Result.CALLER_ERROR, UNKNOWN),
        (409, Result.CALLER_ERROR, UNKNOWN),
        (429, Result.THROTTLED, UNKNOWN),
        (499, Result.CALLER_ERROR, NO),
        (500, Result.FAILURE, UNKNOWN),
        (501, Result.CALLER_ERROR, NO),
        (505, Result.CALLER_ERROR, NO),
        (529, Result.FAILURE, UNKNOWN),
    ],
)
def test_a_status_says_whose_failure_it_is(status: int, result: Result, executed: Executed) -> None:
    """And that nothing ran only where it was refused before."""
    assert result_of(status) is result
    assert executed_by(result, status) is executed


def test_what_is_throttled_may_have_run() -> None:
    """Whatever status says so."""
    assert executed_by(Result.THROTTLED, 503) is UNKNOWN
