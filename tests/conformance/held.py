"""`holdfast run` as a process, in front of one upstream. Linux: what is open is read from /proc."""

import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv" / "bin" / "python"
"""Holdfast's. It may not be that which runs this file."""
STARTING = 30.0
CLOSING = 15.0
"""Seconds. Servers hang up on idle connections sooner; what is open then is a stream."""
ESTABLISHED = "01"


class Held:
    """One that runs until it is left; then `said` is what it said that it must not."""

    def __init__(self, upstream: str, protocol: str) -> None:
        """`upstream`: a URL, of which the origin counts."""
        self._upstream = urlsplit(upstream)
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-conformance-")
        self._place = Path(self._folder.name)
        self._log = self._place / "log"
        self.said: list[str] = []
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command(protocol), cwd=ROOT, stderr=log, stdout=log
            )

    def _command(self, protocol: str) -> list[str]:
        (self._place / "policies").mkdir()
        origin = f"{self._upstream.scheme}://{self._upstream.netloc}"
        return [
            *(str(PYTHON), "-m", "proxy", "run", "--listen", "127.0.0.1:0"),
            *("--admin", "127.0.0.1:0", "--policies", str(self._place / "policies")),
            *("--data-dir", str(self._place / "data"), "--drain", "1s"),
            *("--ready-file", str(self._place / "ready")),
            *("--upstream", origin, "--protocol", protocol),
        ]

    @property
    def url(self) -> str:
        """The upstream's URL, by way of it."""
        ready = self._place / "ready"
        wait(lambda: ready.exists() or self._process.poll() is not None, STARTING)
        if not ready.exists():
            raise SystemExit(f"holdfast did not start:\n{self._log.read_text()}")
        port = json.loads(ready.read_text())["listen"].rpartition(":")[2]
        return self._upstream._replace(netloc=f"{self._upstream.hostname}:{port}").geturl()

    @property
    def open(self) -> int:
        """Connections to the upstream."""
        sockets = set()
        for descriptor in Path(f"/proc/{self._process.pid}/fd").iterdir():
            try:
                sockets.add(os.readlink(descriptor))
            except OSError:
                continue  # closed meanwhile
        rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        port = f":{self._upstream.port:04X}"
        return sum(
            row[2].endswith(port) and row[3] == ESTABLISHED and f"socket:[{row[9]}]" in sockets
            for row in rows
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nobody is there any more who could want an answer: all must be closed, and it ends."""
        try:
            if not wait(lambda: self.open == 0, CLOSING):
                self.said.append(f"{self.open} connections to the upstream left open")
            self._process.send_signal(signal.SIGTERM)
            if self._process.wait(STARTING):
                self.said.append(f"ended with {self._process.returncode}")
            self.said += [line for line in self._log.read_text().splitlines() if is_bug(line)]
        finally:
            self._process.kill()
            self._process.wait()
            self._folder.cleanup()


def is_bug(line: str) -> bool:
    """Does it say what only a bug can cause?"""
    return '"level":"error"' in line or "Traceback" in line


def wait(is_so: Callable[[], bool], seconds: float) -> bool:
    """Until it is; False: it took too long."""
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
