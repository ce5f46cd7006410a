"""A command in a terminal of its own: what it draws is read, and keys are pressed."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Any

_IN_IT = """
import fcntl, os, sys, termios
fcntl.ioctl(1, termios.TIOCSCTTY, 0)
os.execv(sys.executable, [sys.executable, "-m", "proxy", *sys.argv[1:]])
"""


class Teletype:
    """The terminal, from where the person is."""

    def __init__(self, person: int, command: int, child: "subprocess.Popen[bytes]") -> None:
        self._person = person
        self._command = command
        self._child = child
        self._read = b""
        self.before = termios.tcgetattr(command)

    @property
    def modes(self) -> list[Any]:
        """How the terminal is set now."""
        return termios.tcgetattr(self._command)

    def until(self, text: str) -> str:
        """All that was drawn since the last time, up to this text."""
        wanted = text.encode()
        while wanted not in self._read:
            self._read += os.read(self._person, 65_536)
        drawn, _, self._read = self._read.partition(wanted)
        return (drawn + wanted).decode()

    def press(self, keys: str) -> None:
        """As if typed."""
        os.write(self._person, keys.encode())

    def resize(self, lines: int, columns: int) -> None:
        """As when its window is pulled."""
        size = struct.pack("HHHH", lines, columns, 0, 0)
        fcntl.ioctl(self._person, termios.TIOCSWINSZ, size)

    def end(self) -> None:
        """From outside."""
        self._child.send_signal(signal.SIGTERM)

    def exited(self) -> int:
        """Its exit code, once it has ended by itself."""
        return self._child.wait(30)


@contextlib.contextmanager
def teletype(*arguments: str, keys: bool = True) -> Iterator[Teletype]:
    """`holdfast` with these arguments, in 40 lines of 80 columns; killed at the end."""
    person, command = pty.openpty()
    outside = {"COLUMNS", "LINES", "NO_COLOR", "HOLDFAST_TOKEN"}
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    fcntl.ioctl(person, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 80, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-c", _IN_IT, *arguments],
        stdin=command if keys else subprocess.DEVNULL,
        stdout=command,
        stderr=command,
        env={**environment, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8"},
        start_new_session=True,
    )
    try:
        yield Teletype(person, command, child)
    finally:
        child.kill()
        child.wait()
        os.close(person)
        os.close(command)
