"""Where agents come in: a listening socket, and the connections that come through it."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Coroutine, Iterator
from typing import Any, Protocol

import msgspec

from proxy.call import Call
from proxy.clock import Clock
from proxy.reply import Reply
from proxy.wire.agent import AgentConnection
from proxy.wire.body import Memory
from proxy.wire.exchange import Exchange
from proxy.wire.head import BadMessage, Heads, Limits


class ServerLimits(msgspec.Struct, frozen=True):
    """How much an agent may ask of the door."""

    head: Limits
    connections: int
    header_timeout: float
    keepalive: float


class Door(Protocol):
    """What the server needs of whoever stands behind it: the gateway."""

    def handle(self, exchange: Exchange, /) -> Coroutine[Any, Any, None]:
        """Answer one request."""

    def turn_away(self, bad: BadMessage, /) -> tuple[Reply, bytes]:
        """The answer, with the lines to add, to what is not a valid request."""

    def failed(self, error: BaseException, /) -> tuple[Reply, bytes]:
        """The answer to a request on which `handle` broke. A bug."""


class Server:
    """Listens, and knows its connections."""

    def __init__(self, door: Door, clock: Clock, limits: ServerLimits, pool: Memory) -> None:
        self.door = door
        self.clock = clock
        self.limits = limits
        self.heads = Heads(limits.head)
        self.pool = pool
        self.connections: set[AgentConnection] = set()
        self.exchanges: set[Exchange] = set()  # also those whose agent is gone
        self.draining = False
        self._listening: asyncio.Server | None = None
        self._unix_path = ""
        self._inode = 0
        self._quiet: asyncio.Event = asyncio.Event()

    async def listen(self, address: str) -> str:
        """Listen on `host:port` or `unix:/path`; the address with its real port."""
        loop = asyncio.get_running_loop()
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            remove_stale(path)
            self._listening = await loop.create_unix_server(lambda: AgentConnection(self), path)
            self._unix_path, self._inode = path, os.stat(path).st_ino
            return address
        host, _, port = address.rpartition(":")
        host = host.strip("[]")
        self._listening = await loop.create_server(
            lambda: AgentConnection(self), host, int(port), backlog=4096
        )
        bound = self._listening.sockets[0].getsockname()[1]
        return f"[{host}]:{bound}" if ":" in host else f"{host}:{bound}"

    async def drain(self, seconds: float) -> None:
        """Take nobody new; wait until nothing runs, at most `seconds`. Answers say `close`."""
        self.draining = True
        if self._listening is not None:
            self._listening.close()
        self._quiet.clear()
        if self.exchanges:
            task = self.clock.spawn(self._quiet.wait())
            await asyncio.wait({task}, timeout=seconds)
            task.cancel()

    async def close(self) -> None:
        """Stop listening, stop what still runs, and let every connection go."""
        if self._listening is not None:
            self._listening.close()
        with contextlib.suppress(OSError):
            if self._unix_path and os.stat(self._unix_path).st_ino == self._inode:
                os.unlink(self._unix_path)  # ours still, and not another process's
        for exchange in list(self.exchanges):
            exchange.shut_down()
        for connection in list(self.connections):
            connection.close()

    def calls(self) -> Iterator[Call]:
        """Those that can still be stopped, though others end meanwhile."""
        for exchange in list(self.exchanges):
            call = exchange.call
            if call is not None and not exchange.settled:
                yield from (call,) if call.batch is None else call.batch.calls

    def one_answered(self) -> None:
        """Tells whoever waits for quiet."""
        if self.draining and not self.exchanges:
            self._quiet.set()


def remove_stale(path: str) -> None:
    """Remove a socket that nobody listens on: it is left from a crash.

    Raises OSError where somebody listens, or where something else than a socket is.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "the address is in use by a file", path)
        with socket.socket(socket.AF_UNIX) as probe:
            probe.setblocking(False)
            if probe.connect_ex(path) != errno.ECONNREFUSED:
                raise OSError(errno.EADDRINUSE, "the socket is in use", path)
        os.unlink(path)
