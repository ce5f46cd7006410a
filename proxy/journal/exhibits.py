"""What people are shown of a call that waits for them: encrypted, below `data_dir/approvals`.

One file for each request, sealed for that request alone under a key of this folder
(`keys/approvals.key`). It is destroyed when the request is over; a start destroys what belongs to
none. A file that is gone, or cannot be opened, is not shown, and what is not shown is not approved.
"""

import asyncio
import contextlib
import os
import re
import threading
from pathlib import Path

from proxy.clock import Clock
from proxy.journal.disk import Disk, RealDisk, write_whole
from proxy.journal.sealing import (
    Master,
    Trouble,
    new_master,
    opened,
    read_master,
    sealed,
    write_master,
)

FOLDER = "approvals"
_END = ".sealed"
_NAME = re.compile(r"[0-9a-f-]{1,64}")  # an id of ours; a journal that was tampered with has others


class SealedExhibits:
    """Part of Exhibits of the desk (`proxy/state/case.py`)."""

    def __init__(self, data_dir: Path, clock: Clock, disk: Disk | None = None) -> None:
        self._folder = data_dir / FOLDER
        self._key = data_dir / "keys" / "approvals.key"
        self._clock = clock
        self._disk = disk or RealDisk()
        self._master: Master | None = None
        self._making = threading.Lock()

    async def keep(self, name: str, content: bytes, /) -> None:
        """Durable when it is done. Raises OSError."""
        await asyncio.to_thread(self._keep, name, content)

    async def read(self, name: str, /) -> bytes | None:
        """None: there is nothing that can be read."""
        return await asyncio.to_thread(self._read, name)

    def drop(self, name: str, /) -> None:
        """In a thread: a disk that hangs holds nobody up."""
        if _NAME.fullmatch(name):
            _ = self._clock.spawn(asyncio.to_thread(self._drop, name))

    def only(self, names: frozenset[str], /) -> None:
        """What belongs to no request is left of a process that died."""
        _ = self._clock.spawn(asyncio.to_thread(self._only, names))

    def _keep(self, name: str, content: bytes) -> None:
        try:
            secret = self._secret(make=True)
        except Trouble as trouble:
            raise OSError(str(trouble)) from trouble
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._disk, self._path(name), sealed(secret, content, name.encode()))

    def _read(self, name: str) -> bytes | None:
        if not _NAME.fullmatch(name):
            return None
        try:
            content = self._path(name).read_bytes()
            return opened(self._secret(make=False), content, name.encode(), "a call to be shown")
        except (OSError, Trouble):
            return None

    def _secret(self, *, make: bool) -> bytes:
        """Raises FileNotFoundError where there is none and none is to be made, or Trouble."""
        with self._making:  # or the first calls, if they come together, make one each
            if self._master is None:
                try:
                    self._master = read_master(self._key)
                except FileNotFoundError:
                    if not make:
                        raise
                    made = new_master(os.urandom)
                    write_master(self._key, made)
                    self._master = made
            return self._master.secret

    def _drop(self, name: str) -> None:
        with contextlib.suppress(OSError):
            self._path(name).unlink(missing_ok=True)

    def _only(self, names: frozenset[str]) -> None:
        for path in self._folder.glob(f"*{_END}"):
            if path.name.removesuffix(_END) not in names:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{_END}"
