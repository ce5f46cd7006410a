"""The data dir: names, and who may write there."""

import errno
import os
import re
import stat
import subprocess
import sys

import pytest

from proxy.journal.folder import Folder, Lock, Locked


def test_segments_are_found_in_order(tmp_path):
    """Compressed or not; of one that is both, the one that is whole for certain."""
    folder = Folder(tmp_path)
    assert folder.segments() == []
    folder.make()
    segments = ("00000010.jsonl", "00000002.jsonl.gz", "00000002.jsonl", "00000001.jsonl.gz")
    others = ("00000003.jsonl.77.torn", "00000004.jsonl.gz.tmp", "snapshot", "1.jsonl")
    for name in segments + others:
        (folder.journal / name).touch()
    (folder.journal / "somebody's.tmp").mkdir()

    assert [(file.path.name, file.closed) for file in folder.segments()] == [
        ("00000001.jsonl.gz", True),
        ("00000002.jsonl", False),
        ("00000010.jsonl", False),
    ]
    assert [path.name for path in folder.leftovers()] == ["00000004.jsonl.gz.tmp"]
    assert folder.segment(3).name == "00000003.jsonl"


def test_the_folders_are_the_owners(tmp_path):
    """Nobody else may look into them."""
    folder = Folder(tmp_path / "data")
    assert folder.leftovers() == []
    folder.make()
    folder.make()

    for path in (folder.path, folder.journal, folder.keys):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_second_process_is_told_who_holds_it(tmp_path):
    """By process and machine; not before it is gone may another one write."""
    lock = Lock(tmp_path / "lock")
    with pytest.raises(Locked, match=f"in use by process {os.getpid()} on .+: give each process"):
        Lock(tmp_path / "lock")
    lock.release()
    lock.release()

    Lock(tmp_path / "lock").release()


def test_a_lock_that_cannot_say_whose_it_is_is_let_go_of(tmp_path, monkeypatch):
    """On a full disk. The same process may try again."""

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("proxy.journal.folder.os.pwrite", full)
        with pytest.raises(OSError, match="No space"):
            Lock(tmp_path / "lock")

    Lock(tmp_path / "lock").release()


def test_the_lock_goes_with_its_process(tmp_path):
    """However it ends: nothing is left that somebody would have to delete."""
    take = "import sys, os; from pathlib import Path; from proxy.journal.folder import Lock;"
    take += "Lock(Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    ended = subprocess.run([sys.executable, "-c", take, str(tmp_path / "lock")], check=False)

    assert ended.returncode == -9
    assert re.match("process [0-9]+ on ", (tmp_path / "lock").read_text())
    Lock(tmp_path / "lock").release()
