"""A disk that is full: at any byte, in whatever the journal was doing."""

import contextlib
import json
import shutil

from proxy.journal import keeper
from proxy.journal.verify import verify
from tests.journal.disks import SmallDisk
from tests.journal.noted import Intent
from tests.journal.written import DAY, Written, ids, lines

ROOM = 1 << 30
STEP = 23  # no divisor of the length of anything that is written


def small(data_dir, room: int) -> tuple[Written, SmallDisk]:
    """A journal that has so much room from its start on."""
    disk = SmallDisk(ROOM)
    written = Written(data_dir, disk, segment_bytes=1500, records=3, retention_days=2).open()
    disk.room = room
    return written, disk


def work(written: Written) -> None:
    """All that a journal does, whether or not it can. Nobody is told what is not true."""
    for number in range(3):
        written.note(f"a{number}", text="long " * 80)
        with contextlib.suppress(OSError):
            written.tidy()
    written.snapshot()
    written.clock.advance(3 * DAY)
    written.journal.note(Intent("open"))
    written.note("b")
    written.journal._due()
    with contextlib.suppress(OSError):
        written.tidy()
    written.note("c")


def needed(tmp_path) -> int:
    """Bytes for all of it."""
    written, disk = small(tmp_path / "whole", ROOM)
    work(written)
    written.die()
    return ROOM - disk.room


def if_it_dies(written: Written, died) -> None:
    """All that was acknowledged is there."""
    shutil.copytree(written.folder.journal.parent, died)
    assert verify(died).exit == (0 if lines(died) else 3)
    again = Written(died, segment_bytes=1500).open()
    assert again.found.tampered == ""
    assert set(written.acknowledged) <= set(again.room.seen)
    again.die()


def if_it_lives(written: Written, disk: SmallDisk, data_dir) -> None:
    """All is there, once there is room: in its order, each once, or deleted by its age."""
    disk.room = ROOM
    written.clock.advance(1)
    assert written.note("after")
    assert written.journal.state.kind == "ok"
    written.tidy()
    written.stop()
    assert verify(data_dir).exit == 0
    expected = ["a0", "a1", "a2", "b", "c", "after"]
    there = ids(data_dir)
    assert there == expected[len(expected) - len(there) :]
    told = [json.loads(line)["seq"] for line in lines(data_dir)]
    assert told == [*range(told[0], told[0] + len(told))]
    last = Written(data_dir).open()
    assert last.room.seen == expected
    last.die()


def test_it_is_survived_at_any_byte(tmp_path, monkeypatch):
    """Whether the process dies then, or goes on when there is room."""
    monkeypatch.setattr(keeper, "_PAUSE", 0.0)
    bytes_in_all = needed(tmp_path)
    assert bytes_in_all > 4000
    refused = 0
    for room in range(0, bytes_in_all + STEP, STEP):
        written, disk = small(tmp_path / "data", room)
        work(written)
        refused += written.journal.state.kind == "full"
        if_it_dies(written, tmp_path / "died")
        if_it_lives(written, disk, tmp_path / "data")
        shutil.rmtree(tmp_path / "data")
        shutil.rmtree(tmp_path / "died")
    assert refused > 50
