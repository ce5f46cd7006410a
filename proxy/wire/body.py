"""A body on its way: fed by the connection that reads it, passed on to whoever wants it.

Four things can be wanted of a body, sometimes of the same one, one after the other:

1. *All of it*, before anything else happens: a tool's name stands in it (`read`).
2. *Its beginning*: an answer is committed at its first byte (`begun`).
3. *To pass it on as it comes*, however long it is (`flow`).
4. *To pass it on once more*: a retry sends it again from its beginning.

No task does any of this. Bytes are pushed, in the callback that brought them, from the reading
connection through the body into the sink, so that a chunk leaves in the same turn of the loop in
which it came, and a thousand idle streams cost nothing but their memory. What is pushed can be
stopped: a sink that cannot write pauses the source, which stops reading its socket; TCP does the
rest. So a body holds at most what was asked to be held:

- nobody listens yet: up to `AHEAD`, then the source is paused;
- `read(limit)`: up to the limit;
- a replay may be needed: what has passed, up to `keep` bytes. Once it is more, or the pool is dry,
  everything held is dropped and the body can be sent only once.

All of it is drawn from the process-wide pool. Where that is dry the source is paused, with the one
piece that was too much, and a reader is told.

Some may also see it pass (`watch`), such as who keeps payloads. They get the pieces that the sink
gets, and can neither hold them up nor draw on that pool.

The end carries the last bytes with it (`finish`), since the last byte of an answer may have to
wait for its record. A body that came whole in the first read never gets this far: it is a
`call.Whole`, and goes out in one write with its head.
"""

import enum
from collections.abc import Callable, Sequence

from proxy.call import Header, Tap
from proxy.reply import Failure
from proxy.strand import Signal
from proxy.wire.ends import Hears, Sink, Source, Watched

_CRUMBS = 512
"""Pieces that are together no larger are one: each by itself takes 40 bytes more than it has."""
AHEAD = 64 << 10
"""Bytes held for a consumer that has not come yet."""


class Read(enum.Enum):
    """How reading all of a body came out."""

    WHOLE = "whole"
    TOO_LARGE = "too large"
    DRY = "dry"  # no room in the pool for now
    BROKEN = "broken"


