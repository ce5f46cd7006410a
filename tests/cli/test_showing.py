"""proxy/cli/showing.py: which proxy a command shows its token."""

import click
import pytest

from proxy.cli.showing import headers, with_token


@pytest.fixture
def shown(monkeypatch):
    """What a command sends, called so."""

    def call(admin, *arguments, env=None):
        found = []

        @click.command()
        @with_token
        def command():
            found.append(headers(admin))

        if env is None:
            monkeypatch.delenv("HOLDFAST_TOKEN", raising=False)
        else:
            monkeypatch.setenv("HOLDFAST_TOKEN", env)
        command.main(arguments, standalone_mode=False)
        return found[0].get("Authorization")

    return call


def test_what_is_given_is_shown(shown):
    """To whomever is asked; the flag beats the variable."""
    assert shown("127.0.0.1:8701", "--token", "a") == "Bearer a"
    assert shown("127.0.0.1:8701", env="b") == "Bearer b"
    assert shown("127.0.0.1:8701", "--token", "a", env="b") == "Bearer a"
    assert shown("unix:/run/admin.sock", "--token", "a") == "Bearer a"
    assert shown("127.0.0.1:8701") is None


def test_where_none_is_needed_that_of_the_environment_stays_away(shown):
    """It may be another proxy's, and would be wrong there."""
    assert shown("unix:/run/admin.sock", env="b") is None


def test_what_no_header_can_hold_is_an_error(shown):
    """Before anything is sent."""
    with pytest.raises(click.UsageError, match="printable ASCII"):
        shown("127.0.0.1:8701", "--token", "a\nb")


def test_beside_a_command_nothing_is_shown():
    """As in tests."""
    assert headers("127.0.0.1:8701") == {}
