"""The start: finds where the journal was left, mends what a crash leaves, tells what it cannot be.

A crash leaves, at most: a last line that is not whole (and after the loss of power zeros, where
blocks were promised and never written), a newest segment without any line, files `*.tmp`, a segment
both compressed and not, half a note at the end of the checkpoints. All that is put right without a
word, but for the torn line, which is moved to `*.torn` and told by a `recovery` record.

Anything else that does not hold is tampering. It is told, and the journal goes on in a new segment,
behind the highest `seq` that anything speaks of: a line, the snapshot, or a checkpoint.

So that a start is quick, only the segments from the snapshot on are read, at least the last one.
What stands before them is looked through afterwards, by `keeper.py`.
"""

from collections.abc import Callable, Sequence
from datetime import date
from hashlib import sha256
from typing import Any

import msgspec

from proxy.journal.chain import Place, claims, type_of
from proxy.journal.checkpoint import Checkpoint, last_checkpoints
from proxy.journal.disk import Appended, Disk, write_whole
from proxy.journal.entries import FINISHED, INTENT, Before, Recovery
from proxy.journal.folder import File, Folder
from proxy.journal.lines import Tip
from proxy.journal.merkle import Frontier
from proxy.journal.notes import Verifier
from proxy.journal.reading import Opening, opening_of, torn_at
from proxy.journal.segments import NOTHING, Standing
from proxy.journal.snapshot import Rebuilt, Snapshot, read_snapshot
from proxy.journal.walk import Fault, Walk, limits, segment
from proxy.record import Record

_EPOCH = date(1970, 1, 1).toordinal()
_record = msgspec.json.Decoder(dict[str, Any]).decode
_UNTOLD = dict.fromkeys(
    ("agent", "upstream", "protocol", "layer", "tool", "method", "policy_version"), ""
)
_UNKNOWN = {
    "decision": "allow",
    "outcome": "unknown",
    "executed": "unknown",
    "status": 0,
    "attempts": (),
    "duration_us": 0,
    "overhead_us": 0,
    "detail": "the process ended before the call did",
}


class Recovered:
    """What a start found."""

    def __init__(self, standing: Standing) -> None:
        self.standing = standing
        self.open: dict[str, bytes] = {}
        """Lines of the intents whose calls have no end, by id (`unknown_end`)."""
        self.recoveries: list[Recovery] = []
        """To be written first of all."""
        self.tampered = ""
        """What does not hold, with file, line, seq and id; empty: all does."""
        self.tampered_in = 0
        """The number of the segment after which it was found."""
        self.checkpointed = 0
        """The size of the newest checkpoint."""
        self.replayed = 0
        """Records that were read again for the sake of states."""


def recover(
    folder: Folder,
    disk: Disk,
    keys: Sequence[Verifier],
    rooms: Sequence[Rebuilt],
    name: Callable[[], str],
) -> Recovered:
    """Also has the rooms rebuild their states. `name` makes ids.

    Raises OSError where something can be neither read nor put right.
    """
    for path in folder.leftovers():
        disk.unlink(path)
    files = folder.segments()
    torn = _mend(disk, files[-1], name) if files and not files[-1].closed else []
    while files and not files[-1].closed and files[-1].path.stat().st_size == 0:
        disk.unlink(files.pop().path)  # it was begun, and has no line
    snapshot = read_snapshot(folder, keys)
    replay = Replay(rooms, snapshot)
    end = _End(folder, keys, snapshot)
    end.read(files, replay)
    found = Recovered(end.standing(files))
    found.open, found.replayed = replay.open, replay.count
    found.recoveries = torn
    found.checkpointed = end.checkpointed
    _judge(found, end, snapshot, files, name)
    return found


def unknown_end(intent: bytes) -> Record:
    """The end of a call of which only the intent is known: the line of that, in the journal."""
    told = _record(intent)
    reserved = told.get("reserved_micros", 0)
    return msgspec.convert(
        {
            **_UNTOLD,
            **{name: told[name] for name in Record.__struct_fields__ if name in told},
            **_UNKNOWN,
            "cost_micros": reserved,  # it may have run, and nobody will ever know more
            "cost_estimated": reserved > 0,
        },
        Record,
    )


