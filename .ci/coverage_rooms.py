"""Is every line and branch tested, in the rooms where it must be?

Reads `.coverage` of the last test run, and from pyproject.toml the rooms, which are what coverage
measures (`tests/conftest.py`: what their own tests reach of them), and their exceptions. An
exception says how much of a file may be untested; when less is missing the number must come down,
so that the list only shrinks. Exit 0: fine, 1: not.
"""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def measured() -> dict[str, Any]:
    """Path -> what coverage says of it."""
    command = [sys.executable, "-m", "coverage", "json", "-q", "-o", "-"]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    files: dict[str, Any] = json.loads(answer.stdout)["files"]
    return files


def gaps(file: dict[str, Any]) -> list[str]:
    """What was not run: lines, and branches as from->to (below zero: the way out of a function)."""
    lines = [str(line) for line in file["missing_lines"]]
    return lines + [f"{start}->{end}" for start, end in file["missing_branches"]]


def judge(path: str, missing: list[str], exception: dict[str, Any] | None) -> str | None:
    """A complaint, or None."""
    allowed = exception["missing"] if exception else 0
    if exception and not exception.get("why"):
        return f"{path}: its exception does not say why"
    if len(missing) > allowed:
        return f"{path}: {len(missing)} not tested, {allowed} allowed: {' '.join(missing)}"
    if exception and len(missing) < allowed:
        return f"{path}: only {len(missing)} not tested, lower its exception from {allowed}"
    return None


def complaints(files: dict[str, Any], rooms: list[str], exceptions: dict[str, Any]) -> list[str]:
    """All that is wrong; also files that no test imported, and exceptions for nothing."""
    wanted = {
        path.relative_to(ROOT).as_posix() for room in rooms for path in (ROOT / room).rglob("*.py")
    }
    found = [
        judge(path, gaps(files[path]), exceptions.get(path))
        if path in files
        else f"{path}: no test imports it"
        for path in sorted(wanted)
    ]
    strays = [f"{path}: an exception for nothing" for path in sorted(set(exceptions) - wanted)]
    return [complaint for complaint in found if complaint] + strays


def main() -> int:
    """Print what is wrong."""
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    rooms: list[str] = tools["coverage"]["run"]["source"]
    wrong = complaints(measured(), rooms, tools["holdfast"]["coverage"]["exceptions"])
    for complaint in wrong:
        print(complaint)
    verdict = "not complete" if wrong else "complete, but for the exceptions"
    print(f"coverage of {', '.join(rooms)}: {verdict}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
