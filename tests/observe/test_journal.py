"""proxy/observe/journal.py"""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from proxy.journal.disk import RealDisk, write_whole
from proxy.journal.writer import State
from proxy.observe import catalogue
from proxy.observe.family import Spread
from proxy.observe.journal import CountedDisk, families
from tests.fakes import FakeClock


class Slow(RealDisk):
    """Takes its time to be sure."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.clock = clock
        self.seconds = seconds

    def sync(self, file: int) -> None:  # type: ignore[override]
        """So long."""
        self.clock.time += self.seconds


def told(disk: CountedDisk, **changes: Any) -> dict[str, Any]:
    """What is read of a journal on that disk, by the name of the metric."""
    facts = {"seq": 9, "held": 2, "dropped": 0, "tampered": "", "state": State("ok", 0.0)}
    read = families(SimpleNamespace(**(facts | changes)), disk)
    return {family.metric.name: family.rows.get(()) for family in read}


def test_every_metric_of_the_journal_is_read():
    """In the order of the catalogue."""
    disk = CountedDisk(RealDisk(), FakeClock().now)

    assert list(told(disk)) == [metric.name for metric in catalogue.JOURNAL]


def test_what_was_posted_is_read_by_its_anchor():
    """What came of each; names and not URLs."""
    anchor = SimpleNamespace(
        name="https://w.example", posted=SimpleNamespace(taken=3, failed=2, dropped=0), waiting=4
    )
    facts = SimpleNamespace(seq=9, held=2, dropped=0, tampered="", state=State("ok", 0.0))
    disk = CountedDisk(RealDisk(), FakeClock().now)
    *_, posted, waiting = families(facts, disk, [anchor])

    words = {"taken": 3, "failed": 2, "dropped": 0}
    assert posted.rows == {("https://w.example", word): n for word, n in words.items()}
    assert waiting.rows == {("https://w.example",): 4}


def test_bytes_and_syncs_are_counted(tmp_path: Path):
    """Of whatever is written; and the work is done."""
    clock = FakeClock()
    disk = CountedDisk(Slow(clock, 0.003), clock.now)
    write_whole(disk, tmp_path / "a", b"seven b")
    disk.unlink(tmp_path / "b")
    file = disk.open(tmp_path / "a", os.O_WRONLY)
    disk.truncate(file, 5)
    disk.close(file)

    found = told(disk)
    assert (tmp_path / "a").read_bytes() == b"seven"
    assert found["holdfast_journal_bytes_total"] == 7
    spread = found["holdfast_journal_fsync_seconds"]
    assert isinstance(spread, Spread)
    assert (spread.count, spread.sum_us) == (1, 3_000)
    assert dict(spread.upto)[2_500] == 0
    assert dict(spread.upto)[5_000] == 1


def test_what_the_disk_does_not_do_is_counted(tmp_path: Path):
    """And raised as it was."""
    disk = CountedDisk(RealDisk(), FakeClock().now)
    with pytest.raises(FileNotFoundError):
        disk.sync_folder(tmp_path / "none")
    with pytest.raises(FileNotFoundError):
        disk.rename(tmp_path / "none", tmp_path / "b")

    assert told(disk)["holdfast_journal_errors_total"] == 2


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({}, "holdfast_journal_writable", 1),
        ({"state": State("full", 1.0)}, "holdfast_journal_writable", 0),
        ({}, "holdfast_journal_tampered", 0),
        ({"tampered": "line 7"}, "holdfast_journal_tampered", 1),
        ({"held": 12}, "holdfast_journal_held", 12),
        ({"dropped": 3}, "holdfast_journal_dropped_total", 3),
        ({}, "holdfast_journal_records_total", 9),
    ],
)
def test_how_it_stands(changes: dict[str, Any], name: str, value: int):
    """As the journal says."""
    assert told(CountedDisk(RealDisk(), FakeClock().now), **changes)[name] == value
