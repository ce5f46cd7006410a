"""The side store at work: opened when it is needed, filled, pruned by age, erased when asked.

It is opened at the start where it is there already, or where a policy keeps payloads. Whoever keeps
none has no thread, no file and no key for it.
"""

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from proxy.call import Call
from proxy.clock import Clock
from proxy.journal.entries import Entry
from proxy.journal.erasures import AGE, BEGUN, DONE, FAILED, Erasure, Erasures
from proxy.journal.folder import Folder
from proxy.journal.sealing import Trouble
from proxy.journal.taking import SPACE, CallTaking, Parcel, Space, Wish
from proxy.uuids import uuids

if TYPE_CHECKING:
    from proxy.journal.intake import Intake
    from proxy.journal.payloads import Payloads, State

DAY = 86_400
_HELD = (
    "{hold} is there (a legal hold): nothing is erased or deleted while it is; remove it, if you "
    "may, and ask again"
)
_UNWRITTEN = "the journal cannot be written, and nothing is erased without a record of it"
_DIED = "the process ended before it did; it may be done in part, and {hold} is there now"


class Noted(Protocol):
    """Where it is recorded what happened."""

    def note(self, entry: Entry, /) -> None:
        """From any thread. Never waits, never raises."""

    def durable(self) -> Awaitable[bool]:
        """On the loop: is all that was noted?"""


class Held(Exception):
    """A legal hold forbids it; the text says where it is."""


class Aside:
    """`open` if it is to be used, `close`. What is in other threads says so."""

    def __init__(
        self,
        data_dir: Path,
        clock: Clock,
        days: int,
        noted: Noted,
        *,
        heard: "Callable[[State], None]",
        bug: Callable[[BaseException], None],
        space: int = SPACE,
    ) -> None:
        """`days`: what is older is deleted. `heard`, `bug`: hear of it in any thread."""
        self.space = Space(space)
        self.erasures = Erasures()
        self._data_dir = data_dir
        self._hold = Folder(data_dir).hold
        self._clock = clock
        self._days = days
        self._noted = noted
        self._heard = heard
        self._bug = bug
        self._names = uuids(os.urandom)
        self._opening = threading.Lock()
        self._closed = False
        self._intake: Intake | None = None
        self.store: Payloads | None = None

    @property
    def there(self) -> bool:
        """Was anything ever kept in this data dir?"""
        return (self._data_dir / "payloads").is_dir()

    @property
    def kept(self) -> int:
        """Calls of which something was kept, since the start."""
        return 0 if self._intake is None else self._intake.kept

    def open(self) -> None:
        """Take the folder, go on with what a crash interrupted. Blocks; in any thread; once more
        does nothing. Raises Trouble."""
        from proxy.journal.intake import Intake  # with SQLite: most data dirs never need it
        from proxy.journal.payloads import Payloads

        with self._opening:
            if self.store is not None or self._closed:
                return
            store = Payloads(self._data_dir, self._clock, heard=self._heard)
            store.open()
            intake = Intake(store, self.space, self._noted.note, self._clock.now, self._bug)
            intake.start()
            self.store, self._intake = store, intake

    def close(self) -> None:
        """All that was taken is written and its records are noted. Blocks. Once more does
        nothing."""
        with self._opening:
            self._closed = True
            if self._intake is not None:
                self._intake.stop()
            if self.store is not None:
                self.store.close()

    # --- calls ---

    def taking(self, call: Call, wish: Wish) -> CallTaking | None:
        """What takes the bodies of a call from here on; None: nothing can be kept."""
        if self._intake is None:
            return None
        return CallTaking(call, wish, self.space, self._clock.now)

    def keep(self, parcel: Parcel) -> None:
        """Its record is noted when it is known what it says. Never waits, never raises."""
        assert self._intake is not None, "who took it was made here"
        self._intake.put(parcel)

    # --- erasing ---

    async def erase(self, what: str, whose: str, by: str, reason: str, name: str) -> Erasure:
        """Destroy what is kept of a task or an agent, and record it, under the id `name`.

        Raises Held, or Trouble: then it may be done in part, and is to be asked for again. Whoever
        no longer waits does not stop it.
        """
        if self._hold.exists():
            raise Held(_HELD.format(hold=self._hold))
        begun = Erasure(name, BEGUN, what, whose, by, reason)
        return await asyncio.shield(self._clock.spawn(self._erased(begun)))

    async def resume(self) -> None:
        """Do what began before the process died, before anybody is served. Never raises Trouble:
        what fails is recorded as such."""
        for begun in list(self.erasures.open.values()):
            if self._hold.exists():
                self._ends(begun, FAILED, why=_DIED.format(hold=self._hold))
                continue
            try:
                await self._destroyed(begun)
            except Trouble:
                continue

    async def _erased(self, begun: Erasure) -> Erasure:
        self._say(begun)
        if not await self._noted.durable():
            self._ends(begun, FAILED, why=_UNWRITTEN)
            raise Trouble("journal", _UNWRITTEN)
        done = await self._destroyed(begun)
        await self._noted.durable()
        return done

    async def _destroyed(self, begun: Erasure) -> Erasure:
        try:
            payloads, keys = await asyncio.to_thread(self._destroy, begun.what, begun.whose)
        except Trouble as trouble:
            self._ends(begun, FAILED, why=str(trouble))
            raise
        return self._ends(begun, DONE, payloads=payloads, keys=keys)

    def _destroy(self, what: str, whose: str) -> tuple[int, int]:
        """In a thread. Calls that have ended are in the store before, and so are erased as well."""
        if not self.there:
            return 0, 0
        self.open()
        store, intake = self.store, self._intake
        if store is None or intake is None:
            raise Trouble("closed", "the process stops; ask again when it runs")
        intake.drained().wait()
        return store.erase(**{what: whose})

    def _ends(self, begun: Erasure, stage: str, **more: Any) -> Erasure:
        ended = msgspec.structs.replace(begun, stage=stage, **more)
        self._say(ended)
        return ended

    def _say(self, entry: Erasure) -> None:
        """Remembered and noted in one step, so that a snapshot has both or neither."""
        self.erasures.hear(entry)
        self._noted.note(entry)

    # --- age ---

    def prune(self) -> None:
        """Destroy what is too old, and record it. Blocks; always in the same thread. Raises
        OSError."""
        store = self.store
        if store is None or self._hold.exists():
            return
        try:
            payloads, keys = store.prune(self._clock.wall() - self._days * DAY)
        except Trouble as trouble:
            if trouble.kind == "closed":  # the process stops; the next one does it
                return
            raise OSError(str(trouble)) from trouble
        if keys:
            name = next(self._names)
            entry = Erasure(name, DONE, AGE, payloads=payloads, keys=keys, days=self._days)
            self._noted.note(entry)
