"""Checkpoints of records that retention deleted. They say nothing of what is left, and go as well.

What is left out stands at the beginning of the file, note for note, each signed by a key of ours
and of a tree that ended before the first record that is there. At anything else it ends: a note
that nobody signed stays what it is, a sign of tampering. The tree just before the first record is
named by the first segment as well, so its note stays. So `verify` and proofs come to the same.

It is done when half of the file can go: then each note is copied once, on average, and there are
never more than twice as many as are needed.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from proxy.journal.checkpoint import NOTES, believed
from proxy.journal.disk import Disk, write_all
from proxy.journal.notes import Verifier

_BLOCK = 1 << 16

Pause = Callable[[], bool]
"""Asked between pieces; it may wait. When it says yes, all is left as it was."""


class Cut(NamedTuple):
    """The file of checkpoints without its beginning, up to somewhere."""

    made: Path
    left_out: int  # bytes at the beginning
    upto: int  # bytes that were looked at


def cut(
    disk: Disk, path: Path, size: int, first: int, keys: Sequence[Verifier], pause: Pause
) -> Cut | None:
    """Of the first `size` bytes, which do not change any more; `first`: the seq of the first record
    that is there. None: it is not worth it, or was called off. Raises OSError."""
    left_out = _outdated(path, size, first, keys, pause)
    if not left_out or left_out * 2 < size:
        return None
    made = path.with_name(path.name + ".tmp")
    file = disk.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    try:
        with path.open("rb") as source:
            source.seek(left_out)
            at = left_out
            while piece := source.read(min(_BLOCK, size - at)):
                write_all(disk, file, piece)
                at += len(piece)
                if pause():
                    return None
        disk.sync(file)
    finally:
        disk.close(file)
    return Cut(made, left_out, size)


def finish(disk: Disk, path: Path, found: Cut, size: int) -> None:
    """What was added since then is added, up to `size` bytes: all of it, once it is put in place
    of the file. Raises OSError."""
    with path.open("rb") as source:
        source.seek(found.upto)
        added = source.read(size - found.upto)
    file = disk.open(found.made, os.O_WRONLY | os.O_APPEND)
    try:
        write_all(disk, file, added)
        disk.sync(file)
    finally:
        disk.close(file)


def _outdated(path: Path, size: int, first: int, keys: Sequence[Verifier], pause: Pause) -> int:
    """How many bytes at the beginning can go."""
    at, rest = 0, b""
    with path.open("rb") as file:
        while block := file.read(min(_BLOCK, size - at - len(rest))):
            rest += block
            end = 0
            for match in NOTES.finditer(rest):
                note = believed(match[0][:-1].decode("utf-8", "replace"), keys)
                if match.start() != end or note is None or note.size >= first - 1:
                    return at + end
                end = match.end()
            if pause() or not end:
                return at
            at, rest = at + end, rest[end:]
    return at
