"""The bytes that go out on one connection, and the ways in which it ends.

Writing is mostly the kernel's work: it takes the bytes through the stack and wakes whoever reads
them. Where many calls are on their way, what they write is kept to the end of the loop's turn and
goes out together: the code that decides and the code that sends then each run in one piece, and a
reader is woken once for several answers. That is a tenth of a call's processor time at 32
connections (2026-11). Where few calls are on their way there is nothing to gather, and to wait for
it would only make them slower.
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Sized

from proxy.clock import Clock

MANY = 8
"""So many others, and what is written whole is gathered."""

_MOST = 64 << 10  # bytes that are kept
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class Outgoing:
    """What is written comes out in its order, however it was written."""

    __slots__ = ("_clock", "_others", "_transport", "lost", "unsent")

    def __init__(self, transport: asyncio.Transport, clock: Clock, others: Sized) -> None:
        """`others` are those who may be writing at the same time, this one among them."""
        self._others = others
        self._transport = transport
        self._clock = clock
        self.unsent = b""
        self.lost = False  # the connection is

    def write(self, content: bytes) -> None:
        """Send it now, if anybody is still there."""
        if self.unsent:
            content, self.unsent = self.unsent + content, b""
        if content and not self.lost and not self._transport.is_closing():
            self._transport.write(content)

    def write_whole(self, content: bytes) -> None:
        """Send a whole message; where there are many, with what others write in this turn."""
        if len(self._others) < MANY:
            self.write(content)
            return
        if not self.unsent:
            self._clock.soon(self.flush)
        self.unsent += content
        if len(self.unsent) > _MOST:
            self.flush()

    def flush(self) -> None:
        """Send what is kept."""
        content, self.unsent = self.unsent, b""
        if content and not self.lost and not self._transport.is_closing():
            self._transport.write(content)

    def close(self) -> None:
        """End the connection once all is sent."""
        if not self.lost:
            self.flush()
            self._transport.close()

    def half_close(self) -> None:
        """Say that nothing more will come."""
        self.flush()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            with contextlib.suppress(OSError):  # it may have been reset just now
                self._transport.write_eof()

    def reset(self) -> None:
        """End it so that nobody can take what was sent for whole."""
        found = self._transport.get_extra_info("socket")
        if found is not None and found.family != socket.AF_UNIX:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
