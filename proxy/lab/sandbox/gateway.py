"""The sandbox gateway on a socket.

    POST any path   {"tool": name, "input": {...}}      POST …/v1/{tool}   {...}
    /openai/…, /anthropic/…, /mcp, /a2a/…   models, a server of tools, an agent: roles.py
    GET  /_calls?last=N     counters of what was received, and the last calls
    POST /_reset            state, counters and script as they were at the start
    GET, POST /_script      the queue of faults (faults.py); POST replaces it
    GET  /healthz

Answers: `{"result": {...}}`, or `{"error": {"code", "message"}}` with a true status: 400 invalid
input, 402 over budget or short of funds, 404 unknown, 409 state conflict, 422 an idempotency key
used for another request, 429 rate limited. The header `x-sandbox-fault` asks for a fault on one
request.
"""

import asyncio
import json
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.clock import Clock
from proxy.lab.sandbox.acting import Act, Acting, answered
from proxy.lab.sandbox.calls import KEPT, Calls, Received
from proxy.lab.sandbox.catalogue import OPENING_BALANCES
from proxy.lab.sandbox.desk import Desk, refusal
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.faults import (
    Fault,
    Script,
    ScriptError,
    parse_header,
    parse_script,
    script_items,
)
from proxy.lab.sandbox.ledger import Ledger
from proxy.lab.sandbox.roles import Roles
from proxy.lab.sandbox.said import Head, Role
from proxy.lab.sandbox.streaming import PASSES

LARGEST_BODY = 16 << 20
_CLOSE_SECONDS = 2.0
_LONGEST_NUMBER = 20  # digits


class Sandbox:
    """A running sandbox gateway; `start` makes one. What it holds may be read in tests."""

    def __init__(self, seed: int, script: Sequence[Fault], now: Callable[[], float]) -> None:
        self._seed = seed
        self._first_script = tuple(script)
        self._now = now
        self._closing = asyncio.Event()
        self._acting = Acting(self._closing)
        self._runner: web.AppRunner | None = None
        self.calls = Calls(now)
        self.port = 0
        self.url = ""
        self.reset()

    def reset(self) -> None:
        """Everything as it was at the start; calls under way are no longer counted."""
        self.state = Ledger(self._seed, self._now, OPENING_BALANCES)
        desk = Desk(self.state, self.calls)
        self._roles = Roles(self._seed, self._now, desk, self.calls)
        self.script = Script(self._first_script)
        self.calls.clear()

    async def close(self) -> None:
        """Stop listening and cut what hangs. May be called again."""
        self._closing.set()
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def listen(self, host: str, port: int) -> None:
        """Begin to serve; raises OSError when the address cannot be had."""
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[_json_errors])
        app.router.add_get("/healthz", self._show_health)
        app.router.add_get("/_calls", self._show_calls)
        app.router.add_post("/_reset", self._reset)
        app.router.add_get("/_script", self._show_script)
        app.router.add_post("/_script", self._set_script)
        for path in self._roles.paths():
            app.router.add_route("*", path, self._play)
        app.router.add_post("/{path:.*}", self._play)
        self._runner = web.AppRunner(
            app, access_log=None, handler_cancellation=True, shutdown_timeout=_CLOSE_SECONDS
        )
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port, backlog=1024).start()
        except OSError:
            await self.close()
            raise
        self.port = self._runner.addresses[0][1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    # One call

    async def _play(self, request: web.Request) -> web.StreamResponse:
        role, path, base = self._roles.find(request)
        head = Head(request.method, path, request.query, request.headers, base)
        received = self.calls.came(request.path, request.headers)
        try:
            response = await self._understand(request, role, head, received)
        except asyncio.CancelledError:
            self.calls.ended(received, None, left=True)
            raise
        except GatewayError as error:
            response = answered(role.refusal(error))
        broken = request.transport is None or request.transport.is_closing()
        self.calls.ended(received, None if broken else response.status)
        return response

    async def _understand(
        self, request: web.Request, role: Role, head: Head, received: Received
    ) -> web.StreamResponse:
        question = role.read(head, await _body(request))
        self.calls.understood(received, question.tool, question.key)
        fault = self._fault(request, question.tool) or PASSES
        received.fault = None if fault is PASSES else fault.kind
        return await self._acting.act(Act(request, role, question, received, fault))

    def _fault(self, request: web.Request, tool: str) -> Fault | None:
        wished = request.headers.get("x-sandbox-fault")
        if wished is None:
            return self.script.take(tool)
        try:
            return parse_header(wished)
        except ScriptError as error:
            raise GatewayError(400, "invalid_fault", str(error)) from None

    # Looking in from outside

    async def _show_health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _show_calls(self, request: web.Request) -> web.Response:
        last = request.query.get("last", str(KEPT))
        if not (last.isdecimal() and len(last) < _LONGEST_NUMBER):
            raise GatewayError(400, "invalid_request", "last: must be a whole number")
        return web.json_response(self.calls.shown(int(last)))

    async def _reset(self, _request: web.Request) -> web.Response:
        self.reset()
        return web.json_response({"status": "reset", "seed": self._seed})

    async def _show_script(self, _request: web.Request) -> web.Response:
        return web.json_response({"script": self.script.shown()})

    async def _set_script(self, request: web.Request) -> web.Response:
        try:
            self.script = Script(parse_script(script_items(json.loads(await _body(request)))))
        except ScriptError as error:
            raise GatewayError(400, "invalid_script", str(error)) from None
        except (ValueError, RecursionError):
            raise GatewayError(400, "invalid_json", "the body is not a JSON document") from None
        return web.json_response({"script": self.script.shown()})


async def start(
    listen: str,
    seed: int = 0,
    script: Sequence[object] | None = None,
    now: Callable[[], float] = Clock.wall,
) -> Sandbox:
    """Serve on `host:port` (port 0: any) in the running loop; close it with `close`.

    `script` holds items as `faults.py` describes them; `now` gives seconds since 1970. Raises
    ScriptError, ValueError for an address that is none, OSError for one that is taken.
    """
    host, port = _address(listen)
    sandbox = Sandbox(seed, parse_script(script or []), now)
    await sandbox.listen(host, port)
    return sandbox


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 65536):
        raise ValueError(f"{listen!r} is not host:port")
    return host.removeprefix("[").removesuffix("]"), int(port)


async def _body(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise GatewayError(413, "body_too_large", f"a body may have {LARGEST_BODY} bytes") from None
    except web.RequestPayloadError:
        raise GatewayError(400, "invalid_body", "the body cannot be decoded") from None


@web.middleware
async def _json_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Errors of the router, and of what is not a call, in the shape of all errors."""
    try:
        return await handler(request)
    except GatewayError as error:
        return answered(refusal(error))
    except web.HTTPException as error:
        code = error.reason.lower().replace(" ", "_")
        return answered(refusal(GatewayError(error.status, code, error.reason)))
