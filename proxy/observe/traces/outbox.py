"""The outbox: calls that have ended, on their way to the collector as spans.

The loop puts them into a queue that is bounded, and forgets them. A thread takes them from there,
once a second or when there are many, makes spans and posts them; whatever the collector does, no
call waits for it. What does not fit into the queue, or is not taken in time, is counted and lost:
traces are a view, the journal is the proof.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import msgspec

from proxy.observe.traces.finished import Finished
from proxy.observe.traces.spans import Span, spans_of

MOST = 2048
"""Calls that may wait. With their records, some 10 MB at the very most."""
EVERY = 1.0
"""Seconds after which the thread looks what there is."""
SOON = 256
"""Calls at which it looks at once."""
AT_ONCE = 512
"""Spans of one post, and a few: those of one call stay together."""
FLUSH = 2.0
"""Seconds that the end of the process waits for what is still there."""


class Export(Protocol):
    """Posts spans. Called in the outbox's thread, but for `abort`."""

    def close(self) -> None:
        """There is no more to post."""

    def post(self, spans: Sequence[Span], /) -> str:
        """Empty: they were taken; else why not, in a few words. Takes a bounded time; never
        raises."""

    def abort(self) -> None:
        """Wait for nothing any more. From any thread."""


class Missing(Exception):
    """The SDK is not there."""


class Tallies(msgspec.Struct):
    """What became of spans."""

    exported: int = 0
    failed: int = 0  # the collector did not take them
    dropped: int = 0  # there was no room, or no time at the end


class Outbox:
    """`start`, `put` as often as there is something, `stop`."""

    def __init__(self, connect: Callable[[], Export], heard: Callable[[str, str], None]) -> None:
        """`connect` makes what posts, in the thread: it imports much, and may raise Missing.
        `heard` is told there how it goes: missing | failing | well, and why."""
        self._connect = connect
        self._heard = heard
        self._queue: deque[Finished] = deque()
        self._wake = threading.Event()
        self._ends = False
        self._late = False  # nobody waits for it any more
        self._failing = False
        self._export: Export | None = None
        self._done: asyncio.Future[None] | None = None
        self.tallies = Tallies()

    @property
    def waiting(self) -> int:
        """Calls in the queue."""
        return len(self._queue)

    def put(self, finished: Finished) -> None:
        """On the loop: to be posted. Never waits, never raises."""
        queue = self._queue
        if len(queue) >= MOST or self._late:
            self.tallies.dropped += _spans_in(finished)
            return
        queue.append(finished)
        if len(queue) == SOON:
            self._wake.set()

    def start(self) -> None:
        """On the loop."""
        loop = asyncio.get_running_loop()
        self._done = done = loop.create_future()

        def run() -> None:
            self._run()
            with contextlib.suppress(RuntimeError):  # the loop is gone by now
                loop.call_soon_threadsafe(_set, done)

        threading.Thread(target=run, name="traces", daemon=True).start()

    async def stop(self) -> None:
        """Post what is there, within `FLUSH`; the rest is lost, and counted."""
        done, self._done = self._done, None
        if done is None:
            return
        self._ends = True
        self._wake.set()
        finished, _ = await asyncio.wait([done], timeout=FLUSH)
        self._late = True
        if not finished and self._export is not None:
            self._export.abort()
        while self._queue:
            self.tallies.dropped += _spans_in(self._queue.popleft())

    # --- in the thread ---

    def _run(self) -> None:
        try:
            self._export = export = self._connect()
        except Exception as error:  # whatever it is, calls go on
            self._late = True
            why = str(error) if isinstance(error, Missing) else type(error).__name__
            self._heard("missing", why)
            return
        while not self._late:
            self._wake.clear()
            self._post_all(export)
            if self._ends:
                break
            self._wake.wait(EVERY)
        export.close()

    def _post_all(self, export: Export) -> None:
        while self._queue and not self._late:
            some = list(self._some())
            why, count = _posted(export, some), sum(map(_spans_in, some))
            if why:
                self.tallies.failed += count
            else:
                self.tallies.exported += count
            if bool(why) != self._failing:
                self._failing = bool(why)
                self._heard("failing" if why else "well", why)

    def _some(self) -> Iterator[Finished]:
        count = 0
        while count < AT_ONCE:
            try:
                finished = self._queue.popleft()
            except IndexError:  # that was all, or the end of the process took the rest
                return
            count += _spans_in(finished)
            yield finished


def _posted(export: Export, some: list[Finished]) -> str:
    try:
        return export.post([span for finished in some for span in spans_of(finished)])
    except Exception as bug:  # it costs these spans, and not all that come
        return f"a bug ({type(bug).__name__})"


def _spans_in(finished: Finished) -> int:
    return len(finished.sent) + 1 + finished.above


def _set(done: "asyncio.Future[None]") -> None:
    if not done.done():
        done.set_result(None)
