"""Checkpoints of what retention deleted: they go, and no verdict changes by it."""

import re
import shutil
from itertools import chain, count, repeat

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.journal import outdated
from proxy.journal.checkpoint import whole_notes
from proxy.journal.folder import Folder
from proxy.journal.notes import keys_of, new_signer
from proxy.journal.proofs import check, prove
from proxy.journal.verify import verify
from tests.journal.disks import FailingDisk, QuickDisk
from tests.journal.written import DAY, Written, ids

BROKEN = OSError(5, "Input/output error")


def written_for(data_dir, counts, disk=None, forget=True):
    """A segment for each number, of which those older than two days are deleted; so many
    checkpoints in each."""
    written = Written(data_dir, disk, retention_days=2).open()
    written.journal._keeper.pause = lambda: False
    if not forget:
        written.journal._keeper.deleted = lambda first: None
    for number, many in enumerate(counts):
        for part in range(many):
            written.note(f"{number}-{part}")
            written.journal._checkpoint()
        written.clock.advance(DAY)
    written.note("last")
    written.snapshot()
    return written


def sizes(data_dir):
    notes, end = whole_notes(Folder(data_dir).checkpoints.read_bytes())
    assert end == Folder(data_dir).checkpoints.stat().st_size
    return [int(note.split("\n")[1]) for note in notes]


def test_checkpoints_of_what_is_gone_go_as_well(tmp_path):
    """But for that of the tree before the first record; those of what is left stay."""
    written = written_for(tmp_path, [3, 3, 3, 2, 2])
    before = sizes(tmp_path)
    written.tidy()
    written.round()
    written.journal._checkpoint()
    written.stop()

    first = verify(tmp_path).completeness.first
    after = sizes(tmp_path)
    assert first > 1
    kept = [size for size in before if size >= first - 1]
    assert 0 < len(kept) < len(before) / 2
    assert after[: len(kept)] == kept
    assert verify(tmp_path).exit == 0
    assert not (tmp_path / "checkpoints.tmp").exists()


def test_a_few_stay(tmp_path):
    """Half of the file must go, or all that is left would be copied again and again."""
    written = written_for(tmp_path, [1, 1, 1, 4, 4])
    before = sizes(tmp_path)
    written.tidy()
    written.round()

    assert sizes(tmp_path) == before
    written.stop()


def foreign_note(data_dir):
    origin = whole_notes(Folder(data_dir).checkpoints.read_bytes())[0][0].split("\n")[0]
    return new_signer(origin, lambda size: b"x" * size).note(f"{origin}\n1\n{'A' * 43}=\n") + "\n"


def flipped(content):
    """One digit of an id is another."""
    return content.replace(b'"id":"last"', b'"id":"lost"')


def last_segment(data_dir):
    return Folder(data_dir).segments()[-1].path


ATTACKS = {
    "none": lambda data_dir: None,
    "changed": lambda data_dir: last_segment(data_dir).write_bytes(
        flipped(last_segment(data_dir).read_bytes())
    ),
    "cut": lambda data_dir: last_segment(data_dir).unlink(),
    "first": lambda data_dir: Folder(data_dir).segments()[0].path.unlink(),
    "all": lambda data_dir: shutil.rmtree(Folder(data_dir).journal),
    "unsigned": lambda data_dir: Folder(data_dir).checkpoints.write_text(
        Folder(data_dir).checkpoints.read_text() + foreign_note(data_dir)
    ),
    "key": lambda data_dir: Folder(data_dir).public.write_text(
        new_signer("other", lambda size: b"y" * size).verifier.line()
    ),
}


