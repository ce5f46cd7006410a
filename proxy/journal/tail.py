"""Reads records from a place on, a few at a time: for who follows the journal, and keeps his place.

What is read is only what the writer has committed (`upto`), so nobody follows a line that is taken
back. Between two readings the writer may begin a segment, compress one that is being read (what is
open stays readable), or delete it. What is not there any more is a `Hole`, told once; then it goes
on behind it.

The place is a seq and the hash of that record. Where the record has another hash, or is not there,
the journal is not the one that was followed: power was lost with `sync: async`, or an older copy
was put back. Then it goes back to the newest of the earlier places that still holds.
"""

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import BinaryIO, NamedTuple

from proxy.journal.chain import Place, hash_of, raw
from proxy.journal.folder import File, Folder
from proxy.journal.reading import BLOCK, Opening, Unpacking
from proxy.journal.records import blocks_of, first_of

ROOM = 1 << 20
"""Bytes that are read at a time; a line may be longer."""
UNKNOWN = b""
"""The hash of a place whose record nobody looked at; it is taken as it is."""
_SEQ = len(b'{"seq":')


class Hole(NamedTuple):
    """Records that cannot be read, or that were read and are no more."""

    kind: str  # missing: deleted before they were read; rewritten: read, and others by now
    first: int
    last: int


class Read(NamedTuple):
    """Some records in their order, or a hole before the next one."""

    lines: list[bytes]
    hole: Hole | None = None


class _Segment(NamedTuple):
    """One that can be read: its first line says where it stands."""

    file: File
    found: Opening

    @property
    def first(self) -> int:
        """Its first seq."""
        return self.found.claims.seq

    @property
    def before(self) -> Place:
        """The place that it begins behind."""
        return Place(self.first - 1, raw(self.found.claims.prev) or UNKNOWN)


class Tail:
    """Where it is in the journal. In one thread at a time."""

    def __init__(
        self, data_dir: Path, at: Place, marks: Sequence[Place] = (), block: int = BLOCK
    ) -> None:
        """`marks`: earlier places, the newest last."""
        self.at = at
        self.origin = ""
        """`holdfast/FLEET/WRITER`, of the segment that is read."""
        self._marks = marks
        self._folder = Folder(data_dir)
        self._block = block
        self._segment: _Segment | None = None
        self._later: _Segment | None = None  # the next one, once it is there
        self._lines: _Plain | _Packed | None = None

    def more(self, upto: int, most: int, room: int = ROOM) -> Read:
        """At most so many records behind the place, none behind `upto`, none behind one with which
        they have `room` bytes; the place goes along. Raises OSError; then nothing was read."""
        try:
            return self._more(upto, most, room)
        except OSError:
            self.close()
            raise

    def _more(self, upto: int, most: int, room: int) -> Read:
        if self._segment is None or self.at.seq > upto:
            hole = self._find(upto)
            if hole is not None:
                return Read([], hole)
        while self.at.seq < upto and self._segment is not None:
            # First looked for: by then all that counts of the one that is read stands there.
            later = self._next(self._segment)
            limit = upto if later is None else min(upto, later.first - 1)
            read = self._some(limit, most, room)
            if read.lines or read.hole:
                return read
            later = later or self._after(self._segment)
            if later is None:
                break
            hole = self._enter(later)
            if hole is not None:
                return Read([], hole)
        return Read([])

    def close(self) -> None:
        """Nothing more is asked, or it is looked for anew."""
        if self._lines is not None:
            self._lines.close()
        self._lines = self._segment = self._later = None

    # --- in a segment ---

    def _some(self, limit: int, most: int, room: int) -> Read:
        """Nearly always those that come next are in order, and that is seen of all at once."""
        assert self._lines is not None
        ahead = next(self._lines.ahead(), [])[: min(most, limit - self.at.seq)]
        if not in_order(ahead, self.at.seq + 1) or sum(map(len, ahead)) >= room:
            return self._one_by_one(limit, most, room)
        self._lines.passed(ahead)
        self.at = Place(self.at.seq + len(ahead), hash_of(ahead[-1]) or UNKNOWN)
        return Read(ahead)

    def _one_by_one(self, limit: int, most: int, room: int) -> Read:
        assert self._lines is not None
        taken: list[bytes] = []
        seq = self.at.seq
        for line in chain.from_iterable(self._lines.ahead()):
            found = seq_of(line)
            full = len(taken) >= most or room <= 0
            if full or found > limit or (taken and found > seq + 1):
                break
            if found > seq + 1:
                self.at = Place(found - 1, UNKNOWN)
                return Read([], Hole("missing", seq + 1, found - 1))
            self._lines.passed([line])
            if found == seq + 1:
                taken.append(line)
                seq, room = found, room - len(line)
        if taken:
            self.at = Place(seq, hash_of(taken[-1]) or UNKNOWN)
        return Read(taken)

    def _enter(self, segment: _Segment) -> Hole | None:
        self.close()
        self._segment = segment
        self.origin = segment.found.head.origin
        self._lines = _opened(segment.file, self._block)
        if segment.first <= self.at.seq + 1:
            return None
        hole = Hole("missing", self.at.seq + 1, segment.first - 1)
        self.at = segment.before
        return hole

    def _next(self, segment: _Segment) -> _Segment | None:
        """The one with the next number. It is not looked for in the folder: there may be many."""
        if self._later is None:
            number = segment.file.number + 1
            self._later = _read(File(number, self._folder.segment(number)))
        return self._later

    def _after(self, segment: _Segment) -> _Segment | None:
        """The next one that is there, where numbers are missing."""
        files = [each for each in self._folder.segments() if each.number > segment.file.number]
        return next((found for found in map(_read, files) if found is not None), None)

    # --- to find the place ---

    def _find(self, upto: int) -> Hole | None:
        self.close()
        files = self._folder.segments()
        oldest = next((found for found in map(_read, files) if found is not None), None)
        if oldest is None:
            return None
        told = self.at
        if told.seq < oldest.first:
            return self._enter(oldest)
        for place in (told, *reversed(self._marks)):
            if place.seq <= upto and self._holds(place, files):
                self.at = place
                break
        else:
            self.at = oldest.before
            _ = self._enter(oldest)
        if self.at == told:
            return None
        return Hole("rewritten", self.at.seq + 1, told.seq)

    def _holds(self, place: Place, files: list[File]) -> bool:
        """Is the record there? Then what is read next stands behind it."""
        segment = _of(place.seq, files)
        if segment is None:
            return False
        self.at = Place(segment.first - 1, UNKNOWN)
        _ = self._enter(segment)
        assert self._lines is not None
        for line in chain.from_iterable(self._lines.ahead()):
            self._lines.passed([line])
            if seq_of(line) >= place.seq:
                break
        else:
            return False
        return seq_of(line) == place.seq and place.hash in (UNKNOWN, hash_of(line) or UNKNOWN)


