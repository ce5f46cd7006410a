"""What is read of files once more while it is at work: in a thread, and one reading at a time."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from proxy.clock import Clock

Read = TypeVar("Read")


class Rereading(Generic[Read]):
    """`read` runs in a thread, and must not raise; what comes of it is given to `take`, on the
    loop, with the name of who asked for it.

    Who asks while something is being read has it read once more: that may be older than the
    question.
    """

    def __init__(
        self, read: Callable[[], Read], take: Callable[[Read, str], object], clock: Clock
    ) -> None:
        self._read = read
        self._take = take
        self._clock = clock
        self._asked = False
        self._by = ""
        self._running: asyncio.Task[None] | None = None

    def soon(self, by: str = "") -> None:
        """Read it again. `by`: who asks for it; empty: the files changed."""
        self._asked = True
        self._by = by or self._by
        if self._running is None:
            self._running = self._clock.spawn(self._run())

    async def done(self, by: str = "") -> None:
        """The same, and wait for it."""
        self.soon(by)
        await self.settled()

    async def settled(self) -> None:
        """Nothing is being read any more."""
        while self._running is not None:
            await asyncio.wait([self._running])

    def overtaken(self) -> None:
        """It was read beside this: what is being read here must not be the last word."""
        self._asked = self._running is not None

    async def _run(self) -> None:
        try:
            while self._asked:
                self._asked = False
                by, self._by = self._by, ""
                self._take(await asyncio.to_thread(self._read), by)
        finally:
            self._running = None
