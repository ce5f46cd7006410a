"""The way into the side store: a thread that takes secrets out, commits, and notes the record.

A commitment is over what is kept, and stands in the record; so the record of a call whose bodies
are kept is noted when they were looked through. That may take a third of a second for a body that
was made to be hard, and is done here, one call after the other: not on the loop, and not in the
thread that writes the journal, where everybody would wait for it.

An agent may send more than is looked through in time. Then payloads are lost, not records, and no
call waits for long: what has waited for `PATIENCE`, or comes when `MOST` wait, is noted at once and
without commitments; that is counted, and told.
"""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Protocol

from proxy.journal.entries import Entry
from proxy.journal.kept import Content, prepared
from proxy.journal.payloads import Commitments
from proxy.journal.sealing import Who
from proxy.journal.taking import Parcel, Space
from proxy.record import Record

PATIENCE = 1.0
"""Seconds that a record waits for what was there before it."""
MOST = 2_000
"""Calls that wait."""


class Store(Protocol):
    """What is needed of the side store."""

    def keep(
        self,
        record: str,
        who: Who,
        content: Content,
        sent: bytes | None,
        answered: bytes | None,
        /,
    ) -> Commitments:
        """Never waits, never raises."""


class Intake:
    """`start`, `put` as often as there is something, `stop`."""

    def __init__(
        self,
        store: Store,
        space: Space,
        note: Callable[[Entry], None],
        now: Callable[[], float],
        bug: Callable[[BaseException], None],
        most: int = MOST,
    ) -> None:
        """`note` takes records, from any thread; `bug` hears of what must not happen."""
        self._store = store
        self._space = space
        self._note = note
        self._now = now
        self._bug = bug
        self._most = most
        self._queue: SimpleQueue[Parcel | threading.Event | None] = SimpleQueue()
        self._ended = False
        self._lock = threading.Lock()  # nothing is put behind the end
        self._thread = threading.Thread(target=self._run, name="payload intake", daemon=True)
        self.kept = 0
        """Calls of which something was kept."""

    def start(self) -> None:
        """From now on what was put is worked on."""
        self._thread.start()

    def put(self, parcel: Parcel) -> None:
        """Its record will be noted. On the loop; never waits, never raises."""
        with self._lock:
            taken = not self._ended and self._queue.qsize() < self._most
            if taken:
                self._queue.put(parcel)
        if not taken:
            self._lost(parcel, "queue")

    def drained(self) -> threading.Event:
        """Set when all that was put before is done."""
        mark = threading.Event()
        with self._lock:
            if self._ended:
                mark.set()
            else:
                self._queue.put(mark)
        return mark

    def stop(self) -> None:
        """All that was put is done. Waits for it. Once more does nothing."""
        with self._lock:
            self._ended = True
            self._queue.put(None)
        self._thread.join()

    # In the thread.

    def _run(self) -> None:
        while (next_one := self._queue.get()) is not None:
            if isinstance(next_one, threading.Event):
                next_one.set()
            elif self._now() - next_one.at > PATIENCE:
                self._lost(next_one, "late")
            else:
                self._work(next_one)

    def _work(self, parcel: Parcel) -> None:
        try:
            record = self._kept(parcel)
        except Exception as bug:  # the record must not be lost with it
            self._bug(bug)
            self._lost(parcel, "bug")
        else:
            self._done(parcel, record)

    def _kept(self, parcel: Parcel) -> Record:
        asked, sent = prepared(parcel.request, parcel.wish)
        answered, came = prepared(parcel.response, parcel.wish)
        if asked is None and answered is None:
            return parcel.told()
        content = Content(parcel.wish.mode, asked, answered)
        made = self._store.keep(parcel.record.id, parcel.who, content, sent, came)
        if made.kept:
            self.kept += 1
        else:
            self._space.lose("store")
        return parcel.told(made.request, made.response)

    def _lost(self, parcel: Parcel, why: str) -> None:
        self._space.lose(why)
        self._done(parcel, parcel.told())

    def _done(self, parcel: Parcel, record: Record) -> None:
        self._space.give(parcel.held)
        self._note(record)
        parcel.is_noted()
