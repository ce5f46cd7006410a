"""proxy/journal/erasures.py; tests/whole/test_erasures.py has it in the running proxy."""

import asyncio
import threading
from typing import Any

import msgspec
import pytest

from proxy.journal.erasures import BEGUN, DONE, FAILED, Erasure, Erasures, Held, is_no_name
from proxy.journal.payloads import Payloads
from proxy.journal.rows import Erased
from proxy.journal.sealing import Trouble
from tests.journal.beside import Scene
from tests.journal.stored import columns


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.side_store.close()


def begun(name: str) -> Erasure:
    """One that somebody asked for."""
    return Erasure(name, BEGUN, "task", "t-1", "ann", "case 12")


def test_what_is_longer_than_any_name_is_none():
    """Calls have the beginning of it; whoever erases must say that he means that."""
    assert is_no_name("é" * 128) == ""
    assert "give those" in is_no_name("é" * 129)


def test_what_began_is_open_until_it_ends():
    """However it ended."""
    room = Erasures()
    for name in "abc":
        room.hear(begun(name))
    room.hear(msgspec.structs.replace(begun("a"), stage=DONE, payloads=0, keys=0))
    room.hear(msgspec.structs.replace(begun("b"), stage=FAILED, why="the disk"))
    room.hear(msgspec.structs.replace(begun("d"), stage=DONE))
    assert room.open == {"c": begun("c")}


def test_whoever_asked_is_told_how_much_it_was():
    """Not who asked, nor why: that is in the record."""
    done = msgspec.structs.replace(begun("a"), stage=DONE, payloads=2, keys=1)
    told = {"id": "a", "what": "task", "whose": "t-1", "payloads": 2, "keys": 1}
    assert done.answer() == told


def test_it_is_rebuilt_from_a_snapshot_and_records():
    """As it was; what is no such record changes nothing."""
    before, after = Erasures(), Erasures()
    before.hear(begun("a"))
    before.hear(begun("b"))
    after.load(msgspec.json.decode(msgspec.json.encode(before.dump())))
    after.apply({"id": "a", "stage": "done", "what": "task", "seq": 3, "prev": "00"})
    after.apply({"id": "b", "stage": 7})
    assert after.open == {"b": begun("b")}


def test_its_line_says_what_is_known():
    """Nothing destroyed is a number; what is not known is absent."""
    line = msgspec.json.encode(msgspec.structs.replace(begun("a"), stage=DONE, payloads=0, keys=0))
    assert msgspec.json.decode(line) == {
        "id": "a", "stage": "done", "what": "task", "whose": "t-1", "by": "ann",
        "reason": "case 12", "payloads": 0, "keys": 0,
    }  # fmt: skip
    assert b"payloads" not in msgspec.json.encode(begun("a"))


async def test_what_had_ended_is_erased_as_well(scene):
    """Though it was on its way to the store."""
    scene.side_store.open()
    scene.call("a")
    scene.call("b", "t-2")
    done = await scene.erase()
    # How many keys it was hangs on whether the store's thread had come to write that one.
    assert (done.stage, done.payloads, done.by) == ("done", 1, "ann")
    assert scene.stages == ["begun", "done"]
    scene.side_store.close()
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["b"]


async def test_where_nothing_was_kept_nothing_is_erased(scene):
    """That somebody asked is recorded."""
    done = await scene.erase()
    assert (done.payloads, done.keys, scene.stages) == (0, 0, ["begun", "done"])
    assert not scene.side_store.there


async def test_without_a_record_nothing_is_erased(scene):
    """The journal cannot be written: what was asked for is not begun."""
    scene.side_store.open()
    scene.call("a")
    scene.well = False
    with pytest.raises(Trouble, match="the journal cannot be written"):
        await scene.erase()
    assert (scene.stages, scene.eraser.erasures.open) == (["begun", "failed"], {})
    scene.side_store.close()
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["a"]


async def test_a_failure_is_recorded_and_told(scene, monkeypatch):
    """No later start does it: what is kept by then is nobody's who asked."""

    def fails(*_: Any, **__: Any) -> Erased:
        raise Trouble("busy", "somebody reads")

    monkeypatch.setattr(Payloads, "erase", fails)
    scene.side_store.open()
    with pytest.raises(Trouble, match="somebody reads"):
        await scene.erase()
    assert scene.notes[-1].why == "somebody reads"
    assert (scene.stages, scene.eraser.erasures.open) == (["begun", "failed"], {})
    scene.eraser.erasures.hear(Erasure("e2", BEGUN, "task", "t-1"))
    await scene.eraser.resume()
    assert scene.stages == ["begun", "failed", "failed"]


async def test_who_no_longer_waits_does_not_stop_it(scene, monkeypatch):
    """It ends, and is recorded."""
    asked, go_on = threading.Event(), threading.Event()

    def slow(*_: Any, **__: Any) -> Erased:
        asked.set()
        assert go_on.wait(10)
        return Erased(3, 1)

    monkeypatch.setattr(Payloads, "erase", slow)
    scene.side_store.open()
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
    scene.eraser.erasures.hear(Erasure("e2", BEGUN, "task", "t-1"))
    await scene.eraser.resume()
    assert scene.stages == ["failed"]
    assert "may be done in part" in scene.notes[0].why


def test_what_is_too_old_goes_unless_there_is_a_hold(scene):
    """Recorded where there was something."""
    scene.side_store.open()
    scene.call("a")
    assert scene.side_store._intake is not None
    scene.side_store._intake.drained().wait(10)
    assert scene.side_store.payloads.flush()
    scene.clock.advance(12 * 86_400)
    (scene.data_dir / "hold").touch()
    scene.eraser.prune()
    assert scene.stages == []
    (scene.data_dir / "hold").unlink()
    scene.eraser.prune()
    scene.eraser.prune()
    (told,) = (note for note in scene.notes if isinstance(note, Erasure))
    assert (told.what, told.days, told.payloads, told.keys) == ("age", 10, 1, 1)


@pytest.mark.parametrize("kind", ["closed", "full"])
def test_a_prune_that_fails_is_told(scene, monkeypatch, kind):
    """But for that of a store that was just closed."""

    def fails(*_: Any) -> Erased:
        raise Trouble(kind, "it does not go")

    monkeypatch.setattr(Payloads, "prune", fails)
    scene.side_store.open()
    if kind == "full":
        with pytest.raises(OSError, match="it does not go"):
            scene.eraser.prune()
    else:
        scene.eraser.prune()
    assert scene.notes == []
