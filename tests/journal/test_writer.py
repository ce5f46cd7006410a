"""The writer: what becomes of records when the disk is well, full, slow or broken."""

import asyncio
import errno
import json
import threading
from typing import ClassVar

import msgspec
import pytest

from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from proxy.journal.verify import verify
from proxy.journal.writer import Mark, State, Writer
from tests.fakes import FakeClock
from tests.journal.disks import FailingDisk, QuickDisk
from tests.journal.noted import Note
from tests.journal.written import Written, ids, lines

FULL = OSError(errno.ENOSPC, "No space left on device")
BROKEN = OSError(errno.EIO, "Input/output error")


class Wrong(msgspec.Struct, frozen=True):
    """What cannot be written."""

    id: str
    what: object
    type: ClassVar[str] = "call.finished"


class Stranger(msgspec.Struct, frozen=True):
    """What is no entry: its type is not known."""

    id: str
    type: ClassVar[str] = "nonsense"


def recoveries(data_dir) -> list[dict]:
    found = [json.loads(line) for line in lines(data_dir)]
    return [record for record in found if record["type"] == "recovery"]


def test_a_full_disk_loses_nothing_that_can_be_held(tmp_path):
    """It is not durable, and is told so; it is written when there is room, in its order."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    assert written.note("a")
    disk.fails = {"write": FULL}

    assert not written.note("b")
    assert written.journal.state.kind == "full"
    assert written.journal.state.why == "No space left on device (ENOSPC)"
    assert not written.note("c")
    disk.fails = {}
    assert not written.note("d")  # not before a second has passed: the disk is left alone
    written.clock.advance(1)
    assert written.note("e")

    assert written.journal.state.kind == "ok"
    assert ids(tmp_path) == ["a", "b", "c", "d", "e"]
    written.stop()
    assert verify(tmp_path).exit == 0


def test_a_half_written_batch_is_taken_back(tmp_path):
    """The disk was full in the middle of a line."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    size = written.folder.segment(1).stat().st_size
    disk.fails, disk.short = {"write": FULL}, 40
    written.note("b")

    assert written.folder.segment(1).stat().st_size == size
    disk.fails = {}
    written.clock.advance(1)
    assert written.note("c")
    assert ids(tmp_path) == ["a", "b", "c"]


def test_what_cannot_be_taken_back_is_left_behind(tmp_path):
    """Then a new segment says after how many records the old one ends."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    disk.fails, disk.short = {"write": FULL, "truncate": BROKEN}, 40
    written.note("b")
    disk.fails = {}
    written.clock.advance(1)
    written.note("c")
    written.stop()

    verdict = verify(tmp_path)
    assert (verdict.exit, verdict.recoveries.torn) == (0, 0)
    heads = [json.loads(line) for line in lines(tmp_path) if b'"checkpoint"' in line]
    assert heads[-1]["before"]["abandoned"] == "No space left on device (ENOSPC)"


def test_a_disk_that_fails_again_and_again_is_left_alone(tmp_path):
    """A new file may do, once; else each would be given up after its head, without end."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    original = disk.sync
    synced: list[int] = []

    def every_second(file: int) -> None:
        synced.append(file)
        assert len(synced) < 20, "it is tried without a pause"
        if len(synced) % 2:
            raise BROKEN
        original(file)

    disk.sync = every_second  # type: ignore[method-assign]
    assert not written.note("b")
    assert written.journal.state.kind == "failed"
    tried = len(synced)
    assert not written.note("c")
    assert len(synced) == tried

    disk.sync = original  # type: ignore[method-assign]
    written.clock.advance(1)
    assert written.note("d")
    assert ids(tmp_path) == ["a", "b", "c", "d"]
    written.stop()
    assert verify(tmp_path).exit == 0


def test_fsync_is_never_tried_again_on_the_same_file(tmp_path):
    """The kernel may have dropped the pages: a new segment, at once, and a record of it."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    original = disk.sync
    failed: list[int] = []

    def once(file: int) -> None:
        if not failed:
            failed.append(file)
            raise BROKEN
        original(file)

    disk.sync = once  # type: ignore[method-assign]
    assert written.note("b")

    assert [file.number for file in written.folder.segments()] == [1, 2]
    assert ids(tmp_path) == ["a", "b"]
    assert [found["what"] for found in recoveries(tmp_path)] == ["fsync"]
    assert written.journal.state.kind == "ok"
    written.stop()
    assert verify(tmp_path).exit == 0


def test_nobody_is_refused_while_another_file_may_do(tmp_path):
    """One fsync that fails is told; but whoever asks meanwhile hears that the journal is well."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.journal._writer.on_loop = lambda work: work()  # type: ignore[method-assign]
    written.note("before")
    original = disk.sync
    states: list[str] = []

    def once(file: int) -> None:
        states.append(written.journal.state.kind)
        if len(states) == 1:
            raise BROKEN
        original(file)

    disk.sync = once  # type: ignore[method-assign]
    assert written.note("a")

    assert states[:3] == ["ok"] * 3  # the one that failed, a head, and the batch
    assert written.heard == [("trouble", "a segment was left: Input/output error (EIO)")]
    assert written.journal.state.kind == "ok"


