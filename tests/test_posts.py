"""proxy/posts.py"""

import pytest

from proxy.posts import JSON, Answer, tool_call


@pytest.mark.parametrize(
    ("status", "taken"),
    [(200, True), (202, True), (299, True), (0, False), (100, False), (302, False), (410, False)],
)
def test_any_2xx_takes_it(status: int, taken: bool) -> None:
    """Nothing else does: a redirect is not followed, and no answer is none."""
    assert Answer(status).taken is taken


def test_a_call_of_a_tool_has_the_envelope_of_the_gateway() -> None:
    """And a key where it may not be done twice."""
    content = b'{"tool":"create_dispute","input":{"a":1}}'
    assert tool_call("create_dispute", {"a": 1}) == (content, JSON)
    assert tool_call("create_dispute", {"a": 1}, "k")[1] == (*JSON, ("Idempotency-Key", "k"))
