"""Sending an attempt upstream: on a connection that is kept, or on a new one."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import msgspec

from proxy.attempt import Attempt
from proxy.call import Call, Effect
from proxy.clock import NEVER, Clock
from proxy.reply import Reply
from proxy.wire.compose import RequestWriter
from proxy.wire.credentials import Credentials
from proxy.wire.pool import CONNECT, ConnectionPool

_WRITE = Effect.WRITE  # looking into an enum costs more than taking a connection


class Forward(msgspec.Struct, frozen=True):
    """What the upstream is told of a call (spec 2.4): nothing unless configured."""

    call: bool = False
    attempt: bool = False
    deadline: bool = False
    agent: bool = False
    chain: bool = False


Traced: TypeAlias = Callable[[Attempt], bytes]
"""The header lines by which an upstream knows what trace a sending belongs to."""


class Client:
    """One upstream: how its requests are written, and the connections to it."""

    def __init__(
        self,
        name: str,
        writer: RequestWriter,
        pool: ConnectionPool,
        clock: Clock,
        forward: Forward,
        traced: Traced | None = None,
    ) -> None:
        self.name = name
        self.pool = pool
        self._writer = writer
        self._clock = clock
        self._forward = forward if forward != Forward() else None
        self._traced = traced

    def send(self, attempt: Attempt) -> Awaitable[Reply]:
        """Send one attempt. The reply comes with the answer's head, or says how that failed."""
        connection = self.pool.take(fresh=attempt.call.effect is _WRITE)
        if connection is None:
            return self._send_on_another(attempt)
        return connection.send(attempt, self._head(attempt))

    async def _send_on_another(self, attempt: Attempt) -> Reply:
        """On a new connection, or on one that is given back meanwhile."""
        began = self._clock.now()
        connect = CONNECT if attempt.connect_by == NEVER else attempt.connect_by - attempt.started
        due = min(began + connect, attempt.deadline)
        try:
            opened = await self.pool.open(due, connect, attempt.deadline)
        finally:
            attempt.call.waited += self._clock.now() - began
        if isinstance(opened, Reply):
            return opened
        return await opened.send(attempt, self._head(attempt))

    def _head(self, attempt: Attempt) -> bytes:
        call = attempt.call
        extra = call.extra if self._forward is None else self._told(attempt, self._forward)
        if self._traced is not None:
            extra += self._traced(attempt)
        other = attempt.sends
        if other is not None:
            return self._writer.head(other.head, call.target, extra, expect=False)
        return self._writer.head(call.head, call.target, extra, expect=call.body.whole is None)

    def _told(self, attempt: Attempt, forward: Forward) -> bytes:
        call = attempt.call
        lines = []
        if forward.call:
            lines.append(f"holdfast-call: {call.id}\r\n")
        if forward.attempt:
            lines.append(f"holdfast-attempt: {attempt.number}; max={attempt.of}\r\n")
        if forward.deadline and attempt.deadline != NEVER:
            left = max(0, int((attempt.deadline - self._clock.now()) * 1000))
            lines.append(f"holdfast-timeout-ms: {left}\r\n")
        if forward.agent:
            lines.append(f"holdfast-agent: {_safe(call)}\r\n")
        chain = call.onward() if forward.chain and call.onward is not None else b""
        return call.extra + "".join(lines).encode() + chain


class ChoosyClient(Client):
    """One upstream with several credentials. Which one is sent is decided for each attempt."""

    def __init__(
        self,
        name: str,
        writer: RequestWriter,
        pool: ConnectionPool,
        clock: Clock,
        forward: Forward,
        traced: Traced | None,
        credentials: Credentials,
    ) -> None:
        """`writer` must know as many of them."""
        super().__init__(name, writer, pool, clock, forward, traced)
        self._credentials = credentials

    async def send(self, attempt: Attempt) -> Reply:
        """As Client. The attempt learns which it was, and which would be the next."""
        self._credentials.choose(attempt)
        reply = await super().send(attempt)
        self._credentials.answered(attempt.credential, reply.status)
        return reply

    def _head(self, attempt: Attempt) -> bytes:
        call, which = attempt.call, attempt.credential
        extra = call.extra if self._forward is None else self._told(attempt, self._forward)
        if self._traced is not None:
            extra += self._traced(attempt)
        other = attempt.sends
        if other is not None:
            return self._writer.head(other.head, call.target, extra, expect=False, credential=which)
        whole = call.body.whole is not None
        return self._writer.head(call.head, call.target, extra, expect=not whole, credential=which)


def _safe(call: Call) -> str:
    return "".join(letter for letter in call.agent if " " < letter <= "~")
