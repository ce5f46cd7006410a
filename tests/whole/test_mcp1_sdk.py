"""The MCP client of before 2.0, which many agents still have, through the proxy."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox, start
from tests.harness import holdfast, within
from tests.harness.loops import THE_LOOP

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / ".venv-mcp1" / "bin" / "python"
AGENT = Path(__file__).with_name("mcp1_agent.py")
STARTING = 30.0
"""Seconds that another Python may take, on a machine that is busy with other tests."""

pytestmark = [
    pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP),
    pytest.mark.skipif(not PYTHON.exists(), reason="make test makes .venv-mcp1: this was not make"),
]

PROBLEM = "holdfast.dev/problem"
WHO = {"agent_id": "local-agent"}
CALLS: Any = [
    ("get_balance", WHO),
    ("get_balance", {"agent_id": "nobody"}),
    ("count", {"to": 4}),
]


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """An MCP server with state, at `/mcp`."""
    made = await start("127.0.0.1:0", seed=7)
    yield made
    await made.close()


async def agent(url: str, calls: Any) -> Any:
    """What such an agent finds there."""
    child = await asyncio.create_subprocess_exec(
        *(PYTHON, AGENT, f"{url}/mcp", json.dumps(calls)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, said = await within(child.communicate(), STARTING)
    assert child.returncode == 0, said.decode()
    return json.loads(out)


async def test_it_finds_what_it_finds_without(sandbox: Sandbox) -> None:
    """Its session, the tools, their results, errors and progress, with policies at work."""
    policies = "policies: [{name: p, retry: {attempts: 2}, breaker: {}, loop: {same: 50}}]"
    async with holdfast(sandbox.url, "mcp", policies) as proxy:
        expected = await agent(sandbox.url, CALLS)
        assert (expected["session"], expected["progress"]) == (True, [1, 2, 3, 4])
        assert await agent(f"http://{proxy.listen}", CALLS) == expected


async def test_its_calls_are_judged_as_any(sandbox: Sandbox) -> None:
    """A read that failed once is repeated; what is denied is a result that says so, what was cut is
    one that says that nobody knows."""
    policies = """
policies:
  - {name: again, retry: {attempts: 2, backoff: {base: 1ms, max: 2ms}}}
  - {name: no, match: {tool: release_escrow}, deny: {reason: ask the treasury}}
"""
    calls: Any = [("get_balance", WHO), ("release_escrow", {}), ("record_transaction", WHO)]
    trusted = {"trust_annotations": True}
    async with holdfast(sandbox.url, "mcp", policies, mount=trusted) as proxy:
        sandbox.script = Script(
            parse_script(
                [
                    {"status": 503, "tool": "get_balance"},
                    {"reset": True, "tool": "record_transaction"},
                ]
            )
        )
        found = await agent(f"http://{proxy.listen}", calls)
    balance, denied, cut = found["results"]
    assert (balance["isError"], sandbox.calls.by_tool["get_balance"]) == (False, 2)
    assert (denied["isError"], sandbox.calls.by_tool["release_escrow"]) == (True, 0)
    assert denied["content"][0]["text"].startswith("Ask the treasury")
    assert denied["meta"][PROBLEM]["code"] == "denied"
    assert (cut["isError"], sandbox.calls.by_tool["record_transaction"]) == (True, 1)
    assert cut["meta"][PROBLEM]["executed"] == "unknown"
