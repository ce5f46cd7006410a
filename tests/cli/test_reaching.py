"""proxy/cli/reaching.py: where commands find the proxy."""

import click
import pytest

from proxy.cli.reaching import control_of, to_change, to_look


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (to_look, ["--admin", "--token"]),
        (to_change, ["--admin", "--token", "--data-dir", "--json"]),
    ],
)
def test_what_says_where_it_is(options, names):
    """In the order in which --help has it."""

    @click.command()
    @options
    def command():
        """Nothing is done."""

    assert [option.opts[0] for option in command.params] == names


def test_where_changes_are_made(here, monkeypatch):
    """Where it is said; else at the socket of the data dir, the settings' if none is given."""
    monkeypatch.setenv("HOLDFAST_DATA_DIR", str(here / "state"))
    assert control_of("127.0.0.1:1", "elsewhere") == "127.0.0.1:1"
    assert control_of(None, "elsewhere") == "unix:elsewhere/admin.sock"
    assert control_of(None, None) == f"unix:{here}/state/admin.sock"
