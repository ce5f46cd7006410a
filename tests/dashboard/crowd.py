"""An admin side with a crowd behind it that does not exist: it serves the dashboard as it is, and
answers what the page asks for with the examples of docs/admin.md, many times over.

So a page can be shown what no test machine could make: two hundred agents, two hundred tools, and a
thousand calls a second; or names that somebody made up to do harm.
"""

import asyncio
import contextlib
import copy
import itertools
import json
import re
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy.admin.server import _LONGEST_LINE, _add_headers
from proxy.admin.shipped import Shipped

DOCS = Path(__file__).parents[2] / "docs" / "admin.md"
_SHOWN_THERE = re.findall(
    r"```http\nGET (\S+)\n```\n\n```json\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL
)
EXAMPLES = {
    path.partition("?")[0]: json.loads(example)
    for path, example in reversed(_SHOWN_THERE)  # of several the first, which is the whole one
}
EXAMPLES["/v1/overview"] = {**EXAMPLES["/v1/status"], **EXAMPLES["/v1/overview"]}
WHO = {
    "name": "vera", "roles": ["approver", "operator", "viewer"], "groups": [], "reads": True,
    "changes": True, "asks": False, "why": None,
}  # fmt: skip
MANY = {
    "/v1/agents": 200,
    "/v1/tools": 200,
    "/v1/breakers": 400,
    "/v1/budgets": 1000,
    "/v1/calls": 100,
    "/v1/approvals": 100,
    "/v1/kills": 50,
    "/v1/alerts": 100,
    "/v1/slos": 100,
    "/v1/policies": 100,
}
"""Items of each list."""
KILL = {
    "scope": "agent:pay-*", "reason": "case 12", "by": "olga", "from": "admin", "at": None,
    "since": "2026-11-28T12:10:03.120Z", "until": None, "in_flight": "end", "pod": None,
}  # fmt: skip
_OWN = {
    "/v1/agents": "id", "/v1/tools": "tool", "/v1/breakers": "key", "/v1/budgets": "key",
    "/v1/calls": "id", "/v1/approvals": "id", "/v1/kills": "scope", "/v1/alerts": "id",
    "/v1/slos": "slo", "/v1/policies": "name",
}  # fmt: skip
"""What tells the items of a list apart."""
NEWS_A_SECOND = 20
CALLS_A_SECOND = 1000
_SHOWN = 30
Change = Callable[[Any], Any]


def many(path: str, turn: int) -> dict[str, Any]:
    """A list in full, with other figures each time."""
    items = EXAMPLES[path]["items"] or [KILL]
    return {**EXAMPLES[path], "items": [_one(items, path, n, turn) for n in range(MANY[path])]}


def _one(items: list[Any], path: str, number: int, turn: int) -> Any:
    item = copy.deepcopy(items[number % len(items)])
    item[_OWN[path]] = f"{item[_OWN[path]]}-{number:03}"
    for name in ("calls", "in_flight", "number", "seq"):
        if name in item:
            item[name] = number + turn
    if "per_second" in item:
        item["per_second"] = (number * 7 + turn * 13) % 100 / 3
    return item


class Crowd:
    """What it answers. `change` is done to each answer."""

    def __init__(self, change: Change = lambda told: told) -> None:
        self._change = change
        self._turns = itertools.count(1)
        self.answered: dict[str, int] = {}
        self.over = asyncio.Event()
        self.address = ""

    def told(self, path: str) -> Any:
        """Of a path."""
        self.answered[path] = self.answered.get(path, 0) + 1
        if path == "/v1/me":
            return WHO
        if path.startswith("/v1/calls/"):
            record = EXAMPLES["/v1/calls"]["items"][0]
            return self._change({"id": record["id"], "intent": None, "record": record})
        if path.startswith("/v1/approvals/"):
            return self._change({**EXAMPLES["/v1/approvals"]["items"][0], "request": _REQUEST})
        turn = next(self._turns)
        return self._change(many(path, turn) if path in MANY else EXAMPLES[path])

    async def page(self, request: web.Request) -> web.Response:
        """JSON, or 404 where there is no example."""
        path = "/" + request.match_info["path"]
        try:
            return web.json_response(self.told(path))
        except KeyError:
            raise web.HTTPNotFound from None

    async def events(self, request: web.Request) -> web.StreamResponse:
        """News, and a sample of the calls of each second, until somebody goes."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        sampled = request.query.get("calls") == "sample"
        with contextlib.suppress(ConnectionError):
            for event in self._events(sampled):
                await response.write(event)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(1 / NEWS_A_SECOND):
                        await self.over.wait()
                if self.over.is_set():
                    break
        return response

    def _events(self, sampled: bool) -> Iterator[bytes]:
        yield _event("hello", {"policy_version": "d18d12b20ded", "ready": True})
        for number in itertools.count():
            yield _event("circuit", self._change(_circuit(number)))
            if sampled and number % NEWS_A_SECOND == 0:
                yield _event("calls", self._change(_sample(number)))


_REQUEST = {
    "method": "POST", "path": "/v1/pay", "headers": [["content-type", "application/json"]],
    "body": '{"amount": 5}', "decoded": None, "base64": False,
}  # fmt: skip


def _circuit(number: int) -> dict[str, Any]:
    after = "open" if number % 2 else "closed"
    tool = f"get_balance-{number % 200:03}"
    return {"upstream": "gateway", "tool": tool, "before": "closed", "after": after,
            "why": "consecutive", "open_for": 5.0}  # fmt: skip


def _sample(number: int) -> dict[str, Any]:
    record = EXAMPLES["/v1/calls"]["items"][0]
    calls = [{**record, "id": f"{number}-{each}", "attempts": 1} for each in range(_SHOWN)]
    return {"calls": calls, "left_out": CALLS_A_SECOND - _SHOWN}


def _event(word: str, told: Any) -> bytes:
    return f"event: {word}\ndata: {json.dumps(told)}\n\n".encode()


@contextlib.asynccontextmanager
async def crowd(change: Change = lambda told: told) -> AsyncIterator[Crowd]:
    """It, on a port of its own."""
    there = Crowd(change)
    app = web.Application()
    Shipped().add_to(app.router)
    app.router.add_get("/v1/events", there.events)
    app.router.add_get("/{path:v1/.+}", there.page)
    app.on_response_prepare.append(_add_headers)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, max_line_size=_LONGEST_LINE)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0]
    there.address = f"{host}:{port}"
    try:
        yield there
    finally:
        there.over.set()
        await runner.cleanup()
