"""Goes through lines, and names what is wrong: for `verify`, and for the start.

It goes on behind what is wrong, with what the lines claim, so that it is known how much of the
rest still holds. What a line claims is enough for its leaf: a record whose bytes were changed is
named, and the tree, which is over the hashes, stays comparable with what was signed.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from proxy.journal.chain import BEGINNING, Claims, Place, claims, digest_of, follow, raw
from proxy.journal.entries import Head
from proxy.journal.folder import File
from proxy.journal.merkle import Frontier
from proxy.journal.reading import BLOCK, Opening, Reader, Unpacking

if TYPE_CHECKING:
    from proxy.journal.whole import Whole  # with multiprocessing: a proxy at work needs none of it

Progress = Callable[[int], None]
"""Hears how many bytes of a file were read."""


class Fault(NamedTuple):
    """Something that is not as it was written."""

    file: str
    line: int  # from 1; 0: of no line
    seq: int  # 0: it has none
    id: str
    why: str

    def __str__(self) -> str:
        place = f"{self.file} line {self.line}" if self.line else self.file
        record = f", seq {self.seq}" if self.seq else ""
        return f"{place}{record}{f', id {self.id}' if self.id else ''}: {self.why}"


class Gap(NamedTuple):
    """Records that are missing before a segment."""

    first: int
    last: int
    before: int  # the number of the segment

    def __str__(self) -> str:
        count = self.last - self.first + 1
        return f"{count} records are missing before segment {self.before}: seq {self.first} on"


class Passed(NamedTuple):
    """A segment that was gone through."""

    gap: Gap | None
    torn: bytes
    """What stands behind its last line."""


class Walk:
    """Where it is in the chain and in the tree."""

    def __init__(self, place: Place = BEGINNING, tree: Frontier | None = None) -> None:
        self.place = place
        self.tree: Frontier | None = tree or Frontier()
        """None: leaves are missing, and the tree is not known until the next head."""
        self.faults: list[Fault] = []
        self.good = 0
        """Records that hold."""
        self.file = ""
        self.line = 0
        self.roots: dict[int, bytes] = {}
        """The roots that were wanted, by size."""
        self._wanted: list[int] = []
        self.held: Callable[[list[bytes]], None] = lambda lines: None
        """Gets the lines that hold."""

    def want(self, sizes: Sequence[int]) -> None:
        """Roots of these sizes are of interest."""
        self._wanted = sorted({size for size in sizes if size > self.place.seq}, reverse=True)
        if self.tree is not None and self.place.seq in sizes:
            self.roots[self.place.seq] = self.tree.root()

    def enter(self, file: str) -> None:
        """The next lines are those of a file."""
        self.file, self.line = file, 0

    def begin(self, file: File, found: Opening | None, known: bool) -> Gap | None:
        """Into a segment, by its first line. `known`: what stands before it was gone through."""
        self.enter(file.path.name)
        if found is None:
            self.tree = self.tree if known else None
            self.fault("its first line does not say where it belongs", 1)
            return None
        head, seq = found.head, found.claims.seq
        if head.segment != file.number:
            self.fault(f"it is segment {head.segment}", 1, found.claims)
        missing = None
        if not known or seq > self.place.seq + 1:
            missing = Gap(self.place.seq + 1, seq - 1, file.number) if known else None
            self.place = Place(seq - 1, raw(found.claims.prev) or self.place.hash)
            self.tree = None
        tree = _tree_of(head)
        if tree is None or tree.size != seq - 1 or (self.tree and tree.root() != self.tree.root()):
            self.fault("the tree that it names is not that of the records before it", 1)
        elif self.tree is None:
            self.tree = tree
        return missing

    def go(self, lines: list[bytes]) -> None:
        """Through some lines of the file, whole ones without newlines."""
        while lines:
            hashes = follow(lines, self.place)
            self._add(hashes)
            self.held(lines if len(hashes) == len(lines) else lines[: len(hashes)])
            self.good += len(hashes)
            self.line += len(hashes)
            if len(hashes) == len(lines):
                return
            self._stumble(lines[len(hashes)], lines[len(hashes) + 1 :][:1])
            lines = lines[len(hashes) + 1 :]

    def take(self, whole: "Whole") -> bool:
        """The whole file, as somebody else followed it. False: it does not follow from here."""
        if whole.start != self.place or self.line:
            return False
        hashes = whole.each()
        self._add(hashes)
        for lines in whole.seen:
            self.held(lines)
        self.good += len(hashes)
        self.line += len(hashes)
        return True

    def fault(self, why: str, line: int = 0, found: Claims | None = None) -> None:
        """Something is wrong with the file, or with one of its lines."""
        seq, name = (found.seq, found.id) if found is not None else (0, "")
        self.faults.append(Fault(self.file, line, seq, name, why))

    def _stumble(self, line: bytes, after: list[bytes]) -> None:
        """Over a line that does not hold; `after` is the one behind it, if that is known."""
        self.line += 1
        found = claims(line)
        following = claims(after[0]) if after else None
        self.fault(_what_is_wrong(line, found, self.place), self.line, found)
        seq = self.place.seq + 1
        told = raw(following.prev) if following and following.seq == seq + 1 else None
        if found is not None and found.seq == seq:
            told = told or raw(found.hash)
        if told is not None:
            self._add([told])
            return
        self.tree = None
        if found is not None:
            self.place = Place(found.seq, raw(found.hash) or self.place.hash)

    def _add(self, hashes: list[bytes]) -> None:
        if not hashes:
            return
        seq = self.place.seq
        self.place = Place(seq + len(hashes), hashes[-1])
        while self._wanted and self._wanted[-1] <= seq:
            self._wanted.pop()
        if self.tree is None:
            return
        while self._wanted and self._wanted[-1] <= self.place.seq:
            size = self._wanted.pop()
            self.tree.extend(hashes[: size - seq])
            self.roots[size] = self.tree.root()
            hashes, seq = hashes[size - seq :], size
        self.tree.extend(hashes)


def limits(openings: Sequence[Opening | None]) -> list[int]:
    """How many lines of each segment count: all (0), unless the next one says otherwise.

    A segment that could not be made durable is left, and the next one says after how many records.
    What stands behind them is what the disk made of it, and was never acknowledged.
    """
    following = [found.head.before if found is not None else None for found in openings[1:]]
    return [
        *(before.records if before and before.abandoned else 0 for before in following),
        *([0] if openings else []),
    ]


def segment(
    walk: Walk,
    file: File,
    found: Opening | None,
    limit: int,
    known: bool,
    progress: Progress,
    block: int = BLOCK,
    whole: "Whole | None" = None,
) -> Passed:
    """Through a whole segment; `whole`: as somebody else followed it. Raises OSError."""
    gap = walk.begin(file, found, known)
    if whole is not None and walk.take(whole):
        return Passed(gap, b"")
    reader = Reader(file.path, block)
    try:
        for lines in reader.blocks():
            walk.go(lines[: limit - walk.line] if limit else lines)
            progress(reader.read)
            if limit and walk.line >= limit:
                return Passed(gap, b"")
    except Unpacking as error:
        walk.fault(f"cannot be unpacked: {error}", walk.line + 1)
    return Passed(gap, reader.torn)


def _tree_of(head: Head) -> Frontier | None:
    tops = [raw(top) for top in head.frontier]
    try:
        tree = Frontier(head.size, [top for top in tops if top is not None])
    except ValueError:
        return None
    return tree if tree.root().hex() == head.root else None


def _what_is_wrong(line: bytes, found: Claims | None, after: Place) -> str:
    if found is None:
        return "not a record"
    if found.seq != after.seq + 1:
        return f"seq {found.seq} stands where {after.seq + 1} belongs"
    if found.prev != after.hash.hex():
        return "prev is not the hash of the record before it"
    if found.hash != digest_of(line, after.hash).hex():
        return "its hash is not that of its bytes: it was changed"
    return "not written as a record is: the place of a member was changed"
