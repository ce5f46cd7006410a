"""Erasures: what the journal says of payloads that were destroyed, and what a crash left open.

First it is recorded that somebody asked (`begun`, durable), then keys and rows are destroyed, then
it is recorded that it was done. The other way round, a process that dies in between would have
destroyed evidence, and nobody could tell who asked for it, or that it ever was. This way the next
start finds an erasure that began and never ended, and does it again before it serves anybody:
destroying twice what was destroyed once changes nothing, and nothing new was kept meanwhile.

One that fails is recorded as `failed`, so that no later start destroys what was kept after it.

What is too old is destroyed without anybody asking; that it was done is recorded all the same.
While `data_dir/hold` exists (a legal hold) nothing is destroyed.
"""

import asyncio
import os
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from proxy.clock import Clock
from proxy.journal.sealing import Trouble
from proxy.journal.side_store import SideStore
from proxy.protocols.identity import LONGEST
from proxy.record import Noted
from proxy.uuids import uuids

_DAY = 86_400
BEGUN, DONE, FAILED = "begun", "done", "failed"
AGE = "age"
"""What is erased where nobody asked: what is older than it may be."""
NO_SUBJECT = (
    "subject: nothing is kept under a subject: no call says whom it is about, and this version has "
    "no setting that would; erase by task (Holdfast-Task of its calls) or by agent"
)
_HELD = (
    "{hold} is there (a legal hold): nothing is erased or deleted while it is; remove it, if you "
    "may, and ask again"
)
_UNWRITTEN = "the journal cannot be written, and nothing is erased without a record of it"
_DIED = "the process ended before it did; it may be done in part, and {hold} is there now"


class Held(Exception):
    """A legal hold forbids it; the text says where it is."""


def is_no_name(whose: str) -> str:
    """Why nothing can be kept under it; empty: something can."""
    if len(whose) <= LONGEST:
        return ""
    return (
        f"no task or agent has a name of more than {LONGEST} characters, and nothing would be "
        f"erased; of a longer one its calls have the first {LONGEST}: give those"
    )


class Erasure(msgspec.Struct, frozen=True, omit_defaults=True):
    """Payloads are destroyed. Both its lines have one id."""

    id: str
    stage: str  # begun | done | failed
    what: str  # task | agent | age
    whose: str = ""  # the task's or agent's name
    by: str = ""  # who asked, as far as it is known
    reason: str = ""
    payloads: int = -1  # rows that were destroyed
    keys: int = -1
    days: int = 0  # of age: what is older
    why: str = ""  # it failed
    type: ClassVar[str] = "erasure"

    def answer(self) -> dict[str, Any]:
        """What whoever asked is told of it, over the admin API and by the command."""
        return {name: getattr(self, name) for name in ("id", "what", "whose", "payloads", "keys")}


class Erasures:
    """Part of Rebuilt: those that began and have no end yet."""

    name = "erasures"
    types = frozenset({Erasure.type})

    def __init__(self) -> None:
        self.open: dict[str, Erasure] = {}

    def hear(self, entry: Erasure) -> None:
        """It is about to be noted."""
        if entry.stage == BEGUN:
            self.open[entry.id] = entry
        else:
            self.open.pop(entry.id, None)

    def dump(self) -> Any:
        """Part of Rebuilt."""
        return [msgspec.to_builtins(entry) for entry in self.open.values()]

    def load(self, state: Any, /) -> None:
        """Part of Rebuilt."""
        self.open = {entry.id: entry for entry in msgspec.convert(state, list[Erasure])}

    def apply(self, record: dict[str, Any], /) -> None:
        """Part of Rebuilt. Nothing is taken from a line that is no such record."""
        try:
            self.hear(msgspec.convert(record, Erasure))
        except msgspec.ValidationError:
            return


class Eraser:
    """Destroys what is in the side store: when somebody asks, and by age."""

    def __init__(
        self, side_store: SideStore, clock: Clock, noted: Noted, *, hold: Path, days: int
    ) -> None:
        """`hold`: nothing is destroyed while this file is there. `days`: what is older goes."""
        self.erasures = Erasures()
        self._side_store = side_store
        self._clock = clock
        self._noted = noted
        self._hold = hold
        self._days = days
        self._names = uuids(os.urandom)

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

    def prune(self) -> None:
        """Destroy what is too old, and record it. Blocks; always in the same thread. Raises
        OSError."""
        payloads = self._side_store.payloads
        if payloads is None or self._hold.exists():
            return
        try:
            count, keys = payloads.prune(self._clock.wall() - self._days * _DAY)
        except Trouble as trouble:
            if trouble.kind == "closed":  # the process stops; the next one does it
                return
            raise OSError(str(trouble)) from trouble
        if keys:
            name = next(self._names)
            entry = Erasure(name, DONE, AGE, payloads=count, keys=keys, days=self._days)
            self._noted.note(entry)

    async def _erased(self, begun: Erasure) -> Erasure:
        self._say(begun)
        if not await self._noted.durable():
            self._ends(begun, FAILED, why=_UNWRITTEN)
            raise Trouble("journal", _UNWRITTEN)
        done = await self._destroyed(begun)
        await self._noted.durable()
        return done

    async def _destroyed(self, begun: Erasure) -> Erasure:
        destroy = self._side_store.destroy
        try:
            payloads, keys = await asyncio.to_thread(destroy, begun.what, begun.whose)
        except Trouble as trouble:
            self._ends(begun, FAILED, why=str(trouble))
            raise
        return self._ends(begun, DONE, payloads=payloads, keys=keys)

    def _ends(self, begun: Erasure, stage: str, **more: Any) -> Erasure:
        ended = msgspec.structs.replace(begun, stage=stage, **more)
        self._say(ended)
        return ended

    def _say(self, entry: Erasure) -> None:
        """Remembered and noted in one step, so that a snapshot has both or neither."""
        self.erasures.hear(entry)
        self._noted.note(entry)
