"""proxy/config/tokens.py."""

from proxy.config.tokens import Role


def test_roles_are_written_as_words():
    """In the file, and in what is said of a role that is needed."""
    assert [f"{role}" for role in Role] == ["viewer", "approver", "operator"]
