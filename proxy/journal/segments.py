"""Segments: the files that the lines go to, one after the other. No thread; see `writer.py`.

Every segment begins with a `checkpoint` line (`entries.Head`), which names the segment before it,
its last hash and its count, and the tree up to there. What a commit could not write durably has
not happened: the chain and the tree stay where they were, and so does the file.
"""

import contextlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from proxy.journal.chain import ZERO
from proxy.journal.checkpoint import Checkpoint, CheckpointFile
from proxy.journal.disk import Appended, Disk
from proxy.journal.entries import Before, Entry, Head
from proxy.journal.folder import Folder
from proxy.journal.lines import Encoder, Tip
from proxy.journal.notes import Signer
from proxy.journal.outdated import Cut, finish

_DAY = 86_400 * 1_000_000_000
NOTHING = Before(0, 0, ZERO.hex())
NO_ENTRY = (AttributeError, TypeError, ValueError, OverflowError)
"""What `commit` raises where one of the entries is none; nothing is written then."""

Timed = tuple[int, Entry]
"""An entry and its time, in nanoseconds since 1970."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What the settings say (`audit`)."""

    fleet: str = "default"
    writer: str = "holdfast"
    sync: str = "group"  # group | each | async
    segment_bytes: int = 64 << 20
    records: int = 1000  # a checkpoint after so many
    seconds: float = 60.0  # or so long
    retention_days: int = 200
    snapshot_seconds: float = 60.0
    held: int = 20_000  # records kept, some 30 MB, while they cannot be written
    stuck_seconds: float = 5.0
    drill: int = 1  # how many times faster windows run, for rehearsals

    @property
    def origin(self) -> str:
        """Of the checkpoints."""
        return f"holdfast/{self.fleet}/{self.writer}"


class Standing(NamedTuple):
    """Where the journal was left, and how it goes on."""

    tip: Tip
    before: Before  # the last segment
    size: int = 0  # bytes of it
    day: int = 0  # that it was begun, since 1970
    goes_on: bool = False  # may it be appended to?
    lost: int = 0
    notes: int = 0  # bytes of whole notes in the file of checkpoints


class Segments:
    """The segments, from their end."""

    def __init__(
        self,
        folder: Folder,
        disk: Disk,
        signer: Signer,
        terms: Terms,
        standing: Standing,
        name: Callable[[], str],
    ) -> None:
        """`name` makes ids. Raises OSError."""
        self._folder = folder
        self._disk = disk
        self._signer = signer
        self._terms = terms
        self._name = name
        self._encoder = Encoder(terms.writer, terms.drill)
        self._notes: CheckpointFile | None = None
        self._notes_size = standing.notes
        self._file: Appended | None = None
        self._begun = standing.day  # the day
        self._lost = standing.lost
        self.tip = standing.tip
        self.before = standing.before
        """The segment that is written, or was last, as the next one will name it."""
        if standing.goes_on:
            path = folder.segment(standing.before.segment)
            self._file = Appended(disk, path, standing.size)
        self.rotated: Callable[[], None] = lambda: None
        """Called when a segment is closed."""

    @property
    def sound(self) -> bool:
        """Can the segment still be written to?"""
        return self._file is None or self._file.sound

    def commit(self, entries: list[Timed]) -> list[bytes]:
        """Write them; durable, unless `sync` is async. Their lines. Raises OSError: none is."""
        if not entries:
            return []
        file = self._ready(entries[0][0])
        tip = self.tip.copy()
        lines = self._encoder.lines(entries, tip)
        file.append(b"".join(lines), self._terms.sync != "async")
        self._arrive(tip, len(lines))
        return lines

    def takes(self, entry: Timed) -> bool:
        """Can it be made a line?"""
        try:
            self._encoder.lines([entry], self.tip.copy())
        except NO_ENTRY:
            return False
        return True

    def sync(self) -> None:
        """What was committed is durable now. Raises OSError."""
        if self._file is not None and self._terms.sync == "async":
            self._file.sync()

    def checkpoint(self) -> str:
        """Sign the tree, and append the note to the file of checkpoints. Raises OSError."""
        self.sync()
        note = self._signed(self.tip)
        if self._notes is None:
            self._notes = CheckpointFile(self._disk, self._folder.checkpoints, self._notes_size)
        self._notes.append(note)
        return note

    @property
    def noted(self) -> int:
        """Bytes of the file of checkpoints that are durable."""
        return self._notes_size if self._notes is None else self._notes.size

    def shorten(self, found: Cut) -> None:
        """Put the file of checkpoints without its beginning in place of it. Raises OSError."""
        path, self._notes_size = self._folder.checkpoints, self.noted
        finish(self._disk, path, found, self._notes_size)
        if self._notes is not None:
            self._notes.close()
            self._notes = None
        self._disk.rename(found.made, path)
        self._notes_size -= found.left_out
        self._disk.sync_folder(path.parent)

    def abandon(self, why: str) -> None:
        """Nothing more goes to this segment; the next one says why."""
        if self._file is not None:
            self._file.sound = False
            self.before = msgspec.structs.replace(self.before, abandoned=why)

    def close(self) -> None:
        """Nothing more comes. Raises OSError."""
        for file in (self._file, self._notes):
            if file is not None:
                file.close()
        self._file = self._notes = None

    def _ready(self, at: int) -> Appended:
        file = self._file
        if file is not None:
            full = file.size >= self._terms.segment_bytes or at // _DAY > self._begun
            if file.sound and not full:
                return file
            if file.sound:
                self.sync()
            self._file = None
            file.close()
        return self._open(at)

    def _open(self, at: int) -> Appended:
        number = self.before.segment + 1
        file = Appended(self._disk, self._folder.segment(number), 0)
        try:
            self._disk.sync_folder(self._folder.journal)
            tip = self.tip.copy()
            file.append(self._encoder.lines([(at, self._head(number))], tip)[0])
        except OSError:
            file.close()
            with contextlib.suppress(OSError):
                self._disk.unlink(file.path)
            raise
        self._file = file
        self._begun = at // _DAY
        self._lost = 0
        self.before = Before(number, 0, "")
        self._arrive(tip, 1)
        self.rotated()
        return file

    def _head(self, number: int) -> Head:
        place, tree = self.tip.place, self.tip.tree
        return Head(
            id=self._name(),
            origin=self._terms.origin,
            segment=number,
            before=self.before,
            size=place.seq,
            root=tree.root().hex(),
            frontier=tuple(top.hex() for top in tree.tops()),
            every=(self._terms.records, int(self._terms.seconds)),
            lost=self._lost,
            # Never signed: a tree in which zeros stand for what another tree of that size had.
            note=self._signed(self.tip) if place.seq and not self._lost else "",
        )

    def _signed(self, tip: Tip) -> str:
        found = Checkpoint(self._terms.origin, tip.place.seq, tip.tree.root())
        return self._signer.note(found.text())

    def _arrive(self, tip: Tip, records: int) -> None:
        self.tip = tip
        before = self.before
        self.before = Before(before.segment, before.records + records, tip.place.hash.hex())
