"""A side store at work, and who destroys what is in it."""

from typing import Any

from proxy.journal.erasures import Eraser, Erasure
from proxy.journal.payloads import PayloadsState
from proxy.journal.redaction import rules_of
from proxy.journal.side_store import SideStore
from proxy.journal.taking import Wish
from proxy.reply import Reply
from tests.fakes import FakeBody, FakeClock, make_call
from tests.observe.records import record

FULL = Wish("full", rules_of(()), 1 << 20)


class Scene:
    """Both; `notes` is what was noted."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.clock = FakeClock()
        self.notes: list[Any] = []
        self.well = True
        self.heard: list[PayloadsState] = []
        self.bugs: list[BaseException] = []
        self.side_store = SideStore(
            data_dir, self.clock, self, heard=self.heard.append, bug=self.bugs.append
        )
        self.eraser = Eraser(self.side_store, self.clock, self, hold=data_dir / "hold", days=10)

    def note(self, entry):
        self.notes.append(entry)

    async def durable(self):
        return self.well

    def call(self, name, task="t-1"):
        call = make_call(body=FakeBody(b"asked"), task=task, agent="ann")
        taking = self.side_store.taking(call, FULL)
        assert taking is not None
        self.side_store.keep(taking.parcel(call, Reply(0), record(id=name)))

    async def erase(self):
        return await self.eraser.erase("task", "t-1", "ann", "case 12", "e1")

    @property
    def stages(self):
        return [note.stage for note in self.notes if isinstance(note, Erasure)]
