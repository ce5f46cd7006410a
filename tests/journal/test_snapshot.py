"""Snapshots: signed, whole or not at all."""

import pytest

from proxy.journal.disk import RealDisk
from proxy.journal.folder import Folder
from proxy.journal.notes import new_signer
from proxy.journal.snapshot import VERSION, Snapshot, read_snapshot, write_snapshot

SIGNER = new_signer("a", lambda size: b"a" * size)
OTHER = new_signer("b", lambda size: b"b" * size)


@pytest.fixture
def folder(tmp_path):
    folder = Folder(tmp_path)
    folder.make()
    return folder


def snapshot(**changes) -> Snapshot:
    facts = {"v": VERSION, "seq": 1, "hash": "1" * 64, "frontier": ["2" * 64], "segment": 3}
    return Snapshot(**(facts | changes))  # type: ignore[arg-type]


def test_what_was_written_is_read(folder):
    """And says where the journal stood."""
    write_snapshot(folder, RealDisk(), snapshot(), SIGNER)
    found = read_snapshot(folder, [OTHER.verifier, SIGNER.verifier])

    assert found == snapshot()
    assert found is not None
    assert found.tip().place == (1, bytes.fromhex("1" * 64))
    assert found.tip().tree.root() == bytes.fromhex("2" * 64)


def test_what_is_not_ours_is_none(folder):
    """Nobody signed it, it was changed, or it is not there."""
    assert read_snapshot(folder, [SIGNER.verifier]) is None
    write_snapshot(folder, RealDisk(), snapshot(), SIGNER)
    assert read_snapshot(folder, [OTHER.verifier]) is None
    content = folder.snapshot.read_bytes()
    for changed in (content.replace(b'"seq":1', b'"seq":2'), content[:-9], b"", b"{}\n!\n"):
        folder.snapshot.write_bytes(changed)
        assert read_snapshot(folder, [SIGNER.verifier]) is None


@pytest.mark.parametrize(
    "changes", [{"v": VERSION + 1}, {"frontier": []}, {"hash": "x"}, {"frontier": ["x"]}]
)
def test_what_makes_no_sense_is_none(folder, changes):
    """Though it is signed: of a version that is not known, or a tree that cannot be."""
    write_snapshot(folder, RealDisk(), snapshot(**changes), SIGNER)

    assert read_snapshot(folder, [SIGNER.verifier]) is None
