"""A loop in which time passes only by being waited for, and a clock that shows it.

When nothing can run, the loop jumps to the moment of its next timer. So whatever waits for time,
with any part of asyncio, waits for none.
"""

import asyncio
import selectors
from typing import Any

from proxy.clock import Clock

EPOCH = 1_800_000_000.0
"""What the clock on the wall shows at the start."""
BEGAN = 1000.0
"""What the other one shows: long enough for whoever counts back."""


class Stuck(Exception):
    """All wait for something, and no timer is set: nothing would ever happen again."""


class OwnLoop(asyncio.SelectorEventLoop):
    """The loop."""

    def __init__(self) -> None:
        self.passed = BEGAN
        super().__init__(_Jumps(self))

    def time(self) -> float:
        """Seconds, as far as they were waited for."""
        return self.passed


class OwnClock(Clock):
    """The clock of whatever runs in an `OwnLoop`. Chance is the same in every run."""

    def __init__(self, loop: OwnLoop) -> None:
        super().__init__(seed=1)
        self._loop = loop

    def now(self) -> float:
        """Seconds on the loop's own clock."""
        return self._loop.passed

    def wall(self) -> float:
        """Seconds since 1970, from a moment that is always the same."""
        return EPOCH + self._loop.passed - BEGAN


class _Jumps(selectors.DefaultSelector):
    def __init__(self, loop: OwnLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise Stuck
            self._loop.passed += timeout
        return ready
