"""proxy/observe/alerts/scribe.py: what is noted becomes durable, whatever the disk does."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proxy.observe.alerts import scribe as module
from proxy.observe.alerts.queue_file import Done, Entry, Found, QueueFile, Waits, _read
from proxy.observe.alerts.scribe import AGAIN, Scribe
from tests.fakes import FakeClock, Turn
from tests.harness import within
from tests.journal.disks import FailingDisk, HangingDisk, QuickDisk
from tests.observe.alerts.notices import notice

FULL = OSError(errno.ENOSPC, "No space left on device")


class Scene:
    """A scribe, and what counts."""

    def __init__(self, folder: Path, disk: QuickDisk | None = None) -> None:
        self.folder = folder
        self.disk = disk or FailingDisk()
        self.clock = FakeClock(asleep=False)
        self.counts: list[Entry] = []
        self.heard: list[str] = []
        file = QueueFile(folder, self.disk)
        self.scribe = Scribe(file, self.clock, self.all_of_it, self.heard.append)

    def all_of_it(self) -> Iterator[Entry]:
        yield from self.counts

    def note(self, *names: str) -> None:
        for name in names:
            entry = Waits(notice(name))
            self.counts.append(entry)
            self.scribe.note(entry)

    def there(self) -> list[str]:
        """Ids of what would outlive a crash now."""
        path = self.folder / "queue"
        return list(_read(path.read_bytes())[0].waits) if path.is_file() else []

    async def until(self, so: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not so():
                await Turn()

        await within(wait())


async def test_what_is_noted_is_durable_soon(tmp_path: Path) -> None:
    """Many at once, and one by one; also what was noted before the file was read."""
    scene = Scene(tmp_path)
    scene.note("a")
    assert await within(scene.scribe.open()) == Found()
    await scene.until(lambda: scene.there() == ["a"])
    scene.note("b", "c")
    await scene.until(lambda: scene.there() == ["a", "b", "c"])
    del scene.counts[1]
    scene.scribe.note(Done("b"))
    await within(scene.scribe.close(10.0))
    assert scene.there() == ["a", "c"]
    again = Scene(tmp_path)
    assert list((await within(again.scribe.open())).waits) == ["a", "c"]
    await within(again.scribe.close(10.0))


async def test_a_full_disk_is_tried_again(tmp_path: Path) -> None:
    """It is told once; when there is room all that counts is written, and that is told."""
    scene = Scene(tmp_path)
    assert isinstance(scene.disk, FailingDisk)
    await within(scene.scribe.open())
    scene.disk.fails["write"] = FULL
    scene.note("a")
    for tries in (1, 2, 3):
        await scene.until(lambda tries=tries: scene.clock.slept == [AGAIN] * tries)  # type: ignore[misc]
        assert scene.heard == ["No space left on device"]
        if tries == 3:
            scene.disk.fails.clear()
        scene.note(f"b{tries}")
        scene.clock.advance(AGAIN)
    await scene.until(lambda: scene.there() == ["a", "b1", "b2", "b3"])
    await within(scene.scribe.close(10.0))
    assert scene.heard == ["No space left on device", ""]


async def test_an_append_that_failed_is_made_good(tmp_path: Path) -> None:
    """By writing all of it anew."""
    scene = Scene(tmp_path)
    assert isinstance(scene.disk, FailingDisk)
    await within(scene.scribe.open())
    scene.note("a")
    await scene.until(lambda: scene.there() == ["a"])
    scene.disk.fails["sync"] = OSError(errno.EIO, "")
    scene.note("b")
    await scene.until(lambda: scene.heard == ["OSError"])
    scene.disk.fails.clear()
    await within(scene.scribe.close(10.0))
    assert scene.there() == ["a", "b"]


async def test_a_file_that_cannot_be_read_stops_nothing(tmp_path: Path) -> None:
    """What is noted from then on is kept."""
    (tmp_path / "queue").mkdir()
    scene = Scene(tmp_path)
    assert await within(scene.scribe.open()) == Found()
    assert scene.heard == ["Is a directory"]
    scene.note("a")
    await within(scene.scribe.close(10.0))
    assert scene.there() == ["a"]


async def test_a_file_does_not_grow_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is over goes out of it now and then."""
    monkeypatch.setattr(module, "_SLACK", 2000)
    scene = Scene(tmp_path)
    await within(scene.scribe.open())
    sizes = []
    for n in range(100):
        scene.counts.clear()
        scene.note(str(n))
        await scene.until(lambda n=n: str(n) in scene.there())  # type: ignore[misc]
        sizes.append((tmp_path / "queue").stat().st_size)
    await within(scene.scribe.close(10.0))
    assert 2000 < max(sizes) < 5000


async def test_a_disk_that_hangs_holds_up_no_stop(tmp_path: Path) -> None:
    """Nor what is noted meanwhile."""
    disk = HangingDisk()
    scene = Scene(tmp_path, disk)
    await within(scene.scribe.open())
    disk.hang()
    scene.note("a")
    await scene.until(disk.hung.is_set)
    scene.note("b")
    await within(scene.scribe.close(0.05))
    disk.freed.set()


async def test_before_its_start_there_is_nothing_to_stop(tmp_path: Path) -> None:
    """And nothing is written."""
    scene = Scene(tmp_path)
    scene.note("a")
    await within(scene.scribe.close(1.0))
    assert not (tmp_path / "queue").exists()
