"""One connection to an upstream: bytes out, bytes in, and what its end means for who is on it."""

import asyncio
from typing import TYPE_CHECKING, cast

from proxy.attempt import Attempt
from proxy.clock import Clock
from proxy.wire.head import Heads
from proxy.wire.outgoing import Outgoing
from proxy.wire.peer import fin_has_come
from proxy.wire.sending import Sending

if TYPE_CHECKING:
    from proxy.wire.pool import ConnectionPool


class UpstreamConnection(asyncio.Protocol):
    """Carries one request at a time; between two it rests in its pool.

    There is no resending here, hidden or open: a kept-alive connection that its upstream closes
    just as a request is written is a `disconnect`, and whoever sent it decides.
    """

    transport: asyncio.Transport
    out: Outgoing

    def __init__(self, pool: "ConnectionPool", clock: Clock, heads: Heads) -> None:
        self.clock = clock
        self.heads = heads
        self.alarm = clock.alarm(self._rang)
        self.sending: Sending | None = None  # the request that is on
        self.idle_since = 0.0
        self.closed = False
        self.pool = pool

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self.transport = cast("asyncio.Transport", transport)
        self.transport.set_write_buffer_limits(high=1)  # as towards the agent
        self.out = Outgoing(self.transport, self.clock, self.pool.opened)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        sending = self.sending
        if sending is not None and not self.out.unsent:
            sending.take(data)
        elif sending is not None:
            sending.spoken_too_soon()
        else:
            self.close()  # nobody asked: whatever it is, it answers no request of ours

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.alarm.close()
        self.out.lost = True
        self._end(reset=True)  # a clean end was told before; with TLS, one without its close_notify

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol. True keeps the sending side open."""
        if self.sending is not None and self.sending.tunnelled:
            self.sending.connection_ended(reset=False)
            return True
        self._end(reset=False)
        return False

    def pause_writing(self) -> None:
        """Part of asyncio.Protocol."""
        if self.sending is not None:
            self.sending.stop_upload()

    def resume_writing(self) -> None:
        """Part of asyncio.Protocol."""
        if self.sending is not None:
            self.sending.resume_upload()

    def _end(self, *, reset: bool) -> None:
        self.closed = True
        self.pool.lost(self)
        if self.sending is not None:
            self.sending.connection_ended(reset=reset)

    def _rang(self) -> None:
        if self.sending is not None:
            self.sending.too_late()

    # --- for who sends ---

    @property
    def ending(self) -> bool:
        """Has the upstream closed it, though nobody has read that yet? Costs a system call."""
        found = self.transport.get_extra_info("socket")
        return found is not None and fin_has_come(found)

    def send(self, attempt: Attempt, head: bytes) -> Sending:
        """Send a request. Awaited, it gives the reply: at the answer's head, or how that failed."""
        sending = Sending(self, attempt)
        if self.closed or self.transport.is_closing():
            sending.never_sent()
        else:
            self.sending = sending
            sending.begin(head)
        return sending

    def close(self) -> None:
        """Let it go, now."""
        self.closed = True
        self.sending = None
        self.alarm.close()
        self.pool.lost(self)
        self.transport.abort()
