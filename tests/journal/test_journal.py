"""The journal as others hold it."""

import asyncio
import errno
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest

from proxy.clock import Clock
from proxy.journal import journal as module
from proxy.journal.entries import Start, Stop
from proxy.journal.folder import Locked
from proxy.journal.journal import Journal
from proxy.journal.notes import BadKey, new_signer
from proxy.journal.records import Records
from proxy.journal.segments import Terms
from proxy.journal.verify import verify
from proxy.journal.writer import Mark, Writer
from proxy.record import AttemptRecord, Record
from tests.fakes import FakeClock
from tests.journal.disks import FailingDisk, HangingDisk, QuickDisk
from tests.journal.noted import Note
from tests.journal.written import Counted, Written, ids, lines

BROKEN = OSError(errno.EIO, "Input/output error")


async def test_a_life(tmp_path):
    """Opened, noted into, waited for, stopped: and all of it verifies."""
    for expected in (4, 8):
        journal = Journal(tmp_path, Terms(), FakeClock(), version="1.2", rooms=(Counted(),))
        journal.open()
        assert await journal.start()
        journal.note(Note("a"))
        assert await journal.durable()
        assert await journal.stop("as asked")
        assert journal.checkpointed == journal.seq == expected - (expected > 4)

    records = [json.loads(line) for line in lines(tmp_path)]
    assert [record["type"] for record in records] == [
        *("checkpoint", "start", "call.finished", "stop", "start", "call.finished", "stop"),
    ]
    assert (records[1]["version"], records[3]["reason"]) == ("1.2", "as asked")
    assert verify(tmp_path).exit == 0


def test_the_record_of_a_call_can_be_noted(tmp_path):
    """As the pipeline makes it, with its own id and all its members."""
    attempt = AttemptRecord(1, "success", 3, "gateway", 200)
    record = Record(
        *("an id", "agent", "gateway", "tools", "L7", "create_escrow", "POST", "v@1"),
        *("allow", "ok", "yes", 200, (attempt,), 1000, 10),
        tokens={"input": 3},
    )
    written = Written(tmp_path).open()
    written.journal.note(record)
    written.round()

    told = json.loads(lines(tmp_path)[-1])
    assert (told["id"], told["type"], told["tool"]) == ("an id", "call.finished", "create_escrow")
    assert told["attempts"] == [
        {"n": 1, "result": "success", "ms": 3, "upstream": "gateway", "status": 200}
    ]
    assert told["tokens"] == {"input": 3}
    assert "cost_micros" not in told


def test_ids_are_made_in_any_thread(tmp_path):
    """By the loop, the writer and the keeper, at the same time."""
    journal = Written(tmp_path).journal

    def make(_):
        return [journal._name() for _ in range(20_000)]

    with ThreadPoolExecutor(3) as threads:
        made = [name for names in threads.map(make, range(3)) for name in names]
    assert len({str(UUID(name)) for name in made}) == 60_000


def test_one_process_writes(tmp_path):
    """The second one is told who does, and touches nothing."""
    written = Written(tmp_path).open()
    with pytest.raises(Locked, match="in use by process"):
        Written(tmp_path).open()
    written.note("a")
    written.stop()
    Written(tmp_path).open()


def test_what_is_noted_beside_calls_is_heard_by_the_rooms_it_is_for(tmp_path):
    """As it is when they are rebuilt."""
    written = Written(tmp_path, room=Starts()).open()
    for entry in (Start("a", "1.2", 7, "batch"), Stop("b", "sigterm")):
        written.journal.relive(entry)
    (start,) = written.room.heard
    assert (start["type"], start["id"], start["version"]) == ("start", "a", "1.2")
    assert start["ts"]


class Starts(Counted):
    """A room that hears of starts."""

    types = frozenset({"start"})

    def __init__(self):
        super().__init__()
        self.heard = []

    def apply(self, record):
        self.heard.append(record)


def test_a_start_that_fails_lets_go(tmp_path):
    """Somebody may mend what is wrong and try again."""
    with pytest.raises(BadKey):
        Journal(tmp_path, Terms(), FakeClock(), key="nonsense").open()

    Written(tmp_path).open()


