"""Journals written without a thread: every step is taken by the test."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proxy.journal.chain import claims
from proxy.journal.disk import RealDisk
from proxy.journal.folder import Folder
from proxy.journal.journal import Journal
from proxy.journal.lines import Tip
from proxy.journal.reading import Reader
from proxy.journal.recover import Recovered
from proxy.journal.retention import Old, prune_entry
from proxy.journal.segments import NOTHING, Standing, Terms
from proxy.journal.writer import Mark
from tests.fakes import FakeClock
from tests.journal.disks import QuickDisk
from tests.journal.noted import Note

DAY = 86_400.0


class Counted:
    """A room: it counts records, by noting them or by being shown them again."""

    name = "counted"
    types = frozenset({"call.finished"})

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.loaded = False

    def dump(self) -> Any:
        """What it saw."""
        return self.seen

    def load(self, state: Any, /) -> None:
        """What it had seen."""
        self.loaded = True
        self.seen = list(state)

    def apply(self, record: dict[str, Any], /) -> None:
        """Once more."""
        self.seen.append(record["id"])


class Written:
    """A journal, driven by hand: `note` writes at once."""

    def __init__(
        self,
        data_dir: Path,
        disk: RealDisk | None = None,
        clock: FakeClock | None = None,
        room: Counted | None = None,
        anchors: Any = (),
        **terms: Any,
    ) -> None:
        self.clock = FakeClock() if clock is None else clock
        self.room = Counted() if room is None else room
        self.heard: list[tuple[str, str]] = []
        self.terms = Terms(**({"snapshot_seconds": 1e9, "seconds": 1e9} | terms))
        self.journal = Journal(
            data_dir,
            self.terms,
            self.clock,
            rooms=(self.room,),
            anchors=anchors,
            heard=lambda kind, text: self.heard.append((kind, text)),
            disk=QuickDisk() if disk is None else disk,
        )
        self.folder = Folder(data_dir)
        self.acknowledged: list[str] = []
        self.found = Recovered(Standing(Tip(), NOTHING))

    def open(self) -> "Written":
        """Start without a thread; what was found is in `found`."""
        self.found = self.journal.open()
        self.journal._keeper._record = self._record
        self.journal._keeper.later = lambda job: job()  # type: ignore[method-assign]
        for entry in self.journal._recoveries:
            self.journal.note(entry)
        self.round()
        return self

    def note(self, *names: str, text: str = "") -> bool:
        """Finished calls, and whether they are durable now."""
        for name in names:
            self.room.seen.append(name)
            self.journal.note(Note(name, text))
        written = self.round()
        if written:
            self.acknowledged += names
        return written

    def round(self) -> bool:
        """All that is there is written; was it?"""
        told: list[bool] = []
        self.journal._writer.put(Mark(told.append))
        self.journal._writer.round()
        return told == [True]

    def snapshot(self) -> None:
        """Now."""
        self.journal.snapshot()
        self.round()

    def tidy(self) -> None:
        """Compress and delete."""
        self.journal._keeper.tidy()

    def stop(self) -> None:
        """As `Journal.stop` does."""
        self.journal.snapshot()
        self.round()
        self.journal._end(True)
        self.die()

    def die(self) -> None:
        """Let go of the data dir, and nothing else."""
        self.journal._lock.release()

    def _record(self, old: Sequence[Old]) -> bool:
        terms, name = self.terms, self.journal._name
        signer = self.journal._signer
        self.journal.note(prune_entry(old, terms.retention_days, terms.origin, signer, name))
        return self.round()


def lines(data_dir: Path) -> list[bytes]:
    """Of all segments that are there."""
    files = Folder(data_dir).segments()
    return [line for file in files for block in Reader(file.path).blocks() for line in block]


def ids(data_dir: Path) -> list[str]:
    """Of the finished calls among them."""
    told = [claims(line) for line in lines(data_dir)]
    return [found.id for found in told if found is not None and found.type == Note.type]
