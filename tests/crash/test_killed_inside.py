"""The process is killed inside rotation, gzip, checkpoint, snapshot and prune, at every step.

Not at random: `inside.py` kills itself at its first step on the disk, at its second, and so on,
until a life comes to its end. The side store dies at each of its statements, also of an erasure,
in `tests/journal/test_payloads_killed.py`; a loss of power is in `tests/journal/test_recover.py`.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WORK = {
    "the first start": ["write journal.skey.tmp", "rename journal.skey", "rename journal.vkey"],
    "a segment": ["open N.jsonl", "write N.jsonl", "sync N.jsonl", "sync_folder journal"],
    "gzip": ["write N.jsonl.gz.tmp", "sync N.jsonl.gz.tmp", "rename N.jsonl.gz", "unlink N.jsonl"],
    "checkpoint": ["write checkpoints", "sync checkpoints"],
    "snapshot": ["write snapshot.tmp", "sync snapshot.tmp", "rename snapshot"],
    "prune": ["unlink N.jsonl.gz", "unlink N.jsonl"],
}


@pytest.mark.timeout(300)  # some 250 processes
def test_it_starts_again_wherever_it_was_killed(tmp_path: Path) -> None:
    """What was acknowledged is there or remembered, no record twice, no gap; and it verifies.

    Every fourth one is killed once more while it starts.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash.inside", str(tmp_path)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    died = {re.sub(r"\d{8}", "N", what) for what in json.loads(done.stdout)}
    for name, steps in WORK.items():
        assert set(steps) <= died, name
