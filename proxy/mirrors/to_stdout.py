"""A mirror of kind stdout: a CloudEvent a line, for whoever collects what a container prints.

It writes in a thread, and only what there is room for: a pipe that nobody empties makes the mirror
late, and holds up nothing else, also not the end of the process.
"""

import asyncio
import select
from collections.abc import Sequence

from proxy.journal.disk import Disk
from proxy.mirrors.event import Event
from proxy.mirrors.sink import PassesOn, Said

AT_ONCE = 200
PIECE = 4096
"""Bytes that a pipe with any room takes at once (PIPE_BUF of Linux)."""
PATIENCE = 5.0
"""Seconds without room, after which it is tried again later."""
_LOOKS = 200  # milliseconds
STDOUT = 1


class ToStdout(PassesOn):
    """Part of Sink."""

    at_once = AT_ONCE

    def __init__(self, disk: Disk, file: int = STDOUT, patience: float = PATIENCE) -> None:
        self._disk = disk
        self._file = file
        self._patience = patience
        self._left = memoryview(b"")
        """Of a line that was begun: what comes next is the rest of it."""
        self._closed = False

    async def take(self, events: Sequence[Event], /) -> Said:
        """Part of Sink."""
        taken = 0
        for event in events:
            # What is told again is the event of which a part was written, as it comes first.
            self._left = self._left or memoryview(event.encoded() + b"\n")
            why = await asyncio.to_thread(self._write)
            if why:
                return Said(taken, why)
            taken += 1
        return Said(taken)

    async def close(self) -> None:
        """Part of Sink. What is under way ends with a piece."""
        self._closed = True

    def _write(self) -> str:
        """What is left. Why not all of it was taken; empty: it was."""
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        waited = 0.0
        while self._left:
            if self._closed or waited >= self._patience:
                return "nobody reads standard output"
            if not poll.poll(_LOOKS):
                waited += _LOOKS / 1000
                continue
            try:
                self._left = self._left[self._disk.write(self._file, self._left[:PIECE]) :]
            except OSError as error:
                return f"standard output: {error.strerror or error}"
        return ""
