"""proxy/journal/side_store.py"""

import pytest

from proxy.journal.rows import Places
from proxy.journal.sealing import Trouble
from tests.fakes import make_call
from tests.journal.beside import FULL, Scene
from tests.journal.stored import columns


@pytest.fixture
def scene(tmp_path):
    made = Scene(tmp_path)
    yield made
    made.side_store.close()


def test_who_keeps_nothing_has_nothing(scene):
    """No folder, no thread, nobody who takes bodies."""
    assert not scene.side_store.there
    assert scene.side_store.taking(make_call(), FULL) is None
    assert scene.side_store.kept == 0
    scene.eraser.prune()
    scene.side_store.close()
    scene.side_store.open()
    assert scene.side_store.payloads is None
    assert not Places(scene.data_dir).folder.exists()


def test_what_is_kept_is_there_when_it_is_closed(scene):
    """Opened once more it is the same."""
    scene.side_store.open()
    store = scene.side_store.payloads
    scene.side_store.open()
    assert scene.side_store.payloads is store
    scene.call("a")
    scene.side_store.close()
    assert [note.id for note in scene.notes] == ["a"]
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["a"]
    assert (scene.side_store.there, scene.side_store.kept, scene.bugs) == (True, 1, [])


def test_what_had_ended_is_destroyed_as_well(scene):
    """Though it was on its way to the store."""
    scene.side_store.open()
    scene.call("a")
    scene.call("b", "t-2")
    payloads, _ = scene.side_store.destroy("task", "t-1")
    assert payloads == 1
    scene.side_store.close()
    assert columns(scene.data_dir, "SELECT record FROM payloads") == ["b"]


def test_once_it_is_closed_it_says_so(scene):
    """The process stops while somebody asks."""
    scene.side_store.open()
    scene.side_store.close()
    scene.side_store.payloads = None
    with pytest.raises(Trouble, match="ask again"):
        scene.side_store.destroy("task", "t-1")