def oldest(data_dir: Path) -> Place:
    """The place before the first record that is there. Raises OSError."""
    files = Folder(data_dir).segments()
    found = next((found for found in map(_read, files) if found is not None), None)
    return Place(0, UNKNOWN) if found is None else found.before


class _Plain:
    """The lines of a segment to which some may be added. Nothing is kept of what was not passed:
    a line that is not committed may be taken back, and another one may come there."""

    def __init__(self, file: BinaryIO, block: int) -> None:
        self._file = file
        self._block = block
        self._at = 0

    def ahead(self) -> Iterator[list[bytes]]:
        """Whole lines from here on, some at a time."""
        self._file.seek(self._at)
        rest = b""
        while block := self._file.read(self._block):
            *lines, rest = (rest + block).split(b"\n")
            if lines:
                yield lines

    def passed(self, lines: list[bytes]) -> None:
        """The next ones, as `ahead` gave them, are done with."""
        self._at += sum(map(len, lines)) + len(lines)

    def close(self) -> None:
        """Nothing more is asked."""
        self._file.close()


class _Packed:
    """The lines of a segment that nobody changes any more."""

    def __init__(self, file: File, block: int) -> None:
        self._blocks = blocks_of(file, block)
        self._lines: list[bytes] = []  # the next one last

    def ahead(self) -> Iterator[list[bytes]]:
        """Lines from here on, some at a time."""
        if self._lines:
            yield self._lines[::-1]
        try:
            for lines in self._blocks:
                self._lines = lines[::-1] + self._lines
                yield lines
        except Unpacking:
            return  # what is behind it is missing, as the next segment shows

    def passed(self, lines: list[bytes]) -> None:
        """The next ones, as `ahead` gave them, are done with."""
        del self._lines[-len(lines) :]

    def close(self) -> None:
        """Nothing more is asked."""
        self._lines = []
        self._blocks = iter(())


def _opened(file: File, block: int) -> _Plain | _Packed:
    try:
        if not file.closed:
            return _Plain(file.path.open("rb", buffering=0), block)
    except FileNotFoundError:
        pass  # it is compressed by now
    return _Packed(file, block)


def _read(file: File) -> _Segment | None:
    found = first_of(file)
    return None if found is None else _Segment(file, found)


def _of(seq: int, files: list[File]) -> _Segment | None:
    """The segment that has it: the last one that does not begin behind it. Their first lines rise,
    so few of them are looked at."""
    low, high = 0, len(files)
    best: _Segment | None = None
    while low < high:
        middle = (low + high) // 2
        # One whose first line is broken says nothing: the one before it stands for both.
        known = (_read(file) for file in files[middle::-1])
        found = next((each for each in known if each is not None), None)
        if found is not None and found.first > seq:
            high = middle
        else:
            best, low = found or best, middle + 1
    return best


def in_order(lines: list[bytes], seq: int) -> bool:
    """Are there records, and do their seqs go on one by one from this one?"""
    heads = [b'{"seq":%d,' % each for each in range(seq, seq + len(lines))]
    return bool(lines) and all(map(bytes.startswith, lines, heads))


def seq_of(line: bytes) -> int:
    """Of a record, by its place; 0: it is none."""
    digits = line[_SEQ : line.find(b",")]
    return int(digits) if digits.isdigit() and line.startswith(b'{"seq":') else 0
