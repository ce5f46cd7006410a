"""Damage of any kind, at any byte of any file: what `verify` says of it, and the next start does.

The verdict is foretold from the lines that are left, by the shortest rule there is: nothing that
was written may be missing but behind the last checkpoint, and nothing may be there that was not.
"""

import gzip
import shutil
import zlib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from proxy.journal import keeper
from proxy.journal.checkpoint import whole_notes
from proxy.journal.folder import Folder
from proxy.journal.records import Records
from proxy.journal.verify import verify
from proxy.journal.whole import whole
from tests.journal.noted import Intent
from tests.journal.written import Written, ids, lines

WHOLE, TAMPERED, INCOMPLETE = 0, 1, 2


class Segment(NamedTuple):
    """What a file of records says."""

    lines: list[bytes]
    tail: bytes  # behind the last whole line
    broken: bool = False  # it cannot be unpacked


@pytest.fixture(scope="module", params=["killed", "stopped"])
def log(request, tmp_path_factory):
    """Four segments, two of them compressed. Where it was killed, records stand behind the last
    checkpoint."""
    data_dir = tmp_path_factory.mktemp("log") / "data"
    written = Written(data_dir, segment_bytes=1700, records=5).open()
    for number in range(8):
        written.note(f"a{number}", text="x" * 50)
    written.snapshot()
    written.tidy()
    for number in range(4):
        written.note(f"b{number}", text="y" * 80)
    written.journal.note(Intent("open"))
    written.note("c")
    files = Folder(data_dir).segments()
    assert [file.closed for file in files].count(True) >= 2
    assert [file.closed for file in files].count(False) >= 2
    written.die() if request.param == "killed" else written.stop()
    return data_dir


