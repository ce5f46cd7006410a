"""Checkpoints: the size and the root of the tree, signed (C2SP tlog-checkpoint).

    holdfast/FLEET/WRITER
    1000
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

    — holdfast/FLEET/WRITER Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeO…

Whoever keeps one of them elsewhere can tell later that the records up to there are those that were
there then. They stand in the file `checkpoints` one after the other, parted by a blank line.
"""

import os
import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from proxy.journal.disk import Appended, Disk, write_all, write_whole
from proxy.journal.folder import Folder
from proxy.journal.notes import BadKey, Note, Signer, Verifier, keys_of, new_signer, read

Anchor = Callable[[str], None]
"""Who takes a checkpoint elsewhere. Called from a thread of the journal; may raise OSError."""

_DASH = "\N{EM DASH} ".encode()
NOTES = re.compile(b"(?<![^\n])(?:(?!%b)[^\n]+\n){1,64}\n(?:%b[^\n]+\n)+\n" % (_DASH, _DASH))
"""What stands in a file of checkpoints. Of so few lines, or a file of nothing but lines would be
gone through once for each of them."""
_NEAR = 1 << 16  # bytes, some 300 notes
_SIZE = re.compile("0|[1-9][0-9]{0,18}")


class Checkpoint(NamedTuple):
    """A tree, as a note says."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """What is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


class Found(NamedTuple):
    """A note that stands in a file of checkpoints."""

    number: int  # in the file, from 1
    checkpoint: Checkpoint | None  # None: it is no checkpoint, or no key of ours signed it


def checkpoint_of(note: Note) -> Checkpoint | None:
    """What a note says of the tree. It may say more, in further lines; None: it says nothing."""
    lines = note.text.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        return None
    try:
        root = b64decode(lines[2], validate=True)
    except (Error, ValueError):
        return None
    return Checkpoint(lines[0], int(lines[1]), root) if len(root) == 32 else None


def believed(whole: str, keys: Iterable[Verifier]) -> Checkpoint | None:
    """The checkpoint of a note that one of the keys signed; None: it is none, or nobody did."""
    note = read(whole)
    return checkpoint_of(note) if note is not None and note.signed_by(keys) else None


def whole_notes(content: bytes) -> tuple[list[str], int]:
    """The notes of a file of checkpoints, and where the last one ends: what follows is torn."""
    found = list(NOTES.finditer(content))
    notes = [match[0][:-1].decode("utf-8", "replace") for match in found]
    return notes, found[-1].end() if found else 0


def read_checkpoints(path: Path, keys: Iterable[Verifier]) -> list[Found]:
    """All of a file, which need not be there. Raises OSError."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return []
    known = tuple(keys)
    notes, _ = whole_notes(content)
    return [Found(n, believed(note, known)) for n, note in enumerate(notes, 1)]


def last_checkpoints(
    path: Path, keys: Iterable[Verifier], within: int = _NEAR
) -> tuple[list[Checkpoint | None], int]:
    """The last ones of a file that may be large, and how many bytes of it are whole notes.

    None stands for one that no key signed. Raises OSError.
    """
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - within)
            file.seek(start)
            notes, size = whole_notes(file.read())
    except FileNotFoundError:
        return [], 0
    known = tuple(keys)
    # Where it was cut there may stand what only looks like a note.
    return [believed(note, known) for note in notes[1 if start else 0 :]], start + size


class CheckpointFile:
    """Where checkpoints are appended."""

    def __init__(self, disk: Disk, path: Path, size: int) -> None:
        """`size`: of the whole notes in it. Raises OSError."""
        self._disk = disk
        self._file = Appended(disk, path, size)
        disk.sync_folder(path.parent)

    @property
    def size(self) -> int:
        """Of the notes that are durable."""
        return self._file.size

    def append(self, note: str) -> None:
        """Durable when it returns. Raises OSError, and may be tried again."""
        if not self._file.sound:
            path, size = self._file.path, self._file.size
            self._file.close()
            there = path.stat().st_size if path.exists() else 0  # it may have been deleted, or cut
            self._file = Appended(self._disk, path, min(size, there))
        self._file.append(note.encode() + b"\n")

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


class FileAnchor:
    """A file elsewhere, on another volume: the checkpoints are appended to it as well.

    Others may append to it too. A note that was torn is parted from the next one.
    """

    def __init__(self, path: Path, disk: Disk) -> None:
        self._path = path
        self._disk = disk

    def __call__(self, note: str) -> None:
        """Raises OSError."""
        file = self._disk.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            torn = _last_bytes(self._path, 2) not in {b"", b"\n\n"}
            write_all(self._disk, file, (b"\n\n" if torn else b"") + note.encode() + b"\n")
            self._disk.sync(file)
        finally:
            self._disk.close(file)


def _last_bytes(path: Path, count: int) -> bytes:
    """Of a file that grows for years: not all of it is read for each note."""
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - count))
        return file.read(count)


def signer_of(folder: Folder, disk: Disk, name: str, chance: Callable[[int], bytes]) -> Signer:
    """The key of the data dir; it is made where there is none. Raises OSError, BadKey."""
    try:
        signer = Signer.parse(folder.secret.read_text("ascii"))
    except (BadKey, UnicodeDecodeError) as error:
        why = error if isinstance(error, BadKey) else "not a secret key: it is no text"
        raise BadKey(f"{folder.secret}: {why}; put it back as it was, or move it away") from None
    except FileNotFoundError:
        signer = new_signer(name, chance)
        write_whole(disk, folder.secret, signer.line().encode() + b"\n")
    return signer


def publish(folder: Folder, disk: Disk, signer: Signer) -> bool:
    """The line of the verifier key stands in its file; those of earlier keys stay. False: it did
    before.

    Raises OSError, and BadKey for a file that holds anything else: it says what is believed.
    """
    line = signer.verifier.line()
    try:
        before = folder.public.read_text("utf-8")
        keys_of(before)
    except FileNotFoundError:
        before = ""
    except ValueError as error:
        raise BadKey(
            f"{folder.public}: {error}; put it back as it was, or move it away: then only what the "
            f"key signs that is in use is believed"
        ) from None
    if line in before.splitlines():
        return False
    parted = before if before.endswith("\n") or not before else f"{before}\n"
    write_whole(disk, folder.public, f"{parted}{line}\n".encode(), 0o644)
    return True
