"""`holdfast quickstart` as a process, on ports of its own: what `make run` starts."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from proxy.cli.quickstart import Places

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "proxy", "quickstart")
ANYWHERE = dict.fromkeys(("HOLDFAST_LISTEN", "HOLDFAST_ADMIN", "HOLDFAST_SANDBOX"), "127.0.0.1:0")
PATIENCE = 30
"""Seconds; a machine may be busy with other tests."""


class Started:
    """A running quickstart: what it printed, and where it listens."""

    def __init__(self, child: "subprocess.Popen[str]", data_dir: str) -> None:
        self.data_dir = data_dir
        assert child.stdout is not None
        self.child = child
        self.printed = ""
        while "Ctrl-C" not in self.printed:
            line = child.stdout.readline()
            assert line, f"it ended: {self.printed}"
            self.printed += line
        proxy, admin, sandbox = (line.split()[-1] for line in self.printed.splitlines()[:3])
        self.places = Places(proxy, admin, sandbox)


@contextlib.contextmanager
def quickstart() -> Iterator[Started]:
    """It serves while this is entered; it is killed at the end if it still runs."""
    with tempfile.TemporaryDirectory() as kept:
        environ = {**os.environ, **ANYWHERE, "HOLDFAST_DATA_DIR": kept}
        with subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as child:
            try:
                yield Started(child, kept)
            finally:
                child.kill()


def shell(line: str) -> str:
    """What a line of the shell prints; it must succeed."""
    ran = subprocess.run(
        ["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE
    )
    assert ran.returncode == 0, f"{line}\n{ran.stdout}{ran.stderr}"
    return ran.stdout
