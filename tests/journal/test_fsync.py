"""fsync fails: whichever one, once or for a while, and whatever the disk has of the pages."""

import contextlib
import json
import shutil

import pytest

from proxy.journal import keeper
from proxy.journal.records import Records
from proxy.journal.verify import verify
from tests.journal.disks import ForgetfulDisk
from tests.journal.noted import Intent
from tests.journal.written import Written

NAMES = ["a", "b", "c", "d", "e"]
FSYNCS = 13  # of `work`


def journal(data_dir, disk: ForgetfulDisk) -> Written:
    """With small segments, and many checkpoints."""
    return Written(data_dir, disk, segment_bytes=1500, records=3)


def work(written: Written) -> list[bool]:
    """What those were told who waited for the records."""
    told = []
    for name in NAMES:
        told.append(written.note(name, text="long " * 60))
        written.journal._due()
        with contextlib.suppress(OSError):
            written.tidy()
    written.snapshot()
    return told


def counted(data_dir) -> list[dict]:
    """The records, as everybody reads them: without what an abandoned segment has too much."""
    return [json.loads(line) for part in Records(data_dir).oldest_first() for line in part]


def ended(data_dir) -> list[str]:
    """Ids of the calls among them."""
    return [record["id"] for record in counted(data_dir) if record["type"] == "call.finished"]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch):
    """Nobody shares the interpreter here."""
    monkeypatch.setattr(keeper, "_PAUSE", 0.0)


def after_it(written: Written, disk: ForgetfulDisk, data_dir) -> None:
    """The disk is well again: all is there, each once, whether or not the power fails then."""
    written.clock.advance(1)
    assert written.note("after")
    assert written.journal.state.kind == "ok"
    written.stop()
    assert disk.touched == []
    for look in (lambda: None, disk.lose_power):
        look()
        assert verify(data_dir).exit == 0
        seqs = [record["seq"] for record in counted(data_dir)]
        assert seqs == [*range(1, len(seqs) + 1)]
        assert ended(data_dir) == [*NAMES, "after"]
        again = Written(data_dir).open()
        assert (again.found.tampered, again.room.seen) == ("", [*NAMES, "after"])
        again.die()


@pytest.mark.parametrize("written_all_the_same", [False, True])
def test_one_that_fails_once_is_noticed_by_nobody_who_waits(tmp_path, written_all_the_same):
    """The batch goes to a new segment at once; a `recovery` record says why."""
    abandoned = 0
    for number in range(1, FSYNCS + 1):
        disk = ForgetfulDisk(lambda count: False, written_all_the_same)
        written = journal(tmp_path / "data", disk).open()
        failing = disk.count + number
        disk.fails = lambda count, failing=failing: count == failing  # type: ignore[misc]
        told = work(written)
        assert disk.count >= failing, number
        heads = counted(tmp_path / "data")
        here = [head for head in heads if head.get("before", {}).get("abandoned")]
        abandoned += len(here)
        if here:
            assert told == [True] * len(NAMES), number
            assert here[0]["before"]["abandoned"] == "Input/output error (EIO)"
        after_it(written, disk, tmp_path / "data")
        shutil.rmtree(tmp_path / "data")
    assert abandoned >= len(NAMES)


@pytest.mark.parametrize("written_all_the_same", [False, True])
def test_those_that_fail_for_a_while_are_told_to_who_waits(tmp_path, written_all_the_same):
    """No, it is not durable; and it is written later. The files that failed are left alone."""
    refused = 0
    for number in range(1, FSYNCS + 1):
        disk = ForgetfulDisk(lambda count: False, written_all_the_same)
        written = journal(tmp_path / "data", disk).open()
        failing = disk.count + number
        disk.fails = lambda count, failing=failing: count >= failing  # type: ignore[misc]
        told = work(written)
        assert told == sorted(told, reverse=True), number  # from then on nobody is told yes
        if not all(told):
            refused += 1
            assert written.journal.state.kind == "failed"
            assert written.journal.state.why == "Input/output error (EIO)"
        acknowledged = [name for name, durable in zip(NAMES, told, strict=True) if durable]
        shutil.copytree(tmp_path / "data", tmp_path / "died")
        again = Written(tmp_path / "died").open()
        assert again.found.tampered == "", number
        assert again.room.seen[: len(acknowledged)] == acknowledged, number
        again.die()
        shutil.rmtree(tmp_path / "died")
        disk.fails = lambda count: False
        after_it(written, disk, tmp_path / "data")
        shutil.rmtree(tmp_path / "data")
    assert refused >= 2 * len(NAMES)


@pytest.mark.parametrize("written_all_the_same", [False, True])
def test_if_the_power_fails_while_it_fails_nothing_that_was_told_is_lost(
    tmp_path, written_all_the_same
):
    """And an intent whose call was refused for it may be there: nobody knows better."""
    for number in range(1, FSYNCS + 1):
        disk = ForgetfulDisk(lambda count: False, written_all_the_same)
        written = journal(tmp_path / "data", disk).open()
        failing = disk.count + number
        disk.fails = lambda count, failing=failing: count >= failing  # type: ignore[misc]
        work(written)
        written.journal.note(Intent("f"))
        assert not written.round()
        written.die()
        disk.lose_power()

        verdict = verify(tmp_path / "data")
        again = Written(tmp_path / "data").open()
        assert (verdict.exit, again.found.tampered) in {(0, ""), (3, "")}, (number, verdict)
        assert set(written.acknowledged) <= set(again.room.seen), number
        assert len(again.room.seen) == len(set(again.room.seen)), number
        again.note("after")
        again.stop()
        assert verify(tmp_path / "data").exit == 0, number
        shutil.rmtree(tmp_path / "data")
