"""Disks that fail, die, or forget, as they are told."""

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
