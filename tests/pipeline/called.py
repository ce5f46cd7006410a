"""Calls with a rule and a history, as they are told of and recorded."""

from typing import Any

from proxy.call import Call, Rule
from proxy.refusal import Refusal
from proxy.reply import Result
from tests.fakes import make_attempt, make_call

OPEN = Refusal("circuit_open", "The tool keeps failing", policy="money")
NOW = 1002.5
RULE = Rule("v1", b"holdfast-policy: last@v1\r\n", b"plain: yes\r\n")


def called(*results: Result | None, **changes: Any) -> Call:
    """A call with attempts that came to this, a second each; None: it was refused before."""
    call = make_call(**({"rule": RULE} | changes))
    for number, result in enumerate(results, 1):
        of_it = {"started": 999.0 + number, "upstream": "gateway"}
        if result is not None:
            of_it |= {"sent": True, "ended": 1000.0 + number, "result": result, "status": 200}
        call.attempts.append(make_attempt(call, number=number, of=3, **of_it))
    return call
