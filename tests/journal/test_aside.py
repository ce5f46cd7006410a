"""proxy/journal/aside.py; tests/whole/test_erasures.py has it in the running proxy."""

import asyncio
import threading
from typing import Any

import pytest

from proxy.journal.aside import Aside, Held
from proxy.journal.erasures import BEGUN, Erasure
from proxy.journal.payloads import Payloads, State
from proxy.journal.redaction import rules_of
from proxy.journal.rows import Erased, Places
from proxy.journal.sealing import Trouble
from proxy.journal.taking import Wish
from proxy.reply import Reply
from tests.fakes import FakeBody, FakeClock, make_call
from tests.journal.stored import columns
from tests.observe.records import record

FULL = Wish("full", rules_of(()), 1 << 20)


class Scene:
    """A side store; `notes` is what was noted."""

    def __init__(self, data_dir):
        self.data_dir = data_dir
        self.clock = FakeClock()
        self.notes: list[Any] = []
        self.well = True
        self.heard: list[State] = []
        self.bugs: list[BaseException] = []
        self.aside = Aside(
            data_dir, self.clock, 10, self, heard=self.heard.append, bug=self.bugs.append
        )

    def note(self, entry):
        self.notes.append(entry)

    async def durable(self):
        return self.well

    def call(self, name, task="t-1"):
        call = make_call(body=FakeBody(b"asked"), task=task, agent="ann")
        taking = self.aside.taking(call, FULL)
        assert taking is not None
        self.aside.keep(taking.parcel(call, Reply(0), record(id=name)))

    async def erase(self):
        return await self.aside.erase("task", "t-1", "ann", "case 12", "e1")

    @property
    def stages(self):
        return [note.stage for note in self.notes if isinstance(note, Erasure)]


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.aside.close()


def test_who_keeps_nothing_has_nothing(scene):
    """No folder, no thread, nobody who takes bodies."""
    assert not scene.aside.there
    assert scene.aside.taking(make_call(), FULL) is None
    assert scene.aside.kept == 0
    scene.aside.prune()
    scene.aside.close()
    scene.aside.open()
    assert scene.aside.store is None
    assert not Places(scene.data_dir).folder.exists()


def test_what_is_kept_is_there_when_it_is_closed(scene):
    """Opened once more it is the same."""
    scene.aside.open()
    store = scene.aside.store
    scene.aside.open()
    assert scene.aside.store is store
    scene.call("a")
    scene.aside.close()
    assert [note.id for note in scene.notes] == ["a"]
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["a"]
    assert (scene.aside.there, scene.aside.kept, scene.bugs) == (True, 1, [])


async def test_what_had_ended_is_erased_as_well(scene):
    """Though it was on its way to the store."""
    scene.aside.open()
    scene.call("a")
    scene.call("b", "t-2")
    done = await scene.erase()
    assert (done.stage, done.payloads, done.keys, done.by) == ("done", 1, 1, "ann")
    assert scene.stages == ["begun", "done"]
    scene.aside.close()
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["b"]


async def test_where_nothing_was_kept_nothing_is_erased(scene):
    """That somebody asked is recorded."""
    done = await scene.erase()
    assert (done.payloads, done.keys, scene.stages) == (0, 0, ["begun", "done"])
    assert not scene.aside.there


async def test_without_a_record_nothing_is_erased(scene):
    """The journal cannot be written: what was asked for is not begun."""
    scene.aside.open()
    scene.call("a")
    scene.well = False
    with pytest.raises(Trouble, match="the journal cannot be written"):
        await scene.erase()
    assert (scene.stages, scene.aside.erasures.open) == (["begun", "failed"], {})
    scene.aside.close()
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["a"]


async def test_a_failure_is_recorded_and_told(scene, monkeypatch):
    """No later start does it: what is kept by then is nobody's who asked."""

    def fails(*_: Any, **__: Any) -> Erased:
        raise Trouble("busy", "somebody reads")

    monkeypatch.setattr(Payloads, "erase", fails)
    scene.aside.open()
    with pytest.raises(Trouble, match="somebody reads"):
        await scene.erase()
    assert scene.notes[-1].why == "somebody reads"
    assert (scene.stages, scene.aside.erasures.open) == (["begun", "failed"], {})
    scene.aside.erasures.hear(Erasure("e2", BEGUN, "task", "t-1"))
    await scene.aside.resume()
    assert scene.stages == ["begun", "failed", "failed"]


async def test_who_no_longer_waits_does_not_stop_it(scene, monkeypatch):
    """It ends, and is recorded."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Erased:
        asked.set()
        assert go_on.wait(10)
        return Erased(3, 1)

    monkeypatch.setattr(Payloads, "erase", slow)
    scene.aside.open()
    waits = asyncio.ensure_future(scene.erase())
    await asyncio.to_thread(asked.wait, 10)
    waits.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await waits
    while scene.clock._tasks:
        await asyncio.wait(scene.clock._tasks)
    assert scene.stages == ["begun", "done"]


async def test_a_hold_forbids_it(scene):
    """Also where it began before; nothing is told to be done that was not."""
    (scene.data_dir / "hold").touch()
    with pytest.raises(Held, match="legal hold"):
        await scene.erase()
    assert scene.notes == []
    scene.aside.erasures.hear(Erasure("e2", BEGUN, "task", "t-1"))
    await scene.aside.resume()
    assert scene.stages == ["failed"]
    assert "may be done in part" in scene.notes[0].why


async def test_once_it_is_closed_it_says_so(scene):
    """The process stops while somebody asks."""
    scene.aside.open()
    scene.aside.close()
    scene.aside.store = None
    with pytest.raises(Trouble, match="ask again"):
        await scene.erase()


def test_what_is_too_old_goes_unless_there_is_a_hold(scene):
    """Recorded where there was something."""
    scene.aside.open()
    scene.call("a")
    assert scene.aside._intake is not None
    scene.aside._intake.drained().wait(10)
    assert scene.aside.store.flush()
    scene.clock.advance(12 * 86_400)
    (scene.data_dir / "hold").touch()
    scene.aside.prune()
    assert scene.stages == []
    (scene.data_dir / "hold").unlink()
    scene.aside.prune()
    scene.aside.prune()
    (told,) = (note for note in scene.notes if isinstance(note, Erasure))
    assert (told.what, told.days, told.payloads, told.keys) == ("age", 10, 1, 1)


@pytest.mark.parametrize("kind", ["closed", "full"])
def test_a_prune_that_fails_is_told(scene, monkeypatch, kind):
    """But for that of a store that was just closed."""

    def fails(*_: Any) -> Erased:
        raise Trouble(kind, "it does not go")

    monkeypatch.setattr(Payloads, "prune", fails)
    scene.aside.open()
    if kind == "full":
        with pytest.raises(OSError, match="it does not go"):
            scene.aside.prune()
    else:
        scene.aside.prune()
    assert scene.notes == []
