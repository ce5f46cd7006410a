"""The connections to one upstream: kept while they are good, opened when none is, not too many."""

import asyncio
import collections
import errno
import ipaddress
import socket
import ssl
from typing import Any, TypeAlias, cast

import msgspec
from aiohappyeyeballs import start_connection

from proxy.clock import NEVER, Clock
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.head import Heads, Limits
from proxy.wire.sending import failed
from proxy.wire.upstream import UpstreamConnection

FRESH = 1.0
"""Seconds. A connection idle for longer may just be closing: too old for what must run once."""

_RESOLVED_FOR = 30.0  # seconds for which an answer of the resolver is believed
CONNECT = 3.0
"""Seconds, where no policy says how long connecting may take."""

_HEAD_START = 0.25  # seconds before the next address is tried beside the first (RFC 8305 5)

_OURS = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""What this machine has run out of, and no upstream is to blame for."""

Addresses = list[tuple[int, int, int, str, Any]]


Opened: TypeAlias = "asyncio.Task[UpstreamConnection | Reply]"


class Origin(msgspec.Struct, frozen=True):
    """Where an upstream listens."""

    host: str
    port: int
    unix: str = ""  # a socket's path, instead of host and port
    tls: ssl.SSLContext | None = None
    server_name: str = ""


class ConnectionPool:
    """Idle connections, newest last, and those who wait for one."""

    def __init__(
        self, origin: Origin, clock: Clock, limits: Limits, most: int, idle: float
    ) -> None:
        """At most `most` connections at a time; one that was idle for `idle` seconds is closed."""
        self._origin = origin
        self._clock = clock
        self._heads = Heads(limits)
        self._most = most
        self._idle_for = idle
        self._idle: list[UpstreamConnection] = []
        self.opened: set[UpstreamConnection] = set()
        self._opening = 0
        self._waiting: collections.deque[Signal[UpstreamConnection | None]] = collections.deque()
        self._sweep = clock.alarm(self._close_stale)
        self._addresses: Addresses = []
        self._resolved_at = -NEVER
        self._retired = False

    def __repr__(self) -> str:
        busy = len(self.opened) - len(self._idle)
        idle, waiting = len(self._idle), len(self._waiting)
        return f"<pool of {self._origin.host}: {busy} busy, {idle} idle, {waiting} waiting>"

    def take(self, *, fresh: bool) -> UpstreamConnection | None:
        """The connection idle for the shortest time; `fresh`: only if that is less than `FRESH`."""
        idle = self._idle
        while idle:
            connection = idle[-1]
            if fresh and self._clock.now() - connection.idle_since >= FRESH:
                return None
            idle.pop()
            if connection.closed:
                continue
            if not fresh or not connection.ending:
                return connection
            connection.close()
        return None

    async def open(self, due: float, connect: float, deadline: float) -> UpstreamConnection | Reply:
        """A new connection, or one that came free meanwhile; or how that failed.

        `due`: until then it waits for its turn. Then connecting has its own time, `connect`
        seconds, but not beyond the `deadline`.
        """
        again = False
        while len(self.opened) + self._opening >= self._most:
            if self._idle:
                self._idle.pop(0).close()
                continue
            connection = await self._turn(due, again)
            again = True
            if connection is not None:
                return connection
            if self._clock.now() >= due:
                return failed(
                    Failure.OVERLOADED, f"all {self._most} connections to the upstream are busy"
                )
        self._opening += 1
        task = self._clock.spawn(self._opened(min(self._clock.now() + connect, deadline)))
        task.add_done_callback(self._no_longer_opening)
        try:
            return await task
        except asyncio.CancelledError:
            task.add_done_callback(self._unwanted)
            raise

    def release(self, connection: UpstreamConnection) -> None:
        """An exchange is over, and its connection good."""
        if self._waiting and self._promised(connection):
            return
        if self._retired:
            connection.close()
            return
        connection.idle_since = now = self._clock.now()
        if not self._idle:
            self._sweep.set(now + self._idle_for)
        self._idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection is gone. Told more than once, for one that ends in more than one way."""
        if connection not in self.opened:
            return
        self.opened.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._let_one_try)

    def retire(self) -> None:
        """Not mounted any more: what is idle goes now, what is busy when it is done."""
        self._retired = True
        self._sweep.close()
        for connection in list(self._idle):
            connection.close()

    # --- waiting for a turn ---

    def _promised(self, connection: UpstreamConnection) -> bool:
        """Does somebody wait for it? Not told here: he would run on within another's exchange."""
        while self._waiting:
            signal = self._waiting.popleft()
            if not signal.is_set:
                asyncio.get_running_loop().call_soon(self._hand_over, signal, connection)
                return True
        return False

    async def _turn(self, due: float, again: bool) -> UpstreamConnection | None:
        """`again`: it was woken for nothing, and keeps its place."""
        signal: Signal[UpstreamConnection | None] = Signal()
        (self._waiting.appendleft if again else self._waiting.append)(signal)
        alarm = self._clock.alarm(lambda: signal.set(None))
        alarm.set(due)
        try:
            return await signal
        except asyncio.CancelledError:
            signal.is_set = True  # whoever would hand over goes on to the next
            raise
        finally:
            alarm.close()

    def _hand_over(
        self, signal: Signal[UpstreamConnection | None], connection: UpstreamConnection
    ) -> None:
        if connection.closed or connection.ending:
            connection.close()
            signal.set(None)
        elif signal.is_set:
            self.release(connection)
        else:
            signal.set(connection)

    def _let_one_try(self) -> None:
        while self._waiting:
            signal = self._waiting.popleft()
            if not signal.is_set:
                signal.set(None)
                return

    # --- idle ones ---

    def _close_stale(self) -> None:
        now = self._clock.now()
        while self._idle and now - self._idle[0].idle_since >= self._idle_for:
            self._idle[0].close()
        if self._idle:
            self._sweep.set(self._idle[0].idle_since + self._idle_for)

    # --- new ones ---

    async def _opened(self, due: float) -> UpstreamConnection | Reply:
        try:
            async with asyncio.timeout(max(0.0, due - self._clock.now())):
                connection = await self._connect()
        except TimeoutError:
            return failed(Failure.CONNECT, "connecting took too long")
        except ssl.SSLCertVerificationError as error:
            return failed(
                Failure.CERTIFICATE,
                f"the upstream's certificate is not trusted: {error.verify_message}",
            )
        except ssl.SSLError as error:
            return failed(Failure.CONNECT, f"TLS failed: {error.reason}")
        except (OSError, UnicodeError) as error:
            ours = isinstance(error, OSError) and error.errno in _OURS
            return failed(Failure.OVERLOADED if ours else Failure.CONNECT, _told(error))
        if connection.closed:
            return failed(Failure.CONNECT, "the upstream closed the connection at once")
        self.opened.add(connection)
        return connection

    def _no_longer_opening(self, _: Opened) -> None:
        # Not in the task itself, which may be cancelled before its first step.
        self._opening -= 1
        self._let_one_try()

    def _unwanted(self, opened: Opened) -> None:
        """Whoever asked for it is gone."""
        if not opened.cancelled() and isinstance(opened.result(), UpstreamConnection):
            self.release(cast("UpstreamConnection", opened.result()))

    async def _connect(self) -> UpstreamConnection:
        loop = asyncio.get_running_loop()
        origin = self._origin
        if origin.unix:
            _, connection = await loop.create_unix_connection(self._made, origin.unix)
            return connection
        found = await start_connection(
            await self._resolve(), happy_eyeballs_delay=_HEAD_START, interleave=1
        )
        try:
            _, connection = await loop.create_connection(
                self._made,
                sock=found,
                ssl=origin.tls,
                server_hostname=origin.server_name if origin.tls else None,
            )
        except BaseException:
            found.close()
            raise
        return connection

    def _made(self) -> UpstreamConnection:
        return UpstreamConnection(self, self._clock, self._heads)

    async def _resolve(self) -> Addresses:
        now = self._clock.now()
        if self.opened and self._addresses and now - self._resolved_at < _RESOLVED_FOR:
            return self._addresses
        host, port = self._origin.host, self._origin.port
        if _numeric(host):
            found = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        else:
            loop = asyncio.get_running_loop()
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        self._addresses = cast("Addresses", found)
        self._resolved_at = now
        return self._addresses


def _numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _told(error: OSError | UnicodeError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the upstream's name cannot be resolved: {error.strerror}"
    if isinstance(error, UnicodeError):
        return "the upstream's name is not a valid one"
    return f"no connection to the upstream: {error.strerror or error}"
