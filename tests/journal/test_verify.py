"""Verdicts: what was done to a journal, told with nothing but its folder and a public key."""

import json
import shutil
from hashlib import sha256
from typing import ClassVar

import msgspec
import pytest

from proxy.journal.checkpoint import Checkpoint
from proxy.journal.disk import RealDisk
from proxy.journal.entries import Prune, Pruned
from proxy.journal.folder import File, Folder
from proxy.journal.notes import Signer, keys_of, new_signer
from proxy.journal.retention import compress
from proxy.journal.verify import Verdict, notes_of, verify
from tests.fakes import FakeClock
from tests.journal.disks import FailingDisk
from tests.journal.written import DAY, Written, lines


@pytest.fixture
def log(tmp_path):
    """Four segments, of calls a0 to a5; stopped."""
    written = Written(tmp_path / "data", segment_bytes=900, records=5).open()
    for number in range(6):
        written.note(f"a{number}")
    written.stop()
    assert len(written.folder.segments()) > 3
    return tmp_path / "data"


def segment(data_dir, number=1):
    return Folder(data_dir).segment(number)


def change(path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def keys(data_dir):
    return keys_of((data_dir / "keys" / "journal.vkey").read_text())


def vouched(verdict: Verdict) -> tuple[bool, bool, bool]:
    """Integrity, completeness, anchoring."""
    return verdict.integrity.ok, verdict.completeness.ok, verdict.anchoring.ok


def test_a_whole_journal_is_whole(log):
    """All four verdicts, and how much there was."""
    verdict = verify(log)

    count = len(lines(log))
    assert (verdict.exit, vouched(verdict)) == (0, (True, True, True))
    assert verdict.integrity.records == verdict.completeness.last == count
    assert (verdict.anchoring.anchored, verdict.anchoring.unanchored) == (count, 0)
    assert verdict.recoveries.records == []
    assert json.loads(msgspec.json.encode(verdict))["exit"] == 0


def test_a_running_journal_may_be_verified(tmp_path):
    """What is not signed yet is told as such."""
    written = Written(tmp_path).open()
    written.note("a")
    written.journal._checkpoint()
    written.note("b", "c")

    verdict = verify(tmp_path)

    assert verdict.exit == 0
    assert (verdict.anchoring.anchored, verdict.anchoring.unanchored) == (2, 2)


def test_it_names_the_first_bad_record(log):
    """File, line, seq, id, and why; those before it and behind it hold."""
    change(segment(log, 2), b'"id":"a2"', b'"id":"xx"')
    number = next(n for n, line in enumerate(lines(log), 1) if b'"id":"xx"' in line)

    verdict = verify(log)

    assert (verdict.exit, vouched(verdict)) == (1, (False, True, True))
    (bad,) = verdict.integrity.bad
    assert (bad.file, bad.seq, bad.id) == ("00000002.jsonl", number, "xx")
    assert bad.line == 2
    assert "was changed" in bad.why
    assert verdict.integrity.records == len(lines(log)) - 1
    assert f"00000002.jsonl line {bad.line}, seq {number}, id xx" in verdict.why


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ([0, 2, 3], "seq 3 stands where 2 belongs"),
        ([0, 2, 1, 3], "seq 3 stands where 2 belongs"),
        ([0, 1, 1, 2, 3], "seq 2 stands where 3 belongs"),
    ],
)
def test_lines_left_out_moved_or_doubled_are_tampering(tmp_path, order, why):
    """In the middle of a segment nothing goes missing by itself."""
    written = Written(tmp_path).open()
    written.note("a", "b", "c")
    written.stop()
    found = lines(tmp_path)
    segment(tmp_path).write_bytes(b"".join(found[number] + b"\n" for number in order))

    verdict = verify(tmp_path)

    assert (verdict.exit, verdict.integrity.bad[0].why) == (1, why)


@pytest.mark.parametrize("left", [0, 1, 3])
def test_a_cut_end_is_incomplete(tmp_path, left):
    """A chain alone would say that all is well."""
    written = Written(tmp_path).open()
    written.note("a", "b", "c")
    written.stop()
    segment(tmp_path).write_bytes(b"".join(line + b"\n" for line in lines(tmp_path)[:left]))

    verdict = verify(tmp_path)

    assert (verdict.exit, vouched(verdict)[:2]) == (2, (True, False))
    assert f"{4 - left} records are missing at the end" in verdict.completeness.missing[0]


@pytest.mark.parametrize("number", [1, 2])
def test_a_missing_segment_is_incomplete(log, number):
    """Between others, or the first; those behind it are verified by what their first lines say."""
    segment(log, number).unlink()

    verdict = verify(log)

    assert (verdict.exit, vouched(verdict)) == (2, (True, False, True))
    assert "records are missing before" in verdict.completeness.missing[0]


