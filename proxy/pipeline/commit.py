"""The commit point: where the result of an attempt is decided, and nothing can be sent again.

A whole answer is committed at once. One that is still coming is held until its first byte, if it
may be sent again until then; an error is read whole (up to 64 KiB), since its result may stand in
its body, and so that no connection is held while a retry waits. A stream is committed at its head,
unless its protocol hears it: then at the first word that matters. What comes before that, such as
pings and frames that open a message, is held for two seconds and 16 KiB at most.
"""

from collections.abc import Awaitable

from proxy.attempt import Attempt
from proxy.clock import Clock
from proxy.pipeline.listening import listen
from proxy.protocols.http import as_price
from proxy.protocols.protocol import Protocol
from proxy.reply import Failure, Reply
from proxy.wire.body import Body

_ERROR_BODY = 64 << 10


class Commit:
    """Brings the reply of an attempt to its commit."""

    def __init__(
        self, protocol: Protocol, clock: Clock, *, hold: bool, priced: bool = False
    ) -> None:
        """`hold`: there is something that could send it again, or wants to know how it ended.

        `priced`: a 402 is a price, which the agent may pay, and not the end of a quota.
        """
        self._judge = as_price(protocol.judge) if priced else protocol.judge
        self._streams = protocol.streams
        self._hears = protocol.hears if protocol.listens else None
        self._clock = clock
        self._hold = hold

    def __call__(self, attempt: Attempt, reply: Reply) -> Awaitable[None] | None:
        """Decide the result; to be awaited where the answer must be held until then."""
        heard = None
        if self._hears is not None and reply.body is not None and reply.status < 400:
            hearing = self._hears(attempt.call, reply)
            if hearing is not None:
                heard = listen(reply, hearing, streams=self._streams(reply))
        body, streams = reply.body, False
        if body is not None and body.whole is None:
            assert isinstance(body, Body)
            streams = self._streams(reply)
            if streams:
                attempt.call.finishes_alone = False  # nobody reads on, and its end may never come
            if heard is not None:
                waits = heard.waits(body, self._clock, hold=self._hold)
                if waits is not None:
                    return self._held(attempt, reply, body, waits, streams=streams)
            elif self._hold and not streams:
                first = body.read(_ERROR_BODY) if reply.status >= 400 else body.begun()
                return self._held(attempt, reply, body, first)
        self._decide(attempt, reply, streams)
        return None

    def _decide(self, attempt: Attempt, reply: Reply, streams: bool) -> None:
        self._judge(reply)
        if reply.hearing is not None and reply.failure is None:
            reply.take_told()
            if streams:
                reply.leave_open()
        reply.attempt = attempt
        attempt.result = reply.result
        attempt.ended = attempt.first_byte or self._clock.now()
        attempt.status = reply.status
        if reply.failure is not None:
            attempt.failure = reply.failure
        elif reply.on_commit is not None:
            reply.commit(streams=streams)

    async def _held(
        self,
        attempt: Attempt,
        reply: Reply,
        body: Body,
        until: Awaitable[object],
        *,
        streams: bool = False,
    ) -> None:
        began = self._clock.now()
        try:
            await until
        except BaseException:  # cancelled: the answer is nobody's
            body.abandon()
            raise
        finally:
            attempt.call.waited += self._clock.now() - began
        if body.failure is not None:
            reply.failure = body.failure
            reply.status, reply.lines = 0, b""  # nothing of its head goes on
            reply.detail = (
                "the answer did not go on in time"
                if body.failure is Failure.TIMEOUT
                else "the answer broke off"
            )
        self._decide(attempt, reply, streams)