def test_a_key_of_the_settings_is_used_and_published(tmp_path):
    """None is made in the data dir."""
    signer = new_signer("holdfast/f/w", lambda size: b"k" * size)
    journal = Journal(tmp_path, Terms(), FakeClock(), key=signer.line(), disk=QuickDisk())
    journal.open()

    assert not journal.folder.secret.exists()
    assert journal.folder.public.read_text() == signer.verifier.line() + "\n"


async def test_another_key_is_told_and_recorded(tmp_path):
    """A lost key is made anew: whoever verifies must know from where on. The first is no news."""
    heard: list[tuple[str, str]] = []
    for life in range(3):
        journal = Journal(
            tmp_path,
            Terms(),
            Clock(),
            heard=lambda kind, text: heard.append((kind, text)),
            disk=QuickDisk(),
        )
        journal.open()
        await journal.start()
        await journal.stop()
        if life == 0:
            journal.folder.secret.unlink()

    verdict = verify(tmp_path)
    assert verdict.exit == 0
    (told,) = verdict.recoveries.records
    assert told.startswith("key journal.vkey holdfast/default/holdfast+")
    assert [kind for kind, _ in heard] == ["trouble"]


async def test_a_key_that_others_may_read_is_told(tmp_path):
    """At each start; it is used all the same."""
    heard: list[str] = []
    journal = Journal(tmp_path, Terms(), Clock(), heard=lambda _, text: heard.append(text))
    journal.open()
    journal.folder.secret.chmod(0o640)
    await journal.start()
    await journal.stop()

    assert heard == [
        f"others may read {journal.folder.secret}, and sign what they like: chmod 600 it"
    ]


def test_checkpoints_come_by_number_and_by_time(tmp_path):
    """After so many records, or so many seconds after the first that has none."""
    written = Written(tmp_path, records=3, seconds=60.0).open()
    journal = written.journal
    written.note("a")
    assert journal.checkpointed == 0
    written.note("b", "c", "d")
    assert journal.checkpointed == 5
    written.note("e")
    assert journal.checkpointed == 5
    written.clock.advance(59)
    journal._writer.round()
    assert journal.checkpointed == 5
    written.clock.advance(1)
    journal._writer.round()
    assert journal.checkpointed == 6


async def test_it_asks_for_a_snapshot_in_time(tmp_path):
    """On the loop, where the rooms' states are; a start has little to read."""
    journal = Journal(tmp_path, Terms(), FakeClock(), rooms=(Counted(),), disk=QuickDisk())
    journal.open()
    await journal.start()
    asked = asyncio.Event()
    original = journal.snapshot

    def seen() -> None:
        original()
        asked.set()

    journal.snapshot = seen  # type: ignore[method-assign]
    journal._clock.advance(60)  # type: ignore[attr-defined]
    journal.note(Note("a"))
    await asked.wait()
    assert await journal.durable()
    await asyncio.to_thread(journal._keeper.stop)
    assert journal.folder.snapshot.exists()
    await journal.stop()


async def test_before_a_snapshot_all_is_counted(tmp_path):
    """Else what was noted before it, and is counted after it, would never be."""
    told: list[str] = []

    class Room(Counted):
        def dump(self):
            told.append("dumped")
            return super().dump()

    journal = Journal(tmp_path, Terms(), FakeClock(), rooms=(Room(),), disk=QuickDisk())
    journal.counted = lambda: told.append("counted")
    journal.open()
    await journal.start()
    journal.snapshot()
    await journal.stop()
    assert told[:2] == ["counted", "dumped"]


def test_when_nothing_is_new_nothing_is_due(tmp_path):
    """No checkpoint and no snapshot of what has both; the thread sleeps."""
    written = Written(tmp_path).open()
    written.note("a")
    written.journal._checkpoint()
    written.snapshot()
    before = written.folder.checkpoints.stat().st_size
    assert written.journal._writer.round() is None
    written.journal._checkpoint()

    assert written.folder.checkpoints.stat().st_size == before