class Memory:
    """The memory that all buffering of the process draws on (`limits.replay_pool`)."""

    __slots__ = ("free", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self.free = size

    def take(self, count: int) -> bool:
        """Take `count` bytes, if there are so many."""
        if count > self.free:
            return False
        self.free -= count
        return True

    def give(self, count: int) -> None:
        """Give back what was taken."""
        self.free += count


class Body:
    """One body. See the essay above."""

    __slots__ = (
        "_drawn",
        "_held",
        "_held_bytes",
        "_keep",
        "_lost",
        "_memory",
        "_on_fact",
        "_owed",
        "_paused",
        "_reserved",
        "_screen",
        "_sink",
        "_source",
        "_stopped",
        "_taps",
        "_want",
        "ended",
        "failure",
        "trailers",
        "whole",
    )

    def __init__(self, source: Source | None = None, memory: Memory | None = None) -> None:
        self.whole: bytes | None = None
        self.ended = False
        self.failure: Failure | None = None
        self.trailers: Sequence[Header] = []
        self._source = source
        self._memory = memory
        self._drawn = 0
        self._reserved = 0  # drawn for what has not come yet
        self._owed = 0  # held for a reader though the pool was dry
        self._sink: Sink | None = None
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._keep = 0
        self._lost = False
        self._want = 0
        self._paused = False  # the source is
        self._stopped = False  # the sink asked for it
        self._on_fact: Callable[[], None] | None = None
        self._taps: tuple[Tap, ...] = ()
        self._screen: Hears | None = None

    @property
    def replayable(self) -> bool:
        """Is its beginning still held?"""
        return self.whole is not None or not self._lost

    # --- the source's side ---

    def feed(self, piece: bytes) -> None:
        """The next bytes of the body."""
        if self._screen is not None:
            piece = self._screen.passes(piece)
            if not piece:
                return
        sink = self._sink
        if sink is None or self._keep:
            self._hold(piece)
        if sink is not None:
            sink.write(piece)
        elif self._on_fact is not None:
            self._on_fact()
        elif self._owed or self._held_bytes > max(AHEAD, self._want):
            self.pause()

    def finish(self, last: bytes, trailers: Sequence[Header]) -> None:
        """The last bytes, perhaps none, and the trailers."""
        if self.failure is not None:
            return
        if self._screen is not None:
            last = self._screen.ends(last)
            if self._screen.cut:
                self._cut(last)
                return
        self.trailers = trailers
        self.ended = True
        self._source = None  # which may be serving somebody else by now
        sink = self._sink
        if last and (sink is None or self._keep):
            self._hold(last)
        if not self._lost and (sink is None or self._keep):
            self.whole = b"".join(self._held)
            self._held = []
        if sink is not None:
            self._sink = None
            sink.end(last, trailers)
        elif self._on_fact is not None:
            self._on_fact()

    def _cut(self, last: bytes) -> None:
        """All of its bytes are here, and not all that it was to say."""
        screen, self._screen = self._screen, None
        if last:
            self.feed(last)
        self._screen = screen
        self.fail(Failure.TRUNCATED)

    def fail(self, failure: Failure) -> None:
        """The rest will not come."""
        if self.ended or self.failure is not None:
            return
        if failure is Failure.TIMEOUT and self._screen is not None and self._screen.complete:
            self.finish(b"", [])  # it has said all, and only its connection was not closed
            return
        self.failure = failure
        self._source = None
        sink = self._sink
        if sink is not None:
            self._sink = None
            sink.broken(failure)
        elif self._on_fact is not None:
            self._on_fact()

    # --- the consumer's side ---

    def hear(self, screen: Hears) -> None:
        """Have it pass this from its first byte on. Before it flows."""
        held, self._held = self._held, []
        self._screen = screen
        self._held = [on for piece in held if (on := screen.passes(piece))]
        self._held_bytes = sum(map(len, self._held))

    @property
    def held(self) -> int:
        """Bytes of it that wait for who takes them."""
        return self._held_bytes

    @property
    def over(self) -> bool:
        """Will nothing more come?"""
        return self.ended or self.failure is not None

    def nudge(self) -> None:
        """Whoever waits for something to come looks again."""
        if self._on_fact is not None:
            self._on_fact()

    async def more(self) -> None:
        """Wait for more of it, the end, or a nudge."""
        if not self.over:
            await self._fact()

    def reserve(self, count: int) -> bool:
        """Draw memory for all of a body of `count` bytes before it comes, or none.

        Bodies that each had half of what they need would wait for each other.
        """
        if self._reserved or self._memory is None:
            return True
        missing = max(0, count - self._held_bytes)
        if not self._draw(missing + self._owed):
            self.pause()
            return False
        self._reserved, self._owed = missing, 0
        return True

    async def read(self, limit: int) -> Read:
        """Hold all of it, up to `limit` bytes. May be called again after DRY."""
        self._want = limit
        while True:
            if self._owed and not self._draw(self._owed):
                self.pause()
                return Read.DRY
            self._owed = 0
            if self._held_bytes > limit or (self.whole is not None and len(self.whole) > limit):
                return Read.TOO_LARGE
            if self.whole is not None:
                return Read.WHOLE
            if self.failure is not None:
                return Read.BROKEN
            await self._fact()

    async def begun(self) -> None:
        """Wait for the first bytes, or the end."""
        while not self.ended and self.failure is None and not self._held_bytes:
            await self._fact()

    @property
    def beginning(self) -> bytes:
        """What is held of it, from its first byte."""
        return self.whole if self.whole is not None else b"".join(self._held)

    def keep(self, limit: int) -> None:
        """Hold what passes, up to `limit` bytes, so that it can flow once more.

        Where several ask, the largest wish counts.
        """
        self._keep = max(self._keep, limit)

    def watch(self, tap: Tap) -> None:
        """Have it see what flows from now on; a body that flows once more is seen once more."""
        self._taps += (tap,)

    def flow(self, sink: Sink) -> None:
        """Pass everything on to `sink`, from the beginning."""
        assert not self._lost, "a body that was not kept cannot flow twice"
        for tap in self._taps:
            sink = Watched(sink, tap)
        if self.whole is not None:
            sink.end(self.whole, self.trailers)
            return
        if self.failure is not None:
            sink.broken(self.failure)
            return
        self._sink = sink
        self._stopped = False
        for piece in self._to_pass_on():
            sink.write(piece)
        if not self._stopped:
            self.resume()

    def _to_pass_on(self) -> list[bytes]:
        held = self._held
        if self._held_bytes > self._keep or not self._keep or not self._draw(self._owed):
            self._lose()
        self._owed = 0
        return held

    def detach(self) -> None:
        """The sink is gone; another may come."""
        self._sink = None

    def pause(self) -> None:
        """The consumer cannot take more for now."""
        self._stopped = True
        if self._source is not None and not self._paused:
            self._paused = True
            self._source.pause()

    def resume(self) -> None:
        """The consumer can take more."""
        self._stopped = False
        if self._source is not None and self._paused:
            self._paused = False
            self._source.resume()

    def abandon(self) -> None:
        """Nobody wants the rest."""
        self._sink = None
        if not self.ended and self.failure is None and self._source is not None:
            self._source.abandon()

    def forget(self) -> None:
        """It will not be sent again: what is held for that goes."""
        self.whole = None
        self._lose()

    def release(self) -> None:
        """Give back the memory that was drawn."""
        if self._memory is not None and self._drawn:
            self._memory.give(self._drawn)
            self._drawn = 0

    # --- holding ---

    def _hold(self, piece: bytes) -> None:
        if self._lost:
            return
        total = self._held_bytes + len(piece)
        passing = self._sink is not None
        if passing and total > self._keep:
            self._lose()
            return
        if self._reserved >= len(piece):
            self._reserved -= len(piece)
        elif not self._draw(len(piece)):
            if passing:
                self._lose()
                return
            self._owed += len(piece)
        held = self._held
        if held and len(held[-1]) + len(piece) <= _CRUMBS:
            held[-1] += piece
        else:
            held.append(piece)
        self._held_bytes = total

    def _draw(self, count: int) -> bool:
        if self._memory is None:
            return True
        if not self._memory.take(count):
            return False
        self._drawn += count
        return True

    def _lose(self) -> None:
        self._lost = True
        self._keep = self._reserved = 0
        self._held = []
        self.release()

    async def _fact(self) -> None:
        """Wait until something comes: bytes, the end, a failure."""
        signal: Signal[None] = Signal()
        self._on_fact = lambda: signal.set(None)
        try:
            self.resume()
            await signal
        finally:
            self._on_fact = None
