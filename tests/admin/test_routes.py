"""proxy/admin/routes.py."""

import pytest

from proxy.admin.erasing import Asked
from proxy.admin.routes import Answer, Route, fails
from proxy.config.tokens import Role


def route(role=None, **more):
    return Route("GET", "/x", role, "Something.", lambda _: None, **more)


@pytest.mark.parametrize(
    ("made", "statuses"),
    [
        (route(), [200, 400]),
        (route(Role.VIEWER), [200, 400, 401, 403, 429]),
        (route(body=Asked, also={404: fails("Nobody.")}), [200, 400, 404, 413]),
    ],
)
def test_what_a_route_may_answer(made, statuses):
    """What all of them may, and what it says itself."""
    assert list(made.answers) == statuses


def test_what_it_says_itself_counts():
    """Over what is usual."""
    assert route(also={400: Answer("Other.")}).answers[400].meaning == "Other."


def test_whatever_is_no_get_changes_something():
    """And is open to fewer."""
    assert not route().changes
    assert Route("DELETE", "/x", Role.OPERATOR, "", lambda _: None).changes
