"""The admin port, on aiohttp. What it serves is the table of `api.py`.

Importing this file is slow and large, for it imports aiohttp: `proxy.admin.start` does it late.
"""

import contextlib
import os
import socket
from ipaddress import ip_address
from typing import Any

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from proxy.admin.answers import problem
from proxy.admin.api import Api
from proxy.admin.routes import LARGEST_BODY
from proxy.admin.shipped import Shipped
from proxy.admin.sight import Sight
from proxy.admin.tagged import OWN
from proxy.admin.unread import HEADERS, IDLE, Runner
from proxy.wire.server import remove_stale

_SHUTDOWN_SECONDS = 1.0
_BACKLOG = 128
_OWNER_ONLY = 0o600
_LONGEST_LINE = 64 << 10  # a question to /v1/policies/explain holds a tool's input


class AdminServer:
    """Serves until `stop`."""

    def __init__(self, sight: Sight) -> None:
        self._api = Api(sight)
        self._shipped = Shipped()
        self._runner: web.AppRunner | None = None
        self._control: web.AppRunner | None = None
        self._socket_paths: list[str] = []
        self.address = ""

    async def start(self, listen: str) -> None:
        """Serve at `host:port` or `unix:/path`; raises OSError when the address cannot be had."""
        runner = self._runner = _runner(self._application(control=False))
        await runner.setup()
        try:
            await self._site(runner, listen).start()
        except BaseException:
            await self.stop()
            raise
        by_socket = bool(self._socket_paths)
        self.address = listen if by_socket else _joined(runner.addresses[0])
        local = by_socket or all(map(_is_loopback, runner.addresses))
        self._api.serve(local=local, by_socket=by_socket)

    async def control(self, path: str) -> None:
        """Serve the same at a Unix socket as well, for the owner of the process only: who reaches
        that one may make changes. Raises OSError."""
        runner = self._control = _runner(self._application(control=True))
        await runner.setup()
        await self._site(runner, f"unix:{path}").start()

    async def stop(self) -> None:
        """Serve no more. May be called again."""
        self._api.stop()
        runners, self._runner, self._control = (self._runner, self._control), None, None
        for runner in runners:
            if runner is not None:
                await runner.cleanup()
        paths, self._socket_paths = self._socket_paths, []
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _site(self, runner: web.AppRunner, listen: str) -> web.BaseSite:
        path = listen.removeprefix("unix:")
        if path != listen:
            site = web.SockSite(runner, _unix_socket(path), backlog=_BACKLOG)
            self._socket_paths.append(path)
            return site
        host, _, port = listen.rpartition(":")
        return web.TCPSite(runner, host.strip("[]"), int(port), backlog=_BACKLOG)

    def _application(self, *, control: bool) -> web.Application:
        app = web.Application(middlewares=[_problems], client_max_size=LARGEST_BODY)
        self._api.add_to(app.router, control=control)
        self._shipped.add_to(app.router)
        app.on_response_prepare.append(_add_headers)
        return app


def _runner(app: web.Application) -> web.AppRunner:
    return Runner(
        app,
        access_log=None,
        keepalive_timeout=IDLE,
        shutdown_timeout=_SHUTDOWN_SECONDS,
        max_line_size=_LONGEST_LINE,
    )


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors as problem objects (RFC 9457)."""
    try:
        return await handler(request)
    except web.HTTPError as error:
        answer = problem(error.status, error.reason)
        if hdrs.ALLOW in error.headers:
            answer.headers[hdrs.ALLOW] = error.headers[hdrs.ALLOW]
        return answer


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update({**HEADERS, **request.get(OWN, {})})


def _joined(address: Any) -> str:
    """`host:port` of what a socket says it is bound to."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_loopback(address: Any) -> bool:
    return ip_address(address[0]).is_loopback


def _unix_socket(path: str) -> socket.socket:
    """Bound, and closed to others before anybody can connect: that needs a listen first."""
    remove_stale(path)
    bound = socket.socket(socket.AF_UNIX)
    try:
        bound.bind(path)
        os.chmod(path, _OWNER_ONLY)
    except BaseException:
        bound.close()
        raise
    return bound
