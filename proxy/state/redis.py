"""The store in Redis, or Valkey: one server, one behind Sentinels, or a cluster (spec 1.1, 3.11).

All keys of a fleet begin with `holdfast:{FLEET}:`. The braces are the hash tag: in a cluster all of
them are on one node, so a script may touch several. Every key ends some time.

Nothing is sent twice. redis-py would repeat what failed, and what failed may have been done; here
only NOSCRIPT is answered by loading the script and asking again, for then nothing ran.
"""

import asyncio
import contextlib
import hashlib
import ssl
from collections.abc import Awaitable
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
    NoPermissionError,
    NoScriptError,
    RedisError,
)
from redis.exceptions import TimeoutError as RedisTimeout

from proxy.state.door import Door
from proxy.state.store import Answer, Listener, Rejected, Unreachable, Verb

_AT_ONCE = 32
"""Verbs on their way; each has a connection for that time."""
_PATIENCE = 5.0
"""Seconds without a word from the server, after which it is asked whether it still listens."""
_LONGEST = 300
Client: TypeAlias = Redis | RedisCluster


class RedisStore:
    """Part of Store."""

    def __init__(self, door: Door, fleet: str, timeout: float) -> None:
        """`timeout`: seconds for a connection, and for an answer where nobody says less."""
        self._prefix = f"holdfast:{{{fleet}}}:".encode()
        self._client = _client(door, timeout)
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def check(self) -> None:
        """Raises Rejected where it does not want us, and Unreachable where it is not there."""
        try:
            await _done(self._client.ping())
        except (AuthenticationError, AuthorizationError, NoPermissionError) as error:
            raise Rejected(str(error)) from error
        except (RedisError, OSError, TimeoutError) as error:
            if _is_certificate(error):
                raise Rejected(str(error)) from error
            raise Unreachable(_told(error)) from error

    async def ask(self, verb: Verb[Answer], within: float) -> Answer:
        """Part of Store."""
        script, digest = _script(verb.script)
        args = verb.args()
        try:
            async with asyncio.timeout(within), self._room:
                try:
                    reply = await self._client.evalsha(digest, 1, self._prefix, *args)
                except NoScriptError:
                    reply = await self._client.eval(script, 1, self._prefix, *args)
        except (RedisError, OSError, TimeoutError) as error:
            raise Unreachable(_told(error)) from error
        return verb.answer(reply)

    async def listen(self, heard: Listener) -> None:
        """Part of Store."""
        try:
            pubsub = self._client.pubsub()
            try:
                await pubsub.subscribe(self._prefix + b"news")
                await _heard(pubsub, heard)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]
        except (RedisError, OSError, TimeoutError) as error:
            raise Unreachable(_told(error)) from error

    async def close(self) -> None:
        """Part of Store."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            await self._client.aclose()


async def _heard(pubsub: PubSub, heard: Listener) -> None:
    while True:
        said = await pubsub.get_message(timeout=_PATIENCE)
        if said is None:
            await pubsub.ping()
        elif said["type"] == "message":
            topic, _, text = bytes(said["data"]).partition(b" ")
            heard(topic.decode(errors="replace"), text)


async def _done(answer: Awaitable[Any]) -> Any:
    return await answer


def _client(door: Door, timeout: float) -> Client:
    terms: dict[str, Any] = {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "protocol": 2,  # with 3 a server may send what nobody asked for
        "driver_info": None,  # nor is it told which library this is: a message less for each
    }
    if door.tls:
        terms |= {
            "ssl": True,
            "ssl_ca_certs": door.ca or None,
            "ssl_certfile": door.cert or None,
            "ssl_keyfile": door.key or None,
        }
    own = {**terms, "username": door.user or None, "password": door.password or None}
    if door.kind == "cluster":
        nodes = [ClusterNode(host, port) for host, port in door.hosts]
        return RedisCluster(startup_nodes=nodes, **own)
    if door.kind == "sentinel":
        sentinels = Sentinel(list(door.hosts), sentinel_kwargs=terms)  # type: ignore[no-untyped-call]
        return sentinels.master_for(door.service, db=door.db, **own)  # type: ignore[no-any-return]
    host, port = door.hosts[0]
    return Redis(host=host, port=port, db=door.db, **own)


@cache
def _script(name: str) -> tuple[str, str]:
    """Its text, and what Redis calls it by."""
    folder = files("proxy.state") / "scripts"
    text = "".join((folder / f"{part}.lua").read_text() for part in ("prelude", name))
    return text, hashlib.sha1(text.encode()).hexdigest()  # noqa: S324  # as EVALSHA has it


def _is_certificate(error: BaseException) -> bool:
    """Is that why there is no connection? redis-py wraps what it was told."""
    each: BaseException | None = error
    while each is not None:
        if isinstance(each, ssl.SSLCertVerificationError):
            return True
        each = each.__cause__ or each.__context__
    return False


def _told(error: BaseException) -> str:
    """In a line, for people."""
    if isinstance(error, TimeoutError | RedisTimeout):
        return "it did not answer in time"
    return " ".join(str(error).split())[:_LONGEST] or type(error).__name__
