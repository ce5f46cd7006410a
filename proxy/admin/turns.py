"""Work that must not keep the loop: one at a time, in a thread, and few may wait for their turn.

The thread is one that nobody waits for when the process ends: a disk that never answers has it.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

WAITING = 8
"""How many may wait, beside the one that has its turn."""
PATIENCE = 30.0
"""Seconds until one that waits, or is at work, is given up."""
_PAUSE = 0.001

Pause = Callable[[], None]
"""To be called by the work now and then; raises Over when nobody wants it any more."""
Done = TypeVar("Done")


class Busy(Exception):
    """There is no turn to be had soon."""


class Over(Exception):
    """Nobody waits for it any more."""


class Turns:
    """Gives turns."""

    def __init__(self, patience: float = PATIENCE) -> None:
        self._patience = patience
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def run(self, work: Callable[[Pause], Done]) -> Done:
        """What the work gives, or raises. Raises Busy."""
        if self._waiting > WAITING:
            raise Busy
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience):
                return await self._worked(work)
        except TimeoutError:
            raise Busy from None
        finally:
            self._waiting -= 1

    async def _worked(self, work: Callable[[Pause], Done]) -> Done:
        await self._turn.acquire()
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Done] = loop.create_future()
        over = threading.Event()

        def pause() -> None:
            if over.wait(_PAUSE):
                raise Over

        def tell(settle: Callable[[], None]) -> None:
            self._turn.release()  # only now: what does not end keeps others from beginning
            if not done.done():
                settle()

        def thread() -> None:
            try:
                found = work(pause)
            except Exception as error:
                failed = error
                settle = lambda: done.set_exception(failed)  # noqa: E731 -- one of two
            else:
                settle = lambda: done.set_result(found)  # noqa: E731 -- the other
            with contextlib.suppress(RuntimeError):  # the loop may be gone
                loop.call_soon_threadsafe(tell, settle)

        try:
            threading.Thread(target=thread, name="reading", daemon=True).start()
        except RuntimeError:  # no more threads are to be had
            self._turn.release()
            raise Busy from None
        try:
            return await done
        finally:
            over.set()
