"""What is answered where a request cannot be read, or a page has a bug: problem objects as well;
and how many connections there may be.

aiohttp answers these by itself, below its middlewares, in text that repeats what was sent; and it
logs each of them with a traceback, as often as somebody likes.

It takes as many connections as come, and lets each stay for an hour. Every one is an open file of
the process: whoever takes them all takes the kill switch from its operators too, whose command and
whose file `kill` cannot be opened any more. So there is a bound, and who comes late comes in: one
that has waited longest, without a request, makes room.
"""

import asyncio
from http import HTTPStatus

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.admin.answers import problem

HEADERS = {
    "Server": "holdfast",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""On every answer: a page of another site may neither read nor frame what is here."""


MOST = 256
"""Connections at once, of each place that is served."""
IDLE = 75.0
"""Seconds that one may stay between two requests."""


class Runner(web.AppRunner):
    """Serves an application."""

    __slots__ = ()

    async def _make_server(self) -> web.Server:
        server = await super()._make_server()
        server.__class__ = _Server  # aiohttp has no other way to say what a connection is made of
        return server


class _Server(web.Server):
    __slots__ = ()

    def __call__(self) -> RequestHandler:
        handler = super().__call__()
        handler.__class__ = _Connection
        return handler


class _Connection(RequestHandler):
    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of Protocol."""
        assert self._manager is not None
        held = [each for each in self._manager.connections if isinstance(each, _Connection)]
        super().connection_made(transport)
        stay = [each for each in held if each.stays]
        if len(stay) >= MOST:
            next((each for each in stay if each.idle), stay[0]).end()

    @property
    def stays(self) -> bool:
        """It is not being closed."""
        return not self._force_close

    @property
    def idle(self) -> bool:
        """Nothing is asked of it, or what was asked has been answered."""
        return self._current_request is None

    def end(self) -> None:
        """At once."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()  # what its peer does not read would keep it open

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Part of RequestHandler: the answer, after which the connection is closed."""
        if status >= 500:
            return _worded(super().handle_error(request, status, exc, message))
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun")
        return _worded(web.Response(status=status))


def _worded(answer: web.StreamResponse) -> web.StreamResponse:
    said = problem(answer.status, HTTPStatus(answer.status).phrase)
    said.headers.update(HEADERS)
    said.force_close()
    return said
