"""Sends posts with aiohttp, and believes little of the answer. Part of Post (`proxy/posts.py`).

Importing this file is slow, for it imports aiohttp: `proxy/mirrors/sender.py` does it when
something is first sent.

Each post has a connection of its own, and so nothing of one target stays for another. Its address
is judged in the moment in which its socket is made, after the name was looked up: there is no
second look-up in between that could say something else (DNS rebinding).
"""

import asyncio
import errno
import socket
import threading
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from proxy.clock import Clock
from proxy.mirrors.reach import why_not
from proxy.posts import Answer, Headers
from proxy.protocols.pushback import retry_after

PATIENCE = 20.0
"""Seconds for one post, from connecting to the end of what is read of the answer. Standard Webhooks
asks for 15 to 30."""
LARGEST_READ = 1 << 20
"""Bytes of an answer that may be asked for."""
LOOKUPS = 32
"""Names that may be looked up at the same time."""


class Posting:
    """Posts, to whatever URL; `close` at the end."""

    def __init__(self, clock: Clock, patience: float = PATIENCE) -> None:
        """`patience`: seconds that one post may take, all in all."""
        self._clock = clock
        self._sessions = {
            private: _session(_Lookup(), private, patience) for private in (False, True)
        }

    async def __call__(
        self, url: str, content: bytes, headers: Headers, /, *, private: bool = False, read: int = 0
    ) -> Answer:
        """Part of Post. No redirect is followed, and of the body no more is read than `read` says:
        whoever answers may send without end."""
        try:
            async with self._sessions[private].post(
                url, data=content, headers=headers, allow_redirects=False
            ) as answer:
                body = await _beginning(answer.content, min(read, LARGEST_READ))
        except TimeoutError:
            return Answer(why="it did not answer in time")
        except (aiohttp.ClientError, OSError, ValueError, RuntimeError) as error:
            return Answer(why=_said(error))
        asked = retry_after(_fields(answer), self._clock.wall()) or 0.0
        taken = 200 <= answer.status < 300
        why = "" if taken else f"it answered {answer.status}"
        return Answer(answer.status, why, asked, body)

    async def close(self) -> None:
        """No more is sent."""
        for session in self._sessions.values():
            await session.close()


class _Refused(OSError):
    """An address that nothing is sent to."""


class _Lookup(AbstractResolver):
    """Names looked up in threads of their own: one that hangs holds up neither the look-ups of
    upstreams nor the end of the process."""

    def __init__(self) -> None:
        self._free = LOOKUPS

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError."""
        if not self._free:
            raise OSError(errno.EAGAIN, "too many names are being looked up")
        self._free -= 1
        loop = asyncio.get_running_loop()
        found: asyncio.Future[list[Any]] = loop.create_future()

        def tell(infos: list[Any], error: OSError | None) -> None:
            self._free += 1
            if found.done():  # nobody waits for it any more
                return
            if error is None:
                found.set_result(infos)
            else:
                found.set_exception(error)

        def look() -> None:
            infos, error = _addresses(host, port, family)
            try:
                loop.call_soon_threadsafe(tell, infos, error)
            except RuntimeError:  # the loop is gone
                return

        try:
            threading.Thread(target=look, name="look-up", daemon=True).start()
        except RuntimeError as error:  # the process may have no more of them
            self._free += 1
            raise OSError(errno.EAGAIN, str(error)) from None
        return [
            ResolveResult(
                hostname=host,
                host=address[0],
                port=port,
                family=family,
                proto=proto,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family, _, proto, _, address in await found
        ]

    async def close(self) -> None:
        """Nothing is held."""


def _addresses(host: str, port: int, family: int) -> tuple[list[Any], OSError | None]:
    try:
        return socket.getaddrinfo(host, port, family, socket.SOCK_STREAM), None
    except OSError as error:
        return [], error
    except UnicodeError:  # a label that is too long
        return [], OSError(errno.EINVAL, "no name that could be looked up")


def _session(lookup: _Lookup, private: bool, patience: float) -> aiohttp.ClientSession:
    def made(info: Any) -> socket.socket:
        """The socket of one address; there is no other way to a connection. Raises _Refused."""
        family, kind, proto, _, address = info
        if why := why_not(str(address[0]), private=private):
            raise _Refused(errno.EACCES, why)
        return socket.socket(family, kind, proto)

    connector = aiohttp.TCPConnector(
        force_close=True,
        limit=0,  # who posts sees to it that there are not too many; none waits for another
        use_dns_cache=False,
        resolver=lookup,
        socket_factory=made,
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=patience),
        headers={"User-Agent": "holdfast"},
        skip_auto_headers=("Content-Type",),
        auto_decompress=False,
        trust_env=False,
    )


async def _beginning(content: aiohttp.StreamReader, most: int) -> bytes:
    """So many bytes, or all that there are."""
    pieces: list[bytes] = []
    while most > 0 and (piece := await content.read(most)):
        pieces.append(piece)
        most -= len(piece)
    return b"".join(pieces)


def _fields(answer: aiohttp.ClientResponse) -> dict[bytes, bytes]:
    fields: dict[bytes, bytes] = {}
    for name, value in answer.raw_headers:
        name = name.lower()
        fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


def _said(error: Exception) -> str:
    """Without the URL, whose path may be a secret."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return f"its certificate is not trusted: {error.certificate_error}"
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return f"no TLS with it: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ClientConnectorError):
        if isinstance(error.os_error, _Refused):
            return f"nothing was sent: {error.os_error.strerror}"
        return f"no connection: {error.os_error.strerror or type(error.os_error).__name__}"
    return f"no answer: {type(error).__name__}"
