"""The webhook anchor: each checkpoint is posted to a URL, as it stands (text/plain).

It is never in the way: the journal's thread hands a note over and goes on. Notes are posted in
their order, one at a time, each until it is taken (any 2xx), with longer and longer waits between;
so a receiver may get one twice. While it takes none the newest thousand are kept, in memory: each
vouches for all records before it, so the newest is worth most. Whoever must not miss one has a file
as an anchor as well.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

import msgspec

from proxy.clock import Clock
from proxy.mirrors.retries import Retries
from proxy.mirrors.sender import Sender

KEPT = 1000
"""Notes that wait; some 300 KB."""
PATIENCE = 10.0
"""Seconds for one POST, from connecting to the answer's head."""
LONGEST = 60.0
"""Seconds until it is tried again at most."""
_HEADERS = (("Content-Type", "text/plain; charset=utf-8"),)


class Posted(msgspec.Struct):
    """How often it was what. Of the notes, but for `failed`, which counts tries."""

    taken: int = 0
    failed: int = 0
    dropped: int = 0


class WebhookAnchor:
    """`start`, then called with each note, from any thread; `stop`."""

    def __init__(
        self,
        url: str,
        name: str,
        clock: Clock,
        heard: Callable[[str], None],
        patience: float = PATIENCE,
    ) -> None:
        """`name` is shown instead of the URL, whose path may be a secret. `heard` hears when it
        begins to fail, and why; and when it is well again, an empty text."""
        self.name = name
        self.posted = Posted()
        self.trouble = ""
        """Why the last try failed; empty: it did not."""
        self._url = url
        self._clock = clock
        self._heard = heard
        self._post = Sender(clock, patience)
        self._notes: deque[str] = deque()
        self._bell = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._posting: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Notes that were not taken yet."""
        return len(self._notes)

    def start(self) -> None:
        """Post from now on; what was called before is not lost."""
        self._loop = asyncio.get_running_loop()
        self._posting = self._clock.spawn(self._run())

    def __call__(self, note: str) -> None:
        """Part of Anchor: never waits, never raises."""
        with contextlib.suppress(RuntimeError):  # the loop is gone
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._add, note)

    async def stop(self, seconds: float) -> None:
        """What waits is tried once more, for so long at most."""
        posting, self._posting = self._posting, None
        if posting is None:
            return
        posting.cancel()
        await asyncio.wait([posting])
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._notes and await self._try():
                    pass
        await self._post.close()

    def _add(self, note: str) -> None:
        if len(self._notes) >= KEPT:
            self._notes.popleft()
            self.posted.dropped += 1
        self._notes.append(note)
        self._bell.set()

    async def _run(self) -> None:
        retries = Retries(self._clock, LONGEST)
        while True:
            await self._bell.wait()
            if await self._try():
                retries.well()
            else:
                await self._clock.sleep(retries.failed())

    async def _try(self) -> bool:
        """The oldest that waits. Was it taken?"""
        note = self._notes[0]
        # Who names an anchor in the settings may name one of this machine.
        why = (await self._post(self._url, note.encode(), _HEADERS, private=True)).why
        if why:
            self.posted.failed += 1
        else:
            self.posted.taken += 1
            if self._notes and self._notes[0] is note:  # else it was dropped meanwhile
                self._notes.popleft()
            if not self._notes:
                self._bell.clear()
        if bool(why) != bool(self.trouble):
            self._heard(why)
        self.trouble = why
        return not why
