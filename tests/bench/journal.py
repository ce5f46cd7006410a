"""What the journal costs: calls with and without it, a write's wait, verifying, and memory."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from proxy.journal.disk import RealDisk
from tests.bench.calls import Plan
from tests.bench.load import PATH
from tests.bench.peers import Peer, Yard
from tests.bench.process import Cores, Missing, module, program

QUICK = Plan(rounds=3, seconds=1, warm_up=1)
USUAL = Plan(rounds=9, seconds=2, warm_up=2)
NAMES = ("unkept", "kept")
CALLS = 400  # of each kind, for a write's wait
RECORDS = int(os.environ.get("RECORDS", "1000000"))
LINE = b"x" * 599 + b"\n"  # about as long as that of a call


@dataclass(frozen=True)
class Waits:
    """Medians, at one connection, in seconds."""

    read: float
    write: float
    commit: float  # one line to the same disk, and its fdatasync

    @property
    def added(self) -> float:
        """What a write waits more than a read, beyond its two group commits."""
        return self.write - self.read - 2 * self.commit


@dataclass(frozen=True)
class Verified:
    """A journal of many records."""

    records: int
    seconds: float  # of `holdfast audit verify`, from its start to its end
    early_mb: float | None  # memory of the process that wrote it, after a fifth of the records
    end_mb: float | None

    @property
    def growth_mb(self) -> float | None:
        """From then on."""
        if self.early_mb is None or self.end_mb is None:
            return None
        return self.end_mb - self.early_mb


def starters(yard: Yard) -> dict[str, Callable[[], Peer]]:
    """By name: the same Holdfast, of which one keeps no record of a call."""
    return {"unkept": lambda: yard.unkept("unkept"), "kept": lambda: yard.kept("kept")}


def waits(peer: Peer, folder: Path) -> Waits:
    """Reads, writes and bare commits in turn, so that the disk is the same for all."""
    connection = HTTPConnection(*peer.listen, timeout=10)
    seen: dict[str, list[float]] = {"read": [], "write": [], "commit": []}
    file = os.open(folder / "commits", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for _ in range(CALLS):
            seen["read"].append(_timed(lambda: _call(connection, "get_balance")))
            seen["write"].append(_timed(lambda: _call(connection, "deposit")))
            seen["commit"].append(_timed(lambda: _commit(file)))
    finally:
        connection.close()
        os.close(file)
    return Waits(**{kind: statistics.median(times) for kind, times in seen.items()})


def verified(folder: Path, count: int, cores: Cores) -> Verified:
    """Write so many, and verify them by the command, on all cores. Raises Missing."""
    command = program("holdfast")
    if command is None:
        raise Missing("cannot start (no command `holdfast` in this environment; make venv)")
    ended = subprocess.run(
        module("records", str(folder), str(count)), capture_output=True, check=True
    )
    told = json.loads(ended.stdout)
    began = time.perf_counter()
    with cores.all():
        subprocess.run([command, "audit", "verify", str(folder)], capture_output=True, check=True)
    seconds = time.perf_counter() - began
    return Verified(told["records"], seconds, told["early_mb"], told["end_mb"])


def _timed(work: Callable[[], None]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _call(connection: HTTPConnection, tool: str) -> None:
    body = json.dumps({"tool": tool, "input": {"agent_id": "bench-agent"}})
    connection.request("POST", PATH, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        raise ValueError(f"{tool} was answered {answer.status}")


def _commit(file: int) -> None:
    os.write(file, LINE)
    RealDisk.sync(file)
