"""A program that dies at each step that a journal makes on its disk, for real, and starts again.

`python -m tests.crash.inside FOLDER` tells on stdout, as JSON, at which steps it died. Its lives
are forked from one process that has imported everything and started no thread yet.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import threading
import traceback
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from proxy.journal import keeper as keeping
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from proxy.journal.verify import verify
from proxy.journal.writer import Mark
from tests.fakes import FakeClock
from tests.journal.disks import DyingDisk
from tests.journal.noted import Intent, Note
from tests.journal.written import DAY, Counted, lines

TERMS = Terms(segment_bytes=1000, records=4, retention_days=2, seconds=1e9, snapshot_seconds=1e9)
NEVER = 1_000_000
Work = Callable[["Life"], Awaitable[None]]


class KillingDisk(DyingDisk):
    """kill -9 of its own process, from whatever thread, half-way through a write."""

    def __init__(self, steps: int, told: Path) -> None:
        super().__init__(steps)
        self._told = told
        self._names: dict[int, str] = {}
        self._what = ""
        self._one = threading.Lock()

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """One step."""
        self._what = f"open {path.name}"
        file = super().open(path, flags, mode)
        self._names[file] = path.name
        return file

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        """One step, or a half."""
        self._what = f"write {self._names[file]}"
        return super().write(file, content)

    def truncate(self, file: int, size: int) -> None:  # type: ignore[override]
        """One step."""
        self._what = f"truncate {self._names[file]}"
        super().truncate(file, size)

    def sync(self, file: int) -> None:  # type: ignore[override]
        """One step."""
        self._what = f"sync {self._names[file]}"
        super().sync(file)

    def sync_folder(self, path: Path) -> None:
        """One step."""
        self._what = f"sync_folder {path.name}"
        super().sync_folder(path)

    def rename(self, old: Path, new: Path) -> None:  # type: ignore[override]
        """One step."""
        self._what = f"rename {new.name}"
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        """One step."""
        self._what = f"unlink {path.name}"
        super().unlink(path)

    def _step(self) -> None:
        with self._one:
            if self.steps == 0:
                self._told.write_text(self._what)
                os.kill(os.getpid(), signal.SIGKILL)
            self.steps -= 1


class Life:
    """A journal with its threads, one of them at a time, so that each life has the same steps."""

    def __init__(self, folder: Path, steps: int) -> None:
        self.clock = FakeClock()
        self.room = Counted()
        self.disk = KillingDisk(steps, folder / "died")
        self.journal = Journal(
            folder / "data", TERMS, self.clock, rooms=(self.room,), disk=self.disk
        )
        self._acked = os.open(folder / "acked", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def begin(self) -> None:
        """A start. Nothing but a crash is found."""
        found = self.journal.open()
        assert found.tampered == "", found.tampered
        keeper = self.journal._keeper
        self.journal._log.rotated = lambda: None  # what is closed is seen to in `still`
        begin, keeper.start = keeper.start, lambda: None  # type: ignore[method-assign]
        record = keeper._record
        keeper._record = lambda old: record(old) and self._writer_rests()
        self.journal._checkpoint_at = self.journal._snapshot_at = TERMS.seconds
        await self.journal.start()
        await self._written()
        begin()
        await self.still()

    async def note(self, name: str, text: str = "") -> None:
        """A finished call. Who is told that it is durable may tell it to others."""
        self.room.seen.append(name)
        self.journal.note(Note(name, text))
        assert await self.journal.durable()
        os.write(self._acked, f"{name}\n".encode())
        await self.still()

    async def still(self) -> None:
        """Both threads have done what they had to."""
        await self._written()
        self.journal._keeper.rotated()
        done = threading.Event()
        self.journal._keeper.later(done.set)
        await asyncio.to_thread(done.wait)

    async def _written(self) -> None:
        """And what the writer does when all is written is done, and what it asked of the loop."""
        for _ in range(3):
            await self.journal.durable()

    def _writer_rests(self) -> bool:
        rests: SimpleQueue[bool] = SimpleQueue()
        self.journal._writer.put(Mark(rests.put))
        return rests.get()

    async def snapshot(self) -> None:
        """Now."""
        self.journal.snapshot()
        await self.still()


async def everything(life: Life) -> None:
    """Rotation, gzip, checkpoints, a snapshot, and retention."""
    await life.note("a", text="long " * 150)
    await life.note("b")
    await life.snapshot()
    life.clock.advance(3 * DAY)
    life.journal.note(Intent("c"))
    await life.still()
    await life.note("d")


async def after(life: Life) -> None:
    """It goes on."""
    await life.note(f"after {os.getpid()}")


def lived(folder: Path, steps: int, work: Work) -> int:
    """One life, in a process of its own; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        asyncio.run(_life(Life(folder, steps), work))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


async def _life(life: Life, work: Work) -> None:
    if work is after:
        life.clock.advance(7 * DAY)
    await life.begin()
    await work(life)
    await life.snapshot()
    await life.journal.stop()


def dies(folder: Path, step: int, again: int) -> str:
    """One life that dies at a step, and one that does not; between them one that dies while it
    starts `again`. At what the first one died; empty: it came to its end.
    """
    code = lived(folder, step, everything)
    assert code in {0, -signal.SIGKILL}, step
    if not code:
        return ""
    what = (folder / "died").read_text()
    before = verify(folder / "data")
    assert before.exit in {0, 3}, (step, what, before)  # 3: there was nothing yet
    if again:
        assert lived(folder, again, after) == -signal.SIGKILL, (step, what)
    assert lived(folder, NEVER, after) == 0, (step, what)
    acked = (folder / "acked").read_text().splitlines()
    verdict = verify(folder / "data")
    assert (verdict.exit, verdict.recoveries.torn) == (0, 0), (step, what, verdict)
    told = [json.loads(line)["seq"] for line in lines(folder / "data")]
    assert told == [*range(told[0], told[0] + len(told))], (step, what)
    known = _known(folder)
    assert set(acked) - set(known) == set(), (step, what)
    assert len(known) == len(set(known)), (step, what)
    return what


def _known(folder: Path) -> list[str]:
    """What a room is told at a start: all that ever ended, also what was deleted by now."""
    room = Counted()
    journal = Journal(folder / "data", TERMS, FakeClock(), rooms=(room,))
    assert journal.open().tampered == ""
    journal._lock.release()
    return room.seen


def main(folder: Path) -> None:
    """At every step of `everything`, until one life comes to its end."""
    keeping._PAUSE = 0.0
    died: list[str] = []
    for step in count():
        place = folder / str(step)
        place.mkdir()
        what = dies(place, step, again=step % 20 if step % 4 == 3 else 0)
        if not what:
            break
        died.append(what)
        shutil.rmtree(place)
    sys.stdout.write(json.dumps(died))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
