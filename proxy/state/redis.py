"""The store in Redis, or Valkey: one server, one behind Sentinels, or a cluster (spec 1.1, 3.11).

All keys of a fleet begin with `holdfast:{FLEET}:`, in a database that is not the first one with
`holdfast:{FLEET}:NUMBER:`. The braces are the hash tag: in a cluster all of
them are on one node, so a script may touch several. Every key ends some time.

Nothing is sent twice. redis-py would repeat what failed, and what failed may have been done; here
only NOSCRIPT is answered by loading the script and asking again, for then nothing ran.
"""

import asyncio
import contextlib
import hashlib
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    InvalidResponse,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from proxy.state.endpoint import Endpoint
from proxy.state.patient import patient
from proxy.state.store import Answer, Argument, Listener, Rejected, Unreachable, Verb

AT_ONCE = 32
"""Verbs on their way; each has a connection for that time."""
PATIENCE = 5.0
"""Seconds without a word from the server, after which it is asked whether it still talks to us;
after as many again it does not."""
_CONNECTION = 5.0
"""Seconds for any one answer. Who asks says how long he waits, which is mostly less."""
_NODE = 0.3
"""The same for one of several that know where to go: another one has to be asked in time."""
_ENDS = 1.0
"""Seconds for what is under way when it is closed."""
_CHECKS = 3.0
"""Seconds for all of what is asked at the start."""
_LONGEST = 300
Client: TypeAlias = Redis | RedisCluster
_MISFITS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What a reply raises that is not what it should be."""
_FAILURES = (RedisError, RedisClusterException, OSError, TimeoutError, RuntimeError, *_MISFITS)
"""All that the library raises: it takes many replies apart without a look at them, and writes to
connections that have just been closed, of which uvloop says RuntimeError."""
_CROWDED = "this pod asks it too much at once"
_SENSELESS = "its answer makes no sense"
_REFUSALS = (AuthenticationError, AuthorizationError, NoPermissionError)
_CERTIFICATES = re.compile("CERT|UNKNOWN_CA|ALERT_HANDSHAKE_FAILURE")


class RedisStore:
    """Part of Store."""

    def __init__(self, endpoint: Endpoint, fleet: str, timeout: float) -> None:
        """`timeout`: seconds that calls wait for an answer. No one connection is given less."""
        # What is published in one database of a server is heard in all of them.
        apart = f"{endpoint.db}:" if endpoint.db else ""
        self._prefix = f"holdfast:{{{fleet}}}:{apart}".encode()
        self._endpoint = endpoint
        self._client, self._sentinels = _client(endpoint, timeout)
        self._room = asyncio.Semaphore(AT_ONCE)
        self._closed = False

    async def check(self) -> None:
        """Part of Store."""
        if self._endpoint.tls:
            _readable(self._endpoint)
        try:
            async with asyncio.timeout(_CHECKS):
                await _done(self._client.ping())
                lacks = b", ".join(await self._run("check", [])).decode()
                await self._subscribes()
        except _FAILURES as error:
            refusal = _refusal(error)
            if refusal is not None:
                raise Rejected(_told(refusal)) from error
            raise _unreachable(error) from error
        if lacks:
            raise Rejected(f"its user may not do all that is needed: {lacks}"[:_LONGEST])

    async def ask(self, verb: Verb[Answer], within: float) -> Answer:
        """Part of Store."""
        args, waits = verb.args(), self._room.locked()
        try:
            self._is_open()
            async with patient(within), self._room:
                reply = await self._run(verb.script, args)
        except _FAILURES as error:
            if isinstance(error, TimeoutError) and waits:  # it had not all of the time
                raise Unreachable(_CROWDED, "crowded") from error
            await self._forget()
            raise _unreachable(error) from error
        try:
            return verb.answer(reply)
        except _MISFITS as error:
            raise Unreachable(_SENSELESS, "reply") from error

    async def listen(self, heard: Listener) -> None:
        """Part of Store."""
        try:
            async with self._news() as pubsub:
                await _heard(pubsub, heard)
        except _FAILURES as error:
            raise _unreachable(error) from error

    async def close(self) -> None:
        """Part of Store. What is under way has a moment to end: a connection that is being made
        could not be closed."""
        self._closed = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_ENDS):
                for _ in range(AT_ONCE):
                    await self._room.acquire()
        for each in (self._client, *self._sentinels):
            with contextlib.suppress(*_FAILURES):
                await each.aclose()

    async def _run(self, name: str, args: list[Argument]) -> Any:
        self._is_open()
        script, digest = _script(name)
        try:
            return await self._client.evalsha(digest, 1, self._prefix, *args)
        except NoScriptError:
            return await self._client.eval(script, 1, self._prefix, *args)

    async def _forget(self) -> None:
        """Idle connections may lead to a server that has lost its place to another, and does not
        know it: what is asked next goes where the name or the Sentinels lead now."""
        if isinstance(self._client, Redis):
            with contextlib.suppress(*_FAILURES):
                await self._client.connection_pool.disconnect(inuse_connections=False)

    def _is_open(self) -> None:
        """A connection that is made after the end is closed by nobody. Raises RedisConnectionError
        then."""
        if self._closed:
            raise RedisConnectionError("it is closed")

    async def _subscribes(self) -> None:
        """May we? It says so only when it is asked for the first message."""
        async with self._news() as pubsub:
            await pubsub.get_message(timeout=_CHECKS)

    @contextlib.asynccontextmanager
    async def _news(self) -> AsyncIterator[PubSub]:
        self._is_open()
        await self._client.initialize()  # one of a cluster would know no node to go to
        pubsub = self._client.pubsub()
        try:
            await pubsub.subscribe(self._prefix + b"news")
            yield pubsub
        finally:
            with contextlib.suppress(*_FAILURES):
                await pubsub.aclose()  # type: ignore[no-untyped-call]


class RedisStream:
    """A stream of a Redis, to which records are added: over a connection of its own, so that it
    takes nothing from what calls ask."""

    def __init__(self, endpoint: Endpoint, key: str, most: int) -> None:
        """`most`: entries that are kept, or a few more; the oldest go."""
        self._key = key
        self._most = most
        self._client, self._sentinels = _client(endpoint, _CONNECTION)

    async def add(self, entries: Sequence[tuple[str, str, bytes]]) -> None:
        """Each an id, a type and what it is, in this order; all in one step, but where it fails in
        the middle. Raises Unreachable."""
        words = [word for entry in entries for word in entry]
        try:
            await _done(self._client.eval(_ADDS, 1, self._key, str(self._most), *words))
        except _FAILURES as error:
            raise _unreachable(error) from error

    async def close(self) -> None:
        """Nothing is added any more."""
        for each in (self._client, *self._sentinels):
            with contextlib.suppress(*_FAILURES):
                await each.aclose()


_ADDS = """
for at = 2, #ARGV, 3 do
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*',
        'id', ARGV[at], 'type', ARGV[at + 1], 'event', ARGV[at + 2])
