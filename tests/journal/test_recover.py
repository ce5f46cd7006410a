"""The start: after any crash it needs nobody, and what is no crash it tells."""

import gzip
import json
import shutil
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.journal.checkpoint import last_checkpoints
from proxy.journal.entries import FINISHED, Start
from proxy.journal.folder import Folder
from proxy.journal.notes import keys_of
from proxy.journal.recover import unknown_end
from proxy.journal.verify import verify
from tests.fakes import FakeClock
from tests.journal.disks import Died, DyingDisk, PowerlessDisk, QuickDisk
from tests.journal.noted import Intent
from tests.journal.written import DAY, Counted, Written, ids, lines


def life(written: Written) -> None:
    """All that a journal does in its life: two days of it, and retention."""
    written.open()
    for name in "ab":
        written.note(name)
        written.journal._checkpoint()
    written.note("c", text="long " * 100)  # the segment is full
    written.note("d")
    written.tidy()
    written.journal._checkpoint()
    written.snapshot()
    written.clock.advance(3 * DAY)
    written.note("e")
    written.tidy()  # what is older than two days goes, and its checkpoints
    written.round()
    written.journal.note(Intent("f"))
    written.round()
    written.note("g")
    written.stop()


def lived(data_dir, disk, **terms) -> Written:
    return Written(data_dir, disk, FakeClock(), segment_bytes=900, retention_days=2, **terms)


def steps_of_a_life(tmp_path_factory) -> int:
    """How often something could go wrong."""
    disk = DyingDisk(1_000_000)
    life(lived(tmp_path_factory.mktemp("whole"), disk))
    return 1_000_000 - disk.steps


