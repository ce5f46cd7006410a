"""Verifies a journal with nothing but its folder and a public key.

Four verdicts that do not cover for each other: *integrity* (what is there is what was written),
*completeness* (nothing that was there is missing), *anchoring* (how far the signed checkpoints
reach) and *recoveries* (what the journal itself told of crashes and of deleting by age).

A key that lies in the same folder proves nothing against whoever may write the folder: give one
that was kept elsewhere, and a checkpoint as well.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec

from proxy.journal.chain import BEGINNING, TYPE, ZERO, Claims, Place, claims, raw, type_of
from proxy.journal.checkpoint import Checkpoint, believed, read_checkpoints, whole_notes
from proxy.journal.entries import VERSION, Recovery
from proxy.journal.folder import File, Folder
from proxy.journal.given import judge
from proxy.journal.notes import BadKey, Verifier, keys_of
from proxy.journal.reading import Opening, has_line, opening_of
from proxy.journal.retention import Pruning
from proxy.journal.walk import Fault, Walk, limits, segment
from proxy.journal.whole import Help, Job, Whole, nobody

OK, TAMPERED, INCOMPLETE, UNREADABLE = 0, 1, 2, 3
Progress = Callable[[int, int], None]
"""Hears how many bytes of how many were read."""

_recovery = msgspec.json.Decoder(Recovery).decode
_TELLING = (b',"type":"prune"', b',"type":"recovery"')
_GRACE = 60.0  # seconds in which a checkpoint that is due may not be written yet
_GIVEN = "the checkpoints that were given"
_AT_ONCE = 8192  # records that may be written at once


class Bad(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that is not as it was written."""

    file: str
    why: str
    line: int = 0
    seq: int = 0
    id: str = ""


class Integrity(msgspec.Struct):
    """Is what is there what was written?"""

    ok: bool
    records: int  # that hold
    bad: list[Bad]  # the first one first


class Completeness(msgspec.Struct):
    """Is all there that was?"""

    ok: bool
    first: int  # seq
    last: int
    missing: list[str]


class Anchoring(msgspec.Struct):
    """How far do signed checkpoints reach?"""

    ok: bool
    checkpoints: int  # that agree with the records
    anchored: int  # the seq of the last record that one of them covers
    unanchored: int  # records behind it
    time: str = ""  # ts of the last record


class Recoveries(msgspec.Struct):
    """What the journal tells of itself."""

    records: list[str]
    pruned: int  # records that retention deleted, with a signature
    torn: int  # bytes of a last line that is not whole; the next start moves them away


class Verdict(msgspec.Struct):
    """All of it."""

    exit: int
    why: str  # in one line
    integrity: Integrity
    completeness: Completeness
    anchoring: Anchoring
    recoveries: Recoveries


def verify(
    data_dir: Path,
    keys: Sequence[Verifier] | None = None,
    notes: Iterable[str] = (),
    progress: Progress = lambda read, size: None,
    help_: Help = nobody,
) -> Verdict:
    """`keys`: who may have signed; None: those in the folder. `notes`: checkpoints kept elsewhere.
    `help_`: who else goes through segments.

    Never raises for what it finds: what cannot be read is a verdict as well (`exit` 3).
    """
    folder = Folder(data_dir)
    try:
        known = keys_of(folder.public.read_text("utf-8")) if keys is None else tuple(keys)
        return _at_rest(lambda: _Verification(folder, known, progress, help_).run(list(notes)))
    except (OSError, BadKey, UnicodeDecodeError) as error:
        return _unreadable(f"cannot be read: {error}")


def _at_rest(attempt: Callable[[], Verdict]) -> Verdict:
    """The journal may be running: a segment that is compressed meanwhile has another name."""
    for _ in range(2):
        try:
            return attempt()
        except FileNotFoundError:
            continue
    return attempt()


def notes_of(content: bytes) -> list[str]:
    """The checkpoints of a file that was kept elsewhere, whether or not a newline is missing."""
    return whole_notes(content.rstrip(b"\n") + b"\n\n")[0]


