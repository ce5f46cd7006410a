"""kill -9: a process that writes under load is killed, again and again."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from proxy.journal.verify import verify
from tests.journal.written import ids, lines

ROOT = Path(__file__).resolve().parent.parent.parent
KILLS = int(os.environ.get("HOLDFAST_TEST_KILLS", "10"))

WRITES = """
import asyncio, sys
from pathlib import Path
from proxy.clock import Clock
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from tests.journal.noted import Note
from tests.journal.written import Counted

async def caller(journal, room, name):
    for number in range(10_000_000):
        call = f"{name}-{number}"
        room.seen.append(call)
        journal.note(Note(call, "x" * 300))
        if await journal.durable():
            sys.stdout.write(call + "\\n")
            sys.stdout.flush()

async def main():
    room = Counted()
    terms = Terms(segment_bytes=60_000, records=50, snapshot_seconds=0.02)
    journal = Journal(Path(sys.argv[1]), terms, Clock(), rooms=(room,))
    found = journal.open()
    assert found.tampered == "", found.tampered
    assert len(room.seen) == len(set(room.seen))
    await journal.start()
    await asyncio.gather(*(caller(journal, room, f"{sys.argv[2]}-{n}") for n in range(8)))

asyncio.run(main())
"""


async def one_life(data_dir: Path, name: str, until: int) -> set[str]:
    """What it said was durable, until it was killed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", WRITES, str(data_dir), name),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    told = [await process.stdout.readline() for _ in range(until)]
    process.send_signal(signal.SIGKILL)
    told += (await process.stdout.read()).split(b"\n")[:-1]
    await process.wait()
    assert process.returncode == -signal.SIGKILL
    return {line.decode().strip() for line in told}


async def test_what_was_acknowledged_is_there_however_often_it_is_killed(tmp_path):
    """It starts unaided, finds no tampering, and each time the journal verifies."""
    acknowledged: set[str] = set()
    for life in range(KILLS):
        acknowledged |= await one_life(tmp_path, str(life), 40 + 97 * life % 400)
        verdict = verify(tmp_path)
        assert verdict.exit == 0, verdict.why

    assert acknowledged <= set(ids(tmp_path))
    assert [json.loads(line)["seq"] for line in lines(tmp_path)] == [
        *range(1, len(lines(tmp_path)) + 1)
    ]
