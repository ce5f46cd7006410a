"""Reads segments, compressed or not, in blocks of whole lines."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import msgspec

from proxy.journal.chain import Claims, claims
from proxy.journal.entries import Head
from proxy.journal.folder import File

BLOCK = 1 << 18
"""Bytes read at a time; a line may be longer."""

_PACKED = 1 << 15
_GZIP = 16 + zlib.MAX_WBITS
Unpacking = (EOFError, zlib.error)
"""What is raised where a compressed segment is broken."""


_heads = msgspec.json.Decoder(Head).decode


class Reader:
    """The lines of one segment, without their newlines."""

    def __init__(self, path: Path, block: int = BLOCK) -> None:
        self._path = path
        self._block = block
        self.torn = b""
        """What stood behind the last newline. Only whole when all was read."""
        self.read = 0
        """Bytes of the file that were read, compressed as they are."""

    def blocks(self) -> Iterator[list[bytes]]:
        """Raises OSError, or one of Unpacking."""
        with self._path.open("rb", buffering=0) as file:
            packed = self._path.suffix == ".gz"
            for block in _unpacked(file, self._block) if packed else _plain(file, self._block):
                self.read = file.tell()
                lines = block.split(b"\n")
                lines[0] = self.torn + lines[0]
                self.torn = lines.pop()
                if lines:
                    yield lines


def _plain(file: IO[bytes], block: int) -> Iterator[bytes]:
    while content := file.read(block):
        yield content


def _unpacked(file: IO[bytes], block: int) -> Iterator[bytes]:
    """What gzip packed; a third quicker than its own reader, which takes smaller pieces."""
    unpacker = zlib.decompressobj(_GZIP)
    while packed := unpacker.unconsumed_tail or unpacker.unused_data or file.read(_PACKED):
        if unpacker.eof:  # files of gzip may follow each other
            unpacker = zlib.decompressobj(_GZIP)
        if content := unpacker.decompress(packed, block):
            yield content
    if not unpacker.eof:
        raise EOFError("its end is missing")


def has_line(path: Path) -> bool:
    """Is there one whole line in the file? Raises OSError."""
    return any(Reader(path).blocks())


def torn_at(path: Path) -> int | None:
    """Where the torn end of a segment begins; None: it ends with a whole line. Raises OSError.

    No line holds a zero byte. Where power was lost, one stands for what was never written: the
    line with the first of them is torn, with all behind it.
    """
    whole = at = 0  # the end of the last whole line, and of what was read
    with path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK):
            zero = block.find(b"\0")
            end = block.rfind(b"\n", 0, None if zero < 0 else zero)
            whole = at + end + 1 if end >= 0 else whole
            at += len(block)
            if zero >= 0:
                return whole
    return None if whole == at else whole


class Opening(msgspec.Struct):
    """What the first line of a segment says."""

    head: Head
    claims: Claims


def opening_of(file: File) -> Opening | None:
    """None: it has no first line, or that is no head. Raises OSError."""
    try:
        lines = next(Reader(file.path).blocks(), [b""])
    except Unpacking:
        return None
    return opening(lines[0])


def opening(line: bytes) -> Opening | None:
    """What a first line says; None: it is no head."""
    found = claims(line)
    if found is None or found.type != Head.type:
        return None
    try:
        return Opening(_heads(line), found)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