@given(
    counts=st.lists(st.integers(0, 5), min_size=3, max_size=7),
    attack=st.sampled_from(sorted(ATTACKS)),
    block=st.sampled_from([300, 700, 1 << 16]),
)
@settings(max_examples=40)
def test_no_verdict_and_no_proof_changes(tmp_path_factory, counts, attack, block):
    """Whatever somebody did to the journal, verify says the same of it as with all checkpoints."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outdated, "_BLOCK", block)
        data_dir = tmp_path_factory.mktemp("whole")
        written = written_for(data_dir, counts, forget=False)
        written.tidy()
        written.journal._checkpoint()
        copy = tmp_path_factory.mktemp("copy") / "state"
        first = Folder(data_dir).segments()[0].number
        shutil.copytree(data_dir, copy)
        written.journal._forget(verify(data_dir).completeness.first)
        written.round()
        for name, place in (("cut", data_dir), ("whole", copy)):
            ATTACKS[attack](place)
            made[name] = place
        written.die()
    assert Folder(copy).checkpoints.stat().st_size >= Folder(data_dir).checkpoints.stat().st_size

    cut, whole = (told(verify(place)) for place in (made["cut"], made["whole"]))
    assert cut == whole
    assert first >= 1
    if attack in {"none", "unsigned"}:
        keys = keys_of(Folder(data_dir).public.read_text())
        for name in ids(data_dir):
            assert check(prove(data_dir, name, keys), keys) == ""


def told(verdict):
    """But for the place of a note among the others, and how many of them nobody signed."""
    whole = msgspec.to_builtins(verdict)
    whys = {_unnumbered(bad["why"]) for bad in whole["integrity"].pop("bad")}
    return whys, _unnumbered(whole.pop("why")), whole


def _unnumbered(why):
    return re.sub(r"signed checkpoint \d+", "signed checkpoint", why)


@pytest.mark.parametrize("where", [0, 1])
def test_a_note_that_nobody_signed_is_kept_and_all_behind_it(tmp_path, where):
    """It is a sign of tampering."""
    written = written_for(tmp_path, [3, 3, 3, 1, 1, 1, 1])
    written.stop()
    path = Folder(tmp_path).checkpoints
    notes = whole_notes(path.read_bytes())[0]
    notes.insert(where, foreign_note(tmp_path)[:-1])
    content = "".join(note + "\n" for note in notes).encode()
    path.write_bytes(content)
    again = Written(tmp_path, retention_days=2, clock=written.clock).open()
    again.tidy()
    again.round()

    assert path.read_bytes().startswith(content)
    again.die()


def test_what_is_no_note_is_kept_and_all_behind_it(tmp_path):
    """Nobody knows what it was."""
    path = tmp_path / "checkpoints"
    path.write_bytes(b"nonsense\n" * 20_000)
    assert outdated.cut(QuickDisk(), path, 180_000, 99, (), lambda: False) is None


def test_it_can_be_called_off(tmp_path, monkeypatch):
    """While it looks, and while it copies; the file is as it was."""
    written = written_for(tmp_path, [3, 3, 3, 1, 1, 1, 1], forget=False)
    written.tidy()
    path, keys = written.folder.checkpoints, written.journal._keys
    size, first = written.journal._log.noted, verify(tmp_path).completeness.first
    content = path.read_bytes()
    monkeypatch.setattr(outdated, "_BLOCK", 300)
    asked = count()
    assert outdated.cut(QuickDisk(), path, size, first, keys, lambda: next(asked) < 0)
    for number in range(next(asked)):
        answers = chain(repeat(False, number), repeat(True))
        found = outdated.cut(QuickDisk(), path, size, first, keys, answers.__next__)
        assert found is None
    whole = outdated.cut(QuickDisk(), path, size, 10**9, keys, lambda: False)
    assert whole is not None
    assert whole.left_out == size
    assert path.read_bytes() == content
    written.die()


@pytest.mark.parametrize("method", ["open", "write", "sync", "rename", "sync_folder"])
def test_a_disk_that_fails_in_it_loses_no_checkpoint(tmp_path, method):
    """It is told, and done with the next ones; those that are made meanwhile are there."""
    disk = FailingDisk()
    written = written_for(tmp_path, [3, 3, 3, 1, 1, 1, 1], disk, forget=False)
    written.tidy()
    troubles: list[str] = []
    journal = written.journal
    journal._trouble = troubles.append
    first = verify(tmp_path).completeness.first
    journal._forget(first)
    journal._forget(first)  # while the first is under way
    journal._log.checkpoint()
    disk.fails = {method: BROKEN}
    journal._writer.round()
    disk.fails = {}
    assert troubles == ["old checkpoints were not deleted: [Errno 5] Input/output error"]
    written.note("more")
    journal._checkpoint()
    size = journal.seq
    journal._forget(first)
    written.round()
    written.note("and more")
    written.stop()

    assert size in sizes(tmp_path)
    assert min(sizes(tmp_path)) >= first - 1
    assert verify(tmp_path).exit == 0


def test_what_was_left_of_it_is_put_away_at_the_start(tmp_path):
    """The process died while it copied."""
    (tmp_path / "checkpoints.tmp").write_bytes(b"half")
    written = Written(tmp_path).open()

    assert not (tmp_path / "checkpoints.tmp").exists()
    written.stop()
