"""What the journal does to a disk: so little that a test can stand in for it, and die anywhere."""

import errno
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """All that changes something. Every method raises OSError."""

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """A descriptor."""
        ...

    def write(self, file: int, content: bytes | memoryview) -> int:
        """How many bytes were taken."""
        ...

    def truncate(self, file: int, size: int) -> None:
        """Cut off what is behind."""
        ...

    def sync(self, file: int) -> None:
        """Returns when the content would survive the loss of power."""
        ...

    def sync_folder(self, path: Path) -> None:
        """Likewise for the names in a folder."""
        ...

    def close(self, file: int) -> None:
        """Let go of a descriptor."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """In one step, also over a file that is there."""
        ...

    def unlink(self, path: Path) -> None:
        """Delete a file; it need not be there."""
        ...


class RealDisk:
    """The operating system's."""

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        return os.open(path, flags | os.O_CLOEXEC, mode)

    write = staticmethod(os.write)
    truncate = staticmethod(os.ftruncate)
    sync = staticmethod(getattr(os, "fdatasync", os.fsync))  # Macs have no fdatasync
    close = staticmethod(os.close)
    rename = staticmethod(os.replace)

    def sync_folder(self, path: Path) -> None:
        folder = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)


class Changed(OSError):
    """A file is not what we left: somebody else wrote to it, cut it, or deleted it."""


class Appended:
    """A file that only grows. What failed is taken back, so that the next try starts clean.

    Nobody else is to touch it. The kernel takes what is written to a file that was deleted, or that
    another one took the place of, and says that it is durable; so its name and its size are looked
    at before that is believed.
    """

    def __init__(self, disk: Disk, path: Path, size: int) -> None:
        """What stands behind `size` is cut off."""
        self.path = path
        self.size = size  # what counts; there is nothing behind it while `sound`
        self.sound = True
        self._disk = disk
        self._file = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            disk.truncate(self._file, size)
        except OSError:
            disk.close(self._file)
            raise

    def append(self, content: bytes, sync: bool = True) -> None:
        """All or nothing. Raises OSError; after one from `sync`, or Changed, it is not `sound` any
        more.

        The kernel may have dropped what it could not write, and would say at the next try that all
        is well. So nothing more is ever written to such a file. One that was changed stays as it
        is: it is evidence.
        """
        try:
            write_all(self._disk, self._file, content)
            self._look(self.size + len(content))
        except Changed:
            self.sound = False
            raise
        except OSError:
            self._take_back()
            raise
        if sync:
            self.sync()
        self.size += len(content)

    def sync(self) -> None:
        """What was appended would survive the loss of power. Raises OSError as `append` does."""
        try:
            self._disk.sync(self._file)
        except OSError:
            self._take_back()
            self.sound = False
            raise

    def close(self) -> None:
        """Nothing more comes."""
        self._disk.close(self._file)

    def _look(self, size: int) -> None:
        found = os.fstat(self._file)
        try:
            gone = not os.path.samestat(found, os.stat(self.path))
        except FileNotFoundError:
            gone = True
        if gone or found.st_size != size:
            what = "deleted or replaced" if gone else "written to or cut"
            raise Changed(errno.ESTALE, f"{self.path.name} was {what} by somebody else")

    def _take_back(self) -> None:
        try:
            self._disk.truncate(self._file, self.size)
        except OSError:
            self.sound = False


def write_all(disk: Disk, file: int, content: bytes) -> None:
    """However often it takes. Raises OSError, when a part may have been written."""
    left = memoryview(content)
    while left:
        left = left[disk.write(file, left) :]


def write_whole(disk: Disk, path: Path, content: bytes, mode: int = 0o600) -> None:
    """A file with all of its content, or the one that was there before. Raises OSError."""
    made = path.with_name(path.name + ".tmp")
    file = disk.open(made, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        write_all(disk, file, content)
        disk.sync(file)
    finally:
        disk.close(file)
    disk.rename(made, path)
    disk.sync_folder(path.parent)
