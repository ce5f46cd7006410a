"""The far end: records every byte of every request, answers by script."""

import asyncio
import contextlib
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self, TypeAlias

from tests.harness.messages import Message
from tests.harness.wire import End, Ended, finish, troubles, within

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

Step: TypeAlias = bytes | Callable[["UpstreamConnection", Message], Awaitable[None]]
"""What to do with one request: send these bytes, or be asked."""


class UpstreamConnection(End):
    """One connection that came in."""

    def __init__(self, upstream: "RawUpstream") -> None:
        super().__init__()
        self.requests: list[Message] = []
        self.heads: list[Message] = []
        self.patience = None
        self._upstream = upstream
        self._serving: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._upstream.note_opened(self)
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def eof_received(self) -> bool:
        stays = super().eof_received()
        self._upstream.note_closed()
        return stays

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._upstream.note_closed()

    async def _serve(self) -> None:
        try:
            while True:
                await self._upstream.serve(self)
        except Ended:
            self.transport.close()
        except Exception as wrong:
            troubles.append(f"upstream: {wrong!r}")
            self.transport.abort()

    async def stop(self) -> None:
        """Close it and end what answers on it."""
        assert self._serving is not None
        self._serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._serving
        await finish(self)


class RawUpstream:
    """Answers each request with the next step of its script, and with `OK` when there is none."""

    def __init__(self, *script: Step, tls: ssl.SSLContext | None = None, path: str = "") -> None:
        self.script: deque[Step] = deque(script)
        self.otherwise: Step = OK
        self.on_head: Step | None = None
        """Asked when a head has come, before its body is read; bytes are sent at once."""
        self.requests: list[Message] = []
        """All requests that came whole, in the order of their ends."""
        self.heads: list[Message] = []
        self.connections: list[UpstreamConnection] = []
        self.address = ""
        self.server_names: list[str | None] = []
        self._tls = tls
        self._path = path
        self._server: asyncio.Server | None = None
        self._waits: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        if self._tls is not None:
            self._tls.sni_callback = lambda _, name, __: self.server_names.append(name)
        if self._path:
            self._server = await loop.create_unix_server(
                lambda: UpstreamConnection(self), self._path
            )
            self.address = f"unix:{self._path}"
            return self
        self._server = await loop.create_server(
            lambda: UpstreamConnection(self), "127.0.0.1", 0, ssl=self._tls
        )
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.shut()
        for connection in list(self.connections):
            await connection.stop()

    async def shut(self) -> None:
        """Take no further connections."""
        if self._server is not None:
            self._server.close()

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{self.address}"

    def then(self, *steps: Step) -> None:
        """Forget what was scripted and seen; do these next."""
        self.script = deque(steps)
        self.otherwise = OK
        self.on_head = None
        self.requests.clear()
        self.heads.clear()

    async def seen(self, number: int = 1) -> Message:
        """The request of that number, once it has come whole."""
        await self._wait(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    async def began(self, number: int = 1) -> Message:
        """The head of that number, though its body may still be coming."""
        await self._wait(lambda: len(self.heads) >= number)
        return self.heads[number - 1]

    async def opened(self, number: int = 1) -> UpstreamConnection:
        """The connection of that number."""
        await self._wait(lambda: len(self.connections) >= number)
        return self.connections[number - 1]

    async def closed(self, number: int = 1) -> None:
        """That many connections have come and gone."""
        await self._wait(lambda: len(self.connections) - len(self.live) >= number)

    def carrier(self, message: Message) -> UpstreamConnection:
        """The connection on which a request, or its head, came."""
        for connection in self.connections:
            if any(one is message for one in (*connection.heads, *connection.requests)):
                return connection
        raise AssertionError(f"nobody carried {message.start!r}")

    @property
    def live(self) -> list[UpstreamConnection]:
        """The connections that neither side has ended."""
        return [one for one in self.connections if not one.ended.is_set()]

    # what its connections call

    async def serve(self, connection: UpstreamConnection) -> None:
        """One request and its answer. Ended when the connection has."""
        head = await connection.head()
        self.heads.append(head)
        connection.heads.append(head)
        self._tell()
        if self.on_head is not None:
            await self._do(self.on_head, connection, head)
        message = await connection.request_body(head)
        connection.requests.append(message)
        self.requests.append(message)
        self._tell()
        await self._do(
            self.script.popleft() if self.script else self.otherwise, connection, message
        )

    async def _do(self, step: Step, connection: UpstreamConnection, message: Message) -> None:
        if isinstance(step, bytes):
            connection.send(step)
        else:
            await step(connection, message)

    def note_opened(self, connection: UpstreamConnection) -> None:
        self.connections.append(connection)
        self._tell()

    def note_closed(self) -> None:
        self._tell()

    def _tell(self) -> None:
        for holds, future in self._waits:
            if holds() and not future.done():
                future.set_result(None)

    async def _wait(self, holds: Callable[[], bool]) -> None:
        if holds():
            return
        wait = (holds, asyncio.get_running_loop().create_future())
        self._waits.append(wait)
        try:
            await within(wait[1])
        finally:
            self._waits.remove(wait)


# steps


async def never(connection: UpstreamConnection, request: Message) -> None:
    """Say nothing until the other side gives up."""
    await connection.ended.wait()


async def hang_up(connection: UpstreamConnection, request: Message) -> None:
    """Close without a word."""
    connection.close()


async def slam(connection: UpstreamConnection, request: Message) -> None:
    """Reset without a word."""
    connection.reset()


def then_close(raw: bytes) -> Step:
    """Send, then close."""

    async def step(connection: UpstreamConnection, request: Message) -> None:
        connection.send(raw)
        connection.close()

    return step


def then_reset(raw: bytes) -> Step:
    """Send, wait until it has gone, then reset."""

    async def step(connection: UpstreamConnection, request: Message) -> None:
        connection.send(raw)
        connection.reset()

    return step


def after(event: asyncio.Event, step: Step = OK) -> Step:
    """Wait for an event first, or for the other side to give up."""

    async def held(connection: UpstreamConnection, request: Message) -> None:
        waits = [
            asyncio.ensure_future(event.wait()),
            asyncio.ensure_future(connection.ended.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        if connection.ended.is_set():
            return
        if isinstance(step, bytes):
            connection.send(step)
        else:
            await step(connection, request)

    return held
