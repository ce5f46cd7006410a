"""The load on a peer: wrk where it is installed, else our own generator (`closed_loop.py`)."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.bench.peers import Address
from tests.bench.process import ROOT, clean_environment, pinned

PATH = "/execute"


def call_body(size: int = 168) -> bytes:
    """One call of a tool in the gateway's envelope, padded to its size."""
    fields = {"agent_id": "bench-agent", "currency": "USD", "note": ""}
    fields["note"] = "x" * (size - len(json.dumps({"tool": "get_balance", "input": fields})))
    return json.dumps({"tool": "get_balance", "input": fields}).encode()


BODY = call_body()
COUNT = b"0" * 12
COUNTED = BODY.replace(b"x" * len(COUNT), COUNT, 1)
"""For calls of which each has another input: the number of the call takes the place of COUNT."""

# wrk calls `done` once, at the end. Its latencies are in microseconds.
WRK_SCRIPT = """
wrk.method = "POST"
wrk.path = "@PATH@"
wrk.headers["Content-Type"] = "application/json"
wrk.body = '@BODY@'
function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    'BENCH {"calls": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": {' ..
    '"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}}\\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    e.connect, e.read, e.write, e.timeout, e.status))
end
"""


# A number is not used again by the next run, or a cache would have its answer.
WRK_COUNTS = """
local number, before, after = os.time() % 100000 * 10000000, "", ""
function init(args)
  local whole = wrk.format()
  local first, last = string.find(whole, "@COUNT@", 1, true)
  before, after = string.sub(whole, 1, first - 1), string.sub(whole, last + 1)
end
function request()
  number = number + 1
  return before .. string.format("%012d", number) .. after
end
"""


@dataclass(frozen=True)
class Outcome:
    """What one run of load saw. Times in seconds."""

    calls: int
    seconds: float
    p50: float
    p99: float
    errors: dict[str, int]  # kind -> count; only those that happened

    @property
    def rate(self) -> float:
        return self.calls / self.seconds if self.seconds else 0.0


class Load:
    """A load generator on a core of its own."""

    def __init__(self, folder: Path, core: int | None, counted: bool = False) -> None:
        """`counted`: each call of a run has another input."""
        self._core = core
        self._counted = counted
        self._wrk = shutil.which("wrk")
        self._script = folder / ("counted.lua" if counted else "call.lua")
        body = COUNTED if counted else BODY
        text = WRK_SCRIPT.replace("@PATH@", PATH).replace("@BODY@", body.decode())
        if counted:
            text += WRK_COUNTS.replace("@COUNT@", COUNT.decode())
        self._script.write_text(text)

    @property
    def name(self) -> str:
        """What the report says about it."""
        if self._wrk:
            return "wrk"
        return "FALLBACK closed_loop.py (wrk: not installed; apt-get install wrk)"

    def run(self, target: Address, connections: int, seconds: int) -> Outcome:
        """Call as fast as answers come, each connection one call at a time."""
        argv = self._command(target, connections, seconds)
        with pinned(self._core):
            ended = subprocess.run(
                argv,
                capture_output=True,
                text=True,
                timeout=seconds + 20,
                cwd=ROOT,
                env=clean_environment(),
                check=False,
            )
        return parse(ended.stdout, ended.stderr)

    def _command(self, target: Address, connections: int, seconds: int) -> list[str]:
        host, port = target
        if self._wrk is None:
            ours = [sys.executable, "-m", "tests.bench.closed_loop"]
            counted = ["counted"] if self._counted else []
            return [*ours, host, str(port), str(connections), str(seconds), *counted]
        return [
            self._wrk,
            *("-t", "1", "-c", str(connections), "-d", f"{seconds}s"),
            *("-s", str(self._script), f"http://{host}:{port}"),
        ]


def parse(output: str, complaints: str = "") -> Outcome:
    """The line that begins with BENCH; without one the run is one error."""
    for line in output.splitlines():
        if line.startswith("BENCH "):
            read = json.loads(line.removeprefix("BENCH "))
            read["errors"] = {kind: n for kind, n in read["errors"].items() if n}
            return Outcome(**read)
    words = complaints.strip().splitlines() or ["no output"]
    return Outcome(0, 0.0, 0.0, 0.0, {f"load generator: {words[-1][:120]}": 1})
