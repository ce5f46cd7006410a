"""proxy/admin/authors.py."""

import pytest

from proxy.admin.authors import OWNER, SOMEBODY, Author
from proxy.config.tokens import Role


@pytest.mark.parametrize("role", Role)
def test_every_role_may_read_and_holds_no_other(role):
    """Who operates does not by that approve."""
    author = Author("ann", frozenset({role}))

    assert [each for each in Role if author.may(each)] == sorted(
        {Role.VIEWER, role}, key=list(Role).index
    )


def test_the_owner_may_all_and_somebody_may_read():
    """A token without roles is good for nothing."""
    assert all(map(OWNER.may, Role))
    assert [each for each in Role if SOMEBODY.may(each)] == [Role.VIEWER]
    assert not any(map(Author("ann", frozenset()).may, Role))
