"""docs/journal.md: its worked example is a journal, and its commands say what it shows."""

import itertools
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from proxy.journal.verify import verify

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = (ROOT / "docs" / "journal.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PLACES = {"json": "journal/00000001.jsonl", "note": "checkpoints", "vkey": "keys/journal.vkey"}
NEEDED = ("bash", "sha256sum", "base64", "openssl")


@pytest.fixture
def example(tmp_path):
    """The data dir that the page shows."""
    for kind, text in BLOCKS:
        if kind in PLACES:
            path = tmp_path / PLACES[kind]
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
    return tmp_path


def test_its_example_is_a_journal(example):
    """Which we verify ourselves."""
    verdict = verify(example)

    assert (verdict.exit, verdict.anchoring.anchored) == (0, 2)


@pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)
def test_its_commands_answer_as_it_says(example):
    """Every one, with tools that are not ours."""
    shown = [
        (command, then[1]) for (kind, command), then in itertools.pairwise(BLOCKS) if kind == "bash"
    ]
    assert len(shown) == 3
    for command, answer in shown:
        told = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=example, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert told.stdout == answer, (command, told.stderr)
