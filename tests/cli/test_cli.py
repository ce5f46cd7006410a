import subprocess
import sys

import click
import pytest

from proxy import __version__
from proxy.cli import holdfast as group
from proxy.cli import main


@pytest.mark.parametrize("name", sorted(group.commands))
def test_every_command_shows_an_example(holdfast, name):
    """`--help` is where one looks first."""
    ran = holdfast(name, "--help")

    assert ran.code == 0
    assert f"holdfast {name}" in ran.out.partition("Usage:")[2].partition("\n")[2]
    assert "Example" in ran.out


def test_says_its_version(holdfast):
    """And nothing else."""
    assert holdfast("--version").out == f"holdfast, version {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bogus"], "No such command 'bogus'"),
        (["check", "--bogus"], "No such option '--bogus'"),
        (["check", "a", "b"], "unexpected extra argument"),
        (["schema", "x"], "'x' is not one of"),
    ],
)
def test_wrong_usage_is_told_from_failure(holdfast, arguments, said):
    """Exit code 64, one line, and where help is."""
    ran = holdfast(*arguments)

    assert (ran.code, ran.out) == (64, "")
    assert said in ran.err
    assert "--help)" in ran.err
    assert ran.err.count("\n") == 1


def test_being_interrupted_is_no_error(monkeypatch):
    """As a shell has it: 128 and the signal."""

    def interrupted(*_, **__):
        raise click.Abort

    monkeypatch.setattr(group, "main", interrupted)
    with pytest.raises(SystemExit) as exited:
        main([])

    assert exited.value.code == 130


def test_help_does_not_load_the_proxy():
    """It is quick: what a sub-command needs is imported when it runs."""
    code = (
        "import sys, proxy.cli; print([m for m in ('aiohttp', 'yaml', 'rich') if m in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout

    assert out == "[]\n"


def test_runs_as_a_module():
    """`python -m proxy` is the same command."""
    command = [sys.executable, "-m", "proxy", "schema", "settings"]
    ran = subprocess.run(command, check=True, capture_output=True, text=True)

    assert ran.stdout.startswith("{")