def test_the_end_of_a_closed_segment_is_incomplete(log):
    """The next one says what was there."""
    path = segment(log, 1)
    path.write_bytes(b"\n".join(path.read_bytes().split(b"\n")[:1]) + b"\n")

    assert verify(log).exit == 2


def test_an_empty_folder_is_incomplete_where_a_checkpoint_says_so(log):
    """Also if the checkpoint was kept elsewhere, and nothing is left at all."""
    kept = notes_of((log / "checkpoints").read_bytes())
    known = keys(log)
    shutil.rmtree(log / "journal")
    assert verify(log).exit == 2
    shutil.rmtree(log)
    assert verify(log, known, kept).exit == 2


def test_tampering_beats_incompleteness(log):
    """Exit 1."""
    segment(log, 3).unlink()
    change(segment(log, 1), b'"id":"a0"', b'"id":"xx"')

    assert verify(log).exit == 1


def made_anew(log, other_name: str) -> None:
    """All of a journal is written again, with another past, by somebody without its key."""
    shutil.rmtree(log / "journal")
    other = Written(log.parent / "other", segment_bytes=900).open()
    for number in range(7):
        other.note(f"{other_name}{number}")
    other.die()
    shutil.copytree(log.parent / "other" / "journal", log / "journal")


def test_a_log_made_anew_is_found_by_the_checkpoints(log):
    """Though all of it chains."""
    made_anew(log, "b")

    verdict = verify(log)

    assert verdict.exit == 1
    assert any("are not those that were signed" in bad.why for bad in verdict.integrity.bad)


def test_a_log_made_anew_with_another_key_is_found_by_the_key(log):
    """If the key was kept elsewhere: that in the folder is of whoever may write the folder."""
    known = keys(log)
    made_anew(log, "b")
    shutil.copytree(log.parent / "other" / "keys", log / "keys", dirs_exist_ok=True)
    (log / "checkpoints").unlink()

    assert verify(log).exit == 0
    assert verify(log, known).exit == 1


def test_a_checkpoint_kept_elsewhere_is_compared(log):
    """It is believed if the key signed it; else it is of another journal than this."""
    notes = notes_of((log / "checkpoints").read_bytes())
    known = keys(log)
    (log / "checkpoints").unlink()
    signer = Signer.parse((log / "keys" / "journal.skey").read_text())
    size = len(lines(log))
    other = signer.note(Checkpoint("holdfast/default/holdfast", size, bytes(32)).text())
    more = signer.note(Checkpoint("holdfast/default/holdfast", size + 5, bytes(32)).text())
    stranger = new_signer("x", bytes).note(Checkpoint("x", 1, bytes(32)).text())

    assert verify(log, known, notes).exit == 0
    assert verify(log, known, [other]).exit == 1
    assert verify(log, known, [more]).exit == 2
    assert verify(log, known, [*notes, stranger]).exit == 0
    assert verify(log, known, [stranger]).exit == 1
    assert verify(log, known, [notes[0][:-20] + "\n"]).exit == 3


def test_a_log_made_anew_with_another_key_is_found_by_a_checkpoint(log):
    """Which was kept elsewhere, though nobody kept the key: the two do not belong together."""
    kept = notes_of((log / "checkpoints").read_bytes())
    made_anew(log, "b")
    shutil.copytree(log.parent / "other" / "keys", log / "keys", dirs_exist_ok=True)
    (log / "checkpoints").unlink()

    verdict = verify(log, notes=kept)

    assert (verdict.exit, verdict.integrity.bad[0].file) == (1, "the checkpoints that were given")
    assert "no key that is known signed number 1, of holdfast/" in verdict.why


def test_checkpoints_that_should_be_there_are_missed(tmp_path):
    """Without them all could be made anew: after the time, or the number, that is promised."""
    clock = FakeClock()
    written = Written(tmp_path, clock=clock, seconds=60.0).open()
    written.note("a")
    clock.advance(3600)
    written.note("b")
    written.journal._writer.round()
    (tmp_path / "checkpoints").unlink()

    verdict = verify(tmp_path)

    assert (verdict.exit, verdict.completeness.missing) == (
        2,
        ["the checkpoints after seq 0 are missing"],
    )
    assert not verdict.anchoring.ok


def test_a_checkpoint_that_nobody_signed_is_tampering(log):
    """It stands where only ours do."""
    change(log / "checkpoints", b"\n5\n", b"\n4\n")

    verdict = verify(log)

    assert (verdict.exit, verdict.integrity.bad[0].file) == (1, "checkpoints")


