"""Disks that fail, die, or forget, as they are told."""

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from proxy.journal.disk import RealDisk


class QuickDisk(RealDisk):
    """Nothing waits for the disk. What it is asked to do is counted by name in `done`."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def sync(self, file: int) -> None:  # type: ignore[override]
        """Not really."""
        self.done.append("sync")

    def sync_folder(self, path: Path) -> None:
        """Not really."""
        self.done.append("sync_folder")


class Died(BaseException):
    """The process is gone. Nobody catches it, as nobody could."""


class DyingDisk(QuickDisk):
    """Does `steps` things, and dies in the one after: of a write, half is done."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """One step."""
        self._step()
        return super().open(path, flags, mode)

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        """One step, or a half."""
        if self.steps == 0:
            super().write(file, content[: len(content) // 2])
        self._step()
        return super().write(file, content)

    def truncate(self, file: int, size: int) -> None:  # type: ignore[override]
        """One step."""
        self._step()
        super().truncate(file, size)

    def sync(self, file: int) -> None:  # type: ignore[override]
        """One step."""
        self._step()

    def sync_folder(self, path: Path) -> None:
        """One step."""
        self._step()

    def rename(self, old: Path, new: Path) -> None:  # type: ignore[override]
        """One step."""
        self._step()
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        """One step."""
        self._step()
        super().unlink(path)

    def _step(self) -> None:
        if self.steps == 0:
            raise Died
        self.steps -= 1


class PowerlessDisk(DyingDisk):
    """When it dies all is lost that was not synced: bytes, names, and what was deleted is back."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        self._paths: dict[int, Path] = {}
        self._sizes: dict[Path, int] = {}  # that were synced
        self._names: list[tuple[Path, bytes | None]] = []  # what was there before, the last first
        self._lost = False

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """A new name is lost until its folder is synced."""
        there = path.exists()
        file = super().open(path, flags, mode)
        self._paths[file] = path
        if not there:
            self._names.insert(0, (path, None))
        self._sizes.setdefault(path, path.stat().st_size)
        return file

    def sync(self, file: int) -> None:  # type: ignore[override]
        """So much of it stays."""
        super().sync(file)
        self._sizes[self._paths[file]] = self._paths[file].stat().st_size

    def sync_folder(self, path: Path) -> None:
        """Its names stay."""
        super().sync_folder(path)
        self._names = [(name, was) for name, was in self._names if name.parent != path]

    def rename(self, old: Path, new: Path) -> None:  # type: ignore[override]
        """Both names are as they were, until their folder is synced."""
        content, was = old.read_bytes(), new.read_bytes() if new.exists() else None
        super().rename(old, new)
        self._names[:0] = [(new, was), (old, content)]
        self._sizes[new] = self._sizes.pop(old)

    def unlink(self, path: Path) -> None:
        """It comes back, until its folder is synced."""
        content = path.read_bytes() if path.exists() else None
        super().unlink(path)
        if content is not None:
            self._names.insert(0, (path, content))

    def _step(self) -> None:
        if self.steps == 0 and not self._lost:
            self._lost = True
            self._lose()
        super()._step()

    def _lose(self) -> None:
        for path, size in self._sizes.items():
            if path.exists() and path.stat().st_size > size:
                path.write_bytes(path.read_bytes()[:size])
        for path, was in self._names:
            if was is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(was)


class HangingDisk(QuickDisk):
    """Does not answer, from `hang` on and until it is `freed`."""

    def __init__(self) -> None:
        super().__init__()
        self.freed = threading.Event()
        self.freed.set()
        self.hung = threading.Event()  # somebody waits for it

    def hang(self) -> None:
        """From the next thing that should be durable."""
        self.freed.clear()

    def sync(self, file: int) -> None:  # type: ignore[override]
        """As long as it takes."""
        if not self.freed.is_set():
            self.hung.set()
        self.freed.wait()
        super().sync(file)


class FailingDisk(QuickDisk):
    """Fails as it is told: `fails` maps the name of a method to the error that it raises."""

    def __init__(self) -> None:
        super().__init__()
        self.fails: dict[str, OSError] = {}
        self.short = 0  # bytes that the next write takes before it fails

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """Or not."""
        self._may("open")
        return super().open(path, flags, mode)

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        """Or a part, and then not."""
        if self.short:
            taken, self.short = self.short, 0
            return super().write(file, content[:taken])
        self._may("write")
        return super().write(file, content)

    def truncate(self, file: int, size: int) -> None:  # type: ignore[override]
        """Or not."""
        self._may("truncate")
        super().truncate(file, size)

    def sync(self, file: int) -> None:  # type: ignore[override]
        """Or not."""
        self._may("sync")
        super().sync(file)

    def sync_folder(self, path: Path) -> None:
        """Or not."""
        self._may("sync_folder")
        super().sync_folder(path)

    def rename(self, old: Path, new: Path) -> None:  # type: ignore[override]
        """Or not."""
        self._may("rename")
        super().rename(old, new)

    def _may(self, what: str) -> None:
        if what in self.fails:
            raise self.fails[what]


class SmallDisk(QuickDisk):
    """Takes `room` bytes, the last write a part of them. What is cut off or deleted is free again.

    A byte of any file counts, whether or not its block was there already.
    """

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        """As much as there is room for."""
        taken = min(self.room, len(content))
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.room -= taken
        return super().write(file, content[:taken])

    def truncate(self, file: int, size: int) -> None:  # type: ignore[override]
        """There is more room."""
        self.room += os.fstat(file).st_size - size
        super().truncate(file, size)

    def unlink(self, path: Path) -> None:
        """There is more room."""
        self.room += path.stat().st_size if path.exists() else 0
        super().unlink(path)


class ForgetfulDisk(QuickDisk):
    """An fsync that fails as a kernel does it: the next one on that file says that all is well.

    `fails` says of the number of an fsync, from 1, whether it fails; `written`: whether the pages
    got to the disk all the same. Nothing is seen of it before `lose_power`.
    """

    def __init__(self, fails: Callable[[int], bool], written: bool) -> None:
        super().__init__()
        self.fails = fails
        self.written = written
        self.count = 0
        self.touched: list[str] = []
        """Files that were written to, or synced, after they had failed."""
        self._paths: dict[int, Path] = {}
        self._synced: dict[Path, bytes] = {}
        self._failed: dict[Path, bytes] = {}  # what is on the disk

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """What was not there has not failed."""
        if not path.exists():
            self._failed.pop(path, None)
            self._synced.pop(path, None)
        file = super().open(path, flags, mode)
        self._paths[file] = path
        return file

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        """Noted, where it must not be."""
        self._touch(self._paths[file])
        return super().write(file, content)

    def sync(self, file: int) -> None:  # type: ignore[override]
        """Or not."""
        path = self._paths[file]
        self._touch(path)
        self.count += 1
        content = path.read_bytes()
        if self.fails(self.count):
            self._failed[path] = content if self.written else self._synced.get(path, b"")
            raise OSError(errno.EIO, "Input/output error")
        self._synced[path] = content
        super().sync(file)

    def lose_power(self) -> None:
        """The files are what the disk has of them."""
        for path, content in self._failed.items():
            if path.exists():
                path.write_bytes(content)

    def _touch(self, path: Path) -> None:
        if path in self._failed and path.suffix == ".jsonl":
            self.touched.append(path.name)
