"""Where everything is in the data dir, and who may write there: one process."""

import fcntl
import os
import re
import socket
from pathlib import Path
from typing import NamedTuple

_NAME = re.compile(r"([0-9]{8,})\.jsonl(\.gz)?")
CONTROL = "admin.sock"
"""In the data dir: where changes are made while a process has it."""


class Locked(Exception):
    """Another process writes into the data dir; the text says which."""


class File(NamedTuple):
    """A segment's file."""

    number: int
    path: Path

    @property
    def closed(self) -> bool:
        """Is it compressed, so that nothing can be appended?"""
        return self.path.suffix == ".gz"


class Folder:
    """The names in a data dir."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir
        self.journal = data_dir / "journal"
        self.snapshot = self.journal / "snapshot"
        self.checkpoints = data_dir / "checkpoints"
        self.keys = data_dir / "keys"
        self.secret = self.keys / "journal.skey"
        self.public = self.keys / "journal.vkey"
        self.hold = data_dir / "hold"
        self.lock = data_dir / "lock"

    def make(self) -> None:
        """The folders, for the owner only. Raises OSError."""
        for path in (self.path, self.journal, self.keys):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def segment(self, number: int) -> Path:
        """A segment, while it is written."""
        return self.journal / f"{number:08}.jsonl"

    def segments(self) -> list[File]:
        """Those that are there, in order. Of one that is there twice, the one not compressed."""
        if not self.journal.is_dir():
            return []
        found: dict[int, File] = {}
        for path in sorted(self.journal.iterdir(), reverse=True):
            match = _NAME.fullmatch(path.name)
            if match:
                found[int(match[1])] = File(int(match[1]), path)  # .jsonl comes after .jsonl.gz
        return [found[number] for number in sorted(found)]

    def leftovers(self) -> list[Path]:
        """Files that were not finished when the process died."""
        places = (self.journal, self.keys)
        found = [path for place in places if place.is_dir() for path in place.glob("*.tmp")]
        found += self.path.glob(f"{self.checkpoints.name}.tmp")
        return [path for path in found if not path.is_dir()]  # of that we have made none


class Lock:
    """Held while the file is open: the operating system lets go of it however the process ends."""

    def __init__(self, path: Path) -> None:
        """Raises Locked, which says who has it, or OSError."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._take(path)
        except BaseException:
            self.release()
            raise

    def _take(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 500, 0).decode("utf-8", "replace").strip()
            raise Locked(
                f"{path.parent} is in use by {holder or 'another process'}: give each process a "
                f"data dir of its own"
            ) from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)

    def release(self) -> None:
        """Somebody else may write. Once more does nothing."""
        held, self._file = self._file, -1
        if held >= 0:
            os.close(held)