def test_a_head_is_checked(log):
    """Its number, its tree, and its note: each names what is wrong with it."""
    path = segment(log, 2)
    shutil.copy(path, segment(log, 9))
    again = verify(log)
    assert any("it is segment 2" in bad.why for bad in again.integrity.bad)
    segment(log, 9).unlink()
    for old, new, why in [
        (b'"frontier":["', b'"frontier":["00', "the tree that it names"),
        (b'"size":', b'"size":9', "the tree that it names"),
        (b'"note":"', b'"note":"x', "nobody signed its note"),
        (b'"type":"checkpoint"', b'"type":"checkpoin!"', "does not say where it belongs"),
    ]:
        before = path.read_bytes()
        change(path, old, new)
        assert any(why in bad.why for bad in verify(log).integrity.bad), why
        path.write_bytes(before)


def test_a_note_of_another_tree_in_a_head_is_told(log):
    """It is signed; but it is not of the records before it."""
    signer = Signer.parse((log / "keys" / "journal.skey").read_text())
    other = signer.note(Checkpoint("holdfast/default/holdfast", 1, bytes(32)).text())
    path = segment(log, 2)
    head = json.loads(path.read_bytes().split(b"\n")[0])
    change(path, json.dumps(head["note"], ensure_ascii=False).encode(), json.dumps(other).encode())

    assert any("of another tree" in bad.why for bad in verify(log).integrity.bad)


def old_log(tmp_path) -> Written:
    """Of which retention deleted the beginning."""
    written = Written(tmp_path, segment_bytes=300, retention_days=10).open()
    written.note("a")
    written.note("b")
    written.snapshot()
    written.clock.advance(20 * DAY)
    written.note("c")
    written.note("d")
    written.tidy()
    assert written.folder.segments()[0].number > 1
    return written


def test_pruned_segments_are_no_gap(tmp_path):
    """The record that explains them is signed; how many they were is told."""
    written = old_log(tmp_path)
    written.stop()

    verdict = verify(tmp_path)

    assert (verdict.exit, vouched(verdict)) == (0, (True, True, True))
    assert verdict.recoveries.pruned == verdict.completeness.first - 1 > 0


def test_a_tree_that_was_not_pruned_is_told(tmp_path):
    """The record says with which tree the rest begins."""
    written = Written(tmp_path, segment_bytes=300).open()
    for name in "abc":
        written.note(name)
    found = [json.loads(line) for line in lines(tmp_path)]
    last = found[next(n for n, told in enumerate(found) if told.get("segment") == 2) - 1]
    told = (Pruned(1, 1, last["seq"], last["hash"], "0" * 64),)
    digest = sha256(msgspec.json.encode(told)).hexdigest()
    signer = Signer.parse((tmp_path / "keys" / "journal.skey").read_text())
    written.journal.note(prune_by(signer, told, f"o prune\nsha256:{digest}\n"))
    written.round()
    written.stop()
    segment(tmp_path).unlink()

    verdict = verify(tmp_path)

    assert verdict.exit == 2


def prune_by(signer: Signer, segments: tuple[Pruned, ...], text: str) -> Prune:
    """A record by whoever has that key."""
    return Prune("p", segments, 10, signer.note(text))


def test_a_prune_record_that_nobody_signed_explains_nothing(tmp_path):
    """Else whoever deletes a segment would write one."""
    written = Written(tmp_path, segment_bytes=300).open()
    for name in "abc":
        written.note(name)
    stranger = new_signer("x", lambda size: bytes(size))
    told = (Pruned(1, 1, 2, json.loads(lines(tmp_path)[1])["hash"], ""),)
    written.journal.note(prune_by(stranger, told, "x prune\nsha256:00\n"))
    written.journal.note(Prune("q", told, 10, "no note"))
    written.round()
    written.stop()
    segment(tmp_path).unlink()

    assert verify(tmp_path).exit == 2


class Odd(msgspec.Struct, frozen=True):
    """Its members are not those of its type."""

    id: str
    what: int = 0
    type: ClassVar[str] = "recovery"


class Odder(Odd, frozen=True):
    """Nor are these."""

    type: ClassVar[str] = "prune"


@pytest.mark.parametrize("entry", [Odd("o"), Odder("o")], ids=["recovery", "prune"])
def test_what_the_journal_would_not_write_is_tampering(tmp_path, entry):
    """The chain is made without a key: a record may hold, and be nonsense."""
    written = Written(tmp_path, segment_bytes=300).open()
    written.journal.note(entry)
    written.round()
    written.note("a")
    written.stop()

    verdict = verify(tmp_path)

    assert verdict.exit == 1
    assert verdict.integrity.bad[0].id == "o"
    assert verdict.integrity.bad[0].why == "not a record that the journal would write"
    assert len(written.folder.segments()) > 1
    written.journal._keeper.look()  # goes on as well


