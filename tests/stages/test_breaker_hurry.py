"""An agent that gives its calls too little time does not open circuits by it."""

import pytest

from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from tests.fakes import make_attempt, make_call, make_ground, make_reply
from tests.stages.test_breaker import Tool


def tried(tool: Tool, what: int | Failure, *, hurried: bool, left: float) -> Refusal | None:
    """One call that ends `left` seconds before its deadline."""
    call = make_call(deadline=tool.clock.now() + 0.01 + left, hurried=hurried)
    admitted = tool.admit(make_attempt(call))
    if isinstance(admitted, Refusal):
        return admitted
    reply: Reply = make_reply(what)
    tool.end(admitted, reply)
    return None


@pytest.mark.parametrize("failure", [Failure.TIMEOUT, Failure.CONNECT])
@pytest.mark.parametrize(
    ("hurried", "left", "opens"), [(True, 0.0, False), (False, 0.0, True), (True, 5.0, True)]
)
def test_what_its_client_cut_short_says_nothing(
    failure: Failure, hurried: bool, left: float, opens: bool
) -> None:
    """Only if the client was in a hurry, and its time was over: else it is the upstream's doing."""
    tool = Tool(make_ground())
    for _ in range(5):
        tried(tool, failure, hurried=hurried, left=left)
    assert isinstance(tried(tool, 200, hurried=False, left=5.0), Refusal) is opens


def test_an_answer_counts_however_hurried_its_client_was() -> None:
    """A 500 is a 500."""
    tool = Tool(make_ground())
    for _ in range(5):
        tried(tool, 500, hurried=True, left=0.0)
    assert isinstance(tried(tool, 200, hurried=True, left=5.0), Refusal)