def _mend(disk: Disk, file: File, name: Callable[[], str]) -> list[Recovery]:
    """A torn end is moved away. If we die in it, it is done again."""
    at = torn_at(file.path)
    if at is None:
        return []
    with file.path.open("rb") as source:
        source.seek(at)
        torn = source.read()
    write_whole(disk, file.path.with_name(f"{file.path.name}.{at}.torn"), torn)
    mended = Appended(disk, file.path, at)
    try:
        mended.sync()
    finally:
        mended.close()
    digest = sha256(torn).hexdigest()
    return [Recovery(name(), "torn", file.path.name, 0, at, len(torn), digest)]


def _judge(
    found: Recovered,
    end: "_End",
    snapshot: Snapshot | None,
    files: Sequence[File],
    name: Callable[[], str],
) -> None:
    """Is it tampering? Once told, it is told at every start while the segment is there."""
    wrong = end.wrong()
    before = snapshot.tampered if snapshot is not None else ""
    if wrong:
        found.tampered, found.tampered_in = str(wrong[0]), found.standing.before.segment
        if found.tampered != before:
            detail = f"{found.tampered} ({len(wrong)} in all)"
            found.recoveries.append(
                Recovery(name(), "tampered", wrong[0].file, wrong[0].line, detail=detail)
            )
    elif snapshot is not None and before and files[0].number <= snapshot.tampered_in:
        found.tampered, found.tampered_in = before, snapshot.tampered_in


class Replay:
    """Has rooms rebuild their states, and finds calls without an end."""

    def __init__(self, rooms: Sequence[Rebuilt], snapshot: Snapshot | None) -> None:
        self.open: dict[str, bytes] = {}
        self.count = 0
        self._seq = 0
        self._rooms = rooms
        self._wanted = {kind.encode() for room in rooms for kind in room.types}
        self._wanted |= {INTENT.encode(), FINISHED.encode()}
        if snapshot is not None:
            self._load(snapshot)

    def lines(self, lines: list[bytes]) -> None:
        """Those that were not seen yet are applied: by the snapshot, or here, where a part of a
        file stands there twice."""
        for line in lines:
            kind = type_of(line)
            if kind in self._wanted:
                told = claims(line)
                if told is not None and told.seq > self._seq:
                    self._seq = told.seq
                    self._apply(line, told.type, told.id)

    def _load(self, snapshot: Snapshot) -> None:
        self._seq = snapshot.seq
        for room in self._rooms:
            state = snapshot.states.get(room.name)
            if state is not None:
                room.load(msgspec.json.decode(state))
        for raw in snapshot.open:
            told = _record(raw)
            self.open[told["id"]] = bytes(raw)
            for room in self._rooms:
                if INTENT in room.types:
                    room.apply(told)

    def _apply(self, line: bytes, kind: str, call: str) -> None:
        self.count += 1
        if kind == INTENT:
            self.open[call] = line
        elif kind == FINISHED:
            self.open.pop(call, None)
        for room in self._rooms:
            if kind in room.types:
                room.apply(_record(line))


