"""Sending an attempt upstream. Here, and nowhere else, the network's failures become values."""

import asyncio

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Effect
from proxy.clock import NEVER, Clock
from proxy.reply import Reply
from proxy.wire.compose import RequestWriter
from proxy.wire.pool import CONNECT, ConnectionPool

STREAMS = (b"text/event-stream", b"application/x-ndjson")


class Forward(msgspec.Struct, frozen=True):
    """What the upstream is told of a call (spec 2.4): nothing unless configured."""

    call: bool = False
    attempt: bool = False
    deadline: bool = False
    agent: bool = False


class Upstream:
    """One upstream: how its requests are written, and the connections to it."""

    def __init__(
        self, name: str, writer: RequestWriter, pool: ConnectionPool, clock: Clock, forward: Forward
    ) -> None:
        self.name = name
        self.pool = pool
        self._writer = writer
        self._clock = clock
        self._now = clock.now
        self._forward = forward if forward != Forward() else None

    async def send(self, attempt: Attempt) -> Reply:
        """Send one attempt. The reply comes with the answer's head, or says how that failed."""
        call = attempt.call
        attempt.upstream = self.name
        connection = self.pool.take(fresh=call.effect is Effect.WRITE)
        if connection is None:
            began = self._now()
            try:
                by = (
                    attempt.connect_by
                    if attempt.connect_by != NEVER
                    else self._clock.now() + CONNECT
                )
                opened = await self.pool.open(min(by, attempt.deadline))
            finally:
                call.waited += self._now() - began
            if isinstance(opened, Reply):
                return opened
            connection = opened
        extra = b"" if self._forward is None else self._told(attempt, self._forward)
        head = self._writer.head(call.head, call.target, extra, expect=call.body.whole is None)
        began = self._now()
        try:
            reply = await connection.send(attempt, head)
        except asyncio.CancelledError:
            connection.close()
            raise
        finally:
            call.waited += (attempt.first_byte or self._now()) - began
        if reply.body is not None and reply.body.whole is None:
            reply.on_commit = lambda: connection.committed(*_times(attempt, reply))
        return reply

    def _told(self, attempt: Attempt, forward: Forward) -> bytes:
        call = attempt.call
        lines = []
        if forward.call:
            lines.append(f"holdfast-call: {call.id}\r\n")
        if forward.attempt:
            lines.append(f"holdfast-attempt: {attempt.number}; max={attempt.of}\r\n")
        if forward.deadline and attempt.deadline != NEVER:
            left = max(0, int((attempt.deadline - self._now()) * 1000))
            lines.append(f"holdfast-timeout-ms: {left}\r\n")
        if forward.agent:
            lines.append(f"holdfast-agent: {_safe(call)}\r\n")
        return "".join(lines).encode()


def is_stream(reply: Reply) -> bool:
    """Is the answer a stream, whose end may be an hour away (spec 3.10)?"""
    return reply.tunnel is not None or reply.fields.get(b"content-type", b"").lower().startswith(
        STREAMS
    )


def _times(attempt: Attempt, reply: Reply) -> tuple[float | None, float]:
    """How long the rest may be silent, and when it must be over, from the commit on."""
    if is_stream(reply):
        return attempt.stream_idle, NEVER
    return None, min(attempt.deadline, attempt.call.deadline)


def _safe(call: Call) -> str:
    return "".join(letter for letter in call.agent if " " < letter <= "~")
