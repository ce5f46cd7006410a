import os
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


def test_alone_it_shows_its_help(holdfast):
    """On standard error, since nothing was done; exit 64."""
    ran = holdfast()

    assert (ran.code, ran.out) == (64, "")
    assert ran.err.startswith("Usage: holdfast")


def test_a_terminal_without_the_letters_gets_escapes(tmp_path):
    """Whatever the locale, there is no traceback."""
    (tmp_path / "p.yaml").write_text(
        "upstreams: {a: {url: http://h}}\npolicies: [{name: p, retry: {}}]"
    )
    command = [sys.executable, "-m", "proxy", "explain", "--policies", str(tmp_path)]
    ran = subprocess.run(
        command, check=True, capture_output=True, env={**os.environ, "PYTHONIOENCODING": "ascii"}
    )

    assert b"\\u2192 send" in ran.stdout


def test_standard_streams_may_be_closed(tmp_path):
    """What is meant for them goes nowhere, and no file that is opened takes their place."""
    script = f"exec 0<&- 1>&- 2>&-; exec {sys.executable} -m proxy schema"
    ran = subprocess.run(["sh", "-c", script], check=False, capture_output=True)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")

    script = """
import sys
from proxy.cli import main, run

def opened(**_):
    with open(sys.argv[1], "w") as file:
        file.write(str(file.fileno()))

run.callback = opened
main(["run"])
"""
    command = [sys.executable, "-c", script, str(tmp_path / "number")]
    shell = ["sh", "-c", 'exec 1>&- 2>&-; exec "$@"', "sh", *command]
    assert subprocess.run(shell, check=False).returncode == 0
    assert int((tmp_path / "number").read_text()) > 2


@pytest.mark.parametrize(
    ("output", "code", "said"),
    [
        ("closed", 1, b""),
        pytest.param(
            "/dev/full",
            1,
            b"holdfast: cannot go on: No space left on device\n",
            marks=pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's"),
        ),
    ],
)
def test_output_that_cannot_be_written(output, code, said):
    """Nothing is said to a reader who has seen enough; a full disk is one line."""
    if output == "closed":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open(output, os.O_WRONLY)
    command = [sys.executable, "-m", "proxy", "schema"]
    try:
        ran = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, check=False)
    finally:
        os.close(writer)

    assert (ran.returncode, ran.stderr) == (code, said)
