"""What a status of an error says (spec 2.6): whose failure it is, and whether something ran."""

from proxy.reply import Executed, Result

_THROTTLES = frozenset({402, 429})
_NOT_ERRORS_OF_THE_SERVER = frozenset({501, 505})
_PERHAPS_RUN = frozenset({408, 409})


def result_of(status: int) -> Result:
    """Of one from 400 on."""
    if status in _THROTTLES:
        return Result.THROTTLED
    if status < 500 or status in _NOT_ERRORS_OF_THE_SERVER:
        return Result.CALLER_ERROR
    return Result.FAILURE


def executed_by(result: Result, status: int) -> Executed:
    """What is known of it. `result`: what the status came to, by whatever stood beside it."""
    ran = result is not Result.CALLER_ERROR or status in _PERHAPS_RUN
    return Executed.UNKNOWN if ran else Executed.NO