def test_a_snapshot_that_cannot_be_written_is_trouble_and_no_more(tmp_path):
    """The one before it stays; one of what is not written is not made."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    written.snapshot()
    before = written.folder.snapshot.read_bytes()
    disk.fails = {"rename": BROKEN}
    written.note("b")
    written.snapshot()
    written.journal._keep_states({}, False)

    assert written.folder.snapshot.read_bytes() == before
    assert written.note("c")


def test_a_snapshot_is_of_what_is_durable(tmp_path):
    """With `sync: async` it waits for the disk; where that fails there is none."""
    disk = FailingDisk()
    written = Written(tmp_path, disk, sync="async").open()
    written.note("a")
    disk.fails = {"sync": BROKEN}
    written.snapshot()

    assert not written.folder.snapshot.exists()


async def test_tampering_is_heard_at_the_start(tmp_path):
    """And can be asked for."""
    written = Written(tmp_path).open()
    written.note("a", "b")
    written.stop()
    path = written.folder.segment(1)
    path.write_bytes(path.read_bytes().replace(b'"id":"a"', b'"id":"x"'))
    heard: list[tuple[str, str]] = []
    journal = Journal(
        tmp_path, Terms(), FakeClock(), heard=lambda kind, text: heard.append((kind, text))
    )
    journal.open()
    await journal.start()
    await journal.stop()

    assert [kind for kind, _ in heard] == ["tampered"]
    assert "seq 2, id x" in journal.tampered


async def test_a_start_on_a_full_disk_goes_on(tmp_path):
    """It says so; policies decide about calls. At the end there is nothing to anchor."""
    disk = FailingDisk()
    taken: list[str] = []
    journal = Journal(tmp_path, Terms(), FakeClock(), disk=disk, anchors=[taken.append])
    journal.open()
    disk.fails = {"write": OSError(errno.ENOSPC, "No space left on device")}

    assert not await journal.start()
    assert journal.state.kind == "full"
    assert not await journal.stop()
    assert taken == []


async def test_a_stop_without_a_disk_ends_all_the_same(tmp_path):
    """It says that not all was written."""
    disk = FailingDisk()
    journal = Journal(tmp_path, Terms(), FakeClock(), disk=disk)
    journal.open()
    await journal.start()
    disk.fails = {"write": OSError(errno.ENOSPC, "No space left on device")}
    journal.note(Note("a"))

    assert not await journal.stop()
    assert ids(tmp_path) == []
    Written(tmp_path).open()


async def test_a_disk_that_never_answers_holds_up_no_stop(tmp_path):
    """The data dir stays taken, for a thread may still write; what was written before holds."""
    disk = HangingDisk()
    journal = Journal(tmp_path, Terms(), Clock(), disk=disk)
    journal.open()
    assert await journal.start()
    journal.note(Note("a"))
    assert await journal.durable()
    disk.hang()
    journal.note(Note("b"))

    assert not await journal.stop(grace=0.0)
    with pytest.raises(Locked):
        Written(tmp_path).open()
    disk.freed.set()
    await asyncio.to_thread(journal._writer.join)
    journal._lock.release()
    assert ids(tmp_path) == ["a", "b"]


async def test_an_anchor_that_never_answers_holds_up_no_stop(tmp_path):
    """Not even the end of the journal, which is written and signed all the same."""
    asked, answered = threading.Event(), threading.Event()

    def hangs(note: str) -> None:
        asked.set()
        answered.wait()

    journal = Journal(tmp_path, Terms(records=1), Clock(), disk=QuickDisk(), anchors=[hangs])
    journal.open()
    await journal.start()
    journal.note(Note("a"))
    assert await asyncio.to_thread(asked.wait, 30)

    assert await journal.stop(grace=0.5)
    answered.set()
    assert verify(tmp_path).anchoring.unanchored == 0


def test_a_stop_may_be_followed_by_the_end_of_the_loop(tmp_path):
    """Whoever waits for the disk finds nobody to tell, when it answers at last."""
    disk = HangingDisk()
    journal = Journal(tmp_path, Terms(), Clock(), disk=disk)
    journal.open()

    async def starts_and_stops() -> None:
        await journal.start()
        disk.hang()
        journal.note(Note("a"))
        assert not await journal.stop(grace=0.0)

    asyncio.run(starts_and_stops())
    waiting = [each for each in threading.enumerate() if each.name == "journal stop"]
    assert waiting
    disk.freed.set()
    for thread in waiting:
        thread.join(30)
    assert ids(tmp_path) == ["a"]
    journal._lock.release()


async def test_nothing_is_deleted_without_a_durable_record(tmp_path, monkeypatch):
    """Full, or no answer in time: no."""
    monkeypatch.setattr(module, "_AN_ANSWER", 0.0)
    written = Written(tmp_path).open()
    assert not written.journal._record_of(())
    written.journal._writer.put(Mark(lambda written: None))


def test_what_goes_to_a_segment_that_was_deleted_is_written_again(tmp_path):
    """It was not acknowledged there: the next one has it, and says why. It is tampering."""
    written = Written(tmp_path).open()
    assert written.note("a")
    written.folder.segment(1).unlink()
    assert written.note("b")

    told = [json.loads(line) for line in lines(tmp_path)]
    assert [(each["seq"], each["type"]) for each in told] == [
        (3, "checkpoint"),
        (4, "call.finished"),
    ]
    assert "by somebody else" in told[0]["before"]["abandoned"]
    assert written.note("c")
    found = [each for each in map(json.loads, lines(tmp_path)) if each["type"] == "recovery"]
    assert [(each["what"], each["file"]) for each in found] == [("tampered", "00000001.jsonl")]
    assert "was deleted" in written.journal.tampered
    assert verify(tmp_path).exit == 2


def test_what_goes_to_a_segment_that_was_added_to_counts_once(tmp_path):
    """Nothing is lost of it; what somebody added is left where it is."""
    written = Written(tmp_path).open()
    assert written.note("a")
    with written.folder.segment(1).open("ab") as file:
        file.write(b"more\n")
    assert written.note("b")

    assert written.folder.segment(1).read_bytes().count(b"more\n") == 1
    assert ids(tmp_path).count("b") == 2  # in the file that was left as well, where none counts
    assert len(list(Records(tmp_path).named("b"))) == 1
    assert "was written to" in written.journal.tampered
    assert verify(tmp_path).exit == 0


async def test_a_stop_signs_though_the_checkpoints_were_deleted(tmp_path):
    """In a new file, at the second try; the first one was told."""
    told: list[tuple[str, str]] = []
    journal = Journal(
        tmp_path, Terms(), FakeClock(), heard=lambda kind, text: told.append((kind, text))
    )
    journal.open()
    await journal.start()
    signed = asyncio.get_running_loop().create_future()
    journal._writer.put(Mark(lambda written: journal._checkpoint()))
    journal._writer.put(
        Mark(lambda written: journal._writer.on_loop(lambda: signed.set_result(written)))
    )
    await signed
    journal.folder.checkpoints.unlink()
    journal.note(Note("a"))
    assert await journal.stop()

    assert [text for _, text in told if "checkpoints was deleted" in text]
    last = journal.folder.checkpoints.read_text().split("\n")
    assert last[:2] == [journal.terms.origin, str(journal.seq)]
    assert verify(tmp_path).exit == 0


async def test_a_start_is_signed_at_once(tmp_path, monkeypatch):
    """However quick the thread is: there is something to sign before it looks for it."""
    begun, there = Writer.start, []

    def start(writer: Writer, loop: asyncio.AbstractEventLoop) -> None:
        there.append(writer.held)
        begun(writer, loop)

    monkeypatch.setattr(Writer, "start", start)
    journal = Journal(tmp_path, Terms(), FakeClock())
    journal.open()
    assert await journal.start()
    assert await journal.stop()

    assert there == [1]
    assert journal.folder.checkpoints.read_text().split("\n")[1] == "2"
