"""A strand runs one call's coroutine inside the very callback that brings its next fact.

A task is woken through the event loop: whoever sets a future schedules the task, which runs an
iteration later, behind everything else that became ready meanwhile. On the path of a call that
happens twice, and it puts other calls' work into this call's time. A strand is resumed directly
instead: bytes arrive, the parser finishes a head, and the coroutine that waited for it goes on in
the same stack, up to its next wait.

The rules that make this safe:

1. A `Signal` is awaited by one strand and set once; later settings are ignored, so that whichever
   of two facts comes first (an answer, an alarm) wins.
2. Whoever sets a signal does so last: the strand may run to its end before `set` returns.
3. `asyncio.Future`s (and so tasks) may be awaited too; they resume the strand through the loop.
   Code that needs a current task (`asyncio.timeout`, network libraries) runs in a task of its own,
   made by `Clock.spawn`, and the strand awaits that.
4. A `Signal` is awaited by strands alone, never in a task: asyncio does not know it. What runs in
   tasks (a gate that asks somebody) waits for futures, and whoever wants a part of a call to run
   beside it (a hedge) gives that part a strand of its own.
5. `cancel` throws `CancelledError` at the place where the strand waits; one that is running is
   told at its next wait.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

Fact = TypeVar("Fact")


class Signal(Generic[Fact]):
    """One fact that one strand waits for."""

    __slots__ = ("_fact", "_strand", "is_set")

    def __init__(self) -> None:
        self.is_set = False
        self._fact: Fact | None = None
        self._strand: Strand | None = None

    def set(self, fact: Fact) -> None:
        """The fact is here. Only the first one counts."""
        if self.is_set:
            return
        self.is_set = True
        self._fact = fact
        strand = self._strand
        if strand is not None:
            self._strand = None
            strand.step()

    def unawaited(self) -> None:
        """Whoever waited was cancelled; nobody else will."""
        self._strand = None

    def __await__(self) -> Generator["Signal[Fact]", None, Fact]:
        if not self.is_set:
            yield self
        return self._fact  # type: ignore[return-value]  # set() has been called


class Strand:
    """One coroutine, driven from wait to wait."""

    __slots__ = ("_coroutine", "_doomed", "_ended", "_on_end", "_waits_for")

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, None],
        on_end: Callable[[BaseException | None], None],
    ) -> None:
        """`on_end` is called when it is over; with an exception, if it let one out: a bug."""
        self._coroutine = coroutine
        self._on_end = on_end
        self._waits_for: Signal[Any] | asyncio.Future[Any] | None = None
        self._doomed = False
        self._ended = False

    def step(self, error: BaseException | None = None) -> None:
        """Run to the next wait; `error` is raised where the coroutine waited."""
        self._waits_for = None
        try:
            if error is None:
                waits_for = self._coroutine.send(None)
            else:
                waits_for = self._coroutine.throw(error)
        except (StopIteration, asyncio.CancelledError):
            self._ended = True
            self._on_end(None)
            return
        except Exception as bug:  # the boundary: there is no task above to report it
            self._ended = True
            self._on_end(bug)
            return
        self._waits_for = waits_for
        if isinstance(waits_for, Signal):
            waits_for._strand = self  # noqa: SLF001 -- the two are one mechanism
        else:
            waits_for._asyncio_future_blocking = False  # noqa: SLF001 -- the protocol of awaiting a future
            waits_for.add_done_callback(self._future_done)
        if self._doomed:
            self.cancel()

    def cancel(self) -> None:
        """Raise CancelledError where the coroutine waits, or at its next wait if it runs now."""
        waits_for = self._waits_for
        if self._ended:
            return
        if waits_for is None:
            self._doomed = True
            return
        self._doomed = False
        if isinstance(waits_for, Signal):
            waits_for.unawaited()
        else:
            waits_for.remove_done_callback(self._future_done)
            waits_for.cancel()
        self.step(asyncio.CancelledError())

    def _future_done(self, future: "asyncio.Future[Any]") -> None:
        # The future hands over its result, or raises, inside its own __await__.
        if self._waits_for is future:
            self.step()
