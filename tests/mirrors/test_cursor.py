"""proxy/mirrors/cursor.py: the place is there after whatever happened."""

import errno
import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.journal.chain import Place
from proxy.journal.disk import RealDisk
from proxy.mirrors.cursor import Aside, Cursor, CursorFile, Damaged, thinned


def file_of(folder: Path, name: str = "siem", disk: RealDisk | None = None) -> CursorFile:
    return CursorFile(folder, name, disk or RealDisk())


def a_cursor(seq: int = 7) -> Cursor:
    made = Cursor("webhook", "abc", aside=[Aside(3, "it answered 400")], state={"a": [1]})
    made.go(Place(seq, bytes([seq % 256]) * 32))
    made.mark()
    made.mark()
    return made


def test_what_was_written_is_read(tmp_path: Path):
    """All of it; before that there is none."""
    file = file_of(tmp_path)
    assert file.read() is None

    file.write(a_cursor())

    found = file_of(tmp_path).read()
    assert found == a_cursor()
    assert found.place == Place(7, b"\x07" * 32)
    assert found.places == [Place(7, b"\x07" * 32)]
    assert file.path.stat().st_mode & 0o77 == 0
    assert file.path.parent.stat().st_mode & 0o77 == 0


def test_a_name_leads_nowhere_else(tmp_path: Path):
    """It may hold slashes and dots."""
    file_of(tmp_path, "../a/b").write(a_cursor())

    assert [path.name for path in (tmp_path / "mirrors").iterdir()] == ["..%2Fa%2Fb.cursor"]


@pytest.mark.parametrize("cut", [0, 1, 20, -1, -2, -20])
def test_a_cursor_that_is_cut_off_is_set_aside(tmp_path: Path, cut: int):
    """Whatever is missing of it but its last newline; people may look at it."""
    file = file_of(tmp_path)
    file.write(a_cursor())
    content = file.path.read_bytes()
    file.path.write_bytes(content[:cut])
    if cut == -1:
        assert file.read() == a_cursor()
        return

    with pytest.raises(Damaged, match=r"siem\.cursor\.damaged"):
        file.read()

    assert file.read() is None
    assert (tmp_path / "mirrors" / "siem.cursor.damaged").read_bytes() == content[:cut]


def test_any_byte_that_was_changed_is_noticed(tmp_path: Path):
    """A number that is another one would lose records, or send them all again."""
    file = file_of(tmp_path)
    file.write(a_cursor())
    content = file.path.read_bytes()
    for at in range(len(content) - 1):
        other = b"x" if content[at : at + 1] != b"x" else b"y"
        file.path.write_bytes(content[:at] + other + content[at + 1 :])
        with pytest.raises(Damaged):
            file.read()


@pytest.mark.parametrize("change", [{"v": 2}, {"seq": -1}, {"hash": "zz"}])
def test_one_of_another_version_or_without_sense(tmp_path: Path, change: dict):
    """As one that is damaged."""
    file = file_of(tmp_path)
    made = a_cursor()
    for name, value in change.items():
        setattr(made, name, value)
    file.write(made)

    with pytest.raises(Damaged):
        file.read()


class DyingDisk(RealDisk):
    """It fails at its n-th deed, and takes half of what is written then."""

    def __init__(self, at: int) -> None:
        self.left = at

    def _count(self) -> bool:
        self.left -= 1
        return self.left < 0

    def open(self, path, flags, mode=0o600):
        if self._count():
            raise OSError(errno.ENOSPC, "full")
        return super().open(path, flags, mode)

    def write(self, file, content):  # type: ignore[override]
        if self._count():
            RealDisk.write(file, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "full")
        return RealDisk.write(file, content)

    def sync(self, file):  # type: ignore[override]
        if self._count():
            raise OSError(errno.EIO, "broken")
        RealDisk.sync(file)

    def rename(self, old, new):  # type: ignore[override]
        if self._count():
            raise OSError(errno.EIO, "broken")
        RealDisk.rename(old, new)


@pytest.mark.parametrize("at", range(5))
def test_whatever_fails_the_place_before_is_there(tmp_path: Path, at: int):
    """Or the new one; never half of one."""
    file_of(tmp_path).write(a_cursor(7))
    dying = file_of(tmp_path, disk=DyingDisk(at))
    try:
        dying.write(a_cursor(8))
        failed = False
    except OSError:
        failed = True

    file = file_of(tmp_path)
    file.clean()
    found = file.read()

    assert failed == (at < 4)
    assert found is not None
    assert found.seq == (7 if failed else 8)
    assert [path.name for path in (tmp_path / "mirrors").iterdir()] == ["siem.cursor"]


def test_it_goes_back_without_its_later_marks():
    """They are of records that are no more."""
    made = Cursor()
    for seq in (5, 10, 15, 20):
        made.go(Place(seq, bytes([seq]) * 32))
        made.mark()

    made.go(Place(10, bytes([99]) * 32))
    made.mark()

    assert [place.seq for place in made.places] == [5, 10]
    assert made.places[-1].hash == bytes([99]) * 32


def test_a_place_that_nobody_looked_at_is_no_mark():
    """Behind a hole."""
    made = Cursor()
    made.go(Place(10, b""))
    made.mark()

    assert made.place == Place(10, b"")
    assert made.marks == []


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=300))
def test_marks_are_few_and_reach_far_back(steps: list[int]):
    """Wherever the journal is cut, what is read twice is not much more than what was lost."""
    made = Cursor()
    seqs = []
    for step in steps:
        made.go(Place(made.seq + step, b"x" * 32))
        made.mark()
        seqs.append(made.seq)

    kept = [place.seq for place in made.places]
    assert kept[0] == seqs[0]
    assert kept[-1] == seqs[-1]
    assert set(kept) <= set(seqs)
    assert len(kept) <= 60
    for before, after in itertools.pairwise(kept):
        between = [seq for seq in seqs if before < seq < after]
        assert not between or after - before <= 2 * (seqs[-1] - before)


def test_marks_of_a_million_records():
    """Some forty."""
    marks = [(seq, "") for seq in range(1, 10)]
    for end in range(10, 1_000_000, 497):
        marks = thinned([*marks, (end, "")], end + 1)

    assert len(marks) < 50