@pytest.mark.parametrize("dying", [DyingDisk, PowerlessDisk])
def test_it_starts_again_wherever_the_process_died(tmp_path_factory, dying):
    """At every step of rotation, gzip, checkpoint, snapshot, prune and stop; also without power.

    What was acknowledged is there, or pruned; nothing is called tampering; the rooms know each
    record once; and the journal verifies, then and after it went on.
    """
    steps = steps_of_a_life(tmp_path_factory)
    assert steps > 80
    for step in range(steps):
        data_dir = tmp_path_factory.mktemp("life")
        first = lived(data_dir, dying(step))
        with pytest.raises(Died):
            life(first)
        if hasattr(first.journal, "_lock"):
            first.die()

        before = verify(data_dir)
        again = lived(data_dir, QuickDisk())
        again.clock.advance(3 * DAY)
        again.open()
        assert again.found is not None
        assert again.found.tampered == "", step
        kept = set(again.room.seen)
        assert set(first.acknowledged) <= kept, step
        assert len(again.room.seen) == len(kept), step
        again.note("after")
        again.tidy()
        again.stop()
        after = verify(data_dir)
        assert (after.exit, step) == (0, step), after
        assert before.exit in {0, 3}, (step, before)  # 3: there was nothing yet
        assert "after" in ids(data_dir)
        shutil.rmtree(data_dir)


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A journal of three segments, the first compressed; stopped as it should be."""
    data_dir = tmp_path_factory.mktemp("log") / "data"
    written = Written(data_dir, segment_bytes=1500, records=4).open()
    for number in range(6):
        written.note(f"a{number}")
    written.tidy()
    for number in range(4):
        written.note(f"b{number}", text="x" * 100)
    written.stop()
    return data_dir


def copy_of(log, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("copy") / "data"
    shutil.copytree(log, data_dir)
    return data_dir


def signed_up_to(data_dir) -> int:
    keys = keys_of((data_dir / "keys" / "journal.vkey").read_text())
    found, _ = last_checkpoints(data_dir / "checkpoints", keys)
    return max(note.size for note in found if note is not None)


@settings(max_examples=60)
@given(data=st.data())
def test_a_cut_at_any_byte_is_mended_or_told(log, tmp_path_factory, data):
    """Of the last segment. Less than what was signed is incomplete, before and after a start."""
    data_dir = copy_of(log, tmp_path_factory)
    last = Folder(data_dir).segments()[-1].path
    content = last.read_bytes()
    at = data.draw(st.integers(0, len(content)))
    last.write_bytes(content[:at])
    left = len(lines(data_dir))
    lost = left < signed_up_to(data_dir)

    assert verify(data_dir).exit == (2 if lost else 0)
    again = Written(data_dir).open()
    assert bool(again.found.tampered) == lost
    torn = at - (content.rfind(b"\n", 0, at) + 1)
    assert [found.what for found in again.found.recoveries if found.what == "torn"] == (
        ["torn"] if torn else []
    )
    assert sum(path.stat().st_size for path in data_dir.rglob("*.torn")) == torn
    again.note("after")
    again.stop()
    assert verify(data_dir).exit == (2 if lost else 0)
    if not lost:
        assert [json.loads(line)["seq"] for line in lines(data_dir)] == list(
            range(1, len(lines(data_dir)) + 1)
        )


@settings(max_examples=100)
@given(data=st.data())
def test_a_change_of_any_byte_is_told(log, tmp_path_factory, data):
    """Of any segment; with the record that it hit, by verify, and at the next start at the latest
    by the look at what was written before.
    """
    data_dir = copy_of(log, tmp_path_factory)
    file = data.draw(st.sampled_from(Folder(data_dir).segments()))
    plain = gzip.decompress(file.path.read_bytes()) if file.closed else file.path.read_bytes()
    at = data.draw(st.integers(0, len(plain) - 1))
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != plain[at]))
    changed = plain[:at] + bytes([new]) + plain[at + 1 :]
    file.path.write_bytes(gzip.compress(changed) if file.closed else changed)
    line = plain.count(b"\n", 0, at) + 1

    verdict = verify(data_dir)
    is_last = file == Folder(data_dir).segments()[-1]
    if is_last and at == len(plain) - 1 and new != 10:
        assert verdict.exit == 2  # the last newline: a line that is not whole, and was signed
        return
    assert verdict.exit == 1
    assert (verdict.integrity.bad[0].file, verdict.integrity.bad[0].line) == (file.path.name, line)
    again = Written(data_dir).open()
    again.journal._keeper.look()
    again.round()
    assert again.journal.tampered
    assert "after" not in ids(data_dir)
    again.note("after")
    again.stop()
    assert "after" in ids(data_dir)
    assert verify(data_dir).exit in {1, 2}


@settings(max_examples=60)
@given(data=st.data())
def test_a_broken_archive_is_told(log, tmp_path_factory, data):
    """Any byte of a compressed segment: it is told, or what is in it is the same."""
    data_dir = copy_of(log, tmp_path_factory)
    file = Folder(data_dir).segments()[0]
    packed = bytearray(file.path.read_bytes())
    before = gzip.decompress(packed)
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    file.path.write_bytes(packed)

    try:
        same = gzip.decompress(packed) == before
    except (EOFError, OSError, zlib.error):
        same = False
    verdict = verify(data_dir).exit
    assert verdict == 1 or (same and verdict == 0)


def test_what_follows_a_zero_byte_was_never_written(tmp_path):
    """After the loss of power, blocks that were promised are zeros: torn, not tampered."""
    written = Written(tmp_path).open()
    written.note("a", "b")
    written.die()
    with written.folder.segment(1).open("ab") as file:
        file.write(b'{"seq":4,' + bytes(100) + b"x\n")

    again = Written(tmp_path).open()

    assert again.found.tampered == ""
    assert [found.bytes for found in again.found.recoveries] == [111]
    assert ids(tmp_path) == ["a", "b"]


def test_a_call_without_an_end_is_handed_out(tmp_path):
    """Those whose intent was durable; from before a snapshot, and from after it."""
    written = Written(tmp_path).open()
    for name in ("a", "b"):
        written.journal.note(Intent(name, 500))
    written.note("b")
    written.snapshot()
    written.journal.note(Intent("c"))
    written.round()
    written.die()

    again = Written(tmp_path).open()

    assert sorted(again.found.open) == ["a", "c"]
    assert json.loads(again.found.open["a"])["reserved_micros"] == 500
    again.note("a", "c")  # as unknown, by whoever knows what that means
    again.die()
    assert Written(tmp_path).open().found.open == {}


def test_a_room_gets_its_state_and_what_came_after_it(tmp_path):
    """Not what was before: a start is as long as the time since the last snapshot."""
    written = Written(tmp_path).open()
    written.note("a", "b")
    written.snapshot()
    written.note("c")
    written.die()

    again = Written(tmp_path).open()

    assert again.room.loaded
    assert again.room.seen == ["a", "b", "c"]
    assert again.found.replayed == 1


def test_what_stands_there_twice_is_seen_once(tmp_path):
    """Somebody, or a file system, wrote a part of the file again: tampering, not two calls."""
    written = Written(tmp_path).open()
    written.note("a", "b")
    written.die()
    path = written.folder.segment(1)
    path.write_bytes(path.read_bytes() + b"".join(path.read_bytes().splitlines(True)[1:]))

    again = Written(tmp_path).open()

    assert "seq 2 stands where" in again.found.tampered
    assert again.room.seen == ["a", "b"]


def test_only_the_segments_since_the_snapshot_are_read(tmp_path):
    """Older ones may be large, and may even be gone."""
    written = Written(tmp_path, segment_bytes=300).open()
    written.note("a")
    written.note("b")
    written.note("c")
    written.snapshot()
    written.note("d")
    written.die()
    written.folder.segment(1).unlink()

    again = Written(tmp_path).open()

    assert again.found.tampered == ""
    assert again.room.seen == ["a", "b", "c", "d"]


def test_without_a_snapshot_all_is_read(tmp_path):
    """And the rooms know as much."""
    written = Written(tmp_path, segment_bytes=300).open()
    written.note("a")
    written.note("b")
    written.snapshot()
    written.die()
    written.folder.snapshot.write_bytes(b"{}\nAAAA\n")  # nobody of ours signed it

    again = Written(tmp_path).open()

    assert not again.room.loaded
    assert (again.room.seen, again.found.tampered) == (["a", "b"], "")


def test_seq_never_begins_again(tmp_path):
    """Even if all segments are gone: the snapshot and the checkpoints know how many there were."""
    written = Written(tmp_path).open()
    written.note("a", "b", "c")
    written.stop()
    written.folder.segment(1).unlink()

    again = Written(tmp_path).open()
    again.note("d")

    assert again.found.tampered.startswith("journal, seq 1: records up to seq 4")
    assert json.loads(lines(tmp_path)[-1])["seq"] == 7  # after a head and a recovery
    again.stop()
    assert verify(tmp_path).exit == 2


def test_seq_goes_on_behind_the_checkpoints_if_that_is_all_there_is(tmp_path):
    """The leaves of what is lost are zeros."""
    written = Written(tmp_path).open()
    written.note("a", "b", "c")
    written.stop()
    shutil.rmtree(written.folder.journal)

    again = Written(tmp_path).open()
    again.note("d")
    again.stop()

    head = json.loads(lines(tmp_path)[0])
    assert (head["seq"], head["lost"]) == (5, 4)
    assert verify(tmp_path).exit == 2


def test_tampering_is_told_until_its_segment_is_gone(tmp_path):
    """One record of it, not one with every start."""
    written = Written(tmp_path).open()
    written.note("a", "b")
    written.stop()
    path = written.folder.segment(1)
    path.write_bytes(path.read_bytes().replace(b'"id":"a"', b'"id":"A"'))

    for _ in range(3):
        again = Written(tmp_path).open()
        assert again.found.tampered.startswith("00000001.jsonl line 2, seq 2, id A: its hash")
        again.stop()
    told = [json.loads(line) for line in lines(tmp_path)]
    assert [record["seq"] for record in told if record["type"] == "recovery"] == [5]
    last = Written(tmp_path).open()
    last.clock.advance(2 * DAY)
    last.note("b")
    last.stop()
    for number in (1, 2):  # as retention would
        written.folder.segment(number).unlink()
    assert Written(tmp_path).open().found.tampered == ""


def test_a_note_in_the_checkpoints_that_is_not_ours_is_told(tmp_path):
    """And the journal goes on in the segment that it has, which holds."""
    written = Written(tmp_path).open()
    written.note("a")
    written.stop()
    path = written.folder.checkpoints
    path.write_text(path.read_text().replace("\n2\n", "\n1\n", 1))

    again = Written(tmp_path).open()

    assert again.found.tampered == "checkpoints: no key of ours signed 1 of the last notes"
    assert again.found.standing.goes_on
    again.stop()
    last = Written(tmp_path).open()
    assert (last.found.tampered, last.found.recoveries) == (again.found.tampered, [])


def test_a_log_made_anew_is_told_by_what_was_signed(tmp_path):
    """All of it chains; but the tree is another."""
    written = Written(tmp_path / "one").open()
    written.note("a", "b")
    written.stop()
    other = Written(tmp_path / "two").open()
    other.note("a", "c", "d")
    other.die()
    shutil.copy(other.folder.segment(1), written.folder.segment(1))

    again = Written(tmp_path / "one").open()

    assert "are not those that were signed" in again.found.tampered
    assert not again.found.standing.goes_on


def test_a_gap_between_segments_is_told(tmp_path):
    """And what stands behind a closed one."""
    written = Written(tmp_path, segment_bytes=100).open()
    for name in "abcd":
        written.note(name)
    written.die()
    with written.folder.segment(1).open("ab") as file:
        file.write(b"x")
    written.folder.segment(2).unlink()

    again = Written(tmp_path).open()

    assert again.found.tampered == ("00000001.jsonl line 3: something stands behind its last line")
    assert "(2 in all)" in again.found.recoveries[0].detail


def test_a_room_sees_the_types_that_it_asks_for(tmp_path):
    """Others are none of its business; a new room has no state to load."""

    class Starts(Counted):
        name = "starts"
        types = frozenset({"start"})

    written = Written(tmp_path).open()
    written.note("a")
    written.snapshot()
    written.journal.note(Start("s", pid=1))
    written.note("b")
    written.die()
    room = Starts()

    Written(tmp_path, room=room).open()

    assert (room.loaded, room.seen) == (False, ["s"])


def test_a_room_hears_of_calls_that_were_open_when_a_snapshot_was_made(tmp_path):
    """Their intents stand before it, and their ends behind."""

    class Open(Counted):
        name = "open"
        types = frozenset({"call.intent"})

    written = Written(tmp_path).open()
    written.journal.note(Intent("open"))
    written.note("a")
    written.snapshot()
    written.die()
    room = Open()

    Written(tmp_path, room=room).open()

    assert room.seen == ["open"]


def test_a_snapshot_of_other_records_is_told(tmp_path):
    """It was signed when they were others."""
    written = Written(tmp_path / "one").open()
    written.note("a", "b")
    written.snapshot()
    written.die()
    other = Written(tmp_path / "two").open()
    other.note("a", "c", "d")
    other.die()
    shutil.copy(other.folder.segment(1), written.folder.segment(1))

    again = Written(tmp_path / "one").open()

    assert again.found.tampered.endswith("the records up to here are not those of the snapshot")


def test_a_broken_date_is_no_reason_to_stop(tmp_path):
    """The segment counts as old, and the next record begins another one."""
    written = Written(tmp_path).open()
    written.note("a")
    written.die()
    path = written.folder.segment(1)
    path.write_bytes(path.read_bytes().replace(b'"ts":"2', b'"ts":"x', 1))

    assert Written(tmp_path).open().found.standing.day == 0


def test_a_record_that_does_not_hold_is_not_believed(tmp_path):
    """Rooms are not shown it: it may say that a kill was released."""
    written = Written(tmp_path).open()
    written.note("a", "b", "c")
    written.die()
    path = written.folder.segment(1)
    path.write_bytes(path.read_bytes().replace(b'"id":"b"', b'"id":"B"'))

    room = Counted()
    Written(tmp_path, room=room).open()

    assert room.seen == ["a", "c"]
    assert FINISHED in room.types


def test_an_end_says_what_its_intent_said():
    """And nothing that records do not have; what is missing is empty."""
    line = b'{"seq":3,"id":"a","ts":"x","type":"call.intent","agent":"ann","why":"?","status":9}'
    end = unknown_end(line)

    assert (end.id, end.agent, end.tool, end.status) == ("a", "ann", "", 0)
    assert (end.decision, end.outcome) == ("allow", "unknown")
