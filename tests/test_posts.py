"""proxy/posts.py"""

import pytest

from proxy.posts import Answer


@pytest.mark.parametrize(
    ("status", "taken"),
    [(200, True), (202, True), (299, True), (0, False), (100, False), (302, False), (410, False)],
)
def test_any_2xx_takes_it(status: int, taken: bool) -> None:
    """Nothing else does: a redirect is not followed, and no answer is none."""
    assert Answer(status).taken is taken
