"""Who this pod is to the others of its fleet: kept in its data dir (`pod.json`).

A pod is its data dir. Its life grows with each start, and is durable before anybody hears of it.
"""

import re
import secrets
import socket
from pathlib import Path

import msgspec

from proxy.journal.disk import Disk, write_whole
from proxy.state.shared.fleet import Pod

FILE = "pod.json"
_LONGEST_NAME = 64
_NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]")


class _Kept(msgspec.Struct):
    id: str
    life: int = 0
    peers: tuple[str, ...] = ()
    epoch: int = 0


class PodFile:
    """`pod` is this process; `peers` are the pods that it has heard of, in this life or before."""

    def __init__(self, data_dir: Path, disk: Disk) -> None:
        """Begins a new life. Raises OSError where that cannot be kept."""
        self._path = data_dir / FILE
        self._disk = disk
        self._kept = _read(self._path) or _Kept(secrets.token_hex(8))  # another pod
        self._kept.life += 1
        self._write()
        name = _NOT_IN_A_NAME.sub("-", socket.gethostname())[:_LONGEST_NAME]
        self.pod = Pod(self._kept.id, self._kept.life, secrets.token_hex(8), name or "-")

    @property
    def peers(self) -> tuple[str, ...]:
        """Those that were met last."""
        return self._kept.peers

    @property
    def epoch(self) -> int:
        """The newest one that it has heard of."""
        return self._kept.epoch

    def meet(self, peers: tuple[str, ...], epoch: int) -> None:
        """These are the fleet now, in this epoch. Blocks. Raises OSError."""
        self._kept.peers, self._kept.epoch = peers, epoch
        self._write()

    def _write(self) -> None:
        write_whole(self._disk, self._path, msgspec.json.encode(self._kept) + b"\n")


def is_kept(data_dir: Path) -> bool:
    """Does it tell which pod it was? Raises OSError."""
    return _read(data_dir / FILE) is not None


def _read(path: Path) -> _Kept | None:
    """None: there is none, or it is cut off."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
