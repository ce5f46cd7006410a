"""The keeper: what may take long, and what goes wrong with it."""

import asyncio
import threading

from proxy.journal import keeper
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from tests.fakes import FakeClock
from tests.journal.disks import FailingDisk, QuickDisk
from tests.journal.noted import Note
from tests.journal.written import DAY, Written, lines

BROKEN = OSError(5, "Input/output error")


def test_an_anchor_that_fails_keeps_no_other_from_it(tmp_path):
    """It is told."""
    taken: list[str] = []
    told: list[str] = []

    def broken(note: str) -> None:
        raise BROKEN

    written = Written(tmp_path, anchors=(broken, taken.append)).open()
    written.journal._keeper._trouble = told.append
    written.journal._keeper.anchor("a note")

    assert taken == ["a note"]
    assert told == ["an anchor did not take a checkpoint: [Errno 5] Input/output error"]


def test_an_anchor_that_fails_on_is_told_once(tmp_path):
    """Until it took one, or fails for another reason."""
    told: list[str] = []
    answers: list[OSError | None] = [BROKEN, BROKEN, OSError(28, "full"), None, BROKEN]

    def broken(note: str) -> None:
        if (error := answers.pop(0)) is not None:
            raise error

    written = Written(tmp_path, anchors=(broken,)).open()
    written.journal._keeper._trouble = told.append
    for _ in range(5):
        written.journal._keeper.anchor("a note")

    assert [text[-12:] for text in told] == ["output error", "rno 28] full", "output error"]


def test_only_closed_segments_are_compressed(tmp_path):
    """The last one is written to."""
    written = Written(tmp_path, segment_bytes=100).open()
    for name in "abc":
        written.note(name)
    written.tidy()

    assert [file.closed for file in written.folder.segments()] == [True, True, False]


def test_a_stop_ends_the_work_between_two_pieces(tmp_path):
    """The rest is done at the next start."""
    written = Written(tmp_path, segment_bytes=100).open()
    for name in "abc":
        written.note(name)
    written.journal._keeper._stop.set()
    written.tidy()
    written.journal._keeper.look()

    assert [file.closed for file in written.folder.segments()] == [False, False, False]


def test_it_looks_through_what_was_written_before(tmp_path):
    """All of it, though a start reads only the end; what it finds is told, recorded, and kept."""
    written = Written(tmp_path, segment_bytes=100).open()
    for name in "abcd":
        written.note(name)
    written.stop()
    path = written.folder.segment(2)
    path.write_bytes(path.read_bytes().replace(b'"id":"b"', b'"id":"x"'))
    again = Written(tmp_path, segment_bytes=100).open()
    assert again.journal.tampered == ""
    again.note("e")
    again.journal._keeper.look()
    again.journal._keeper.look()
    again.round()

    assert again.journal.tampered.startswith("00000002.jsonl line 2, seq 4, id x")
    assert sum(b'"what":"tampered"' in line for line in lines(tmp_path)) == 1
    again.stop()
    assert Written(tmp_path).open().journal.tampered == again.journal.tampered


def test_it_finds_what_is_missing(tmp_path):
    """A segment between two others."""
    written = Written(tmp_path, segment_bytes=100).open()
    for name in "abcd":
        written.note(name)
    written.folder.segment(2).unlink()
    written.journal._keeper.look()

    assert "records are missing before segment 3" in written.journal.tampered


def test_it_finds_what_stands_behind_a_closed_segment(tmp_path):
    """No crash puts anything there."""
    written = Written(tmp_path, segment_bytes=100).open()
    for name in "ab":
        written.note(name)
    with written.folder.segment(1).open("ab") as file:
        file.write(b"x")
    written.journal._keeper.look()

    assert written.journal.tampered.endswith("something stands behind its last line")


def test_it_finds_that_the_beginning_is_missing(tmp_path):
    """Unless a record says that it was pruned, which may be in the segment that is written."""
    written = Written(tmp_path, segment_bytes=300, retention_days=10).open()
    for name in "abc":
        written.note(name)
        written.clock.advance(6 * DAY)
    written.snapshot()
    written.tidy()
    assert written.folder.segments()[0].number == 2
    written.journal._keeper.look()
    assert written.journal.tampered == ""
    written.note("d")
    written.folder.segment(2).with_suffix(".jsonl.gz").unlink()
    written.journal._keeper.look()

    assert written.journal.tampered.endswith("are missing, and were not pruned")


def started(data_dir, disk=None, heard=None, anchors=(), **terms) -> Journal:
    told = heard if heard is not None else []
    journal = Journal(
        data_dir,
        Terms(**terms),
        FakeClock(),
        disk=disk or QuickDisk(),
        anchors=anchors,
        heard=lambda kind, text: told.append((kind, text)),
    )
    journal.open()
    return journal


async def test_a_bug_in_one_job_leaves_the_others_done(tmp_path):
    """It is told; snapshots and anchors go on."""
    told: list[tuple[str, str]] = []
    journal = started(tmp_path, heard=told)
    done = threading.Event()

    def broken() -> None:
        raise ZeroDivisionError("no")

    await journal.start()
    journal.beside(broken)
    journal._keeper.later(done.set)
    assert await asyncio.to_thread(done.wait, 10)
    await journal.stop()

    assert ("trouble", "a bug: ZeroDivisionError: no") in told


async def test_checkpoints_go_elsewhere_while_it_runs(tmp_path):
    """And the last one when it stops."""
    taken: list[str] = []
    journal = started(tmp_path, anchors=[taken.append])
    await journal.start()
    journal.note(Note("a"))
    await journal.stop()

    assert taken[-1].split("\n")[1] == str(journal.seq)


async def test_it_compresses_and_deletes_by_itself(tmp_path, monkeypatch):
    """After a rotation, and every hour."""
    monkeypatch.setattr(keeper, "_HOUR", 0.001)
    tidied = threading.Event()
    journal = started(tmp_path, retention_days=1)
    await journal.start()
    journal.note(Note("a"))
    journal.snapshot()
    await journal.durable()
    for name in "bc":
        journal._clock.advance(3 * DAY)  # type: ignore[attr-defined]
        journal.note(Note(name))
        await journal.durable()
    original = journal._keeper.tidy

    def tidy() -> None:
        original()
        if journal.folder.segments()[0].number == 2:
            tidied.set()

    journal._keeper.tidy = tidy  # type: ignore[method-assign]
    assert await asyncio.to_thread(tidied.wait, 30)
    await journal.stop()

    assert [file.number for file in journal.folder.segments()] == [2, 3]
    assert any(b'"type":"prune"' in line for line in lines(tmp_path))


async def test_what_goes_wrong_is_told_and_done_again(tmp_path):
    """The folder cannot be written to: that is trouble, and no end."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    disk = FailingDisk()
    journal = started(tmp_path, disk, segment_bytes=100)
    journal._heard = lambda kind, text: heard.put_nowait(text)
    await journal.start()
    disk.fails = {"rename": BROKEN}
    journal.note(Note("a"))
    await journal.durable()
    journal.note(Note("b"))
    await journal.durable()
    while await heard.get() != "the journal's folder: [Errno 5] Input/output error":
        pass
    disk.fails = {}
    await journal.stop()
    assert [file.closed for file in journal.folder.segments()][-1] is False