def test_more_than_was_pruned_is_missing(tmp_path):
    """The record names the segments one by one."""
    written = old_log(tmp_path)
    written.stop()
    written.folder.segments()[0].path.unlink()

    assert verify(tmp_path).exit == 2


def test_torn_ends_and_recoveries_are_told(tmp_path):
    """They are not tampering: the journal says itself what it found."""
    written = Written(tmp_path).open()
    written.note("a")
    written.die()
    with segment(tmp_path).open("ab") as file:
        file.write(b'{"seq":3')
    before = verify(tmp_path)
    Written(tmp_path).open().stop()

    assert (before.exit, before.recoveries.torn) == (0, 8)
    after = verify(tmp_path)
    assert (after.exit, after.recoveries.torn) == (0, 0)
    assert after.recoveries.records == ["torn 00000001.jsonl"]


def test_tampering_that_the_journal_noticed_is_tampering(tmp_path):
    """Also where nothing of it is left to be seen: what the batch went to is left out."""
    written = Written(tmp_path).open()
    written.note("a")
    with segment(tmp_path).open("ab") as file:
        file.write(b"more\n")
    assert written.note("b", "c")
    written.stop()

    verdict = verify(tmp_path)
    assert (verdict.exit, verdict.integrity.ok) == (1, True)
    assert verdict.why.startswith("tampered, as the journal itself tells: ")


def test_what_a_disk_made_of_an_abandoned_segment_does_not_count(tmp_path):
    """After a failed fsync: nobody was told that it is durable."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    disk.fails = {"sync": OSError(5, "no"), "truncate": OSError(5, "no")}
    written.note("b")
    disk.fails = {}
    written.clock.advance(5)
    written.round()
    assert segment(tmp_path).read_bytes().count(b"\n") == 3  # b is there, though cut off in vain

    written.stop()

    verdict = verify(tmp_path)
    assert verdict.exit == 0
    assert any("fsync" in told for told in verdict.recoveries.records)
    again = Written(tmp_path).open()
    assert again.found.tampered == ""


@pytest.mark.parametrize("what", ["nothing", "no keys", "bad keys", "newer"])
def test_what_cannot_be_read_is_said(tmp_path, log, what):
    """Exit 3: nothing is vouched for."""
    if what == "no keys":
        shutil.rmtree(log / "keys")
    elif what == "bad keys":
        (log / "keys" / "journal.vkey").write_text("nonsense")
    elif what == "newer":
        change(segment(log), b'"v":1', b'"v":2')

    verdict = verify(tmp_path / "elsewhere" if what == "nothing" else log)

    assert (verdict.exit, vouched(verdict)) == (3, (False, False, False))


def test_a_folder_without_a_journal_is_not_vouched_for(log):
    """It has a key, and neither a segment nor a checkpoint."""
    shutil.rmtree(log / "journal")
    (log / "checkpoints").unlink()

    assert verify(log).exit == 3


def test_garbage_behind_a_closed_segment_is_tampering(log):
    """Only the last one may have a torn end."""
    with segment(log, 1).open("ab") as file:
        file.write(b"x")

    assert verify(log).integrity.bad[0].why == "something stands behind its last line"


def test_a_segment_may_be_compressed_meanwhile(log):
    """It has another name then, and is looked for again."""

    def compressing(read: int, size: int) -> None:
        path = segment(log, 3)
        if path.exists():
            compress(RealDisk(), path, lambda: False)

    assert verify(log, progress=compressing).exit == 0


def test_segments_that_vanish_again_and_again_cannot_be_read(log, monkeypatch):
    """Somebody deletes them while they are read."""
    monkeypatch.setattr(Folder, "segments", lambda folder: [File(1, log / "gone.gz")])

    assert verify(log).exit == 3


def test_it_says_how_far_it_is(log):
    """In bytes, up to all of them."""
    told = []
    verify(log, progress=lambda read, size: told.append((read, size)))

    whole = sum(file.path.stat().st_size for file in Folder(log).segments())
    assert told[-1] == (whole, whole)
    assert told == sorted(told)


def test_a_broken_time_is_no_reason_to_give_up(tmp_path):
    """A moment that cannot be read counts as none."""
    written = Written(tmp_path).open()
    written.note("a")
    written.die()
    change(segment(tmp_path), b'"ts":"2023', b'"ts":"x023')

    assert verify(tmp_path).exit == 1
