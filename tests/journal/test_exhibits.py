"""What people are shown, encrypted on disk."""

import asyncio
import contextlib
import stat
import threading
from pathlib import Path

import pytest

from proxy.clock import Clock
from proxy.journal import exhibits
from proxy.journal.exhibits import SealedExhibits
from proxy.journal.sealing import Master, read_master


async def done(clock: Clock) -> None:
    """What was begun beside is done."""
    await asyncio.gather(*clock._tasks)


async def test_it_is_kept_over_a_restart(tmp_path: Path) -> None:
    """Sealed, for the owner alone; under a key of its own."""
    await SealedExhibits(tmp_path, Clock()).keep("a1", b"secret")
    path, key = tmp_path / "approvals" / "a1.sealed", tmp_path / "keys" / "approvals.key"
    assert b"secret" not in path.read_bytes()
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, key)} == {0o600}
    assert await SealedExhibits(tmp_path, Clock()).read("a1") == b"secret"


async def test_calls_that_come_together_have_one_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ones of a new folder: each thread finds no key before another has written one."""
    together = threading.Barrier(2)

    def read(path: Path) -> Master:
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(0.2)
        return read_master(path)

    monkeypatch.setattr(exhibits, "read_master", read)
    kept = SealedExhibits(tmp_path, Clock())
    names = [f"a{number}" for number in range(4)]
    await asyncio.gather(*(kept.keep(name, name.encode()) for name in names))

    again = SealedExhibits(tmp_path, Clock())
    assert [await again.read(name) for name in names] == [name.encode() for name in names]


async def test_one_is_not_taken_for_another(tmp_path: Path) -> None:
    """Whoever may write the folder cannot have people shown another call."""
    shown = SealedExhibits(tmp_path, Clock())
    await shown.keep("a1", b"1")
    await shown.keep("a2", b"2")
    folder = tmp_path / "approvals"
    (folder / "a2.sealed").replace(folder / "a1.sealed")
    assert await shown.read("a1") is None


@pytest.mark.parametrize("name", ["../keys/approvals", "", "x" * 65, "A/b"])
async def test_a_name_of_somebody_else_leads_nowhere(tmp_path: Path, name: str) -> None:
    """A journal that was tampered with may hold any."""
    clock = Clock()
    shown = SealedExhibits(tmp_path, clock)
    await shown.keep("a1", b"1")
    assert await shown.read(name) is None
    shown.drop(name)
    await done(clock)
    assert await shown.read("a1") == b"1"


async def test_what_is_over_is_destroyed(tmp_path: Path) -> None:
    """And what belongs to no request; what is not there does no harm."""
    clock = Clock()
    shown = SealedExhibits(tmp_path, clock)
    shown.only(frozenset())
    for name in ("a1", "a2", "a3"):
        await shown.keep(name, b"1")
    shown.drop("a1")
    shown.drop("a4")
    shown.only(frozenset({"a1", "a2"}))
    await done(clock)
    assert [path.name for path in (tmp_path / "approvals").iterdir()] == ["a2.sealed"]


async def test_without_its_key_nothing_is_shown(tmp_path: Path) -> None:
    """A new one is made for what comes."""
    await SealedExhibits(tmp_path, Clock()).keep("a1", b"1")
    (tmp_path / "keys" / "approvals.key").unlink()
    shown = SealedExhibits(tmp_path, Clock())
    assert await shown.read("a1") is None
    await shown.keep("a2", b"2")
    assert (await shown.read("a1"), await shown.read("a2")) == (None, b"2")


async def test_a_key_that_cannot_be_read_keeps_nothing(tmp_path: Path) -> None:
    """Whoever asks is told; nobody writes over it."""
    key = tmp_path / "keys" / "approvals.key"
    key.parent.mkdir()
    key.write_text("nonsense")
    with pytest.raises(OSError, match=r"approvals\.key"):
        await SealedExhibits(tmp_path, Clock()).keep("a1", b"1")
    assert key.read_text() == "nonsense"
