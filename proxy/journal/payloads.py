"""The side store: payloads of calls beside the journal, sealed, and made to be forgotten.

The journal holds of a payload its length and its commitment, nothing else (spec 6.1). Where a
policy says `audit.payload: redacted` or `full`, the payload itself is kept here, under a key of its
(task, agent, subject). Erasing destroys the key and the rows. The journal is not touched: its
lines, hashes and proofs are over the commitments and stay as valid as they were; only that nobody
can say any more what a commitment was of, for its salt is gone with the key.

In mode `redacted` the commitment is over what was kept, not over what was sent: over the original
it would let whoever holds the salt try out what was taken out (there are only so many cards).

`keep` is cheap: bodies come redacted, from the thread in `intake.py`. A thread of the store seals,
writes and fsyncs what it was given, in groups. What the disk does not take is held up to a limit;
beyond it payloads are lost, counted and told of, and no call waits for any of this.
"""

import os
import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from proxy.clock import Clock
from proxy.journal.kept import Content, Kept, commitment, fetch, row_of
from proxy.journal.rows import Erased, Places, Rows
from proxy.journal.sealing import Key, Trouble, Who, new_key

ROOM = 32 << 20
"""Bytes that wait for the disk."""
_FRAME = 400  # bytes that an item costs beside its bodies
_KEYS = 4096  # keys at hand
_AT_ONCE = 4 << 20  # bytes in one transaction
_LINGER = 0.02
_RETRY = 1.0
_DAY = 86_400


class Commitments(NamedTuple):
    """What the journal says of the bodies; empty: there is none, or no salt could be kept."""

    request: str = ""
    response: str = ""
    kept: bool = True
    """False: what should have been kept is lost, for the disk takes nothing."""


class PayloadsState(NamedTuple):
    """Can the side store be written?"""

    kind: str = "ok"  # ok | full | busy | disk | damaged | key | closed
    why: str = ""
    lost: int = 0  # payloads, since it was opened


class _Item(NamedTuple):
    key: Key
    record: str  # empty: it is the key that is to be kept
    content: Content | None
    size: int
    number: int  # in the order of coming


class _Job:
    """Something that the thread does for somebody who waits for it."""

    def __init__(self, work: Callable[[Rows], Erased], kind: str = "", name: str = "") -> None:
        self.work = work
        self.kind = kind
        self.name = name
        self.dropped = Erased(0, 0)  # what still waited
        self.after = 0  # what came later is not meant
        self.done = threading.Event()
        self.erased = Erased(0, 0)
        self.failed: Trouble | None = None

    def covers(self, who: Who) -> bool:
        """Is what belongs to them to be erased?"""
        return bool(self.kind) and getattr(who, self.kind) == self.name

    def takes(self, item: _Item) -> bool:
        """Is it one of those?"""
        return item.number <= self.after and self.covers(item.key.who)


