"""A mirror over a real journal, with a sink that is told what to say."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from proxy.journal.disk import RealDisk
from proxy.mirrors.cursor import Cursor, CursorFile
from proxy.mirrors.event import Event
from proxy.mirrors.mirror import Mirror, Terms
from proxy.mirrors.sink import Said
from proxy.posts import Answer, Headers
from tests.fakes import FakeClock, Turn
from tests.journal.written import Written


class Taking:
    """A sink that takes all, but where it was told to say something else."""

    at_once = 4
    careful = False
    sure = False

    def __init__(self, *says: Callable[[Sequence[Event]], Said]) -> None:
        self.says = list(says)
        self.took: list[Event] = []
        self.asked: list[list[int]] = []
        self.state: Any = None
        self.idles = 0
        self.idle_says: list[Said] = []
        self.closed = False

    async def take(self, events: Sequence[Event], /) -> Said:
        self.asked.append([event.seq for event in events])
        said = self.says.pop(0)(events) if self.says else Said(len(events))
        self.took += events[: said.taken]
        return said

    async def idle(self) -> Said:
        self.idles += 1
        return self.idle_says.pop(0) if self.idle_says else Said(0)

    def dump(self) -> Any:
        return self.state

    def load(self, state: Any, /) -> None:
        self.state = state

    async def close(self) -> None:
        self.closed = True

    @property
    def seqs(self) -> list[int]:
        return [event.seq for event in self.took if event.ts]

    @property
    def holes(self) -> list[bytes]:
        return [event.line for event in self.took if not event.ts]


class Clocked(FakeClock):
    """Who polls lets the others have their turn."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await Turn()


class Scene:
    """A journal, and mirrors of it, one after the other."""

    def __init__(self, data_dir: Path, disk: RealDisk | None = None, **terms: Any) -> None:
        self.data_dir = data_dir
        self.clock = Clocked()
        self.written = Written(data_dir, clock=self.clock, **terms).open()
        self.disk = disk or RealDisk()
        self.heard: list[tuple[str, str]] = []

    def mirror(self, sink: Any, **terms: Any) -> Mirror:
        told = {"name": "siem", "kind": "webhook", "target": "x", "begins": "oldest"} | terms
        return Mirror(
            Terms(**told),
            sink,
            self.data_dir,
            self.clock,
            self.disk,
            lambda: self.written.journal.seq,
            lambda state, why: self.heard.append((state, why)),
        )

    def cursor(self, name: str = "siem") -> Cursor:
        found = CursorFile(self.data_dir, name, RealDisk()).read()
        assert found is not None
        return found

    @property
    def states(self) -> list[str]:
        return [state for state, _ in self.heard]


async def until(mirror: Mirror, done: Callable[[], bool]) -> None:
    """It runs until then, and is stopped."""
    async with running(mirror) as task:
        while not done() and not task.done():
            await Turn()


@contextlib.asynccontextmanager
async def running(mirror: Mirror):
    """It runs meanwhile."""
    task = asyncio.get_running_loop().create_task(mirror.run())
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


class Posted:
    """A Post that says what it was told to, and then yes."""

    def __init__(self, *says: Answer) -> None:
        self.says: Iterator[Answer] = iter(says)
        self.posts: list[tuple[str, bytes, Headers, bool]] = []

    async def __call__(
        self, url: str, content: bytes, headers: Headers, /, *, private: bool = False, read: int = 0
    ) -> Answer:
        self.posts.append((url, content, headers, private))
        return next(self.says, Answer(200))