class _End:
    """The end of the chain, as the segments, the checkpoints and the snapshot tell it."""

    def __init__(self, folder: Folder, keys: Sequence[Verifier], snapshot: Snapshot | None) -> None:
        self._snapshot = snapshot
        notes, self._notes_size = last_checkpoints(folder.checkpoints, keys)
        self._signed = [note for note in notes if note is not None]
        self._unsigned = len(notes) - len(self._signed)
        self._walk = Walk()
        self._gaps: list[Fault] = []
        self._size = 0
        self._last = NOTHING
        self._day = 0
        known = [checkpoint.size for checkpoint in self._signed]
        self.checkpointed = max(known, default=0)
        self._highest = max([*known, snapshot.seq if snapshot is not None else 0])

    def read(self, files: Sequence[File], replay: Replay) -> None:
        """The segments from the snapshot on; all, where there is none."""
        openings = [opening_of(file) for file in files[self._first(files) :]]
        files = files[len(files) - len(openings) :]
        walk = self._walk
        walk.held = replay.lines
        for n, (file, limit) in enumerate(zip(files, limits(openings), strict=True)):
            if n == 0:
                self._want(openings[0])
            passed = segment(walk, file, openings[n], limit, n > 0, self._at)
            if passed.gap is not None:
                walk.fault(str(passed.gap))
            if passed.torn:
                walk.fault("something stands behind its last line", walk.line + 1)
            self._last = Before(file.number, walk.line, walk.place.hash.hex())
            self._day = _day_of(openings[n])

    def wrong(self) -> list[Fault]:
        """All that a crash does not explain."""
        walk = self._walk
        wrong = [*walk.faults]
        if self._highest > walk.place.seq:
            missing = f"records up to seq {self._highest} were there, and are missing"
            wrong.append(Fault("journal", 0, walk.place.seq + 1, "", missing))
        if self._unsigned:
            why = f"no key of ours signed {self._unsigned} of the last notes"
            wrong.append(Fault("checkpoints", 0, 0, "", why))
        for note in self._signed:
            if not self._agrees(note):
                why = "the records up to here are not those that were signed"
                wrong.append(Fault("journal", 0, note.size, "", why))
        snapshot = self._snapshot
        if snapshot is not None:
            root = snapshot.tip().tree.root()
            if walk.roots.get(snapshot.seq, root) != root:
                why = "the records up to here are not those of the snapshot"
                wrong.append(Fault("journal", 0, snapshot.seq, "", why))
        return wrong

    def standing(self, files: Sequence[File]) -> Standing:
        """Where to go on: in a new segment, where the last one does not hold to its end."""
        whole = not self._walk.faults and self._highest <= self._walk.place.seq
        signed = all(self._agrees(checkpoint) for checkpoint in self._signed)
        goes_on = whole and signed and bool(files) and not files[-1].closed
        tip, lost = self._tip()
        before = self._last
        if self._snapshot is not None and self._snapshot.segment > before.segment:
            before = msgspec.structs.replace(before, segment=self._snapshot.segment)
        return Standing(tip, before, self._size, self._day, goes_on, lost, self._notes_size)

    def _first(self, files: Sequence[File]) -> int:
        if self._snapshot is None:
            return 0
        for number in range(len(files) - 1, -1, -1):
            found = opening_of(files[number])
            if found is not None and found.claims.seq <= self._snapshot.seq + 1:
                return number
        return 0

    def _want(self, found: Opening | None) -> None:
        sizes = [checkpoint.size for checkpoint in self._signed]
        sizes += [self._snapshot.seq] if self._snapshot is not None else []
        begins = found.claims.seq if found is not None else 1
        self._walk.want([size for size in sizes if size >= begins])

    def _agrees(self, checkpoint: Checkpoint) -> bool:
        return self._walk.roots.get(checkpoint.size, checkpoint.root) == checkpoint.root

    def _at(self, size: int) -> None:
        self._size = size

    def _tip(self) -> tuple[Tip, int]:
        """Where leaves are not known, zeros stand for them; so many."""
        walk, snapshot = self._walk, self._snapshot
        highest = max(walk.place.seq, self._highest)
        tree, place = walk.tree, walk.place
        if snapshot is not None and snapshot.seq > (tree.size if tree is not None else 0):
            known = snapshot.tip()
            tree = known.tree
            place = known.place if known.place.seq >= place.seq else place
        tree = tree or Frontier()
        lost = highest - tree.size
        tree.extend(bytes(32) for _ in range(lost))
        return Tip(Place(highest, place.hash), tree), lost


def _day_of(found: Opening | None) -> int:
    """Days since 1970 when the segment was begun."""
    try:
        return date.fromisoformat(found.claims.ts[:10]).toordinal() - _EPOCH if found else 0
    except ValueError:
        return 0
