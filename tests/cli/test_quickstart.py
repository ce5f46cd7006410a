import os
import shutil
import signal
import socket
import subprocess

import pytest

from proxy.cli.quickstart import to_try
from tests.harness.quickstart import ANYWHERE, COMMAND, PATIENCE, ROOT, quickstart, shell


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_to_try_show_what_they_say():
    """Typed as they are printed, one after the other."""
    with quickstart() as started:
        lines = [command for _, command in to_try(started.places)]
        assert all(line in started.printed for line in lines)
        read, write, repeated, broken, metrics, ready, model, tool = map(shell, lines)

    assert "200 OK" in read
    assert "holdfast-attempts: 1" in read
    assert '"balance": "1005.00"' in write
    assert "200 OK" in repeated
    assert "holdfast-attempts: 2" in repeated
    assert "502 Bad Gateway" in broken
    assert '"executed":"unknown"' in broken
    assert 'holdfast_retries_total{decision="sent",reason="503"' in metrics
    assert '"status":"ready"' in ready
    assert "200 OK" in model
    assert '"object": "chat.completion"' in model
    assert "200 OK" in tool
    assert '"isError": false' in tool


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_when_it_is_told_to(number):
    """Ctrl-C is how one leaves; it is no error."""
    with quickstart() as started:
        started.child.send_signal(number)

        assert started.child.wait(PATIENCE) == 0


@pytest.mark.parametrize("variable", sorted(ANYWHERE))
def test_an_address_that_is_taken(tmp_path, variable):
    """One line: which, and how to choose another; exit 1."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environ = {**os.environ, **ANYWHERE, variable: f"127.0.0.1:{port}"}
        environ["HOLDFAST_DATA_DIR"] = str(tmp_path)
        ran = subprocess.run(
            COMMAND, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=PATIENCE
        )

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.count("\n") == 1
    assert str(port) in ran.stderr
    assert variable in ran.stderr


def test_needs_the_policies(holdfast, here):
    """Away from the repository it says what it misses."""
    ran = holdfast("quickstart")

    assert ran.code == 2
    assert "policies: no such folder" in ran.err


def test_is_not_in_the_list(holdfast):
    """It is for `make run`."""
    assert "quickstart" not in holdfast("--help").out
