"""aiohttp's own tests: getting them, and running them behind a peer."""

import json
import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

from tests.suite.verdict import Outcome, Outcomes

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / ".ci" / "requirements-suite.lock"
SESSION = Path(__file__).with_name("session.py")
FILES = ("test_client_*.py", "test_connector.py", "test_formdata.py", "test_proxy_functional.py")
"""Tests of the client. The rest has no server, or tests aiohttp's."""
LIMIT = 60
"""Seconds for one test."""


def fetch(folder: Path) -> Path:
    """The tests of the aiohttp that is installed, below `folder`.

    pip holds the archive against the lock. Only the tests are unpacked: aiohttp itself is the
    wheel's, its sources would need a compiler.
    """
    name = f"aiohttp-{version('aiohttp')}"
    if not (folder / name).exists():
        folder.mkdir(parents=True, exist_ok=True)
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        pip += ["download", "--no-binary", "aiohttp", "--no-deps", "--no-build-isolation"]
        pip += ["--constraint", str(LOCK), "--dest", str(folder), name.replace("-", "==")]
        subprocess.run(pip, check=True)
        _unpack(folder, name)
    return folder / name


def _unpack(folder: Path, name: str) -> None:
    wanted = (f"{name}/tests/", f"{name}/pytest.ini")
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.name.startswith(wanted) else None
            place = (folder / member.name).resolve()
            # By hand: the filters of extractall are not in every Python 3.11.
            if file is not None and place.is_relative_to(folder.resolve()):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read())


def run(source: Path, peer: str, tests: list[str], failures: str = "no") -> Outcomes:
    """Some of the tests, or all of them, behind that peer. `failures`: how pytest shows them."""
    if not tests:
        tests = sorted(
            f"tests/{path.name}" for one in FILES for path in source.glob(f"tests/{one}")
        )
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        pytest = [sys.executable, str(SESSION), "--peer", peer, "--outcomes", str(outcomes)]
        # In the place of aiohttp's: no coverage, no doctests, no workers.
        pytest += ["--override-ini", "addopts=", "--strict-markers", "-p", "no:cacheprovider"]
        pytest += ["--quiet", f"--tb={failures}", "-rN", f"--timeout={LIMIT}", *tests]
        subprocess.run(pytest, cwd=source, check=False)
        if not outcomes.exists():
            raise SystemExit(f"suite: pytest did not run behind {peer}")
        return {test: Outcome(**row) for test, row in json.loads(outcomes.read_text()).items()}