class _Verification:
    def __init__(
        self, folder: Folder, keys: Sequence[Verifier], progress: Progress, help_: Help
    ) -> None:
        self._folder = folder
        self._help = help_
        self._keys = keys
        self._progress = progress
        self._walk = Walk()
        self._walk.held = self._see
        self._missing: list[str] = []
        self._told: list[str] = []
        self._noticed = ""
        """The tampering that the journal itself tells of first."""
        self._pruning = Pruning(keys)
        self._torn = 0
        self._done = self._size = 0
        self._first = 1
        self._last_line = b""
        self._moments: list[Claims | None] = []
        """Some records, for their times."""
        self._signed: list[Checkpoint] = []

    def run(self, kept: list[str]) -> Verdict:
        files = self._folder.segments()
        while files and not files[-1].closed and not has_line(files[-1].path):
            self._torn += files.pop().path.stat().st_size  # it was begun, and has no line
        openings = [opening_of(file) for file in files]
        newer = [found for found in openings if found is not None and found.claims.v > VERSION]
        if newer:
            return _unreadable(f"written in version {newer[0].claims.v}; this reads {VERSION}")
        self._read_notes(kept, {found.head.origin for found in openings if found is not None})
        if not files and not self._signed:
            return _unreadable(f"there is no journal in {self._folder.path}")
        self._size = sum(file.path.stat().st_size for file in files)
        counted = limits(openings)
        parts = zip(files, openings, counted, strict=True)
        jobs = [Job(file.path, _before(found), limit, _TELLING) for file, found, limit in parts]
        with closing(self._help(jobs)) as helped:
            for n, (file, limit, whole) in enumerate(zip(files, counted, helped, strict=True)):
                self._segment(file, openings[n], limit, n, n == len(files) - 1, whole)
        if files:
            self._before(files[0], openings[0])
        agreeing = self._compare()
        self._not_signed(agreeing, openings)
        return self._verdict(agreeing, openings)

    def _read_notes(self, kept: list[str], origins: Collection[str]) -> None:
        for note in read_checkpoints(self._folder.checkpoints, self._keys):
            if note.checkpoint is None:
                why = f"no key that is known signed checkpoint {note.number}"
                self._walk.faults.append(Fault("checkpoints", 0, 0, "", why))
            else:
                self._signed.append(note.checkpoint)
        given = judge(kept, self._keys, origins)
        self._signed += given.ours
        self._walk.faults += [Fault(_GIVEN, 0, 0, "", why) for why in given.wrong]

    def _segment(
        self,
        file: File,
        found: Opening | None,
        limit: int,
        n: int,
        last: bool,
        whole: Whole | None,
    ) -> None:
        walk = self._walk
        if n == 0:
            self._first = found.claims.seq if found is not None else 1
            walk.want([note.size for note in self._signed if note.size >= self._first])
        passed = segment(walk, file, found, limit, n > 0, self._at, whole=whole)
        if passed.gap is not None:
            self._missing.append(str(passed.gap))
        if passed.torn and last and not file.closed:
            self._torn += len(passed.torn)
        elif passed.torn:
            walk.fault("something stands behind its last line", walk.line + 1)
        self._done += file.path.stat().st_size
        self._at(0)
        if found is not None and found.head.note:
            self._embedded(file, found)

    def _embedded(self, file: File, found: Opening) -> None:
        """The checkpoint in a segment's first line."""
        checkpoint = believed(found.head.note, self._keys)
        if checkpoint is None:
            self._walk.faults.append(
                Fault(
                    file.path.name, 1, found.claims.seq, found.claims.id, "nobody signed its note"
                )
            )
        elif checkpoint.root.hex() != found.head.root or checkpoint.size != found.head.size:
            why = "its note is of another tree"
            self._walk.faults.append(
                Fault(file.path.name, 1, found.claims.seq, found.claims.id, why)
            )
        else:
            self._signed.append(checkpoint)
            self._walk.roots[checkpoint.size] = checkpoint.root

    def _before(self, file: File, found: Opening | None) -> None:
        """Segments before the first that is there: did retention delete them?"""
        if found is not None and not self._pruning.explains(file, found):
            last = found.claims.seq - 1
            self._missing.append(f"{last} records are missing before {file.path.name}: seq 1 on")

    def _compare(self) -> list[Checkpoint]:
        """The checkpoints that agree with the records."""
        agreeing = []
        for note in sorted(self._signed, key=lambda note: note.size):
            root = self._walk.roots.get(note.size)
            if root == note.root:
                agreeing.append(note)
            elif root is not None:
                why = f"the records up to here are not those that were signed ({note.origin})"
                self._walk.faults.append(Fault("journal", 0, note.size, "", why))
        highest = max((note.size for note in self._signed), default=0)
        last = self._walk.place.seq
        if highest > last:
            count = highest - last
            self._missing.append(
                f"{count} records are missing at the end: a checkpoint has {highest}"
            )
        return agreeing

    def _not_signed(self, agreeing: list[Checkpoint], openings: Sequence[Opening | None]) -> None:
        """Were there checkpoints, where one was due? Without them all could have been made anew."""
        every = next((found.head.every for found in reversed(openings) if found), (0, 0))
        anchored = max((note.size for note in agreeing), default=0)
        begins = next((found.ts for found in self._moments if found and found.seq > anchored), "")
        told = claims(self._last_line)
        late = told is not None and _seconds(begins, told.ts) > 2 * every[1] + _GRACE
        if late or self._walk.place.seq - anchored > 2 * every[0] + _AT_ONCE:
            self._missing.append(f"the checkpoints after seq {anchored} are missing")

    def _see(self, lines: list[bytes]) -> None:
        for line in lines:
            if line.startswith(_TELLING, line.find(TYPE)):
                try:
                    self._hear(line)
                except (msgspec.DecodeError, RecursionError):
                    self._not_ours(line)
        if lines:
            self._last_line = lines[-1]
            self._moments.append(claims(lines[0]))

    def _hear(self, line: bytes) -> None:
        """What the journal tells of itself."""
        if type_of(line) == b"prune":
            self._pruning.hear(line)
        else:
            told = _recovery(line)
            self._noticed = self._noticed or (told.detail if told.what == "tampered" else "")
            self._told.append(f"{told.what} {told.file} {told.detail}".strip())

    def _not_ours(self, line: bytes) -> None:
        """The chain needs no key: what holds in it need not be what the journal would write."""
        found = claims(line) or Claims(0)
        why = "not a record that the journal would write"
        self._walk.faults.append(Fault(self._walk.file, 0, found.seq, found.id, why))

    def _at(self, read: int) -> None:
        self._progress(self._done + read, self._size)

    def _verdict(self, agreeing: list[Checkpoint], openings: Sequence[Opening | None]) -> Verdict:
        walk = self._walk
        anchored = max((note.size for note in agreeing), default=0)
        last = walk.place.seq
        told = claims(self._last_line)
        behind = max(0, last - anchored)
        integrity = Integrity(not walk.faults, walk.good, [_bad(fault) for fault in walk.faults])
        completeness = Completeness(not self._missing, self._first, last, self._missing)
        anchoring = Anchoring(
            anchored > 0, len(agreeing), anchored, behind, told.ts if told else ""
        )
        pruned = sum(
            segment.last - segment.first + 1 for segment in self._pruning.segments.values()
        )
        recoveries = Recoveries(self._told, pruned, self._torn)
        code = TAMPERED if walk.faults else INCOMPLETE if self._missing else OK
        why = f"{walk.good} records hold, {anchored} are covered by checkpoints"
        if walk.faults:
            why = f"tampered: {walk.faults[0]}"
        elif self._missing:
            why = f"incomplete: {self._missing[0]}"
        elif self._noticed:  # what is there holds, and something was there that did not
            code, why = TAMPERED, f"tampered, as the journal itself tells: {self._noticed}"
        return Verdict(code, why, integrity, completeness, anchoring, recoveries)


def _before(found: Opening | None) -> Place:
    """What the first line of a segment says that it builds on."""
    if found is None:
        return BEGINNING
    return Place(found.claims.seq - 1, raw(found.claims.prev) or ZERO)


def _seconds(start: str, end: str) -> float:
    """Between two moments, as records have them."""
    try:
        return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()
    except ValueError:
        return 0.0


def _bad(fault: Fault) -> Bad:
    return Bad(fault.file, fault.why, fault.line, fault.seq, fault.id)


def _unreadable(why: str) -> Verdict:
    return Verdict(
        UNREADABLE,
        why,
        Integrity(False, 0, []),
        Completeness(False, 0, 0, []),
        Anchoring(False, 0, 0, 0),
        Recoveries([], 0, 0),
    )
