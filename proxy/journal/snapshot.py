"""Snapshots: what was remembered up to a record, so that a start reads only what came after it.

A snapshot is signed, because what is rebuilt from it decides (budgets, kill switches). One that is
not ours, or broken, is as good as none: the records are still there.
"""

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from proxy.journal.chain import Place, raw
from proxy.journal.disk import Disk, write_whole
from proxy.journal.folder import Folder
from proxy.journal.lines import Tip
from proxy.journal.merkle import Frontier
from proxy.journal.notes import Signer, Verifier

VERSION = 1


class Rebuilt(Protocol):
    """Who remembers by the journal: its state is a snapshot, and the records after it.

    It changes its state and notes the record in one step of the loop, so that a snapshot has both
    or neither.
    """

    name: str
    types: frozenset[str]
    """Of the records that it wants to see again."""

    def dump(self) -> Any:
        """Its state as JSON has it; no floats where it must be exact. Called on the loop."""
        ...

    def load(self, state: Any, /) -> None:
        """Take a state that `dump` gave. Called before the first `apply`, if at all."""
        ...

    def apply(self, record: dict[str, Any], /) -> None:
        """A record that was noted after the state. Must not raise for what it does not know."""
        ...


class Snapshot(msgspec.Struct, omit_defaults=True):
    """What stands in the file."""

    v: int
    seq: int
    hash: str
    frontier: list[str]
    segment: int
    states: dict[str, msgspec.Raw] = {}
    open: list[msgspec.Raw] = []  # intents whose calls had not ended
    tampered: str = ""
    tampered_in: int = 0  # the segment

    def tip(self) -> Tip:
        """Where the journal stood. ValueError: it makes no sense."""
        tops = [raw(top) for top in self.frontier]
        tree = Frontier(self.seq, [top for top in tops if top is not None])
        return Tip(Place(self.seq, bytes.fromhex(self.hash)), tree)


_decode = msgspec.json.Decoder(Snapshot).decode


def write_snapshot(folder: Folder, disk: Disk, snapshot: Snapshot, signer: Signer) -> None:
    """Instead of the one before, in one step. Raises OSError."""
    content = msgspec.json.encode(snapshot)
    signature = b64encode(signer.sign(content))
    write_whole(disk, folder.snapshot, content + b"\n" + signature + b"\n")


def read_snapshot(folder: Folder, keys: Iterable[Verifier]) -> Snapshot | None:
    """None: there is none that can be believed. Raises OSError if it cannot be read."""
    try:
        content, _, tail = folder.snapshot.read_bytes().partition(b"\n")
    except FileNotFoundError:
        return None
    try:
        signature = b64decode(tail.strip(), validate=True)
        if not any(key.signed(content, signature) for key in keys):
            return None
        found = _decode(content)
        found.tip()
    except (Error, ValueError):
        return None
    return found if found.v == VERSION else None
