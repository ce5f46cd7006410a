"""What people look at in the tests of the dashboard: a proxy with tokens, the sandbox behind it.

The sandbox is the gateway, so that what an approved call did can be counted. Each test has a scene
of its own; what it does to it nobody else sees.
"""

import asyncio
import contextlib
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox, start
from tests.dashboard.browser import Watched
from tests.harness import Message, Proxy, holdfast, request, within

AGENT = "pricing-01"
POLICIES = """
policies:
  - name: default
    timeout: {total: 20s}
    retry: {attempts: 2}
    breaker: {consecutive: 3, open: {base: 60s, jitter: 0}}
    cost: 0.01
  - {name: reads, match: {tool: [get_balance, estimate_cost]}, effect: read, cost: 0.002}
  - {name: money, match: {tool: deposit}, risk: high, approval: {hold: 15s}}
  - {name: escrows, match: {tool: create_escrow}, risk: critical, approval: {hold: 15s}}
budgets: [{name: agent, per: agent, hour: 50}]
slos: [{name: works, sli: success, objective: 0.99}]
"""
ROLES = {
    "vera": ["viewer"],
    "alice": ["viewer", "approver"],
    "bob": ["viewer", "approver"],
    "olga": ["viewer", "operator"],
    "root": ["viewer", "approver", "operator"],
}
"""By the name of a person; the token of each is made of the name."""
VIEWS = (
    *("overview", "tools", "agents", "budgets", "slos", "alerts"),
    *("approvals", "kills", "calls", "journal", "policies"),
)
"""Those of the navigation, in its order."""
HOLD = 20.0
"""Seconds that an agent waits for its answer."""
_BETWEEN = 0.02
"""Seconds from one call of a load to its next."""


def token(person: str) -> str:
    """Of that one."""
    return f"{person}-" * 6


def _entry(person: str) -> dict[str, Any]:
    digest = hashlib.sha256(token(person).encode()).hexdigest()
    return {"name": person, "roles": ROLES[person], "sha256": digest}


def _write(path: Path, people: list[str]) -> None:
    path.write_text(json.dumps({"tokens": [_entry(person) for person in people]}))


class Scene:
    """The proxy, and the gateway that it calls."""

    def __init__(self, proxy: Proxy, sandbox: Sandbox, tokens: Path) -> None:
        self.proxy = proxy
        self.sandbox = sandbox
        self._tokens = tokens

    @property
    def address(self) -> str:
        """Of the dashboard."""
        return self.proxy.admin

    def forget(self, person: str) -> None:
        """The tokens file knows that one no more; a reload reads it."""
        _write(self._tokens, [each for each in ROLES if each != person])

    def fail(self, *faults: object) -> None:
        """The gateway fails so, one call after the other."""
        self.sandbox.script = Script(parse_script(faults))

    async def until_open(self) -> None:
        """The gateway fails until the circuit of `estimate_cost` is open."""
        self.fail({"status": 500, "tool": "estimate_cost", "times": None, "executed": False})
        for _ in range(4):
            await self.call("estimate_cost")

    async def call(self, tool: str, *lines: str, **given: Any) -> Message:
        """One call of the agent's."""
        return await self._send(tool, json.dumps({"agent_id": AGENT, **given}).encode(), *lines)

    def calling(self, tool: str, *lines: str, **given: Any) -> "asyncio.Task[Message]":
        """The same, while it is under way."""
        return asyncio.get_running_loop().create_task(self.call(tool, *lines, **given))

    def sending(self, tool: str, body: bytes) -> "asyncio.Task[Message]":
        """The same, with these bytes."""
        return asyncio.get_running_loop().create_task(self._send(tool, body))

    async def _send(self, tool: str, body: bytes, *lines: str) -> Message:
        head = ("Content-Type: application/json", *lines)
        async with await self.proxy.connect() as agent:
            agent.patience = HOLD  # people take longer than an upstream
            return await agent.call(request(f"/v1/{tool}", *head, method="POST", body=body))

    @contextlib.asynccontextmanager
    async def load(self, *tools: str) -> AsyncIterator[None]:
        """Calls one after the other for as long as this is entered."""
        over = asyncio.Event()

        async def go_on() -> None:
            while not over.is_set():
                for tool in tools:
                    await self.call(tool)
                with contextlib.suppress(TimeoutError):
                    await within(over.wait(), _BETWEEN)

        calling = asyncio.get_running_loop().create_task(go_on())
        try:
            yield
        finally:
            over.set()
            await within(calling)


@contextlib.asynccontextmanager
async def scene(policies: str = POLICIES, **settings: Any) -> AsyncIterator[Scene]:
    """A new one."""
    sandbox = await start("127.0.0.1:0")
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens.yaml"
        _write(tokens, list(ROLES))
        given = {"tokens": str(tokens), "agent": {"id": AGENT}, **settings}
        try:
            async with holdfast(sandbox.url, "tools", policies, **given) as proxy:
                yield Scene(proxy, sandbox, tokens)
        finally:
            await sandbox.close()


async def come_in(seen: Watched, person: str, place: str = "") -> None:
    """Somebody opens the dashboard, at a view, and shows a token."""
    await seen.page.goto(f"/dashboard/{place}")
    await seen.page.get_by_label("Token").fill(token(person))
    await seen.page.get_by_role("button", name="Log in").click()
    await seen.page.get_by_role("navigation", name="Pages").wait_for()


async def look_at(seen: Watched, place: str = "") -> None:
    """Open the dashboard, at a view, where no token is needed."""
    await seen.page.goto(f"/dashboard/{place}")
    await seen.page.get_by_role("navigation", name="Pages").wait_for()
