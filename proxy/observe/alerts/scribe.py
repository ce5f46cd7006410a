"""Writes down what waits to be told, in a thread: a disk that hangs holds up nobody.

What cannot be written is told all the same, and is written as soon as that can be done; meanwhile a
crash would lose it, and that is told too.
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import threading
from collections.abc import Callable, Iterable
from queue import SimpleQueue
from typing import TypeVar

from proxy.clock import Clock
from proxy.observe.alerts.queue_file import Entry, Found, QueueFile

Result = TypeVar("Result")

AGAIN = 30.0
"""Seconds until a disk that failed is tried again."""
_SLACK = 1 << 20
"""Bytes that a file may have beyond twice of what counts, before it is written anew."""


class Scribe:
    """`open`, then `note` as often as there is something; `close`."""

    def __init__(
        self,
        file: QueueFile,
        clock: Clock,
        all_of_it: Callable[[], Iterable[Entry]],
        heard: Callable[[str], None],
    ) -> None:
        """`all_of_it`: everything that counts, as entries. `heard` hears why it cannot be written;
        and when it can again, an empty text."""
        self.trouble = ""
        self._file = file
        self._clock = clock
        self._all_of_it = all_of_it
        self._heard = heard
        self._new: list[Entry] = []
        self._dirty = False
        self._whole = False  # it is to be written anew: what is new need not be kept apart
        self._largest = _SLACK
        self._bell = asyncio.Event()
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="notices", daemon=True)
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> Found:
        """What the file says; nothing where it cannot be read."""
        self._thread.start()
        try:
            found = await self._in_thread(self._file.read)
        except OSError as error:
            self._hear(error.strerror or type(error).__name__)
            found = Found()
        self._writing = self._clock.spawn(self._run())
        return found

    def note(self, entry: Entry) -> None:
        """To be written; before `open` as well."""
        self._dirty = True
        if not self._whole:
            self._new.append(entry)
        self._bell.set()

    async def close(self, patience: float) -> None:
        """What is new is written, for so many seconds at most."""
        if self._writing is None:
            return
        self._writing.cancel()
        await asyncio.wait([self._writing])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await self._write()
                await self._in_thread(self._file.close)
        self._jobs.put(None)

    async def _run(self) -> None:
        while True:
            await self._bell.wait()
            self._bell.clear()
            while self._dirty and not await self._write():
                await self._clock.sleep(AGAIN)

    async def _write(self) -> bool:
        """Is all that was new durable?"""
        if not self._dirty:
            return True
        whole = self._whole or not 0 < self._file.size <= self._largest
        job = self._rewrites() if whole else functools.partial(self._file.append, tuple(self._new))
        self._new, self._whole, self._dirty = [], False, False
        try:
            await self._in_thread(job)
        except BaseException as error:
            # Nobody knows what the file has now. All that counts is in memory.
            self._new, self._whole, self._dirty = [], True, True
            if not isinstance(error, OSError):
                raise
            self._hear(error.strerror or type(error).__name__)
            return False
        if whole:
            self._largest = 2 * self._file.size + _SLACK
        self._hear("")
        return True

    def _rewrites(self) -> Callable[[], None]:
        return functools.partial(self._file.rewrite, tuple(self._all_of_it()))

    def _hear(self, trouble: str) -> None:
        before, self.trouble = self.trouble, trouble
        if bool(before) != bool(trouble):
            self._heard(trouble)

    async def _in_thread(self, job: Callable[[], Result]) -> Result:
        """What comes of it. Raises what it raises."""
        ended: concurrent.futures.Future[Result] = concurrent.futures.Future()

        def run() -> None:
            if not ended.set_running_or_notify_cancel():
                return  # nobody waits for it any more
            try:
                ended.set_result(job())
            except BaseException as error:
                ended.set_exception(error)

        self._jobs.put(run)
        return await asyncio.wrap_future(ended)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
