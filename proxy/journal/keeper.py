"""The second thread: what may take long. Compresses, deletes, takes checkpoints elsewhere, looks.

It works in small pieces with pauses between them, so that the loop, which shares the interpreter
with it, is never kept for more than a fraction of a millisecond.
"""

import contextlib
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue

import msgspec

from proxy.journal.chain import type_of
from proxy.journal.checkpoint import Anchor
from proxy.journal.disk import Disk
from proxy.journal.folder import File, Folder
from proxy.journal.notes import Verifier
from proxy.journal.reading import Opening, Reader, opening_of
from proxy.journal.retention import Old, Pruning, compress, delete, old_segments
from proxy.journal.snapshot import read_snapshot
from proxy.journal.walk import Fault, Walk, limits, segment

_HOUR = 3600.0
_PAUSE = 0.01
_BLOCK = 1 << 16


class Keeper:
    """Jobs are done one after the other; what fails is told, and done again with the next."""

    def __init__(
        self,
        folder: Folder,
        disk: Disk,
        anchors: Sequence[Anchor],
        *,
        keys: Sequence[Verifier],
        days: int,
        wall: Callable[[], float],
        current: Callable[[], int],
        record: Callable[[Sequence[Old]], bool],
        trouble: Callable[[str], None],
        tampered: Callable[[Fault], None],
    ) -> None:
        """`current`: the number of the segment that is written. `record`: make what is about to be
        deleted durable. `trouble`, `tampered`: hear what went wrong, in this thread.
        """
        self._folder = folder
        self._disk = disk
        self._anchors = anchors
        self._untaken: dict[int, str] = {}  # why the last note was not, by the anchor's number
        self._keys = keys
        self._days = days
        self._wall = wall
        self._current = current
        self._record = record
        self._trouble = trouble
        self._tampered = tampered
        self.beside: Callable[[], None] = _nothing
        """What else is to be tidied. In this thread; it may raise OSError."""
        self.deleted: Callable[[int], None] = lambda first: None
        """Called when segments were deleted, with the seq of the first record that is there."""
        self._jobs: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal keeper", daemon=True)

    def start(self) -> None:
        """Look through what is there, then wait for jobs."""
        self._jobs.put(self.tidy)
        self._jobs.put(self.look)
        self._thread.start()

    def later(self, job: Callable[[], None]) -> None:
        """Something else that may take long. It may raise OSError."""
        self._jobs.put(job)

    def rotated(self) -> None:
        """A segment was closed."""
        self._jobs.put(self.tidy)

    def checkpoint(self, note: str) -> None:
        """Take it elsewhere."""
        self._jobs.put(lambda: self.anchor(note))

    def stop(self) -> None:
        """What is left is done at the next start, but for anchors: they get all there is."""
        self._stop.set()
        self._jobs.put(lambda: None)
        self._thread.join()

    def anchor(self, note: str) -> None:
        """To all anchors, whether or not one of them fails. It is told once why, and not each time
        again."""
        for number, anchor in enumerate(self._anchors):
            why = ""
            try:
                anchor(note)
            except OSError as error:
                why = str(error)
            if why and why != self._untaken.get(number):
                self._trouble(f"an anchor did not take a checkpoint: {why}")
            self._untaken[number] = why

    def tidy(self) -> None:
        """Compress what is closed, delete what is old, also beside the journal. Raises OSError."""
        self._tidy_segments()
        self.beside()

    def _tidy_segments(self) -> None:
        closed = [file for file in self._folder.segments() if file.number < self._current()]
        for file in closed:
            if not file.closed and not compress(self._disk, file.path, self.pause):
                return
        old = self._unneeded(old_segments(self._folder, self._days, self._wall()))
        if old and self._record(old):
            delete(self._disk, old)
            self.deleted(old[-1].told.last + 1)

    def _unneeded(self, old: list[Old]) -> list[Old]:
        """Those that the next start would not read: all that is in them the snapshot has seen.

        It may be as old as they are, where nobody wrote for so long or the clock was put forward.
        """
        snapshot = read_snapshot(self._folder, self._keys) if old else None
        seen = 0 if snapshot is None else snapshot.seq
        return [each for each in old if each.told.last <= seen]

    def look(self) -> None:
        """Does all hold that was written before? Raises OSError."""
        walk, pruning = Walk(), Pruning(self._keys)
        walk.held = lambda lines: _hear(pruning, lines)
        files = [file for file in self._folder.segments() if file.number < self._current()]
        openings = [opening_of(file) for file in files]
        for n, (file, limit) in enumerate(zip(files, limits(openings), strict=True)):
            if self._stop.is_set():
                return
            passed = segment(walk, file, openings[n], limit, n > 0, self._breathe, _BLOCK)
            if passed.gap is not None:
                walk.fault(str(passed.gap))
            if passed.torn:
                walk.fault("something stands behind its last line", walk.line + 1)
            if walk.faults:
                self._tampered(walk.faults[0])
                return
        if files:
            self._look_before(files[0], openings[0], pruning)

    def _look_before(self, first: File, found: Opening | None, pruning: Pruning) -> None:
        """Were those before the first pruned? The record may be in the segment that is written."""
        for lines in Reader(self._folder.segment(self._current())).blocks():
            _hear(pruning, lines)
        if found is not None and not pruning.explains(first, found):
            why = "records before this segment are missing, and were not pruned"
            self._tampered(Fault(first.path.name, 0, found.claims.seq, "", why))

    def _run(self) -> None:
        while not self._stop.is_set() or not self._jobs.empty():
            try:
                job = self._jobs.get(timeout=_HOUR)
            except Empty:
                job = self.tidy
            try:
                job()
            except OSError as error:
                self._trouble(f"the journal's folder: {error}")
            except Exception as bug:  # the other jobs are not to go undone for it
                self._trouble(f"a bug: {type(bug).__name__}: {bug}")

    def pause(self) -> bool:
        """Let others work; True: the end has come."""
        return self._stop.wait(_PAUSE)

    def _breathe(self, read: int) -> None:
        self._stop.wait(_PAUSE)


def _nothing() -> None:
    """Nothing else is there."""


def _hear(pruning: Pruning, lines: list[bytes]) -> None:
    for line in lines:
        if type_of(line) == b"prune":
            with contextlib.suppress(msgspec.DecodeError, RecursionError):  # it explains nothing
                pruning.hear(line)
