"""Proofs of single records, made from a journal and checked without it."""

import json

import msgspec
import pytest

from proxy.journal.folder import Folder
from proxy.journal.notes import keys_of, new_signer
from proxy.journal.proofs import NoProof, Proof, check, prove
from tests.journal.disks import FailingDisk
from tests.journal.noted import Intent
from tests.journal.written import DAY, Written, ids


@pytest.fixture
def log(tmp_path):
    """Of some segments; the newest record is not signed."""
    written = Written(tmp_path, segment_bytes=900, records=4).open()
    for name in ("a3", "open"):
        written.journal.note(Intent(name))
    for number in range(8):
        written.note(f"a{number}")
    written.journal._checkpoint()
    written.note("last")
    return tmp_path


def keys(data_dir):
    return keys_of((data_dir / "keys" / "journal.vkey").read_text())


def test_every_record_that_is_signed_can_be_proven(log):
    """With the first checkpoint that covers it; the proof is plain JSON."""
    for name in [name for name in ids(log) if name != "last"]:
        proof = prove(log, name, keys(log))
        told = msgspec.json.decode(msgspec.json.encode(proof), type=Proof)
        record = json.loads(proof.record)

        assert check(told, keys(log)) == ""
        assert (record["id"], record["type"]) == (name, "call.finished")
        assert proof.index == record["seq"] - 1 < proof.size


def test_a_call_is_proven_by_its_end_if_it_has_one(log):
    """Else by its intent; what has no record cannot be proven."""
    assert json.loads(prove(log, "open", keys(log)).record)["type"] == "call.intent"
    with pytest.raises(NoProof, match="there is no record nobody"):
        prove(log, "nobody", keys(log))


def test_of_two_ends_the_first_is_proven(tmp_path):
    """Nobody writes two; who did cannot replace what was there."""
    written = Written(tmp_path).open()
    written.note("a")
    written.note("a", text="another")
    written.journal._checkpoint()

    assert "text" not in json.loads(prove(tmp_path, "a", keys(tmp_path)).record)


def test_a_proof_of_something_else_is_none(log):
    """Each part of it is bound to the others."""
    proof = prove(log, "a5", keys(log))
    other = prove(log, "a0", keys(log))
    stranger = new_signer("x", lambda size: bytes(size))
    wrong = [
        (msgspec.structs.replace(proof, record=proof.record.replace("a5", "a6")), "as it was"),
        (msgspec.structs.replace(proof, record="nonsense"), "as it was"),
        (msgspec.structs.replace(proof, record=other.record), "the proof is of"),
        (msgspec.structs.replace(proof, size=proof.size + 1), "not in the tree"),
        (msgspec.structs.replace(proof, path=proof.path[:-1]), "not in the tree"),
        (msgspec.structs.replace(proof, path=["x", *proof.path[1:]]), "not in the tree"),
        (msgspec.structs.replace(proof, checkpoint=other.checkpoint), "not in the tree"),
        (msgspec.structs.replace(proof, checkpoint="nonsense"), "not signed"),
    ]

    for changed, why in wrong:
        assert why in check(changed, keys(log))
    assert check(proof, [stranger.verifier]) == "the checkpoint is not signed by the key"


def test_what_is_not_signed_yet_cannot_be_proven(log):
    """It will be, in a minute."""
    with pytest.raises(NoProof, match="no checkpoint covers"):
        prove(log, "last", keys(log))
    (log / "checkpoints").unlink()
    with pytest.raises(NoProof, match="no checkpoint covers"):
        prove(log, "a0", keys(log))


def test_what_is_left_after_pruning_can_be_proven(tmp_path):
    """By the tree of what is gone."""
    written = Written(tmp_path, segment_bytes=300, retention_days=10).open()
    for name in "abcdef":
        written.note(name)
        written.clock.advance(4 * DAY)
    written.snapshot()
    written.tidy()
    written.stop()
    assert "a" not in ids(tmp_path)

    for name in ids(tmp_path):
        assert check(prove(tmp_path, name, keys(tmp_path)), keys(tmp_path)) == ""


@pytest.mark.parametrize("broken", ["head", "line", "gap"])
def test_a_journal_that_is_not_whole_proves_nothing(log, broken):
    """It says so, and where to look."""
    first, *others = [file.path for file in Folder(log).segments()]
    if broken == "head":
        content = first.read_bytes()
        first.write_bytes(content.replace(b'"type":"checkpoint"', b'"type":"checkpoin!"', 1))
    elif broken == "line":
        first.write_bytes(first.read_bytes() + b"nonsense\n")
    else:
        for path in others[:2]:
            path.unlink()

    with pytest.raises(NoProof, match="holdfast audit verify"):
        prove(log, "a7", keys(log))


def test_what_the_disk_made_of_an_abandoned_segment_is_no_leaf(tmp_path):
    """Records behind it are proven all the same."""
    disk = FailingDisk()
    written = Written(tmp_path, disk).open()
    written.note("a")
    disk.fails = {"sync": OSError(5, "no"), "truncate": OSError(5, "no")}
    written.note("b")
    disk.fails = {}
    written.clock.advance(5)
    written.note("c")
    written.stop()

    assert len(written.folder.segments()) == 2
    assert check(prove(tmp_path, "c", keys(tmp_path)), keys(tmp_path)) == ""
