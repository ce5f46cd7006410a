"""Time and chance, handed in, so that tests can own them. Nobody else reads a clock."""

import asyncio
import contextlib
import os
import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from proxy.uuids import uuids

Outcome = TypeVar("Outcome")
NEVER = float("inf")


class Clock:
    """Time in seconds, chance, and the things that happen later."""

    def __init__(self, seed: int | None = None, drill: int = 1) -> None:
        """`drill`: in a rehearsal windows pass so many times faster."""
        self.drill = drill
        self._began = (self.now(), self.wall()) if drill > 1 else (0.0, 0.0)
        self.chance = random.Random(seed)
        # Whoever sees many must not foresee the next one, unless a test asks for the same again.
        self.randbytes = os.urandom if seed is None else self.chance.randbytes
        self.uuid = uuids(self.randbytes).__next__
        self._tasks: set[asyncio.Task[Any]] = set()
        self._soon: list[Callable[[], None]] = []

    now = staticmethod(time.monotonic)
    """Seconds on a clock that only goes forward; its zero means nothing."""

    wall = staticmethod(time.time)
    """Seconds since 1970, UTC; may jump."""

    @property
    def fast_now(self) -> Callable[[], float]:
        """`now`, for windows: those of SLOs and budgets, repeats of alerts, retries of deliveries.
        In a drill it runs ahead; else it is the same."""
        return self.now if self.drill == 1 else self._fast_now

    @property
    def fast_wall(self) -> Callable[[], float]:
        """`wall`, for the same. In a drill it begins at the real time, and jumps no more."""
        return self.wall if self.drill == 1 else self._fast_wall

    def lasting(self, seconds: float) -> float:
        """How long so much of a window really takes."""
        return seconds / self.drill

    def _fast_now(self) -> float:
        return self._began[0] + (self.now() - self._began[0]) * self.drill

    def _fast_wall(self) -> float:
        return self._began[1] + (self.now() - self._began[0]) * self.drill

    async def sleep(self, seconds: float) -> None:
        """Wait; not at all for zero or less."""
        if seconds > 0:
            await asyncio.sleep(seconds)

    def spawn(self, work: Coroutine[Any, Any, Outcome]) -> "asyncio.Task[Outcome]":
        """A task that is held until it ends: the loop alone would let it be collected."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def soon(self, work: Callable[[], None]) -> None:
        """Run it when all that is ready now is done: once for each turn of the loop, not for each.

        What it raises is the loop's to report; the others still run.
        """
        if not self._soon:
            asyncio.get_running_loop().call_soon(self._run_soon)
        self._soon.append(work)

    def _run_soon(self) -> None:
        soon, self._soon = self._soon, []
        for number, work in enumerate(soon):
            try:
                work()
            except BaseException:
                self._soon = soon[number + 1 :] + self._soon
                if self._soon:
                    asyncio.get_running_loop().call_soon(self._run_soon)
                raise

    def alarm(self, ring: Callable[[], None]) -> "Alarm":
        """A timer that can be set again and again; `ring` is called when it comes due."""
        return Alarm(self, ring)

    async def stop(self) -> None:
        """Cancel what was spawned, and see it end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task


class Alarm:
    """One timer for many waits.

    Making and cancelling a timer for each call costs more than a stage. Nearly every wait ends
    long before its time, so the timer of an earlier wait is left running: when it goes off, it
    looks whether a wait is on and sets itself for the rest of it.
    """

    __slots__ = ("_armed_for", "_clock", "_due", "_handle", "_ring")

    def __init__(self, clock: Clock, ring: Callable[[], None]) -> None:
        self._clock = clock
        self._ring = ring
        self._due = NEVER
        self._armed_for = NEVER
        self._handle: asyncio.TimerHandle | None = None

    def set(self, due: float) -> None:
        """Ring at `due` (on `Clock.now`), instead of whenever it was set for before."""
        self._due = due
        if due < self._armed_for:
            self._arm()

    def clear(self) -> None:
        """Do not ring."""
        self._due = NEVER

    def close(self) -> None:
        """Never ring again, and let go of the timer."""
        self._due = NEVER
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        self._armed_for = NEVER

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._armed_for = self._due
        delay = max(0.0, self._due - self._clock.now())
        self._handle = asyncio.get_running_loop().call_later(delay, self._went_off)

    def _went_off(self) -> None:
        self._handle = None
        self._armed_for = NEVER
        if self._due == NEVER:
            return
        if self._clock.now() < self._due:
            self._arm()
            return
        self._due = NEVER
        self._ring()
