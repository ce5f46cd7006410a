"""A mirror of kind stdout: a CloudEvent a line, for whoever collects what a container prints.

It writes in a thread, and only what there is room for: a pipe that nobody empties makes the mirror
late, and holds up nothing else, also not the end of the process.
"""

import asyncio
import os
import select
import stat
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from proxy.journal.disk import Disk
from proxy.mirrors.event import Event
from proxy.mirrors.sink import PassesOn, Said

AT_ONCE = 400
PIECE = 4096
"""Bytes that a pipe with any room takes at once (PIPE_BUF of Linux)."""
FILE_PIECE = 1 << 16
"""Bytes that are written to a file at once: it always has room, or says that the disk is full."""
PATIENCE = 5.0
"""Seconds without room, after which it is tried again later."""
_LOOKS = 200  # milliseconds
STDOUT = 1
_NOTHING = memoryview(b"")


class ToStdout(PassesOn):
    """Part of Sink."""

    at_once = AT_ONCE

    def __init__(self, disk: Disk, file: int = STDOUT, patience: float = PATIENCE) -> None:
        self._disk = disk
        self._file = file
        self._patience = patience
        self._left = _NOTHING
        """Of a line that was begun: what comes next is the rest of it."""
        self._closed = False

    async def take(self, events: Sequence[Event], /) -> Said:
        """Part of Sink. All in one turn of a thread: there may be as many as there are calls."""
        return await asyncio.to_thread(self._take, events)

    async def close(self) -> None:
        """Part of Sink. What is under way ends with a piece."""
        self._closed = True

    def _take(self, events: Sequence[Event]) -> Said:
        poll = select.poll()
        poll.register(self._file, select.POLLOUT)
        most = _most(self._file)
        lines: list[bytes | memoryview] = [event.encoded() + b"\n" for event in events]
        # What is told again is the event of which a part was written, as it comes first.
        lines[0] = self._left or lines[0]
        ends = [0, *accumulate(map(len, lines))]
        out, why = 0, ""
        while out < ends[-1] and not why:
            why = "" if most == FILE_PIECE and not self._closed else self._why_not(poll)
            if not why:
                try:
                    out += self._disk.write(self._file, _piece(lines, ends, out, most))
                except OSError as error:
                    why = f"standard output: {error.strerror or error}"
        taken, begun = _at(ends, out)
        if out:
            self._left = memoryview(lines[taken])[begun:] if begun else _NOTHING
        return Said(taken, why)

    def _why_not(self, poll: select.poll) -> str:
        """Wait for room; empty: there is some."""
        waited = 0.0
        while not self._closed and waited < self._patience:
            if poll.poll(_LOOKS):
                return ""
            waited += _LOOKS / 1000
        return "nobody reads standard output"


def _most(file: int) -> int:
    """Bytes at once."""
    try:
        return FILE_PIECE if stat.S_ISREG(os.fstat(file).st_mode) else PIECE
    except OSError:  # it was closed, as writing says, too
        return PIECE


def _at(ends: Sequence[int], out: int) -> tuple[int, int]:
    """Of so many bytes: so many whole lines, and so many bytes of the next one."""
    whole = bisect_right(ends, out) - 1
    return whole, out - ends[whole]


def _piece(
    lines: Sequence[bytes | memoryview], ends: Sequence[int], out: int, most: int
) -> bytes | memoryview:
    """What is written next: as many whole lines as fit into so many bytes, so that what ends
    between two pieces ends between two lines; or a part of one that is longer."""
    at, begun = _at(ends, out)
    upto, _ = _at(ends, out + most)
    return b"".join(lines[at:upto])[begun:] if upto > at else lines[at][begun : begun + most]
