"""Records what `holdfast demo` prints into docs/demo.md, from a real run.

What differs from run to run (ids, times, ports, how often somebody looked) is replaced by what one
run had, so that the page changes only where the demo does. `--check` writes nothing. Exit 0: fine,
1: stale, or the demo failed.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "demo.md"
BLOCK = re.compile(
    r"(<!-- made: recording -->\n\n```text\n).*?(```\n\n<!-- made by make docs -->)", re.DOTALL
)
DIFFERS = {
    r"\bon 127\.0\.0\.1:\d+": "on 127.0.0.1:8700",
    r"http://127\.0\.0\.1:\d+": "http://127.0.0.1:8790",
    r"\b[0-9a-f]{8}-([0-9a-f]{1,4})\b": r"5d2e7a10-\1",
    r"\bapproval [0-9a-f]{8}\b": "approval 4f1cab00",
    r"\b\d{4}-\d\d-\d\dT[\d:.]+Z": "2026-11-28T12:10:00Z",
    r"\b\d+ looks\b": "41 looks",
    r"\b\d+ ms after\b": "2 ms after",
    r"\banother [01]\.\d s": "another 1.0 s",
    r"\b\d+ records hold, \d+ are covered": "96 records hold, 2 are covered",
    r"\bline \d+, seq \d+": "line 16, seq 16",
}


def steady(text: str) -> str:
    """Without what differs each time."""
    for pattern, instead in DIFFERS.items():
        text = re.sub(pattern, instead, text)
    return text


def recorded(page: str) -> str:
    """The recording that a page holds."""
    block = BLOCK.search(page)
    return "" if block is None else block[0].removeprefix(block[1]).removesuffix(block[2])


def words(text: str) -> list[str]:
    """What is compared: where lines are broken depends on what was replaced."""
    return text.split()


def main() -> int:
    """Play it, and write the page if it is stale, or only say so."""
    ran = subprocess.run(
        [sys.executable, "-m", "proxy", "demo"], cwd=ROOT, capture_output=True, text=True
    )
    page, told = PAGE.read_text(encoding="utf-8"), steady(ran.stdout)
    if ran.returncode:
        said = f"{ran.stdout}{ran.stderr}".rstrip()
        print(f"holdfast demo: exit {ran.returncode}\n{said}", file=sys.stderr)
        return 1
    if words(recorded(page)) == words(told):
        return 0
    if "--check" in sys.argv:
        print("docs/demo.md is stale: run make docs", file=sys.stderr)
        return 1
    PAGE.write_text(BLOCK.sub(lambda block: f"{block[1]}{told}{block[2]}", page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
