"""proxy/config/rereading.py: files are read again, one reading at a time."""

import threading
from collections.abc import AsyncIterator

import pytest

from proxy.clock import Clock
from proxy.config.rereading import Rereading
from tests.harness import within


class File:
    """What stands in it; a reading can be held up once it has begun."""

    def __init__(self) -> None:
        self.text = "old"
        self.taken: list[tuple[str, str]] = []
        self.begun = threading.Event()
        self.free = threading.Event()
        self.free.set()

    def read(self) -> str:
        text = self.text
        self.begun.set()
        assert self.free.wait(10.0)
        return text

    def take(self, text: str, by: str) -> None:
        self.taken.append((text, by))


@pytest.fixture
def file() -> File:
    return File()


@pytest.fixture
async def rereading(file: File) -> AsyncIterator[Rereading[str]]:
    clock = Clock()
    yield Rereading(file.read, file.take, clock)
    file.free.set()
    await clock.stop()


async def begun(file: File, clock: Clock) -> None:
    """A reading is under way."""
    while not file.begun.is_set():
        await clock.sleep(0.001)


async def test_who_asks_is_told_when_it_is_taken(file: File, rereading: Rereading[str]) -> None:
    """With whose name it was asked for; the next one is nobody's again."""
    await within(rereading.done("alice"))
    assert file.taken == [("old", "alice")]
    await within(rereading.done())
    assert file.taken[1:] == [("old", "")]


async def test_who_asks_meanwhile_has_it_read_once_more(
    file: File, rereading: Rereading[str]
) -> None:
    """However many ask: what is being read may be older than the question."""
    file.free.clear()
    rereading.soon()
    await within(begun(file, rereading._clock))
    file.text = "new"
    rereading.soon("alice")
    rereading.soon()
    file.free.set()
    await within(rereading.settled())
    assert file.taken == [("old", ""), ("new", "alice")]


@pytest.mark.parametrize("busy", [True, False])
async def test_what_was_read_beside_it_is_not_undone(
    file: File, rereading: Rereading[str], busy: bool
) -> None:
    """Where something is being read it is read once more, so that the newest is taken last."""
    if busy:
        file.free.clear()
        rereading.soon()
        await within(begun(file, rereading._clock))
        file.text = "new"
    rereading.overtaken()
    file.free.set()
    await within(rereading.settled())
    assert file.taken == ([("old", ""), ("new", "")] if busy else [])
