"""Writes many records into a journal, and tells how much memory that took.

python -m tests.bench.records DATA_DIR COUNT

The disk is not waited for: it would be measured, and not the journal.
"""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from proxy.clock import Clock
from proxy.journal.disk import RealDisk
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from proxy.record import AttemptRecord, Record

AT_ONCE = 5000  # noted before they are waited for
EARLY = 0.2  # of the records are written when memory is read first


class Hasty(RealDisk):
    """A disk that would lose what it was given with the power."""

    @staticmethod
    def sync(fd: object) -> None:
        """At once."""


def records(count: int) -> Iterator[Record]:
    """As calls leave them, with durations by chance."""
    chance = random.Random(count)
    for n in range(count):
        ms = chance.randrange(1, 400)
        yield Record(
            *(f"5eed-{n:x}", "bench-agent", "gateway", "tools", "execute", "get_balance", "POST"),
            *("0123456789ab", "allow", "ok", "yes", 200),
            (AttemptRecord(1, "success", ms, "gateway", 200),),
            ms * 1000 + chance.randrange(1000),
            chance.randrange(10, 90),
            ms * 1000,
        )


def rss_mb() -> float | None:
    """Resident memory now, in 10^6 bytes; None where there is no /proc."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def write(data_dir: Path, count: int) -> dict[str, float | None]:
    """All of them, and wait until what is closed is compressed."""
    journal = Journal(data_dir, Terms(writer="bench"), Clock(), disk=Hasty())
    journal.open()
    await journal.start()
    early = None
    for n, record in enumerate(records(count), 1):
        journal.note(record)
        if n % AT_ONCE == 0:
            await journal.durable()
        if n == int(count * EARLY):
            early = rss_mb()
    await journal.durable()
    end = rss_mb()
    await asyncio.to_thread(_await_packed, journal)
    await journal.stop()
    return {"records": journal.seq, "early_mb": early, "end_mb": end}


def _await_packed(journal: Journal) -> None:
    while any(not file.closed for file in journal.folder.segments()[:-1]):
        time.sleep(0.05)


if __name__ == "__main__":
    folder, wanted = sys.argv[1:]
    sys.stdout.write(json.dumps(asyncio.run(write(Path(folder), int(wanted)))) + "\n")
