"""What becomes of segments that are closed: compressed, and deleted when they are old enough.

Whole segments are deleted, the oldest first, and a signed `prune` record says so before. If the
process dies between the two they are deleted later, with a record that names them again. While
`data_dir/hold` exists (a legal hold) nothing is deleted.
"""

import itertools
import os
import zlib
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import msgspec

from proxy.journal.disk import Disk, write_all
from proxy.journal.entries import Prune, Pruned
from proxy.journal.folder import File, Folder
from proxy.journal.notes import Signer, Verifier, read
from proxy.journal.reading import Opening, opening_of

_entry = msgspec.json.Decoder(Prune).decode
_PIECE = 1 << 18
_GZIP = 31  # zlib's word for a gzip header, in which it leaves the time at zero
_LEVEL = 2
"""Most of what is left are hashes, which nothing makes smaller: at level 6 a record takes 62 bytes
instead of 72, and 4.9 µs instead of 2.0 of the processor that calls run on (2026-11)."""


class Old(NamedTuple):
    """A segment that may be deleted, and how the record names it."""

    file: File
    told: Pruned


def compress(disk: Disk, path: Path, pause: Callable[[], bool]) -> bool:
    """`x.jsonl` to `x.jsonl.gz`, the same bytes each time. Raises OSError.

    `pause` is asked between pieces and may wait; when it says yes all is left as it was.
    """
    made = path.with_name(path.name + ".gz")
    begun = path.with_name(path.name + ".gz.tmp")
    packing = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    file = disk.open(begun, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with path.open("rb") as source:
            while piece := source.read(_PIECE):
                write_all(disk, file, packing.compress(piece))
                if pause():
                    return False
        write_all(disk, file, packing.flush())
        disk.sync(file)
    finally:
        disk.close(file)
    disk.rename(begun, made)
    disk.sync_folder(made.parent)
    disk.unlink(path)
    disk.sync_folder(made.parent)
    return True


def old_segments(folder: Folder, days: int, now: float) -> list[Old]:
    """Those whose last record is older, the oldest first. `now`: seconds since 1970.

    A segment is as old as the first line of the one after it. Raises OSError.
    """
    if folder.hold.exists():
        return []
    try:
        oldest = datetime.fromtimestamp(now, UTC) - timedelta(days=days)
    except (OverflowError, ValueError):  # before the calendar begins: they are kept for ever
        return []
    limit = oldest.strftime("%Y-%m-%dT%H:%M:%S")
    files = folder.segments()
    found: list[Old] = []
    this = opening_of(files[0]) if files else None
    for file, following in itertools.pairwise(files):
        after = opening_of(following)
        if this is None or after is None or after.claims.ts[:19] > limit:
            break
        found.append(Old(file, _told(file, this, after)))
        this = after
    return found


def prune_entry(
    old: Sequence[Old], days: int, origin: str, signer: Signer, name: Callable[[], str]
) -> Prune:
    """The record of what is about to be deleted."""
    segments = tuple(segment.told for segment in old)
    return Prune(name(), segments, days, signer.note(_signed_text(origin, segments)))


def delete(disk: Disk, old: Iterable[Old]) -> None:
    """In order, so that what is left has no gaps. Raises OSError."""
    for segment in old:
        plain = segment.file.path.with_suffix("") if segment.file.closed else segment.file.path
        disk.unlink(plain.with_name(plain.name + ".gz"))
        disk.unlink(plain)
        disk.sync_folder(plain.parent)


class Pruning:
    """What prune records tell, as far as somebody who may signed them."""

    def __init__(self, keys: Sequence[Verifier]) -> None:
        self.segments: dict[int, Pruned] = {}
        self._keys = keys

    def hear(self, line: bytes) -> None:
        """The line of a prune record."""
        for pruned in pruned_by(_entry(line), self._keys):
            self.segments[pruned.segment] = pruned

    def explains(self, file: File, found: Opening) -> bool:
        """Is the first segment that is there the first one that was left?"""
        told = self.segments.get(file.number - 1)
        before = (found.claims.seq - 1, found.claims.prev, found.head.root)
        return found.claims.seq == 1 or (
            told is not None and (told.last, told.hash, told.root) == before
        )


def pruned_by(entry: Prune, keys: Iterable[Verifier]) -> tuple[Pruned, ...]:
    """What a record says was deleted, if one of the keys signed it."""
    note = read(entry.note)
    origin = entry.note.split(" prune\n")[0]
    if note is None or note.text != _signed_text(origin, entry.segments):
        return ()
    return entry.segments if note.signed_by(keys) else ()


def _told(file: File, this: Opening, after: Opening) -> Pruned:
    return Pruned(
        file.number, this.claims.seq, after.claims.seq - 1, after.claims.prev, after.head.root
    )


def _signed_text(origin: str, segments: tuple[Pruned, ...]) -> str:
    """Never like a checkpoint's, whose second line is a number."""
    return f"{origin} prune\nsha256:{sha256(msgspec.json.encode(segments)).hexdigest()}\n"
