"""One thread that writes. The loop hands records to it, and waits only where it must.

`note` is an append to a queue. The thread takes all that is there, encodes, hashes, writes and
fsyncs it at once, and tells everybody who waited with one call to the loop (group commit). It
begins at once when somebody waits, else a few milliseconds after the first record, so that the loop
is not disturbed for each.

What cannot be written is kept, up to a limit, and tried again; what is beyond the limit is counted,
and a `recovery` record tells of it as soon as one can be written. Nobody who waits is told that a
record is durable when it is not: he is told no, and a policy decides what that means for his call.
"""

import contextlib
import errno
import threading
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

import msgspec

from proxy.clock import Clock
from proxy.journal.disk import Changed
from proxy.journal.entries import FINISHED, INTENT, Entry, Recovery
from proxy.journal.lines import stamps
from proxy.journal.losses import Losses
from proxy.journal.segments import NO_ENTRY, Segments, Timed
from proxy.record import Beginnings, Intent

_WITHIN = 0.0095  # from a record to the end of its fsync: 10 ms are promised
_LEAST = 0.001  # of that is waited for others, however slow the disk is
_WEIGHT = 1 / 8  # of a commit, in what one takes lately
_RETRY = 1.0
_AT_ONCE = 4096
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


class State(NamedTuple):
    """Can the journal be written?"""

    kind: str  # ok | full | stuck | failed
    since: float  # on Clock.now
    why: str = ""


class Mark(msgspec.Struct, frozen=True):
    """Something to be done when all that was noted before it is written; False: it cannot be."""

    done: Callable[[bool], None]


Waiter = Future[bool] | Mark
Item = Timed | Waiter


