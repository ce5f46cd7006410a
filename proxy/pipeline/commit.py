"""The commit point: where the result of an attempt is decided, and nothing can be sent again.

A whole answer is committed at once. One that is still coming is held until its first byte, if it
may be sent again until then; an error is read whole (up to 64 KiB), since its result may stand in
its body, and so that no connection is held while a retry waits. A stream is committed at its head.
"""

from proxy.attempt import Attempt
from proxy.clock import Clock
from proxy.protocols.protocol import Protocol
from proxy.reply import Reply
from proxy.stage import Sender
from proxy.wire.body import Body
from proxy.wire.client import is_stream

_ERROR_BODY = 64 << 10


class Commit:
    """Sends an attempt, and returns at its commit."""

    def __init__(self, send: Sender, protocol: Protocol, clock: Clock, *, hold: bool) -> None:
        """`hold`: there is something that could send it again, or wants to know how it ended."""
        self._send = send
        self._protocol = protocol
        self._clock = clock
        self._hold = hold

    async def __call__(self, attempt: Attempt) -> Reply:
        """The reply, with its result."""
        reply = await self._send(attempt)
        body = reply.body
        if body is not None and body.whole is None:
            assert isinstance(body, Body)
            if is_stream(reply):
                attempt.call.finishes_alone = False  # nobody reads on, and its end may never come
            elif self._hold:
                await self._held(attempt, reply, body)
        self._protocol.judge(reply)
        attempt.result = reply.result
        attempt.failure = reply.failure
        attempt.status = reply.status
        attempt.ended = attempt.first_byte or self._clock.now()
        if reply.failure is None:
            reply.commit()
        return reply

    async def _held(self, attempt: Attempt, reply: Reply, body: Body) -> None:
        began = self._clock.now()
        try:
            if reply.status >= 400:
                await body.read(_ERROR_BODY)
            else:
                await body.begun()
        except BaseException:  # cancelled: the answer is nobody's
            body.abandon()
            raise
        finally:
            attempt.call.waited += self._clock.now() - began
        if body.failure is not None:
            reply.failure = body.failure
            reply.status = 0
            reply.detail = "the answer broke off before its first byte"
