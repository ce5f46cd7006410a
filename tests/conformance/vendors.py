"""llmock's own tests: the SDKs of OpenAI and Anthropic, against a server that fails them."""

import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

from tests.conformance.held import ROOT
from tests.conformance.scenarios import PYTHON, VENV
from tests.conformance.verdict import Outcomes

LOCK = ROOT / ".ci" / "requirements-conformance.lock"
SESSION = Path(__file__).with_name("llmock_session.py")
SERVED = ("LLMockServer", "test_pytest_plugin")
"""What is in a file of tests that start a server; the others stay in memory."""
LIMIT = 120
"""Seconds for one test."""


def fetch() -> Path:
    """The tests of the llmock that is locked. pip holds the archive against the lock's hashes."""
    pinned = re.search(r"^(llmock)==(\S+)[^#]+", LOCK.read_text(), re.MULTILINE)
    assert pinned is not None
    source = VENV / f"llmock-{pinned[2]}"
    if not source.exists():
        wanted = VENV / "llmock.txt"
        wanted.write_text(pinned[0])
        pip = [str(PYTHON), "-m", "pip", "--quiet", "--disable-pip-version-check", "download"]
        pip += ["--no-binary", "llmock", "--no-deps", "--no-build-isolation"]
        pip += ["--require-hashes", "--requirement", str(wanted), "--dest", str(VENV)]
        subprocess.run(pip, check=True)
        unpack(VENV / f"{source.name}.tar.gz")
    return source


def unpack(archive: Path) -> None:
    """Its tests, and what pytest must know of them. By hand: the filters are not in every 3.11."""
    name = archive.name.removesuffix(".tar.gz")
    wanted = (f"{name}/tests/", f"{name}/pyproject.toml")
    with tarfile.open(archive) as packed:
        for member in packed:
            file = packed.extractfile(member) if member.name.startswith(wanted) else None
            place = (archive.parent / member.name).resolve()
            if file is not None and place.is_relative_to(archive.parent.resolve()):
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(file.read())


def tests(source: Path) -> list[str]:
    """The files whose tests start a server."""
    return [
        f"tests/{path.name}"
        for path in sorted(source.glob("tests/test_*.py"))
        if any(word in f"{path.stem} {path.read_text()}" for word in SERVED)
    ]


def run(protocol: str, wanted: list[str] | None = None) -> tuple[Outcomes, list[str]]:
    """Those tests, or all, and what Holdfast did that it must not. No protocol: no Holdfast."""
    source = fetch()
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder) / "outcomes.json"
        pytest = [str(PYTHON), str(SESSION), "--protocol", protocol, "--outcomes", str(outcomes)]
        pytest += ["-p", "no:cacheprovider", "--quiet", "-rN", "--tb=line", f"--timeout={LIMIT}"]
        names = [case.removeprefix("llmock/") for case in wanted or []] or tests(source)
        subprocess.run([*pytest, *names], cwd=source, check=False, stdout=sys.stderr)
        if not outcomes.exists():
            raise SystemExit("conformance: pytest did not run llmock's tests")
        found = json.loads(outcomes.read_text())
    if protocol and not found["servers"]:
        found["said"].append("llmock: no server had a Holdfast in front of it")
    came = {f"llmock/{test}": Counter(passed=int(ok)) for test, ok in found["passed"].items()}
    return {case: +passed for case, passed in came.items()}, found["said"]
