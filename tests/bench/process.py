"""A process on one core: started, measured and ended by its own handle."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_LIMIT = 15.0  # seconds
STOP_LIMIT = 5.0  # seconds


class Missing(Exception):
    """A peer cannot run here; the text says why and what would help."""


@dataclass(frozen=True)
class Cores:
    """The core that a peer has for itself, and the one for everything else. None: not pinned."""

    peer: int | None
    load: int | None

    @classmethod
    def choose(cls) -> "Cores":
        """The last two cores this process may use; no pinning where that is not possible."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[-2], cores[-1]) if len(cores) > 1 else cls(None, None)

    @contextmanager
    def all(self) -> Iterator[None]:
        """What is started inside has both."""
        with pinned(self.peer, self.load):
            yield


@contextmanager
def pinned(*cores: int | None) -> Iterator[None]:
    """What is started inside inherits these cores; all there are, where none is named."""
    wanted = {core for core in cores if core is not None}
    if not wanted:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, wanted)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def clean_environment() -> dict[str, str]:
    """Ours, without what would change a peer: its settings, and the ban on bytecode files."""
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONDONTWRITEBYTECODE" and not name.startswith("HOLDFAST_")
    }


class Process:
    """A child process; use it as a context, or call `stop`."""

    def __init__(
        self,
        argv: Sequence[str],
        core: int | None,
        log: Path,
        cwd: Path = ROOT,
    ) -> None:
        """Both its outputs go to `log`."""
        self.log = log
        with log.open("wb") as output, pinned(core):
            self._child = subprocess.Popen(
                argv, stdout=output, stderr=output, cwd=cwd, env=clean_environment()
            )
        self.pid = self._child.pid

    @property
    def ended(self) -> bool:
        return self._child.poll() is not None

    @property
    def rss_mb(self) -> float | None:
        """Resident memory now, in 10^6 bytes; None where there is no /proc."""
        return self._status("VmRSS")

    @property
    def peak_rss_mb(self) -> float | None:
        """The most since the start, or since `forget_peak`."""
        return self._status("VmHWM")

    def forget_peak(self) -> None:
        """Count the peak from here. The 5 is proc(5)'s word for it in clear_refs."""
        place = Path(f"/proc/{self.pid}/clear_refs")
        if place.exists():
            place.write_text("5")

    @property
    def cpu_seconds(self) -> float | None:
        """User and system time of all its threads so far."""
        try:
            line = Path(f"/proc/{self.pid}/stat").read_text()
        except OSError:
            return None
        fields = line.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))

    def stop(self) -> None:
        """Ask, wait, and insist."""
        if self.ended:
            return
        self._child.terminate()
        try:
            self._child.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait(STOP_LIMIT)

    def says(self, word: str) -> None:
        """Wait until it has written that; raises Missing where it ends, or takes too long."""
        until = time.monotonic() + START_LIMIT
        while word not in self.log.read_text(errors="replace"):
            if self.ended or time.monotonic() > until:
                raise Missing(f"does not say {word} ({self.last_words()})")
            time.sleep(0.01)

    def last_words(self) -> str:
        """The last line it wrote, for the reason why it ended."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no output"

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _status(self, field: str) -> float | None:
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except OSError:
            return None
        for line in lines:
            if line.startswith(field):
                return int(line.split()[1]) * 1024 / 1e6
        return None


def await_ready(process: Process, ready: Path) -> Mapping[str, str]:
    """The addresses in the ready file, as soon as it is there whole."""
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        if process.ended:
            raise Missing(f"cannot start ({process.last_words()})")
        try:
            addresses: dict[str, str] = json.loads(ready.read_text())
        except (OSError, ValueError):
            time.sleep(0.001)
            continue
        return addresses
    raise Missing(f"cannot start (not ready within {START_LIMIT:.0f} s)")


def module(name: str, *arguments: str) -> list[str]:
    """The command line of a program of this folder."""
    return [sys.executable, "-m", f"tests.bench.{name}", *arguments]


def raise_file_limit(wanted: int = 8192) -> None:
    """A thousand streams need two thousand sockets in a proxy; children inherit the limit."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def program(name: str) -> Path | None:
    """A program beside this interpreter, or on PATH."""
    beside = Path(sys.executable).parent / name
    if beside.exists():
        return beside
    found = shutil.which(name)
    return Path(found) if found else None
