"""A disk that never answers again: the process ends all the same when it is asked to."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import pytest

from proxy.journal.verify import verify
from tests.harness import within
from tests.harness.loops import THE_LOOP

pytestmark = pytest.mark.asyncio(loop_factories=THE_LOOP)

ROOT = Path(__file__).parents[2]
PROCESS = """
import sys, threading
from pathlib import Path
from proxy import trail
from proxy.cli.serving import serve
from proxy.config.settings import load_settings
from proxy.journal.disk import RealDisk

hang = Path(sys.argv[2])

class Disk(RealDisk):
    def sync(self, file):
        if hang.exists():
            threading.Event().wait()
        RealDisk.sync(file)

trail.RealDisk = Disk
sys.exit(serve(load_settings(sys.argv[1]), None, None))
"""


async def test_a_disk_that_never_answers_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """1, and a line that says what was not written; the drain is not waited for twice."""
    (tmp_path / "policies").mkdir()
    settings = {
        "listen": "127.0.0.1:0", "admin": "127.0.0.1:0", "policies": str(tmp_path / "policies"),
        "data_dir": str(tmp_path / "state"), "drain": "1s", "audit": {"anchors": []},
    }  # fmt: skip
    (tmp_path / "holdfast.yaml").write_text(json.dumps(settings))
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PROCESS, str(tmp_path / "holdfast.yaml"), str(tmp_path / "hang")),
        cwd=ROOT,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stderr is not None
    try:
        while b'"event":"ready"' not in await within(child.stderr.readline(), 20.0):
            assert child.returncode is None
        (tmp_path / "hang").touch()
        child.send_signal(signal.SIGTERM)
        _, said = await within(child.communicate(), 40.0)
    finally:
        if child.returncode is None:
            child.kill()

    assert child.returncode == 1
    told = [json.loads(line) for line in said.decode().splitlines()]
    (line,) = [each for each in told if each["event"] == "the journal was not closed"]
    assert (line["level"], line["within"], line["why"]) == (
        "error",
        4.0,
        "the disk does not answer",
    )
    assert verify(tmp_path / "state").exit == 0
