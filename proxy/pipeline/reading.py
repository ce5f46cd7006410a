"""Reading a body that must be looked at before it is known what the call is for."""

from proxy.call import Call
from proxy.clock import Clock
from proxy.pipeline.mount import Mount
from proxy.protocols.clients import patience
from proxy.protocols.protocol import Reads
from proxy.refusal import Refusal
from proxy.wire.body import Body, Read
from proxy.wire.exchange import Exchange

_DRY = 5.0  # seconds that a call waits at most for room in the pool of memory
_LOOK_AGAIN = 0.05


class Reader:
    """Reads bodies, at the agent's pace but not slower than it may be."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def read(self, exchange: Exchange, call: Call, mount: Mount) -> bytes | Refusal | None:
        """All of it; None if its beginning shows that it need not be read. What is killed is not
        read at all."""
        killed = mount.table.killed(call)
        if killed is not None:
            return killed
        body = exchange.body
        reads = mount.protocol.reads(call.head)
        limit = mount.rules.body_buffer
        if body.whole is not None:
            return body.whole if len(body.whole) <= limit else _too_large(limit)
        assert isinstance(body, Body)  # the other kind is whole
        if reads is Reads.WHOLE and (exchange.head.length or 0) > limit:
            return _too_large(limit)  # at once: nobody is told to send it
        began = self._clock.now()
        exchange.watch_body()
        try:
            if reads is Reads.BEGINNING:
                await body.begun()
                if not mount.protocol.looks_read(body.beginning):
                    return None
            return await self._whole(exchange, body, limit)
        finally:
            exchange.unwatch_body()
            call.waited += self._clock.now() - began

    async def fetch(self, exchange: Exchange, call: Call, limit: int) -> Refusal | None:
        """Part of Call: all of a body that was not needed to know what the call is for."""
        body = exchange.body
        if isinstance(body, Body) and body.whole is None:
            if (exchange.head.length or 0) > limit:
                return _too_large(limit)
            began = self._clock.now()
            exchange.watch_body()
            try:
                read = await self._whole(exchange, body, limit)
            finally:
                exchange.unwatch_body()
                call.waited += self._clock.now() - began
            return read if isinstance(read, Refusal) else None
        return None

    async def _whole(self, exchange: Exchange, body: Body, limit: int) -> bytes | Refusal:
        until = self._clock.now() + min(_DRY, patience(exchange.head.fields) / 4)
        read = await self._all(body, exchange.head.length or 0, limit)
        while read is Read.DRY and self._clock.now() < until:
            await self._clock.sleep(_LOOK_AGAIN)
            read = await self._all(body, exchange.head.length or 0, limit)
        if read is Read.WHOLE:
            return body.whole or b""
        if read is Read.TOO_LARGE:
            return _too_large(limit)
        if read is Read.DRY:
            return Refusal(
                "overloaded", "there is no memory left to read the body into", retry_after=1.0
            )
        bad = exchange.bad
        return (
            Refusal("bad_request", "the body broke off")
            if bad is None
            else Refusal(bad.code, bad.detail)
        )

    async def _all(self, body: Body, length: int, limit: int) -> Read:
        """Nothing of it is read before there is room for all, as far as that is known."""
        return await body.read(limit) if body.reserve(length) else Read.DRY


def _too_large(limit: int) -> Refusal:
    return Refusal("body_too_large", f"the body is larger than {limit} bytes")
