"""What waits to be told, on disk: a file that grows, and is written anew when it is mostly old.

Each line is a checksum (CRC-32, eight hex digits), a space and JSON. A crash may cut off the last
line: it is left out. Any other line that is not what was written is damage: the file is moved aside
and what can be read of it is kept. Nothing here waits for a moment that a clock tells, so a clock
that jumped does no harm.
"""

import contextlib
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TypeAlias

import msgspec

from proxy.journal.disk import Appended, Disk, write_whole
from proxy.observe.alerts.notice import Notice

FILE = "queue"
DAMAGED = "queue.damaged"
LARGEST = 64 << 20
"""Bytes that are read of it. It has some 20 MiB at most, unless somebody else wrote to it."""
REMEMBERED = 2_000
"""Ids of notices that do not wait any more, and are told no second time."""


class Waits(msgspec.Struct, frozen=True, tag="waits", omit_defaults=True):
    """A notice is to be told."""

    notice: Notice


class Done(msgspec.Struct, frozen=True, tag="done"):
    """It is told, or is not to be told any more."""

    id: str


class Off(msgspec.Struct, frozen=True, tag="off"):
    """A receiver wants to hear nothing any more, as it is written now."""

    receiver: str
    written: str  # a digest of how it is written; empty: it is told again
    why: str = ""


Entry: TypeAlias = Waits | Done | Off
_decode = msgspec.json.Decoder(Entry).decode
_encode = msgspec.json.Encoder().encode


class Found(msgspec.Struct):
    """What a file says."""

    waits: dict[str, Notice] = {}  # by id, in the order of sending
    done: dict[str, None] = {}  # ids, the oldest first
    off: dict[str, Off] = {}  # by receiver
    damaged: int = 0  # lines that are not what was written

    def take(self, entry: Entry) -> None:
        """One more line."""
        if isinstance(entry, Waits):
            self.waits[entry.notice.id] = entry.notice
        elif isinstance(entry, Done):
            self.waits.pop(entry.id, None)
            self.done[entry.id] = None
            if len(self.done) > REMEMBERED:
                del self.done[next(iter(self.done))]
        elif entry.written:
            self.off[entry.receiver] = entry
        else:
            self.off.pop(entry.receiver, None)


class QueueFile:
    """`read` once, then `append` and `rewrite`; from one thread. All raise OSError."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder
        self._path = folder / FILE
        self._disk = disk
        self._file: Appended | None = None
        self._unread = False  # there is one that could not be read

    def read(self) -> Found:
        """What is there. A damaged file is moved aside; only the newest such is kept."""
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True)
            self._disk.sync_folder(self._folder.parent)
        try:
            with self._path.open("rb") as file:
                content = file.read(LARGEST)
                rest = bool(file.read(1))
        except FileNotFoundError:
            return Found()
        except OSError:
            self._unread = True
            raise
        found, size = _read(content)
        found.damaged += rest
        if found.damaged:
            self._move_aside()
        else:
            self._file = Appended(self._disk, self._path, size)
        return found

    @property
    def size(self) -> int:
        """Bytes; 0: it must be written anew before something is appended."""
        return 0 if self._file is None or not self._file.sound else self._file.size

    def append(self, entries: Iterable[Entry]) -> None:
        """All of it is durable, or nothing was written."""
        assert self._file is not None  # size said so
        self._file.append(_lines(entries))

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """These, and nothing else; or what was there before."""
        content = _lines(entries)
        self.close()
        if self._unread:
            self._move_aside()
            self._unread = False
        write_whole(self._disk, self._path, content)
        self._file = Appended(self._disk, self._path, len(content))

    def _move_aside(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._disk.rename(self._path, self._path.with_name(DAMAGED))

    def close(self) -> None:
        """Nothing more comes."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _lines(entries: Iterable[Entry]) -> bytes:
    return b"".join(_line(_encode(entry)) for entry in entries)


def _line(content: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(content), content)


def _read(content: bytes) -> tuple[Found, int]:
    """What it says, and how much of it counts: what a crash cut off does not."""
    found, bad = Found(), 0
    lines = content.split(b"\n")
    torn = lines.pop()
    for line in lines:
        entry = _entry(line)
        if entry is None:
            bad += 1
        else:
            found.take(entry)
    found.damaged = bad
    return found, len(content) - len(torn)


def _entry(line: bytes) -> Entry | None:
    checksum, _, content = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(content):
        return None
    try:
        entry: Entry = _decode(content)
    except msgspec.DecodeError:  # by a version that is newer than this one
        return None
    return entry