class Writer:
    """The thread, and the queue to it."""

    def __init__(
        self,
        log: Segments,
        clock: Clock,
        name: Callable[[], str],
        *,
        each: bool,
        held: int,
        stuck_seconds: float,
        idle: Callable[[], float | None],
    ) -> None:
        """`idle` is called in the thread when all is written: what else is due? In how long?"""
        self.log = log
        self.open: dict[str, bytes] = {}
        """Lines of intents whose calls have not ended."""
        self.heard: Callable[[State], None] = lambda state: None
        """Hears of changes, on the loop."""
        self.changed: Callable[[str], None] = lambda why: None
        """Hears that somebody else changed the segment; in the thread, before the next is begun."""
        self.begun: Beginnings = _nobody
        """Asked in the thread, before each batch."""
        self._others_begin = False
        self._now = clock.now
        self._stamp = stamps(clock.wall)
        self._name = name
        self._at_once = 1 if each else _AT_ONCE
        self._limit = held
        self._stuck = stuck_seconds
        self._idle_work = idle
        self._loop: AbstractEventLoop | None = None
        self._queue: deque[Entry | Waiter] = deque()
        self._held: deque[Item] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._asleep = self._calm = self._stirred = False
        self._busy: float | None = None
        self._commits = 0.0  # the seconds that one takes lately
        self._state = State("ok", clock.now())
        self._retry_at = 0.0
        self._left_alone_until = 0.0  # no new file at once before, when one was given up
        self._losses = Losses(self._stamp, name)
        self._ended = False
        self._waiting: deque[Future[bool]] = deque()
        self._watch = clock.alarm(self._look)
        self._watching = False
        self._told_stuck = False
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)

    @property
    def state(self) -> State:
        """As it is now. The thread cannot say that it is stuck; so it is looked at from here."""
        busy = self._busy
        if busy is not None and self._now() - busy >= self._stuck:
            return State("stuck", busy + self._stuck, "the disk does not answer")
        return self._state

    def start(self, loop: AbstractEventLoop) -> None:
        """From now on it writes."""
        self._loop = loop
        self._thread.start()

    def note(self, entry: Entry) -> None:
        """To be written. Never waits, never raises."""
        if len(self._queue) < self._limit:
            self._queue.append(entry)
        else:
            self._losses.add(entry)
        if self._asleep:
            self._asleep = False
            self._bell.put(None)

    def durable(self) -> "Future[bool]":
        """When all that was noted until now is durable: True. False: it cannot be made so now, or
        some of it was lost, and perhaps just what is asked for.

        Nobody waits much longer than `stuck_seconds` for a disk that does not answer.
        """
        return self._written(self._ended or self._losses.untold)

    def written(self) -> "Future[bool]":
        """The same of what was not lost."""
        return self._written(self._ended)

    def _written(self, never: bool) -> "Future[bool]":
        assert self._loop is not None, "durable() before start()"
        future: Future[bool] = self._loop.create_future()
        if never:
            future.set_result(False)
            return future
        waiting = self._waiting
        while waiting and waiting[0].done():
            del waiting[0]
        waiting.append(future)
        if not self._watching:
            self._watching = True
            self._watch.set(self._now() + self._stuck)
        self.put(future)
        return future

    def _look(self) -> None:
        """On the loop: has the disk stopped to answer? Then nobody waits for it."""
        state = self.state
        stuck = state.kind == "stuck"
        if stuck:
            _resolve([*self._waiting], False)
            self._waiting.clear()
        if stuck != self._told_stuck:
            self._told_stuck = stuck
            self.heard(state)
        self._watching = stuck or any(not future.done() for future in self._waiting)
        if self._watching:
            now, busy = self._now(), self._busy
            since = now if busy is None or stuck else busy
            self._watch.set(since + self._stuck)

    def put(self, item: Waiter) -> None:
        """After all that was noted, and at once. From any thread."""
        self._queue.append(item)
        if self._asleep or self._calm:
            self._asleep = self._calm = False
            self._bell.put(None)

    def stir(self) -> None:
        """There may be intents to write, though nothing was noted. From any thread."""
        self._stirred = True
        if self._asleep:
            self._asleep = False
            self._bell.put(None)

    def end(self) -> None:
        """Nothing is noted any more; in the thread, or where there is none."""
        self._ended = True

    def join(self) -> None:
        """Wait for the thread."""
        self._thread.join()

    @property
    def dropped(self) -> int:
        """Records that were lost, in all."""
        return self._losses.count

    @property
    def held(self) -> int:
        """Records, and those who wait for them, that are not written yet."""
        return len(self._queue) + len(self._held)

    def round(self) -> float | None:
        """All that is there is written, if it can be. In how many seconds is there more to do?"""
        self._gather()
        try:
            while self._held and self._now() >= self._retry_at:
                self._write()
            if self._held:
                self._refuse()
                return max(0.0, self._retry_at - self._now())
            self._busy = self._now()
            return None if self._ended else self._until_next()
        finally:
            self._busy = None

    def _until_next(self) -> float | None:
        wait = self._idle_work()
        return wait if not self._others_begin else _WITHIN if wait is None else min(wait, _WITHIN)

    def _run(self) -> None:
        try:
            wait: float | None = 0.0
            while not self._ended:
                self._sleep(wait)
                wait = self.round()
        except BaseException as error:
            self._change(State("failed", self._now(), f"a bug: {type(error).__name__}: {error}"))
            raise
        finally:
            self._ended = True
            self._gather()
            self._refuse()

    def _sleep(self, seconds: float | None) -> None:
        self._calm = self._asleep = True
        if not (self._queue or self._stirred):
            self._ring(seconds)
        self._asleep = False
        if self._calm:
            self._ring(max(_LEAST, _WITHIN - self._commits))
        self._calm = False

    def _ring(self, seconds: float | None) -> None:
        with contextlib.suppress(Empty):
            self._bell.get(timeout=seconds)

    def _gather(self) -> None:
        """What is taken together has one time: that of the moment at which it is taken."""
        queue, held, at = self._queue, self._held, self._stamp()
        self._stirred = False
        # First: whoever ends now says so before it notes its end, and so that comes behind.
        intents, self._others_begin = self.begun()
        held.extend((at, intent) for intent in intents)
        late: list[Waiter] = []  # who waits for more than can be held
        lost = False
        while queue:
            item = queue.popleft()
            if isinstance(item, Future) and lost:
                late.append(item)
            elif isinstance(item, (Future, Mark)):
                held.append(item)
            elif len(held) < self._limit:
                held.append((at, item))
            else:
                self._losses.add(item)
                lost = True
        self._tell(late, False)

    def _write(self) -> None:
        while self._held:
            entries, others = self._batch()
            written = False
            try:
                written = self._commit(entries)
            finally:
                if not written:
                    self._held.extendleft(reversed([*entries, *others]))
            if not written:
                return
            self._tell(others, True)
            loss = None if self._held else self._losses.entry()
            if loss is not None:
                self._held.append(loss)

    def _batch(self) -> tuple[list[Timed], list[Waiter]]:
        """Entries, and who waits for them: up to the next mark, which sees exactly so many."""
        held = self._held
        entries: list[Timed] = []
        others: list[Waiter] = []
        while held and len(entries) < self._at_once:
            item = held.popleft()
            if isinstance(item, tuple):
                entries.append(item)
                continue
            others.append(item)
            if isinstance(item, Mark):
                break
        return entries, others

    def _commit(self, entries: list[Timed]) -> bool:
        self._busy = began = self._now()
        try:
            lines = self.log.commit(entries)
        except OSError as error:
            self._failed(error)
            return False
        except NO_ENTRY:
            entries[:] = [timed for timed in entries if self._can_be_written(timed)]
            return self._commit(entries) if entries else True
        if self._state.kind != "ok":
            self._change(State("ok", self._now()))
        self._note_open(entries, lines)
        self._commits += _WEIGHT * (self._now() - began - self._commits)
        return True

    def _note_open(self, entries: list[Timed], lines: list[bytes]) -> None:
        """Which calls have begun, and not ended?"""
        for (_, entry), line in zip(entries, lines, strict=True):
            kind = entry.type
            if kind == FINISHED:
                if self.open:
                    self.open.pop(entry.id, None)
            elif kind == INTENT:
                self.open[entry.id] = line[:-1]

    def _can_be_written(self, timed: Timed) -> bool:
        """An entry that is none (a bug of a room) is dropped, and told; the others are written."""
        fits = self.log.takes(timed)
        if not fits:
            self._losses.add(timed[1])
        return fits

    def _failed(self, error: OSError) -> None:
        why = f"{error.strerror or error} ({errno.errorcode.get(error.errno or 0, 'unknown')})"
        now = self._now()
        self._retry_at = now + _RETRY
        kind = "full" if error.errno in _FULL else "failed"
        if not self.log.sound:
            self.log.abandon(why)
            if isinstance(error, Changed):
                self.changed(why)
            else:
                self._held.append((self._stamp(), Recovery(self._name(), "fsync", detail=why)))
            if now >= self._left_alone_until:  # another file may do, but not each of them
                self._retry_at, kind = now, self._state.kind
                # Told, but until that one fails as well nobody is refused for it.
                self.on_loop(
                    lambda: self.heard(State("trouble", now, f"a segment was left: {why}"))
                )
            self._left_alone_until = now + _RETRY
        if self._state.kind != kind:
            self._change(State(kind, now, why))

    def _refuse(self) -> None:
        """Who waits is told that it is not durable. The records are kept."""
        waiting = [item for item in self._held if not isinstance(item, tuple)]
        if waiting:
            self._held = deque(item for item in self._held if isinstance(item, tuple))
            self._tell(waiting, False)

    def _tell(self, items: list[Waiter], written: bool) -> None:
        futures = [item for item in items if isinstance(item, Future)]
        if futures:
            self.on_loop(lambda: _resolve(futures, written))
        for item in items:
            if isinstance(item, Mark):
                item.done(written)

    def on_loop(self, work: Callable[[], None]) -> None:
        """Have the loop do something. It may be gone."""
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(work)
        except RuntimeError:
            return

    def _change(self, state: State) -> None:
        self._state = state
        self.on_loop(lambda: self.heard(state))


def _nobody() -> tuple[list[Intent], bool]:
    """No call that has not ended is without an intent."""
    return [], False


def _resolve(futures: list[Future[bool]], written: bool) -> None:
    for future in futures:
        if not future.done():
            future.set_result(written)
