"""Files that only grow, and files that are there whole or not at all."""

import errno
import os
import stat
from pathlib import Path

import pytest

from proxy.journal.disk import Appended, Changed, RealDisk, write_all, write_whole
from tests.journal.disks import Died, DyingDisk, FailingDisk, QuickDisk

BROKEN = OSError(errno.EIO, "no")


def test_the_real_disk_does_what_it_says(tmp_path):
    """Every method, on a file of its own; only its owner may read it."""
    disk = RealDisk()
    file = disk.open(tmp_path / "a", os.O_RDWR | os.O_CREAT)
    disk.write(file, b"hello")
    disk.truncate(file, 4)
    disk.sync(file)
    disk.sync_folder(tmp_path)
    disk.close(file)
    disk.rename(tmp_path / "a", tmp_path / "b")

    assert (tmp_path / "b").read_bytes() == b"hell"
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o600
    disk.unlink(tmp_path / "b")
    disk.unlink(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_what_stands_behind_the_size_is_cut_off(tmp_path):
    """It was never acknowledged."""
    (tmp_path / "a").write_bytes(b"12345")
    file = Appended(RealDisk(), tmp_path / "a", 3)
    file.append(b"6")
    file.close()

    assert (tmp_path / "a").read_bytes() == b"1236"
    assert file.size == 4


def test_a_file_that_cannot_be_cut_is_not_opened(tmp_path):
    """And its descriptor is given back."""
    disk = FailingDisk()
    closed: list[int] = []
    disk.close = closed.append  # type: ignore[assignment,misc,method-assign]
    disk.fails = {"truncate": BROKEN}
    with pytest.raises(OSError, match="no"):
        Appended(disk, tmp_path / "a", 0)

    assert len(closed) == 1
    os.close(closed[0])


@pytest.mark.parametrize(
    ("fails", "content", "sound"),
    [
        ({"write": BROKEN}, b"old", True),
        ({"write": BROKEN, "truncate": BROKEN}, b"oldne", False),
        ({"sync": BROKEN}, b"old", False),
    ],
)
def test_what_failed_is_taken_back(tmp_path, fails, content, sound):
    """If it can be; and after a failed fsync nothing more is written there."""
    disk = FailingDisk()
    file = Appended(disk, tmp_path / "a", 0)
    file.append(b"old")
    disk.fails = fails
    disk.short = 2 if "write" in fails else 0
    with pytest.raises(OSError, match="no"):
        file.append(b"new")

    assert ((tmp_path / "a").read_bytes(), file.sound, file.size) == (content, sound, 3)
    file.close()


def test_without_sync_nothing_waits(tmp_path):
    """For those who said that they do not."""
    disk = FailingDisk()
    file = Appended(disk, tmp_path / "a", 0)
    disk.fails = {"sync": BROKEN}
    file.append(b"x", sync=False)

    assert file.size == 1
    file.close()


def test_it_takes_as_often_as_the_disk_wants(tmp_path):
    """A write may take a part only."""
    disk = FailingDisk()
    file = disk.open(tmp_path / "a", os.O_WRONLY | os.O_CREAT)
    disk.short = 2
    write_all(disk, file, b"12345")
    disk.close(file)

    assert (tmp_path / "a").read_bytes() == b"12345"


@pytest.mark.parametrize("steps", range(8))
def test_a_whole_file_is_the_old_one_or_the_new_one(tmp_path, steps):
    """Wherever the process dies."""
    path = tmp_path / "a"
    path.write_bytes(b"old")
    disk = DyingDisk(steps)
    try:
        write_whole(disk, path, b"new and longer")
    except Died:
        assert path.read_bytes() in {b"old", b"new and longer"}
    else:
        assert path.read_bytes() == b"new and longer"


def cut(path: Path) -> None:
    """Somebody did."""
    os.truncate(path, 1)


def written_to(path: Path) -> None:
    """Somebody did."""
    path.write_bytes(path.read_bytes() + b"more")


def replaced(path: Path) -> None:
    """By a copy; the file itself is still there, under another name."""
    content = path.read_bytes()
    path.rename(path.with_name("old"))
    path.write_bytes(content)


@pytest.mark.parametrize("change", [Path.unlink, cut, written_to, replaced])
def test_what_goes_to_a_file_that_was_changed_is_not_durable(tmp_path, change):
    """Though the kernel takes it. Nothing more is done to the file, for it is evidence."""
    file = Appended(QuickDisk(), tmp_path / "a", 0)
    file.append(b"old")
    change(tmp_path / "a")
    with pytest.raises(Changed, match="by somebody else"):
        file.append(b"new")
    file.close()

    assert not file.sound
    assert file.size == 3
    left = (tmp_path / "a").read_bytes() if (tmp_path / "a").exists() else b""
    assert left in {b"", b"onew", b"oldmorenew", b"old"}


def test_a_name_that_cannot_be_looked_at_is_a_failure(tmp_path, monkeypatch):
    """What was written is taken back, as after any other."""
    file = Appended(QuickDisk(), tmp_path / "a", 0)
    file.append(b"old")

    def broken(path: Path) -> None:
        raise BROKEN

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", broken)
        with pytest.raises(OSError, match="no"):
            file.append(b"new")
    assert file.sound
    file.append(b"er")
    file.close()

    assert (tmp_path / "a").read_bytes() == b"older"