class Payloads:
    """`open`, then `keep` as often as there is something, `close`. From any thread."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        *,
        room: int = ROOM,
        heard: Callable[[PayloadsState], None] = lambda state: None,
        rows: Callable[[Places], Rows] = Rows,
    ) -> None:
        """`heard` hears, in the store's thread, of every change of `state.kind`."""
        self._places = Places(data_dir)
        self._open_rows = rows
        self._wall = clock.wall
        self._room = room
        self._heard = heard
        self._state = PayloadsState("closed", "not opened")
        self._wake = threading.Condition()
        self._keys: OrderedDict[Who, Key] = OrderedDict()
        self._pending: deque[_Item] = deque()
        self._jobs: deque[_Job] = deque()
        self._held = self._lost = self._given = self._settled = self._failures = 0
        self._hurry = self._closing = self._failing = False
        self._rows: Rows | None = None
        self._thread = threading.Thread(target=self._run, name="payloads", daemon=True)

    @property
    def state(self) -> PayloadsState:
        """As it is now."""
        return self._state._replace(lost=self._lost)

    def open(self) -> None:
        """Take the folder, go on with what a crash interrupted, begin to write. Raises Trouble."""
        self._rows = self._open_rows(self._places)
        self._state = PayloadsState()
        self._thread.start()

    def close(self) -> None:
        """What was given is written, if it can be. Waits for the disk. Once more does nothing."""
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def keep(
        self, record: str, who: Who, content: Content, sent: bytes | None, answered: bytes | None
    ) -> Commitments:
        """Commit to the bodies of a record, and have them kept. Never waits, never raises.

        A body that is not kept is committed to as it was sent, if that is here. Once for a record:
        what is kept of it again takes the place of the first.
        """
        with self._wake:
            key = self._key(who)
            if key is None:
                self._lost += 1
                return Commitments(kept=False)
            kept = self._keep(key, record, content)
        return Commitments(
            commitment(key, record, "request", sent, content.request),
            commitment(key, record, "response", answered, content.response),
            kept,
        )

    def get(self, record: str) -> Kept | None:
        """What was written of a record. Raises Trouble."""
        return fetch(self._places, record)

    def erase(self, *, task: str = "", agent: str = "", subject: str = "") -> Erased:
        """Destroy rows and keys of exactly one of them, durably. Waits for it.

        Raises Trouble: it may be done in part, call again. What is kept afterwards has a new key.
        """
        names = zip(Who._fields, (task, agent, subject), strict=True)
        given = [(kind, name) for kind, name in names if name]
        if len(given) != 1:
            raise ValueError("erase needs one of task, agent, subject")
        ((kind, name),) = given
        return self._ask(_Job(lambda rows: rows.erase(kind, name, self._between), kind, name))

    def prune(self, before: float) -> Erased:
        """Destroy what is older: of the days (UTC) that ended before `before`, on Clock.wall.

        Waits for it. Raises Trouble.
        """
        return self._ask(_Job(lambda rows: rows.prune(int(before // _DAY), self._between)))

    def flush(self, seconds: float = 60.0) -> bool:
        """Wait until all that was given is durable. False: it is not."""
        with self._wake:
            given, failures, self._hurry = self._given, self._failures, True
            self._wake.notify_all()
            self._wake.wait_for(
                lambda: self._settled >= given or self._failures > failures or self._closed(),
                seconds,
            )
            return self._settled >= given

    # With the lock.

    def _closed(self) -> bool:
        return self._state.kind == "closed"

    def _key(self, who: Who) -> Key | None:
        day = int(self._wall() // _DAY)
        key = self._keys.get(who)
        if key is not None and key.day == day:
            self._keys.move_to_end(who)
            return key
        # Beside the room for payloads there is some for keys, which cost little and are worth more.
        if self._closed() or self._held > self._room + self._room // 4:
            return None
        key = self._keys[who] = new_key(day, who, os.urandom)
        self._queue(key, "", None, _FRAME)
        if len(self._keys) > _KEYS:
            self._keys.popitem(last=False)
        return key

    def _keep(self, key: Key, record: str, content: Content) -> bool:
        bodies = (content.request, content.response)
        size = _FRAME + sum(len(body.content or b"") for body in bodies if body is not None)
        if self._closed() or self._held + size > self._room:
            self._lost += 1
            return False
        self._queue(key, record, content, size)
        return True

    def _queue(self, key: Key, record: str, content: Content | None, size: int) -> None:
        if not self._pending:
            self._wake.notify_all()
        self._given += 1
        self._held += size
        self._pending.append(_Item(key, record, content, size, self._given))

    def _ask(self, job: _Job) -> Erased:
        with self._wake:
            if self._closing or self._rows is None:
                raise Trouble("closed", "the side store is not open")
            for who in [who for who in self._keys if job.covers(who)]:
                del self._keys[who]
            job.after = self._given
            job.dropped = self._drop(job.takes)
            self._jobs.append(job)
            self._wake.notify_all()
        job.done.wait()
        if job.failed is not None:
            raise job.failed
        return _sum(job.erased, job.dropped)

    def _drop(self, unwanted: Callable[[_Item], bool]) -> Erased:
        """Payloads and keys among those that wait."""
        gone = [item for item in self._pending if unwanted(item)]
        if gone:
            self._pending = deque(item for item in self._pending if not unwanted(item))
            self._held -= sum(item.size for item in gone)
            self._settled += len(gone)
        payloads = sum(1 for item in gone if item.record)
        return Erased(payloads, len(gone) - payloads)

    # In the thread.

    def _run(self) -> None:
        why = "a bug"
        try:
            while self._round():
                pass
            why = "closed"
        finally:
            self._end(why)

    def _round(self) -> bool:
        """Do what is next; False: there will be nothing more."""
        with self._wake:
            if not self._jobs and not self._closing:
                if self._failing:
                    self._wake.wait(_RETRY)
                elif not self._pending:
                    self._wake.wait()
                elif not self._hurry:
                    self._wake.wait(_LINGER)
            job = self._jobs[0] if self._jobs else None
            batch = [] if job is not None else self._take()
            closing = self._closing
        if job is not None:
            self._do(job)
            return True
        if batch:
            return self._write(batch) or not closing
        if self._failing and not closing:
            self._try()
        return not closing

    def _take(self) -> list[_Item]:
        batch: list[_Item] = []
        size = 0
        while self._pending and size < _AT_ONCE:
            batch.append(self._pending.popleft())
            size += batch[-1].size
        return batch

    def _do(self, job: _Job) -> None:
        """A job stays on the list until it is done, so that nothing it covers is put back."""
        try:
            job.erased = job.work(self._sound())
            self._change(PayloadsState())
        except Trouble as error:
            job.failed = error
            self._fail(error)
        with self._wake:
            self._jobs.popleft()
        job.done.set()

    def _between(self) -> None:
        """What takes long does not keep others waiting, until there is no room for them."""
        with self._wake:
            batch = self._take()
        if batch:
            self._write(batch)

    def _write(self, batch: list[_Item]) -> bool:
        try:
            keys = [item.key for item in batch if item.content is None]
            rows = [row_of(item.key, item.record, item.content) for item in batch if item.content]
            self._sound().insert(keys, rows)
        except Trouble as error:
            with self._wake:
                self._pending.extendleft(reversed(batch))
                for job in self._jobs:  # asked for since the batch was taken
                    job.dropped = _sum(job.dropped, self._drop(job.takes))
            self._fail(error)
            return False
        with self._wake:
            self._held -= sum(item.size for item in batch)
            self._settled += len(batch)
            self._hurry = self._hurry and bool(self._pending)
            self._wake.notify_all()
        self._change(PayloadsState())
        return True

    def _try(self) -> None:
        """Nothing waits to be written; is all well again?"""
        try:
            self._sound()
        except Trouble as error:
            self._fail(error)
        else:
            self._change(PayloadsState())

    def _sound(self) -> Rows:
        """The database, opened anew after an error. Raises Trouble."""
        assert self._rows is not None
        if self._failing:
            self._rows.reopen()
        return self._rows

    def _fail(self, error: Trouble) -> None:
        with self._wake:
            self._failures += 1
        self._change(PayloadsState(error.kind, str(error)))

    def _change(self, state: PayloadsState) -> None:
        with self._wake:
            before, self._state = self._state, state
            self._failing = state.kind != "ok"
            if self._failing:
                self._wake.notify_all()
        if state.kind != before.kind:
            self._heard(self.state)

    def _end(self, why: str) -> None:
        with self._wake:
            self._closing = True
            self._lost += sum(1 for item in self._pending if item.record)
            self._pending.clear()
            self._state = PayloadsState("closed", why)
            self._keys.clear()
            jobs, self._jobs = list(self._jobs), deque()
            self._wake.notify_all()
        for job in jobs:
            job.failed = Trouble("closed", "the side store was closed meanwhile")
            job.done.set()
        assert self._rows is not None
        self._rows.close()
        if why != "closed":
            self._heard(self.state)


def _sum(one: Erased, other: Erased) -> Erased:
    return Erased(one.payloads + other.payloads, one.keys + other.keys)
