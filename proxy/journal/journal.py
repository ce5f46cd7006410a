"""The journal as the rest of Holdfast holds it: opened, noted into, waited for, stopped."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from uuid import uuid4

import msgspec

from proxy.clock import Clock
from proxy.journal.checkpoint import Anchor, publish, signer_of
from proxy.journal.disk import Disk, RealDisk
from proxy.journal.entries import Entry, Recovery, Start, Stop
from proxy.journal.folder import Folder, Lock
from proxy.journal.keeper import Keeper
from proxy.journal.lines import rfc3339
from proxy.journal.notes import Signer, keys_of
from proxy.journal.outdated import Cut, cut
from proxy.journal.recover import Recovered, recover
from proxy.journal.retention import Old, prune_entry
from proxy.journal.segments import Segments, Terms
from proxy.journal.snapshot import VERSION, Rebuilt, Snapshot, write_snapshot
from proxy.journal.walk import Fault
from proxy.journal.writer import Mark, State, Writer
from proxy.record import Beginnings

Heard = Callable[[str, str], None]
"""Hears, on the loop: a kind (ok, full, stuck, failed, tampered, trouble), and what happened."""

GRACE = 4.0
"""Seconds that a stop may take: with a drain of 25 s, one less than Kubernetes gives."""
_AN_ANSWER = 60.0  # seconds in which a record of what is to be deleted must be durable


async def within(seconds: float, work: Callable[[], None]) -> bool:
    """Was it done by then? In a thread that nobody waits for any longer, also not at the end."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def run() -> None:
        work()
        with contextlib.suppress(RuntimeError):  # the loop is gone by now
            loop.call_soon_threadsafe(done.set_result, None)

    threading.Thread(target=run, name="journal stop", daemon=True).start()
    finished, _ = await asyncio.wait([done], timeout=max(0.0, seconds))
    return bool(finished)


def _nothing() -> None:
    """Nobody counts."""


def _nobody(kind: str, text: str) -> None:
    """Somebody should listen."""


