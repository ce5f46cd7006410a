"""The agent's end of a connection."""

import asyncio
import socket
from types import TracebackType
from typing import Self

from tests.harness.messages import Message
from tests.harness.wire import End, finish, within


class Connection(End):
    """A raw client. `async with await Connection.open("127.0.0.1:8700") as agent:`"""

    @classmethod
    async def open(cls, address: str, receive_buffer: int = 0) -> "Connection":
        """Connect to `host:port` or `unix:/path`. A small `receive_buffer` keeps a reader slow."""
        loop = asyncio.get_running_loop()
        if address.startswith("unix:"):
            _, end = await within(loop.create_unix_connection(cls, address.removeprefix("unix:")))
            return end
        host, _, port = address.rpartition(":")
        plug = socket.socket()
        plug.setblocking(False)
        if receive_buffer:
            plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            await within(loop.sock_connect(plug, (host, int(port))))
        except BaseException:
            plug.close()
            raise
        _, end = await loop.create_connection(cls, sock=plug)
        return end

    async def call(self, raw: bytes, method: str = "GET") -> Message:
        """Send a request and read its answer."""
        self.send(raw)
        return await self.answer(method)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await finish(self)


async def raw_call(address: str, raw: bytes) -> bytes:
    """Everything that comes back until the other side ends the connection."""
    async with await Connection.open(address) as agent:
        agent.send(raw)
        return await agent.rest()
