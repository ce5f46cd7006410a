"""Where a mirror is in the journal, kept in `data_dir/mirrors/NAME.cursor` over restarts.

The file is replaced in one step, so whatever dies, all of it is there or all of the one before.
With the place stands what the mirror has summed up on its way there (`state`): both are of the same
record. Earlier places are kept as well, close together near the end and further apart before it:
where the end is gone, it goes on from the last one that is not.

A file that makes no sense is set aside as `NAME.cursor.damaged`, for people.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

from proxy.journal.chain import Place
from proxy.journal.disk import Disk, write_whole

FOLDER = "mirrors"
VERSION = 1
_LARGEST = 4 << 20


class Aside(msgspec.Struct, frozen=True):
    """A record that its receiver did not want, however often it was asked."""

    seq: int
    why: str


class Cursor(msgspec.Struct):
    """What is kept of a mirror."""

    kind: str = ""
    target: str = ""  # a digest of where it goes
    seq: int = 0  # of the last record that is done with
    hash: str = ""  # of that record; empty: nobody looked
    marks: list[tuple[int, str]] = []  # earlier ones, the newest last
    aside: list[Aside] = []  # the last ones
    state: Any = None  # what its kind has summed up
    v: int = VERSION

    @property
    def place(self) -> Place:
        """As the journal has it."""
        return Place(self.seq, bytes.fromhex(self.hash))

    @property
    def places(self) -> list[Place]:
        """The earlier ones."""
        return [Place(seq, bytes.fromhex(told)) for seq, told in self.marks]

    def go(self, place: Place) -> None:
        """It is there now. Where it goes back, later marks are none."""
        if self.marks and self.marks[-1][0] >= place.seq:
            self.marks = [mark for mark in self.marks if mark[0] < place.seq]
        self.seq, self.hash = place.seq, place.hash.hex()

    def mark(self) -> None:
        """Where it is now is one of the places to go back to."""
        if self.hash and (not self.marks or self.marks[-1][0] < self.seq):
            self.marks = [*thinned(self.marks, self.seq), (self.seq, self.hash)]


def thinned(marks: Sequence[tuple[int, str]], end: int) -> list[tuple[int, str]]:
    """So many of them that the distance between two is about the distance to the end: of a million
    records some forty are left."""
    kept: list[tuple[int, str]] = []
    for mark in marks:
        while len(kept) >= 2 and 2 * (mark[0] - kept[-2][0]) <= end - mark[0]:
            kept.pop()
        kept.append(mark)
    return kept


class Damaged(Exception):
    """The file makes no sense; the text says where it was put."""


_decode = msgspec.json.Decoder(Cursor).decode


def path_of(data_dir: Path, name: str, ending: str) -> Path:
    """A file of one mirror. Its name may hold a slash, and none may lead elsewhere."""
    return data_dir / FOLDER / f"{name.replace('/', '%2F')}.{ending}"


class CursorFile:
    """The file of one mirror."""

    def __init__(self, data_dir: Path, name: str, disk: Disk) -> None:
        self.path = path_of(data_dir, name, "cursor")
        self._disk = disk

    def read(self) -> Cursor | None:
        """None: there is none. Raises OSError, or Damaged: then it was set aside."""
        try:
            with self.path.open("rb") as file:
                content = file.read(_LARGEST)
        except FileNotFoundError:
            return None
        found = _read(content)
        if found is None:
            aside = self.path.with_name(self.path.name + ".damaged")
            self._disk.rename(self.path, aside)
            raise Damaged(f"{self.path} makes no sense, and was renamed to {aside.name}")
        return found

    def write(self, cursor: Cursor) -> None:
        """Durable when it returns. Raises OSError: then the one before is there."""
        folder = self.path.parent
        if not folder.is_dir():
            folder.mkdir(mode=0o700, exist_ok=True)  # two mirrors may begin at once
            self._disk.sync_folder(folder.parent)
        content = msgspec.json.encode(cursor)
        write_whole(self._disk, self.path, content + b"\n" + _sum(content) + b"\n")

    def clean(self) -> None:
        """What a crash left. Raises OSError."""
        self._disk.unlink(self.path.with_name(self.path.name + ".tmp"))


def _read(content: bytes) -> Cursor | None:
    told, _, tail = content.partition(b"\n")
    try:
        if b64decode(tail.strip(), validate=True) != sha256(told).digest():
            return None
        found = _decode(told)
        _ = found.place, found.places
    except (Error, ValueError):
        return None
    return found if found.v == VERSION and found.seq >= 0 else None


def _sum(content: bytes) -> bytes:
    return b64encode(sha256(content).digest())