end
"""


async def _heard(pubsub: PubSub, heard: Listener) -> None:
    silent = False
    while True:
        said = await pubsub.get_message(timeout=PATIENCE)
        silent = await _taken(pubsub, said, silent, heard)


async def _taken(pubsub: PubSub, said: Any, silent: bool, heard: Listener) -> bool:
    """Was nothing said? A server that hangs closes nothing, so it is asked after the first time.
    Raises RedisTimeout after the second."""
    if said is None:
        if silent:
            raise RedisTimeout
        await pubsub.ping()
    elif said["type"] == "message":
        topic, _, text = bytes(said["data"]).partition(b" ")
        heard(topic.decode(errors="replace"), text)
    return said is None


async def _done(answer: Awaitable[Any]) -> Any:
    return await answer


def _client(endpoint: Endpoint, timeout: float) -> tuple[Client, list[Redis]]:
    """And the Sentinels, if there are any."""
    own = {
        **_terms(endpoint, max(timeout, _NODE if endpoint.kind == "cluster" else _CONNECTION)),
        "username": endpoint.user or None,
        "password": endpoint.password or None,
    }
    if endpoint.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in endpoint.hosts]
        return RedisCluster(startup_nodes=nodes, **own), []
    if endpoint.kind == "sentinel":
        sentinels = Sentinel(list(endpoint.hosts), sentinel_kwargs=_terms(endpoint, _NODE))  # type: ignore[no-untyped-call]
        return sentinels.master_for(endpoint.service, db=endpoint.db, **own), sentinels.sentinels
    host, port = endpoint.hosts[0]
    return Redis(host=host, port=port, db=endpoint.db, **own), []


def _terms(endpoint: Endpoint, timeout: float) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # with 3 a server may send what nobody asked for
        "driver_info": None,  # nor is it told which library this is: a message less for each
    }
    if endpoint.tls:
        terms |= {
            "ssl": True,
            "ssl_cert_reqs": "required",
            "ssl_check_hostname": True,
            "ssl_ca_certs": endpoint.ca or None,
            "ssl_certfile": endpoint.cert or None,
            "ssl_keyfile": endpoint.key or None,
        }
    return terms


def _readable(endpoint: Endpoint) -> None:
    """The library would look at these files only at its first connection, and tell no name. Raises
    Rejected."""
    context = ssl.create_default_context()
    try:
        if endpoint.ca:
            context.load_verify_locations(endpoint.ca)
    except OSError as error:
        raise Rejected(f"store_tls.ca: {endpoint.ca}: {_told(error)}") from error
    try:
        if endpoint.cert:
            context.load_cert_chain(endpoint.cert, endpoint.key, password="")
    except OSError as error:
        where = f"store_tls.cert, store_tls.key: {endpoint.cert}, {endpoint.key}"
        raise Rejected(f"{where}: {_told(error)}") from error


@cache
def _script(name: str) -> tuple[str, str]:
    """Its text, and what Redis calls it by."""
    folder = files("proxy.state") / "scripts"
    text = "".join((folder / f"{part}.lua").read_text() for part in ("prelude", name))
    return text, hashlib.sha1(text.encode()).hexdigest()  # noqa: S324 -- as EVALSHA has it


def _refusal(error: BaseException) -> BaseException | None:
    """What says that it does not want us, or that we do not trust it; None: something else."""
    for each in _causes(error):
        if isinstance(each, _REFUSALS):
            return each
        if isinstance(each, ssl.SSLError) and _CERTIFICATES.search(str(each.reason)):
            return each
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """redis-py wraps what it was told, some of it twice."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unreachable(error: BaseException) -> Unreachable:
    return Unreachable(_told(error), _reason(error))


def _reason(error: BaseException) -> str:
    """One of `REASONS`."""
    if _refusal(error) is not None:
        return "refused"
    return next((word for kinds, word in _KINDS if isinstance(error, kinds)), "other")


_KINDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    ((TimeoutError, RedisTimeout), "timeout"),
    (BusyLoadingError, "loading"),
    (OutOfMemoryError, "memory"),
    (ReadOnlyError, "read_only"),
    ((RedisConnectionError, RedisClusterException, OSError, RuntimeError), "connection"),
    ((InvalidResponse, *_MISFITS), "reply"),
)


def _told(error: BaseException) -> str:
    """In a line, for people."""
    if isinstance(error, TimeoutError | RedisTimeout):
        return "it did not answer in time"
    if isinstance(error, _MISFITS) and not isinstance(error, OSError):  # a certificate may be both
        return _SENSELESS
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
