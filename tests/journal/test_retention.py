"""Closed segments: compressed the same each time, and deleted in order."""

import gzip
import json

import pytest

from proxy.journal.disk import RealDisk
from proxy.journal.retention import compress, old_segments
from proxy.journal.verify import verify
from tests.fakes import FakeClock
from tests.journal.disks import QuickDisk
from tests.journal.written import DAY, Written, ids, lines


def days(tmp_path, count: int, **terms) -> Written:
    """A journal with one segment for each day."""
    written = Written(tmp_path, retention_days=10, **terms).open()
    for number in range(count):
        written.note(f"day{number}")
        written.clock.advance(DAY)
    written.snapshot()
    return written


def test_a_segment_is_compressed_the_same_each_time(tmp_path):
    """No time and no name in it; gzip reads it."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.jsonl").write_bytes(b"line\n" * 100_000)
        assert compress(RealDisk(), tmp_path / name / "1.jsonl", lambda: False)

    first, second = (tmp_path / name / "1.jsonl.gz" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == b"line\n" * 100_000
    assert not (tmp_path / "a" / "1.jsonl").exists()


def test_compressing_can_be_called_off(tmp_path):
    """Then the segment is as it was."""
    (tmp_path / "1.jsonl").write_bytes(b"line\n")
    assert not compress(QuickDisk(), tmp_path / "1.jsonl", lambda: True)

    assert [path.name for path in tmp_path.glob("1.jsonl")] == ["1.jsonl"]
    assert not (tmp_path / "1.jsonl.gz").exists()


@pytest.mark.parametrize("kept", [800_000, 2_000_000_000])
def test_what_is_kept_for_ever_is_never_old(tmp_path, kept):
    """Longer than the calendar goes back, and than a difference of times can be."""
    written = days(tmp_path, 3)
    assert old_segments(written.folder, kept, written.clock.wall()) == []


def test_what_is_old_enough_is_deleted_and_told(tmp_path):
    """A segment goes when its last record is older than the days say; all that is left verifies."""
    written = days(tmp_path, 13)
    written.tidy()

    assert ids(tmp_path) == [f"day{number}" for number in range(3, 13)]
    prune = next(json.loads(line) for line in lines(tmp_path) if b'"type":"prune"' in line)
    assert [segment["segment"] for segment in prune["segments"]] == [1, 2, 3]
    assert (prune["segments"][0]["first"], prune["segments"][-1]["last"]) == (1, 6)
    written.stop()
    assert verify(tmp_path).exit == 0


def test_a_hold_keeps_everything(tmp_path):
    """As long as the file is there."""
    written = days(tmp_path, 13)
    written.folder.hold.touch()
    written.tidy()
    assert len(ids(tmp_path)) == 13
    written.folder.hold.unlink()
    written.tidy()
    assert len(ids(tmp_path)) == 10


def test_nothing_is_deleted_that_a_start_would_need(tmp_path):
    """Without a snapshot the states are rebuilt from the records."""
    written = days(tmp_path, 13)
    written.folder.snapshot.unlink()
    written.tidy()

    assert len(ids(tmp_path)) == 13


def test_nothing_is_deleted_that_no_snapshot_has_seen(tmp_path):
    """One of before stands there when a proxy is killed, and started again after a long time."""
    written = Written(tmp_path, segment_bytes=1500, retention_days=10).open()
    written.snapshot()
    written.note("a", text="x" * 1500)
    written.note("b")
    written.die()
    later = Written(tmp_path, clock=FakeClock(at=30 * DAY), retention_days=10).open()
    later.note("c")
    later.tidy()
    later.die()

    again = Written(tmp_path).open()
    assert again.room.seen == ["a", "b", "c"]
    again.snapshot()
    again.die()
    last = Written(tmp_path, clock=FakeClock(at=60 * DAY), retention_days=10).open()
    last.note("d")
    last.tidy()
    assert ids(tmp_path) == ["c", "d"]
    assert last.room.seen == ["a", "b", "c", "d"]
    last.stop()
    assert verify(tmp_path).exit == 0


def test_nothing_is_deleted_that_was_not_told(tmp_path):
    """Where the record cannot be written."""
    written = days(tmp_path, 13)
    written.journal._keeper._record = lambda old: False
    written.tidy()

    assert len(ids(tmp_path)) == 13


@pytest.mark.parametrize("number", [1, 2])
def test_what_cannot_be_read_is_not_deleted(tmp_path, number):
    """Nobody knows how old it is."""
    written = days(tmp_path, 13)
    written.folder.segment(number).write_bytes(b"nonsense\n")

    assert len(old_segments(written.folder, 10, written.clock.wall())) == number - 1 - (number > 1)


def test_an_empty_folder_has_nothing_old(tmp_path):
    """No segment yet."""
    assert old_segments(Written(tmp_path).folder, 10, 0) == []
