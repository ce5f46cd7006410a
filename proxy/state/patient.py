"""How long somebody is waited for, in the time that is his and not ours.

A process that is busy for longer than it would wait finds its timer run out and the answer lying
there unread, both at once. Agents can make it busy, by many calls in one moment; a store that is
well would then be taken for one that hangs. So when the time is over the loop has some turns more,
in each of which it reads what has come. Where nothing is to be done they take no time at all.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

TURNS = 20
"""A connection is made and an answer read in less."""
_MOST = 5.0
"""Times as long is waited at most."""


@contextlib.asynccontextmanager
async def patient(seconds: float) -> AsyncIterator[None]:
    """Raises TimeoutError where what is in it takes longer."""
    loop = asyncio.get_running_loop()
    latest = loop.time() + _MOST * seconds

    async with asyncio.timeout(None) as limit:
        due: asyncio.Handle = loop.call_later(seconds, lambda: over(TURNS))

        def over(turns: int) -> None:
            nonlocal due
            if turns and loop.time() < latest:
                due = loop.call_soon(over, turns - 1)
            else:
                limit.reschedule(loop.time())

        try:
            yield
        finally:
            due.cancel()