def test_a_disk_that_always_fails_is_told_and_left_alone(tmp_path):
    """No new file for each try; a second between them."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    disk.fails = {"sync": BROKEN}
    for name in "abc":
        assert not written.note(name)

    assert written.journal.state.kind == "failed"
    assert list(written.folder.journal.glob("*.jsonl")) == []
    disk.fails = {}
    written.clock.advance(1)
    assert written.note("d")
    assert ids(tmp_path) == ["a", "b", "c", "d"]


def test_what_can_be_held_no_more_is_counted_and_told(tmp_path):
    """How many, the first and the last, since when; as soon as it can be written."""
    disk = FailingDisk()
    written = Written(tmp_path, disk, held=3).open()
    disk.fails = {"write": FULL}
    for number in range(5):
        written.note(f"n{number}")
    disk.fails = {}
    written.clock.advance(1)
    written.round()

    (told,) = recoveries(tmp_path)
    assert written.journal.dropped == 2
    assert (told["what"], told["records"], told["first"], told["last"]) == (
        *("dropped", 2, "n3", "n4"),
    )
    assert told["since"].startswith("2023-11-14T22:30:00")
    assert ids(tmp_path) == ["n0", "n1", "n2"]


def test_the_queue_is_bounded_while_the_thread_is_stuck(tmp_path):
    """The thread takes nothing; the loop counts what finds no place."""
    written = Written(tmp_path, held=3).open()
    for number in range(5):
        written.journal.note(Note(f"n{number}"))
    written.round()

    assert ids(tmp_path) == ["n0", "n1", "n2"]
    assert [told["records"] for told in recoveries(tmp_path)] == [2]


def test_a_disk_that_does_not_answer_is_seen_from_outside(tmp_path):
    """The thread hangs in a write, so the loop looks at the time."""
    states: list[State] = []

    class SlowDisk(QuickDisk):
        def sync(self, file: int) -> None:  # type: ignore[override]
            if opened:
                written.clock.advance(6)
                states.append(written.journal.state)

    opened: list[bool] = []
    written = Written(tmp_path, SlowDisk()).open()
    opened.append(True)
    written.note("a")

    assert {state.kind for state in states} == {"stuck"}
    assert written.journal.state.kind == "ok"


def test_an_entry_that_cannot_be_written_stops_no_other(tmp_path):
    """A bug of one room is told; the records of the others are there."""
    written = Written(tmp_path).open()
    for entry in (Note("a"), Wrong("b", object()), Stranger("c"), Note("d")):
        written.journal.note(entry)  # type: ignore[arg-type]
    written.journal.note(Wrong("e", object()))
    assert written.round()

    assert ids(tmp_path) == ["a", "d"]
    (told,) = recoveries(tmp_path)
    assert (told["records"], told["first"], told["last"]) == (3, "b", "e")


def test_each_writes_one_record_at_a_time(tmp_path):
    """`sync: each`: an fsync for every record."""
    disk = QuickDisk()
    written = Written(tmp_path, disk, sync="each").open()
    disk.done.clear()
    written.note("a", "b", "c")

    assert disk.done.count("sync") == 4  # and one for the segment's first line


def test_group_writes_a_batch_at_once(tmp_path):
    """`sync: group`: one fsync for all that is there."""
    disk = QuickDisk()
    written = Written(tmp_path, disk).open()
    disk.done.clear()
    written.note("a", "b", "c")

    assert disk.done.count("sync") == 2


def test_async_does_not_wait_for_the_disk_until_it_signs(tmp_path):
    """`sync: async`: what is signed is durable all the same."""
    disk = QuickDisk()
    written = Written(tmp_path, disk, sync="async").open()
    written.note("a")
    disk.done.clear()
    written.note("b", "c")
    assert disk.done == []

    written.journal._checkpoint()
    assert disk.done.count("sync") >= 2  # the segment, and the note


def journal_of(data_dir, disk=None, heard=lambda kind, text: None, **terms) -> Journal:
    """With its threads."""
    return Journal(data_dir, Terms(**terms), FakeClock(), heard=heard, disk=disk or QuickDisk())


async def test_who_waits_is_told_in_the_order_of_the_notes(tmp_path):
    """Everything before is durable when he hears of it."""
    journal = journal_of(tmp_path)
    journal.open()
    await journal.start()
    journal.note(Note("a"))
    first = journal.durable()
    journal.note(Note("b"))
    assert await first
    assert "a" in ids(tmp_path)
    assert await journal.durable()
    assert ids(tmp_path) == ["a", "b"]
    await journal.stop()
    assert not await journal.durable()  # it is over


async def test_what_nobody_waits_for_is_written_all_the_same(tmp_path):
    """The first note wakes the thread."""
    done = threading.Event()
    journal = journal_of(tmp_path)
    journal.open()
    await journal.start()
    journal.note(Note("a"))
    commit = journal._log.commit

    def seen(entries):
        lines = commit(entries)
        done.set()
        return lines

    journal._log.commit = seen  # type: ignore[method-assign]
    journal.note(Note("b"))
    assert await asyncio.to_thread(done.wait, 30)
    await journal.stop()
    assert ids(tmp_path) == ["a", "b"]


async def test_who_stirs_while_the_thread_looks_is_looked_at(tmp_path):
    """It was awake, and so was not woken; but does not sleep before it has looked again."""
    done = threading.Event()
    journal = journal_of(tmp_path)
    journal.open()
    looks: list[int] = []  # since nothing was left to do

    def begun():
        if journal.held == 0 and quiet:
            looks.append(1)
            if len(looks) == 1:
                stir()  # by somebody whom this look did not see any more
            else:
                done.set()
        return [], False

    quiet: list[bool] = []
    stir = journal.asks(begun)
    await journal.start()
    assert await journal.durable()
    quiet.append(True)
    stir()
    assert await asyncio.to_thread(done.wait, 30)
    await journal.stop()


async def test_a_batch_is_one_call_to_the_loop(tmp_path):
    """However many wait for it."""
    journal = journal_of(tmp_path)
    journal.open()
    await journal.start()
    calls: list[int] = []
    loop = asyncio.get_running_loop()
    original = loop.call_soon_threadsafe

    def counted(work):
        calls.append(1)
        original(work)

    loop.call_soon_threadsafe = counted  # type: ignore[method-assign,assignment]
    waiting = [journal.durable() for _ in range(100)]
    waiting[3].cancel()
    await waiting[-1]

    assert len(calls) < 10
    assert all(future.done() for future in waiting)
    loop.call_soon_threadsafe = original  # type: ignore[method-assign]
    await journal.stop()


async def test_nobody_waits_for_a_disk_that_does_not_answer(tmp_path):
    """He is told no, and that it is stuck; when it answers all is written, and that is told too."""
    answers, asked = threading.Event(), threading.Event()
    answers.set()

    class StuckDisk(QuickDisk):
        def sync(self, file: int) -> None:  # type: ignore[override]
            if not answers.is_set() and threading.current_thread().name == "journal":
                asked.set()
            answers.wait(30)

    heard: list[str] = []
    clock = FakeClock()
    journal = Journal(
        tmp_path, Terms(), clock, heard=lambda kind, text: heard.append(kind), disk=StuckDisk()
    )
    journal.open()
    await journal.start()
    answers.clear()
    journal.note(Note("a"))
    first, second = journal.durable(), journal.durable()
    assert await asyncio.to_thread(asked.wait, 30)
    clock.advance(6)

    assert (await first, await second, heard) == (False, False, ["stuck"])
    journal.note(Note("b"))
    assert journal.held >= 1
    answers.set()
    assert await journal.durable()
    clock.advance(6)
    assert heard == ["stuck", "ok"]
    assert await journal.stop()
    assert ids(tmp_path) == ["a", "b"]


async def test_a_change_of_state_is_heard_on_the_loop(tmp_path):
    """Full, and well again."""
    heard = []
    disk = FailingDisk()
    journal = journal_of(tmp_path, disk, lambda kind, text: heard.append((kind, text)))
    journal.open()
    await journal.start()
    disk.fails = {"write": FULL}
    journal.note(Note("a"))
    assert not await journal.durable()
    disk.fails = {}
    journal._clock.advance(1)  # type: ignore[attr-defined]
    assert await journal.durable()
    await journal.stop()

    kinds = [kind for kind, _ in heard if kind != "trouble"]
    assert kinds == ["full", "ok"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_bug_in_the_thread_leaves_nobody_waiting(tmp_path):
    """It is told as a failure, and whoever waits, or will, hears no."""
    journal = journal_of(tmp_path)
    journal.open()
    await journal.start()

    def broken(entries):
        raise ZeroDivisionError("a bug")

    journal._log.commit = broken  # type: ignore[method-assign]
    journal.note(Note("a"))
    assert not await journal.durable()
    journal._writer.join()
    assert journal.state.kind == "failed"
    assert journal.state.why == "a bug: ZeroDivisionError: a bug"
    assert not await journal.durable()
    told: list[bool] = []
    journal._writer.put(Mark(told.append))
    journal._keeper.stop()
    journal._lock.release()


def test_a_loop_that_is_gone_is_no_harm(tmp_path):
    """The thread may outlive it by a moment."""
    written = Written(tmp_path).open()
    loop = asyncio.new_event_loop()
    written.journal._writer._loop = loop
    loop.close()

    written.journal._writer.on_loop(lambda: None)

    assert written.note("a")


async def test_what_is_lost_is_durable_for_nobody(tmp_path):
    """More comes than can be held while a disk hangs that nobody calls stuck yet: who waits for
    that is told no. When it is told that it was lost, others are told yes."""
    written = Written(tmp_path, held=3).open()
    writer = written.journal._writer
    writer._loop = asyncio.get_running_loop()
    for name in "ab":
        writer.note(Note(name))
    first = writer.durable()
    for name in "cd":
        writer.note(Note(name))
    second = writer.durable()
    written.round()
    assert (await first, await second) == (True, False)
    assert len(recoveries(tmp_path)) == 1
    third = writer.durable()
    written.round()
    assert await third
    assert ids(tmp_path) == ["a", "b"]


async def test_who_waits_behind_what_cannot_be_held_is_told_no(tmp_path):
    """It is lost when it is taken, for what could not be written before is held still."""
    disk = FailingDisk()
    written = Written(tmp_path, disk, held=3).open()
    writer = written.journal._writer
    writer._loop = asyncio.get_running_loop()
    disk.fails = {"write": FULL}
    written.note("a")
    writer.note(Note("b"))
    before = writer.durable()
    writer.note(Note("c"))
    behind = writer.durable()
    disk.fails = {}
    written.clock.advance(1)
    written.round()
    assert (await before, await behind) == (True, False)
    assert ids(tmp_path) == ["a", "b"]


def test_a_thread_that_sleeps_is_woken_once(tmp_path):
    """By whoever comes first: a record, one who waits, or intents. The others only leave theirs."""
    wakes = (
        lambda writer: writer.note(Note("a")),
        lambda writer: writer.put(Mark(lambda _: None)),
        lambda writer: writer.stir(),
    )
    for number, wake in enumerate(wakes):
        writer = Written(tmp_path / str(number)).open().journal._writer
        before = writer._bell.qsize()
        writer._asleep = True
        wake(writer)
        wake(writer)
        assert (writer._asleep, writer._bell.qsize() - before) == (False, 1)


@pytest.mark.parametrize(
    ("comes", "naps"),
    [
        (lambda writer: None, [9.0, "gathers"]),  # it was a record, or the time that it may sleep
        (lambda writer: writer.put(Mark(lambda _: None)), [9.0]),  # somebody waits for it
    ],
)
def test_after_its_sleep_more_may_gather_unless_somebody_waits(tmp_path, monkeypatch, comes, naps):
    """Some milliseconds, so that many records are one commit."""
    writer, slept = Written(tmp_path).open().journal._writer, []

    def ring(self, seconds):
        slept.append(seconds if seconds == 9.0 else "gathers")
        comes(self)

    monkeypatch.setattr(Writer, "_ring", ring)
    writer._sleep(9.0)
    assert slept == naps


def test_it_does_not_fall_asleep_over_what_came_meanwhile(tmp_path, monkeypatch):
    """Between its last look and its sleep."""
    writer, slept = Written(tmp_path).open().journal._writer, []
    monkeypatch.setattr(Writer, "_ring", lambda self, seconds: slept.append(seconds))
    writer.note(Note("a"))
    writer._sleep(9.0)
    assert len(slept) == 1
    assert slept[0] < 1.0  # what gathers
