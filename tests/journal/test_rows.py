"""Rows of the side store: there when they were said to be, gone when they were said to be."""

import os
import sqlite3
import stat

import pytest

from proxy.journal.lookup import find
from proxy.journal.rows import Erased, Places, Rows, told
from proxy.journal.sealing import Trouble, new_master, write_master
from tests.journal.stored import columns, found_in, key_of, row_of, written


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path)


@pytest.fixture
def rows(places):
    made = Rows(places)
    yield made
    made.close()


@pytest.mark.parametrize(("kind", "name"), [("task", "t"), ("agent", "a"), ("subject", "s")])
def test_erasing_leaves_nothing_behind(rows, places, tmp_path, kind, name):
    """Not in the database, its free pages or its log; what is of others stays."""
    for number in range(50):
        written(rows, record=f"r{number}", content=b"x" * 9000)
    written(rows, "t2", "a2", "s2", "other")
    sealed = columns(
        tmp_path, "SELECT substr(sealed, 100, 40) FROM payloads WHERE record != 'other'"
    )
    wrapped = columns(tmp_path, "SELECT wrapped FROM keys")

    assert rows.erase(kind, name) == Erased(50, 50)

    kept = columns(tmp_path, "SELECT wrapped FROM keys")
    assert len(kept) == 1
    assert [found_in(tmp_path, content) for content in sealed] == [[]] * 50
    assert [found_in(tmp_path, key) for key in wrapped if key not in kept] == [[]] * 50
    assert find(places, "r1") is None
    assert find(places, "other") is not None


def test_who_is_not_known_is_erased_by_nobody(rows, places):
    """An empty task is not a task."""
    written(rows, task="")

    assert rows.erase("task", "") == Erased(0, 0)
    assert find(places, "r1") is not None


def test_names_are_nowhere_to_be_read(rows, tmp_path):
    """Neither payload nor task, agent or subject."""
    written(rows, "task-of-jane", "agent-7", "jane@example.com")

    for text in (b"task-of-jane", b"agent-7", b"jane@example.com", b"hunter2"):
        assert found_in(tmp_path, text) == []


def test_pruning_takes_days(rows, places, tmp_path):
    """Those before; the space is given back."""
    for day in (1, 2, 3):
        written(rows, record=f"r{day}", content=b"x" * 200_000, day=day)
    rows.prune(1)
    before = places.database.stat().st_size

    assert rows.prune(3) == Erased(2, 2)

    assert [find(places, f"r{day}") is None for day in (1, 2, 3)] == [True, True, False]
    assert places.database.stat().st_size < before / 2


def test_a_reader_in_the_way_is_told_of(rows, places, monkeypatch):
    """What was erased is unreadable, but copies are left in the log; the next try takes them."""
    monkeypatch.setattr("proxy.journal.rows.PATIENCE", 0.0)
    rows.reopen()
    written(rows)
    reader = sqlite3.connect(places.database, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM keys").fetchall()

    with pytest.raises(Trouble) as trouble:
        rows.erase("task", "t")
    assert trouble.value.kind == "busy"
    assert find(places, "r1") is None
    rows.reopen()  # what is left to do is no obstacle

    reader.close()
    assert rows.erase("task", "t") == Erased(0, 0)
    assert places.database.with_name("payloads.db-wal").stat().st_size == 0


def test_a_second_process_is_told(rows, places):
    """One writes; it is not waited for."""
    with pytest.raises(Trouble, match="in use by another process") as trouble:
        Rows(places)
    assert trouble.value.kind == "in_use"


def test_after_close_another_may(rows, places):
    """The lock is let go of; closing once more does nothing."""
    rows.close()
    rows.close()

    Rows(places).close()


def test_files_are_for_their_owner(rows, places):
    """Whatever the umask says."""
    written(rows)

    for path in (*places.folder.iterdir(), places.master):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(places.folder.stat().st_mode) == 0o700


def test_a_missing_master_key_is_told(rows, places):
    """No new one is made beside what it could not read."""
    written(rows)
    rows.close()
    places.master.unlink()

    for attempt in (lambda: Rows(places), lambda: find(places, "r1")):
        with pytest.raises(Trouble, match=r"payload.key is missing.*put it back") as trouble:
            attempt()
        assert trouble.value.kind == "key"
    assert not places.master.exists()


def test_another_master_key_is_told(rows, places):
    """It is named, and nothing is written."""
    written(rows)
    rows.close()
    write_master(places.master, new_master(os.urandom))

    for attempt in (lambda: Rows(places), lambda: find(places, "r1")):
        with pytest.raises(Trouble, match="is not the key that") as trouble:
            attempt()
        assert trouble.value.kind == "key"


def test_a_damaged_database_is_told(rows, places):
    """It is not overwritten."""
    rows.close()
    places.database.write_bytes(b"no database at all" * 100)

    with pytest.raises(Trouble) as trouble:
        Rows(places)
    assert trouble.value.kind == "damaged"
    assert places.database.read_bytes().startswith(b"no database")


def test_what_cannot_be_tidied_up_is_told(places):
    """Only a reader may be in the way of that."""

    class Broken(Rows):
        def _bury(self, *more):
            raise Trouble("disk", "no")

    with pytest.raises(Trouble, match="no"):
        Broken(places)
    Rows(places).close()


def test_another_format_is_told(rows, places):
    """A newer version's store is left alone."""
    rows._db.execute("UPDATE meta SET value = 99 WHERE name = 'format'")
    rows.close()

    with pytest.raises(Trouble, match="format 99"):
        Rows(places)


def test_a_folder_that_cannot_be_made_is_told(tmp_path):
    """With the reason of the system."""
    (tmp_path / "payloads").write_text("a file")

    with pytest.raises(Trouble) as trouble:
        Rows(Places(tmp_path))
    assert trouble.value.kind == "disk"


def test_a_full_disk_is_told_and_takes_nothing(rows, places, tmp_path):
    """All of a group, or none."""
    pages = rows._db.execute("PRAGMA page_count").fetchone()[0]
    rows._db.execute(f"PRAGMA max_page_count = {pages + 5}")
    key = key_of("t")

    with pytest.raises(Trouble) as trouble:
        rows.insert([key], [row_of(key, f"r{n}", b"x" * 4000) for n in range(10)])

    assert trouble.value.kind == "full"
    assert find(places, "r0") is None
    assert columns(tmp_path, "SELECT id FROM keys") == []
    rows.reopen()
    rows.insert([key], [row_of(key, "r0", b"x")])
    assert find(places, "r0") is not None


def test_the_same_record_again_takes_the_place_of_the_first(rows, places):
    """There is one payload for each."""
    written(rows)
    second = written(rows, content=b"new")

    found = find(places, "r1")

    assert found is not None
    assert second.open("r1", found.sealed) == b"new"


def test_errors_of_the_system_are_told():
    """As troubles with the disk."""
    with pytest.raises(Trouble) as trouble, told():
        raise PermissionError(13, "no")
    assert trouble.value.kind == "disk"