@pytest.fixture(scope="module", autouse=True)
def no_pause():
    """Nobody shares the interpreter here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keeper, "_PAUSE", 0.0)
        yield


def segments(data_dir: Path) -> list[Segment]:
    """All of them, but for those at the end that were begun and have no line."""
    found = []
    files = Folder(data_dir).segments()
    while files and not files[-1].closed and b"\n" not in files[-1].path.read_bytes():
        files.pop()
    for file in files:
        content = file.path.read_bytes()
        try:
            content = gzip.decompress(content) if file.closed else content
        except (EOFError, OSError, zlib.error):
            found.append(Segment([], b"", broken=True))
            continue
        end = content.rfind(b"\n") + 1
        found.append(Segment(content[:end].split(b"\n")[:-1], content[end:]))
    return found


def foretold(before: list[Segment], after: list[Segment], signed: int) -> int:
    """The exit code of `verify`."""
    for was, now in zip(before, after, strict=False):
        if now.broken or now.lines != was.lines[: len(now.lines)]:
            return TAMPERED
        if now is not after[-1] and (now.tail or not now.lines):
            return TAMPERED  # nothing stands behind the end, and each begins with its head
    full = [len(was.lines) for was in before]
    if [len(now.lines) for now in after[:-1]] != full[: len(after) - 1]:
        return INCOMPLETE
    return INCOMPLETE if sum(len(now.lines) for now in after) < signed else WHOLE


def damaged(content: bytes, data: st.DataObject) -> bytes:
    """One of the things that happen to bytes."""
    start = data.draw(st.integers(0, len(content)), label="start")
    end = data.draw(st.integers(start, min(len(content), start + 2500)), label="end")
    part = content[start:end]
    kind = data.draw(st.sampled_from(["cut", "out", "zero", "flip", "again", "in", "swap"]))
    if kind == "cut":
        return content[:start]
    if kind == "flip" and part:
        return content[:start] + bytes([part[0] ^ 1 << data.draw(st.integers(0, 7))]) + \
            content[start + 1 :]  # fmt: skip
    if kind == "swap":
        middle = len(part) // 2
        return content[:start] + part[middle:] + part[:middle] + content[end:]
    instead = {
        "out": b"",
        "zero": bytes(len(part)),
        "again": part + part,
        "in": data.draw(st.binary(max_size=20)) + part,
    }
    return content[:start] + instead.get(kind, part) + content[end:]


def signed_up_to(data_dir: Path) -> int:
    """Records that a checkpoint covers."""
    verdict = verify(data_dir)
    assert verdict.exit == 0
    return verdict.anchoring.anchored


def by_another(jobs):
    """Each segment is gone through by somebody who knows of nothing else."""
    for job in jobs:
        yield whole(job)


def starts_on(data_dir: Path, expected: int) -> None:
    """The next start needs nobody, tells what a crash cannot do, believes nothing that was not
    written, and goes on behind it."""
    again = Written(data_dir).open()
    again.journal._keeper.look()
    again.round()
    assert bool(again.journal.tampered) == (expected != WHOLE)
    seen = again.room.seen
    assert len(seen) == len(set(seen))
    assert set(seen) <= {*(f"a{n}" for n in range(8)), *(f"b{n}" for n in range(4)), "c"}
    assert set(again.found.open) <= {"open"}
    again.note("after")
    again.stop()
    assert b'"after"' in b"".join(next(Records(data_dir).newest_first()))
    assert (verify(data_dir).exit == 0) == (expected == WHOLE)


@settings(max_examples=60)
@given(data=st.data())
def test_any_damage_of_any_segment_has_its_verdict(log, tmp_path_factory, data):
    """Of the lines, as they are in the file or packed; of the packed bytes themselves; of two."""
    data_dir = tmp_path_factory.mktemp("copy") / "data"
    shutil.copytree(log, data_dir)
    before, signed = segments(data_dir), signed_up_to(data_dir)
    files = Folder(data_dir).segments()
    for _ in range(data.draw(st.integers(1, 2))):
        file = data.draw(st.sampled_from(files))
        content = file.path.read_bytes()
        try:
            inside = file.closed and data.draw(st.booleans()) and gzip.decompress(content)
        except (EOFError, OSError, zlib.error):
            inside = False
        changed = gzip.compress(damaged(inside, data)) if inside else damaged(content, data)
        file.path.write_bytes(changed)
    # A loss of power may leave this, and a start sees that; verify does not before the start.
    last = Folder(data_dir).segments()[-1].path.read_bytes()
    assume(b"\n" not in last.partition(b"\0")[2])
    expected = foretold(before, segments(data_dir), signed)

    verdict = verify(data_dir)
    assert verdict.exit == expected, verdict
    assert verdict.integrity.ok == (expected != TAMPERED)
    assert verify(data_dir, help_=by_another) == verdict
    starts_on(data_dir, expected)
    shutil.rmtree(data_dir)


@settings(max_examples=30)
@given(data=st.data())
def test_any_damage_of_the_checkpoints_has_its_verdict(log, tmp_path_factory, data):
    """A note that is not one of ours is tampering; one that is missing is seen by the others."""
    data_dir = tmp_path_factory.mktemp("copy") / "data"
    shutil.copytree(log, data_dir)
    ours = whole_notes((data_dir / "checkpoints").read_bytes())[0]
    changed = damaged((data_dir / "checkpoints").read_bytes(), data)
    (data_dir / "checkpoints").write_bytes(changed)
    expected = WHOLE if set(whole_notes(changed)[0]) <= set(ours) else TAMPERED

    assert verify(data_dir).exit == expected
    assert verify(data_dir, help_=by_another) == verify(data_dir)
    starts_on(data_dir, expected)
    assert len(lines(data_dir)) > 0
    shutil.rmtree(data_dir)


@settings(max_examples=30)
@given(data=st.data())
def test_a_damaged_snapshot_is_none(log, tmp_path_factory, data):
    """The records are there: a start reads them again, and nothing is forgotten."""
    data_dir = tmp_path_factory.mktemp("copy") / "data"
    shutil.copytree(log, data_dir)
    path = Folder(data_dir).snapshot
    path.write_bytes(damaged(path.read_bytes(), data))

    assert verify(data_dir).exit == WHOLE
    again = Written(data_dir).open()
    assert again.room.seen == ids(data_dir)
    assert list(again.found.open) == ["open"]
    again.die()
    starts_on(data_dir, WHOLE)
    shutil.rmtree(data_dir)