class Journal:
    """`open`, then `start`, `note` as often as there is something, `stop`."""

    def __init__(
        self,
        data_dir: Path,
        terms: Terms,
        clock: Clock,
        *,
        rooms: Sequence[Rebuilt] = (),
        anchors: Sequence[Anchor] = (),
        key: str = "",
        version: str = "",
        heard: Heard = _nobody,
        disk: Disk | None = None,
    ) -> None:
        """`key`: the line of a secret key, instead of the one in the data dir."""
        self.folder = Folder(data_dir)
        self.tampered = ""
        """What does not hold; empty: nothing is known that does not."""
        self._tampered_in = 0
        self._terms = terms
        self._clock = clock
        self._rooms = rooms
        self.counted: Callable[[], None] = _nothing
        """Called before a snapshot: then all rooms have heard of all that was noted."""
        self._anchors = anchors
        self._key = key
        self._version = version
        self._heard = heard
        self._disk = RealDisk() if disk is None else disk
        self._checkpointed = self._snapshotted = 0
        self._checkpoint_at = self._snapshot_at = clock.now()
        self._last_note = ""
        self._shortening = False

    def open(self) -> Recovered:
        """Take the data dir, find where it was left, have the rooms rebuild what they knew.

        Blocks, as long as it takes to read what was written since the last snapshot. Raises
        Locked, BadKey, or OSError.
        """
        self.folder.make()
        self._lock = Lock(self.folder.lock)
        try:
            return self._open()
        except BaseException:
            self._lock.release()
            raise

    def _open(self) -> Recovered:
        terms, disk = self._terms, self._disk
        if self._key:
            self._signer = Signer.parse(self._key)
        else:
            self._signer = signer_of(self.folder, disk, terms.origin, os.urandom)
        added = publish(self.folder, disk, self._signer)
        self._keys = keys_of(self.folder.public.read_text("utf-8"))
        found = recover(self.folder, disk, self._keys, self._rooms, self._name)
        self.tampered, self._tampered_in = found.tampered, found.tampered_in
        self._checkpointed = found.checkpointed
        self._log = Segments(self.folder, disk, self._signer, terms, found.standing, self._name)
        self._writer = Writer(
            self._log,
            self._clock,
            self._name,
            each=terms.sync == "each",
            held=terms.held,
            stuck_seconds=terms.stuck_seconds,
            idle=self._due,
        )
        self._writer.open = dict(found.open)
        self._writer.heard = lambda state: self._heard(state.kind, state.why)
        self._writer.changed = self._changed
        self._recoveries = found.recoveries
        if added and found.standing.tip.place.seq:
            self._recoveries.append(self._other_key())
        self.note = self._writer.note
        """A record, to be written. Never waits, never raises."""
        self.durable = self._writer.durable
        """A future: True when all that was noted is durable, False when it cannot be made so."""
        self._keeper = self._new_keeper()
        self._log.rotated = self._keeper.rotated
        self._keeper.deleted = self._forget
        return found

    def _other_key(self) -> Recovery:
        """Whoever verifies must know why another key signs from here on."""
        name = self._signer.verifier.line().rpartition("+")[0]
        why = f"{name} signs from here on; it was not in the file of verifier keys"
        return Recovery(self._name(), "key", self.folder.public.name, detail=why)

    def _new_keeper(self) -> Keeper:
        return Keeper(
            self.folder,
            self._disk,
            self._anchors,
            keys=self._keys,
            days=self._terms.retention_days,
            wall=self._clock.wall,
            current=lambda: self._log.before.segment,
            record=self._record_of,
            trouble=self._trouble,
            tampered=self._found_tampered,
        )

    @property
    def terms(self) -> Terms:
        """What the settings say."""
        return self._terms

    @property
    def state(self) -> State:
        """Can it be written, and if not, since when and why?"""
        return self._writer.state

    @property
    def held(self) -> int:
        """What is not written yet: more than a moment's worth means that the disk is slow."""
        return self._writer.held

    @property
    def dropped(self) -> int:
        """Records that were lost since the start, because no more could be held."""
        return self._writer.dropped

    @property
    def seq(self) -> int:
        """Of the last record that was written."""
        return self._log.tip.place.seq

    @property
    def checkpointed(self) -> int:
        """The records that the newest checkpoint covers."""
        return self._checkpointed

    async def start(self) -> bool:
        """Write from now on. False: the first records cannot be written yet."""
        for entry in self._recoveries:
            self.note(entry)
        terms = self._terms
        self.relive(Start(self._name(), self._version, os.getpid(), terms.sync))
        # Then only: a thread that found nothing to write would sign nothing for a minute.
        self._writer.start(asyncio.get_running_loop())
        self._keeper.start()
        if self.tampered:
            self._heard("tampered", self.tampered)
        for text in self._doubts():
            self._heard("trouble", text)
        return await self.durable()

    def _doubts(self) -> Iterator[str]:
        """About the keys, at the start."""
        yield from (entry.detail for entry in self._recoveries if entry.what == "key")
        secret = self.folder.secret
        if not self._key and secret.exists() and secret.stat().st_mode & 0o077:
            yield f"others may read {secret}, and sign what they like: chmod 600 it"

    async def stop(self, reason: str = "", grace: float = GRACE) -> bool:
        """All is written, signed, and let go of. False: the disk did not take it, within `grace`
        seconds; then a thread may still wait for the disk, and so the data dir stays taken.
        """
        ends = self._clock.now() + grace
        self.relive(Stop(self._name(), reason))
        self.snapshot()
        written = self._writer.written()
        await asyncio.wait([written], timeout=grace)
        await within((ends - self._clock.now()) / 2, self._keeper.stop)
        self._writer.put(Mark(self._end))
        closed = await within(ends - self._clock.now(), self._writer.join)
        if not closed:
            return False
        if self._last_note:
            left = ends - self._clock.now()
            await within(left, lambda: self._keeper.anchor(self._last_note))
        self._lock.release()
        return written.done() and written.result()

    def relive(self, entry: Entry) -> None:
        """Note it, and have the rooms hear of it as of a record that was there: what they are to
        make of it is the same, now and when they are rebuilt. On the loop."""
        self.note(entry)
        told = msgspec.to_builtins(entry)
        told |= {"type": entry.type, "ts": rfc3339(int(self._clock.wall() * 1e9))}
        for room in self._rooms:
            if entry.type in room.types:
                room.apply(told)

    def beside(self, tidy: Callable[[], None]) -> None:
        """Have this done now, and each time that old segments are deleted, in a thread. After
        `start`. It may raise OSError, which is told."""
        self._keeper.beside = tidy
        self._keeper.later(tidy)

    def asks(self, begun: Beginnings) -> Callable[[], None]:
        """As `Writer.begun`; what comes of it is `Writer.stir`."""
        self._writer.begun = begun
        return self._writer.stir

    def snapshot(self) -> None:
        """Keep what the rooms know now, with all that was noted until now. On the loop."""
        self.counted()
        states = {room.name: msgspec.Raw(msgspec.json.encode(room.dump())) for room in self._rooms}
        self._writer.put(Mark(lambda written: self._keep_states(states, written)))

    def _name(self) -> str:
        """Of an entry, in any thread: a generator, as `uuids` is one, is for one at a time."""
        return str(uuid4())

    # In the writer's thread.

    def _due(self) -> float | None:
        """Checkpoints and snapshots, when it is their time. In how many seconds is the next?"""
        now, seq = self._clock.now(), self.seq
        if seq == self._checkpointed and seq == self._snapshotted:
            self._checkpoint_at = now + self._terms.seconds
            self._snapshot_at = now + self._terms.snapshot_seconds
            return None
        if seq - self._checkpointed >= self._terms.records or now >= self._checkpoint_at:
            self._checkpoint()
        if now >= self._snapshot_at:
            self._snapshot_at = now + self._terms.snapshot_seconds
            self._writer.on_loop(self.snapshot)
        return max(0.0, min(self._checkpoint_at, self._snapshot_at) - now)

    def _checkpoint(self) -> None:
        self._checkpoint_at = self._clock.now() + self._terms.seconds
        seq = self.seq
        if seq == self._checkpointed:
            return
        try:
            note = self._log.checkpoint()
        except OSError as error:
            self._trouble(f"a checkpoint was not written: {error}")
            return
        self._checkpointed = seq
        self._last_note = note
        self._keeper.checkpoint(note)

    def _keep_states(self, states: dict[str, msgspec.Raw], written: bool) -> None:
        if not written:
            return
        tip = self._log.tip
        snapshot = Snapshot(
            v=VERSION,
            seq=tip.place.seq,
            hash=tip.place.hash.hex(),
            frontier=[top.hex() for top in tip.tree.tops()],
            segment=self._log.before.segment,
            states=states,
            open=[msgspec.Raw(line) for line in self._writer.open.values()],
            tampered=self.tampered,
            tampered_in=self._tampered_in,
        )
        try:
            self._log.sync()
        except OSError as error:
            self._trouble(f"a snapshot was not written: {error}")
            return
        self._keeper.later(lambda: self._save(snapshot))

    def _shorten(self, found: Cut) -> None:
        try:
            self._log.shorten(found)
        except OSError as error:
            self._trouble(f"old checkpoints were not deleted: {error}")
        finally:
            self._shortening = False

    def _changed(self, why: str) -> None:
        """Somebody else changed the segment, and it is left."""
        before = self._log.before
        file = self.folder.segment(before.segment).name
        self._found_tampered(Fault(file, before.records, self.seq, "", why))

    def _end(self, written: bool) -> None:
        for _ in range(2):  # once more where only the file of checkpoints was changed
            self._checkpoint()
        with contextlib.suppress(OSError):
            self._log.close()
        self._writer.end()

    # In the keeper's thread.

    def _save(self, snapshot: Snapshot) -> None:
        """A snapshot, while others are committed."""
        try:
            write_snapshot(self.folder, self._disk, snapshot, self._signer)
        except OSError as error:
            self._trouble(f"a snapshot was not written: {error}")
            return
        self._snapshotted = snapshot.seq

    def _record_of(self, old: Sequence[Old]) -> bool:
        """What is about to be deleted is told, durably."""
        terms = self._terms
        entry = prune_entry(old, terms.retention_days, terms.origin, self._signer, self._name)
        answer: SimpleQueue[bool] = SimpleQueue()
        self.note(entry)
        self._writer.put(Mark(answer.put))
        try:
            return answer.get(timeout=_AN_ANSWER)
        except Empty:
            return False

    def _forget(self, first: int) -> None:
        """Checkpoints of records before `first`, which are gone. Raises OSError."""
        path, size = self.folder.checkpoints, self._log.noted
        if self._shortening or not size:
            return
        found = cut(self._disk, path, size, first, self._keys, self._keeper.pause)
        if found is not None:
            self._shortening = True
            self._writer.put(Mark(lambda written: self._shorten(found)))

    def _found_tampered(self, fault: Fault) -> None:
        if not self.tampered:
            self.tampered, self._tampered_in = str(fault), self._log.before.segment
            detail = f"{fault} (found while running)"
            self.note(Recovery(self._name(), "tampered", fault.file, fault.line, detail=detail))
            self._writer.on_loop(lambda: self._heard("tampered", self.tampered))

    # In both.

    def _trouble(self, text: str) -> None:
        self._writer.on_loop(lambda: self._heard("trouble", text))
