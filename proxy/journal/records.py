"""Finds records in a journal, also beside the process that writes it.

Nothing is locked, and a block of lines is all that is in memory. What the writer does meanwhile is
no error: a last line that is not whole yet is left out, a segment that is compressed has another
name, one that retention deleted is gone. Whether what is found is what was written, `verify` says.
"""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from proxy.journal.folder import File, Folder
from proxy.journal.reading import BLOCK, Opening, Reader, Unpacking, opening_of
from proxy.journal.walk import limits

Lines = Iterator[list[bytes]]
"""Lines without newlines, some at a time."""
Progress = Callable[[int, int], None]
"""Hears how many bytes of how many were read; of each segment when it was."""


def nobody(read: int, size: int) -> None:
    """Who does not want to hear it."""


class _Part(NamedTuple):
    """A segment as far as it counts."""

    file: File
    found: Opening | None
    limit: int  # lines; 0: all
    size: int  # bytes of the file


class Records:
    """The lines of a journal."""

    def __init__(self, data_dir: Path, block: int = BLOCK, progress: Progress = nobody) -> None:
        self._folder = Folder(data_dir)
        self._block = block
        self._progress = progress
        self.broken: list[str] = []
        """Segments that could not be read to their end, and why. Known when all was read."""

    @property
    def there(self) -> bool:
        """Is there a journal? Raises OSError."""
        return bool(self._folder.segments())

    def origin(self) -> str:
        """`holdfast/FLEET/WRITER`, as the newest segment says; empty: none does. OSError."""
        told = [part.found.head.origin for part in self._parts() if part.found is not None]
        return told[-1] if told else ""

    def oldest_first(self) -> Lines:
        """All lines. Raises OSError."""
        for part in self._counted(self._parts()):
            yield from self._lines(part)

    def newest_first(self) -> Lines:
        """All lines, the last one first. Raises OSError."""
        for part in self._counted(self._parts()[::-1]):
            yield from self._backwards(part)

    def at(self, seq: int) -> bytes | None:
        """The record with that seq. Raises OSError."""
        start = b'{"seq":%d,' % seq
        nearest: list[_Part] = []
        for part in self._parts():
            if part.found is not None and part.found.claims.seq > seq:
                break
            nearest = [part] if part.found is not None else [*nearest, part]
        found = (
            line
            for part in nearest
            for lines in self._lines(part)
            for line in lines
            if line.startswith(start)
        )
        return next(found, None)

    def named(self, name: str) -> Iterator[bytes]:
        """The records with that id: of a call, its intent and its end. Raises OSError."""
        for lines in self.oldest_first():
            yield from with_id(lines, name)

    def _parts(self) -> list[_Part]:
        files = self._folder.segments()
        found = [first_of(file) for file in files]
        parts = zip(files, found, limits(found), map(_size, files), strict=True)
        return [_Part(*part) for part in parts]

    def _counted(self, parts: list[_Part]) -> Iterator[_Part]:
        """The parts, one after the other, and how far that is."""
        size, done = sum(part.size for part in parts), 0
        for part in parts:
            yield part
            done += part.size
            self._progress(done, size)

    def _lines(self, part: _Part) -> Lines:
        try:
            yield from first_lines(blocks_of(part.file, self._block), part.limit)
        except Unpacking as error:
            self.broken.append(f"{part.file.path.name} cannot be unpacked: {error}")

    def _backwards(self, part: _Part) -> Lines:
        if not part.limit and not part.file.closed:
            try:
                with part.file.path.open("rb") as file:
                    yield from from_the_end(file, self._block)
                return
            except FileNotFoundError:
                pass  # it was compressed meanwhile
        with tempfile.TemporaryFile() as copy:
            for lines in self._lines(part):
                copy.writelines(line + b"\n" for line in lines)
            yield from from_the_end(copy, self._block)


class Follower:
    """What is written from now on."""

    def __init__(self, data_dir: Path) -> None:
        """Raises OSError."""
        self._folder = Folder(data_dir)
        self._at = 0  # behind the last whole line that was read
        files = self._folder.segments()
        self._number = files[-1].number if files else 0
        self._file = _opened(files[-1]) if files else None
        if self._file is not None:
            self._at = _end_of_lines(self._file, BLOCK)

    def more(self) -> Lines:
        """What is new since the last time. Raises OSError."""
        while True:
            # First looked for: what is written before the next one is begun is there by then.
            later = [file for file in self._folder.segments() if file.number > self._number]
            yield from self._grown()
            if not later:
                return
            self.close()
            self._number, self._at = later[0].number, 0
            self._file = _opened(later[0])
            if self._file is None:
                yield from blocks_of(later[0], BLOCK)

    def close(self) -> None:
        """Nothing more is asked."""
        if self._file is not None:
            self._file.close()
        self._file = None

    def _grown(self) -> Lines:
        if self._file is None:
            return
        # What was half written when the disk was full was taken back.
        self._at = min(self._at, self._file.seek(0, os.SEEK_END))
        self._file.seek(self._at)
        rest = b""
        while block := self._file.read(BLOCK):
            *lines, rest = (rest + block).split(b"\n")
            self._at += sum(map(len, lines)) + len(lines)
            if lines:
                yield lines


def _opened(file: File) -> BinaryIO | None:
    """None: it is compressed, by now at least, and nothing is added to it."""
    try:
        return None if file.closed else file.path.open("rb")
    except FileNotFoundError:
        return None


def first_of(file: File) -> Opening | None:
    """What its first line says, also where it is compressed meanwhile. None: nothing, or nothing is
    there. Raises OSError."""
    for each in _names(file):
        try:
            return opening_of(each)
        except FileNotFoundError:
            continue
    return None


def _size(file: File) -> int:
    try:
        return file.path.stat().st_size
    except FileNotFoundError:
        return 0


def blocks_of(file: File, block: int) -> Lines:
    """Its lines, also where it is compressed meanwhile. Raises OSError, or one of Unpacking."""
    for each in _names(file):
        try:
            yield from Reader(each.path, block).blocks()
        except FileNotFoundError:
            continue
        return


def _names(file: File) -> list[File]:
    """Of a segment, now and when it is compressed."""
    packed = file.path.with_name(f"{file.number:08}.jsonl.gz")
    return [file] if file.closed else [file, File(file.number, packed)]


def first_lines(blocks: Lines, limit: int) -> Lines:
    """So many of the lines; 0: all."""
    left = limit
    for lines in blocks:
        yield lines[:left] if left else lines
        if left and left <= len(lines):
            return
        left = left and left - len(lines)


def with_id(lines: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Those whose record has that id: it stands behind `seq`."""
    start = b'"id":%b,' % msgspec.json.encode(name)
    for line in lines:
        if line.startswith(start, line.find(b",") + 1):
            yield line


def from_the_end(file: BinaryIO, block: int) -> Lines:
    """The whole lines of a file, the last one first."""
    at = _end_of_lines(file, block) - 1  # without the last newline
    rest = b""
    while at > 0:
        start = max(0, at - block)
        file.seek(start)
        lines = (file.read(at - start) + rest).split(b"\n")
        rest = lines.pop(0) if start else b""
        yield lines[::-1]
        at = start


def _end_of_lines(file: BinaryIO, block: int) -> int:
    """Where the last whole line ends; 0: there is none."""
    at = file.seek(0, os.SEEK_END)
    while at:
        start = max(0, at - block)
        file.seek(start)
        end = file.read(at - start).rfind(b"\n")
        if end >= 0:
            return start + end + 1
        at = start
    return 0
