"""Segments: begun, filled, closed, left."""

import json

import pytest

from proxy.journal.verify import verify
from tests.journal.disks import FailingDisk
from tests.journal.written import DAY, Written, lines

BROKEN = OSError(5, "Input/output error")


def heads(data_dir) -> list[dict]:
    found = [json.loads(line) for line in lines(data_dir)]
    return [record for record in found if record["type"] == "checkpoint"]


def test_a_segment_names_the_one_before_it(tmp_path):
    """Its number, its last hash and its count; seq goes on."""
    written = Written(tmp_path, segment_bytes=500).open()
    for name in "abcd":
        written.note(name)

    first, second = heads(tmp_path)[:2]
    before = [json.loads(line) for line in lines(tmp_path)][second["seq"] - 2]
    assert first["before"] == {"segment": 0, "records": 0, "hash": "0" * 64}
    assert second["before"] == {"segment": 1, "records": before["seq"], "hash": before["hash"]}
    assert (second["size"], second["seq"]) == (before["seq"], before["seq"] + 1)


def test_a_day_has_its_own_segments(tmp_path):
    """UTC; a clock that goes back does not make new ones."""
    written = Written(tmp_path).open()
    written.note("a")
    written.clock.advance(DAY)
    written.note("b")
    written.clock.time -= DAY
    written.note("c")

    assert len(heads(tmp_path)) == 2


def test_a_restart_goes_on_in_its_segment(tmp_path):
    """On the same day; the next day it begins another."""
    written = Written(tmp_path).open()
    written.note("a")
    written.stop()
    again = Written(tmp_path, clock=written.clock).open()
    again.note("b")
    assert len(heads(tmp_path)) == 1
    again.stop()
    written.clock.advance(DAY)
    last = Written(tmp_path, clock=written.clock).open()
    last.note("c")
    assert len(heads(tmp_path)) == 2
    last.stop()
    assert verify(tmp_path).exit == 0


@pytest.mark.parametrize("fails", ["open", "sync_folder", "write", "sync", "truncate"])
def test_a_segment_that_cannot_be_begun_is_begun_later(tmp_path, fails):
    """With the same number, and nothing of the first try in it."""
    disk = FailingDisk()
    written = Written(tmp_path, disk, segment_bytes=100).open()
    written.note("a")
    disk.fails = {fails: BROKEN}
    assert not written.note("b")
    disk.fails = {}
    written.clock.advance(1)
    assert written.note("c")
    written.stop()

    assert [file.number for file in written.folder.segments()] == [1, 2]
    assert verify(tmp_path).exit == 0


def test_a_checkpoint_that_was_not_written_is_written_later(tmp_path):
    """The file is opened again where an fsync had failed; the trouble is told."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    written.journal._checkpoint()
    for fails in ("write", "sync"):
        written.note("b")
        disk.fails = {fails: BROKEN}
        written.journal._checkpoint()
        assert written.journal.checkpointed < written.journal.seq
        disk.fails = {}
        written.journal._checkpoint()
        assert written.journal.checkpointed == written.journal.seq
    written.stop()

    assert verify(tmp_path).anchoring.checkpoints == 3


def test_an_async_segment_whose_fsync_fails_is_left(tmp_path):
    """When it was signed, or closed: the next one says so."""
    disk = FailingDisk()
    written = Written(tmp_path, disk, sync="async", segment_bytes=500).open()
    written.note("a")
    disk.fails = {"sync": BROKEN}
    written.journal._checkpoint()
    disk.fails = {}
    assert written.note("b")
    assert len(written.folder.segments()) == 2
    disk.fails = {"sync": BROKEN}
    written.note("c")
    disk.fails = {}
    written.clock.advance(1)
    written.note("d")
    written.stop()

    assert verify(tmp_path).exit == 0


def test_what_is_no_entry_is_not_taken(tmp_path):
    """It is asked of each alone, and nothing is written by asking."""
    written = Written(tmp_path).open()
    log = written.journal._log
    assert not log.takes((0, object()))  # type: ignore[arg-type]
    assert log.tip.place.seq == 0
    assert log.commit([]) == []
    log.abandon("there is none")
    log.close()
