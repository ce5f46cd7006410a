"""What is counted of the journal: what its disk was asked to do, and how it stands.

The disk is asked in threads of the journal, and the numbers are read on the loop. Each is written
by one thread at a time but for a few on the paths of failure, where one may be lost.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from proxy.journal.disk import Disk
from proxy.journal.writer import State
from proxy.observe import catalogue
from proxy.observe.family import Family, Histogram

SYNCS = (
    50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000,
)  # fmt: skip
"""Upper bounds of the buckets of an fsync, in µs: from memory to a disk that is given up."""

Given = TypeVar("Given")


class Standing(Protocol):
    """What is read of a journal."""

    @property
    def state(self) -> State:
        """Can it be written?"""

    @property
    def held(self) -> int:
        """Records that are not written yet."""

    @property
    def dropped(self) -> int:
        """Those that were lost."""

    @property
    def seq(self) -> int:
        """Of the last record."""

    @property
    def tampered(self) -> str:
        """What does not hold; empty: all does."""


class Posts(Protocol):
    """How often a webhook was what."""

    taken: int
    failed: int
    dropped: int


class Posting(Protocol):
    """What is read of a webhook that takes checkpoints."""

    name: str

    @property
    def posted(self) -> Posts:
        """What came of it."""

    @property
    def waiting(self) -> int:
        """Notes that were not taken yet."""


class CountedDisk:
    """A disk, and what it was asked to do."""

    def __init__(self, disk: Disk, now: Callable[[], float]) -> None:
        self._disk = disk
        self._now = now
        self.bytes = 0
        self.errors = 0
        self.syncs = Histogram(SYNCS)

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """Part of Disk."""
        return self._tried(lambda: self._disk.open(path, flags, mode))

    def write(self, file: int, content: bytes | memoryview) -> int:
        """Part of Disk."""
        taken = self._tried(lambda: self._disk.write(file, content))
        self.bytes += taken
        return taken

    def truncate(self, file: int, size: int) -> None:
        """Part of Disk."""
        self._tried(lambda: self._disk.truncate(file, size))

    def sync(self, file: int) -> None:
        """Part of Disk."""
        began = self._now()
        self._tried(lambda: self._disk.sync(file))
        us = int((self._now() - began) * 1e6)
        self.syncs.counts[bisect_left(SYNCS, us)] += 1
        self.syncs.sum_us += us

    def sync_folder(self, path: Path) -> None:
        """Part of Disk."""
        self._tried(lambda: self._disk.sync_folder(path))

    def close(self, file: int) -> None:
        """Part of Disk."""
        self._tried(lambda: self._disk.close(file))

    def rename(self, old: Path, new: Path) -> None:
        """Part of Disk."""
        self._tried(lambda: self._disk.rename(old, new))

    def unlink(self, path: Path) -> None:
        """Part of Disk."""
        self._tried(lambda: self._disk.unlink(path))

    def _tried(self, work: Callable[[], Given]) -> Given:
        try:
            return work()
        except OSError:
            self.errors += 1
            raise


def families(
    journal: Standing, disk: CountedDisk, anchors: Sequence[Posting] = ()
) -> Iterator[Family]:
    """Every metric of the journal, as it is now."""
    yield Family(catalogue.JOURNAL_RECORDS, {(): journal.seq})
    yield Family(catalogue.JOURNAL_BYTES, {(): disk.bytes})
    yield Family(catalogue.JOURNAL_ERRORS, {(): disk.errors})
    yield Family(catalogue.JOURNAL_DROPPED, {(): journal.dropped})
    yield Family(catalogue.JOURNAL_HELD, {(): journal.held})
    yield Family(catalogue.JOURNAL_FSYNC, {(): disk.syncs.spread()})
    yield Family(catalogue.JOURNAL_WRITABLE, {(): int(journal.state.kind == "ok")})
    yield Family(catalogue.JOURNAL_TAMPERED, {(): int(bool(journal.tampered))})
    results = ("taken", "failed", "dropped")
    yield Family(
        catalogue.JOURNAL_ANCHORED,
        {(each.name, word): getattr(each.posted, word) for each in anchors for word in results},
    )
    yield Family(
        catalogue.JOURNAL_ANCHORS_WAITING, {(each.name,): each.waiting for each in anchors}
    )
