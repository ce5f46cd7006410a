"""The MCP client of PyPI through the proxy: both eras, refusals, repetitions, streams, sessions."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import pytest_asyncio

from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox, start
from tests.harness import Proxy, breathe, holdfast, within
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP

mcp = Lazy("mcp.client.client")
mcp_errors = Lazy("mcp.shared.exceptions")
mcp_types = Lazy("mcp_types")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

MODERN, LEGACY = "2026-07-28", "2025-11-25"
PROBLEM = "holdfast.dev/problem"
WHO = {"agent_id": "local-agent"}
PAID: Any = {"agent_id": "local-agent", "to": "seller", "amount": 5}
MODES = pytest.mark.parametrize("mode", ["auto", "legacy"])


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world() -> AsyncIterator[Sandbox]:
    """An MCP server with state, at `/mcp`."""
    sandbox = await start("127.0.0.1:0", seed=7)
    yield sandbox
    await sandbox.close()


@pytest.fixture
def sandbox(world: Sandbox) -> Sandbox:
    """As it was at the start."""
    world.reset()
    return world


def faults(sandbox: Sandbox, *items: Any) -> None:
    """What the next calls meet."""
    sandbox.script = Script(parse_script(items))


def gated(sandbox: Sandbox, policies: str = "", **mount: Any) -> Any:
    """A proxy before it."""
    return holdfast(sandbox.url, "mcp", policies or None, mount=mount or None)


@asynccontextmanager
async def client(proxy: Proxy, mode: str = "auto", **more: Any) -> AsyncIterator[Any]:
    """As an agent makes it: only its URL is another."""
    async with mcp.Client(f"http://{proxy.listen}/mcp", mode=mode, **more) as made:
        yield made


async def ignored(*_: Any) -> None:
    """Progress that nobody looks at; to be told of it, a client gives each request a token."""


async def refused(made: Any, tool: str, given: Any = WHO) -> Any:
    """The problem in the result of a call that was not let through."""
    told = await within(made.call_tool(tool, given, progress_callback=ignored))
    assert told.is_error
    problem = told.meta[PROBLEM]
    assert told.content[0].text == problem["message_for_model"]
    return problem


BROKEN = (
    "policies: [{name: p, match: {tool: get_balance}, effect: read, breaker: {consecutive: 1}}]"
)
SPENT = """
policies: [{name: p, match: {tool: get_balance}, cost: 1}]
budgets: [{name: purse, per: fleet, day: 0.5}]
"""


@MODES
@pytest.mark.parametrize("case", ["circuit_open", "budget_exceeded", "killed"])
async def test_what_is_refused_does_not_change_the_era(
    sandbox: Sandbox, mode: str, case: str
) -> None:
    """A client that comes now finds the server, its version and its tools; the call itself is a
    result that says who refused it, and nothing of it is sent."""
    policies = {"circuit_open": BROKEN, "budget_exceeded": SPENT, "killed": ""}[case]
    async with gated(sandbox, policies) as proxy:
        if case == "circuit_open":
            faults(sandbox, {"status": 503, "tool": "get_balance"})
            async with client(proxy, mode) as made:
                with pytest.raises(mcp_errors.MCPError):
                    await made.call_tool("get_balance", WHO)
        if case == "killed":
            await proxy.change("/v1/kills", {"scope": "tool:get_balance", "reason": "case 12"})
        sent = sandbox.calls.by_tool["get_balance"]
        async with client(proxy, mode) as made:
            assert made.protocol_version == (MODERN if mode == "auto" else LEGACY)
            tools = [tool.name for tool in (await made.list_tools()).tools]
            assert "get_balance" in tools
            problem = await refused(made, "get_balance")
            assert (problem["code"], problem["executed"]) == (case, "no")
            assert sandbox.calls.by_tool["get_balance"] == sent
            assert not (await made.call_tool("count", {"to": 2})).is_error


async def test_a_refusal_may_be_an_error_of_the_protocol(sandbox: Sandbox) -> None:
    """Where the upstream's settings say so: its code is nobody else's, its data the problem."""
    denied = "policies: [{name: p, match: {tool: get_balance}, deny: {reason: not this}}]"
    async with (
        gated(sandbox, denied, mcp_refusals="protocol_error") as proxy,
        client(proxy) as made,
    ):
        with pytest.raises(mcp_errors.MCPError) as told:
            await made.call_tool("get_balance", WHO)
        assert told.value.error.code >= 7000
        assert told.value.error.data["origin"] == "holdfast"
        assert told.value.error.data["code"] == "denied"


@MODES
async def test_all_that_a_server_has(sandbox: Sandbox, mode: str) -> None:
    """Direct and through the proxy, with policies at work: the same."""
    policies = "policies: [{name: p, retry: {attempts: 2}, breaker: {}, loop: {same: 50}}]"

    async def all_of(url: str) -> list[Any]:
        progress: list[float] = []

        async def told(done: float, *_: Any) -> None:
            progress.append(done)

        async with mcp.Client(url, mode=mode) as made:
            return [
                made.protocol_version,
                await made.list_tools(),
                await made.list_resources(),
                await made.list_prompts(),
                await made.read_resource("sandbox://prices"),
                await made.get_prompt("review_spending", {"agent_id": "a"}),
                (await made.call_tool("get_balance", WHO)).structured_content,
                (await made.call_tool("get_balance", {"agent_id": "nobody"})).is_error,
                (await made.call_tool("count", {"to": 5}, progress_callback=told)).content,
                progress,
            ]

    async with gated(sandbox, policies) as proxy:
        expected = await all_of(f"{sandbox.url}/mcp")
        assert expected[-1] == [1, 2, 3, 4, 5]
        assert await all_of(f"http://{proxy.listen}/mcp") == expected
        ends = [one for one in await proxy.records(9) if one["tool"] == "get_balance"]
        assert {(one["protocol"], one["layer"]) for one in ends} == {("mcp", "tool")}
        assert [one["outcome"] for one in ends] == ["ok", "failed"]
        assert ends[1]["code"] == "tool_error"
        assert ends[1]["attempts"][0]["result"] == "success"


@MODES
async def test_a_stream_without_its_result_is_an_error(sandbox: Sandbox, mode: str) -> None:
    """Where one ends without its result, the client has a result that says so."""
    async with gated(sandbox) as proxy, client(proxy, mode) as made:
        for fault in ({"no_end": True}, {"cut": 2}, {"cut": 0}):
            faults(sandbox, fault | {"tool": "count"})
            ended = await within(made.call_tool("count", {"to": 3}, progress_callback=ignored))
            assert ended.is_error
            problem = ended.meta[PROBLEM]
            assert (problem["code"], problem["executed"]) == ("truncated", "unknown")
        assert not (await made.call_tool("count", {"to": 3})).is_error


READS = "policies: [{name: p, retry: {attempts: 3, backoff: {base: 1ms, max: 2ms}}}]"


@MODES
async def test_a_read_is_repeated_where_its_server_is_trusted(sandbox: Sandbox, mode: str) -> None:
    """Nobody sees that it failed once; what destroys is sent once, and its fate is not known."""
    async with gated(sandbox, READS, trust_annotations=True) as proxy, client(proxy, mode) as made:
        await made.list_tools()
        faults(sandbox, {"status": 503, "tool": "get_balance"})
        assert not (await made.call_tool("get_balance", WHO)).is_error
        assert sandbox.calls.by_tool["get_balance"] == 2
        faults(sandbox, {"status": 503, "tool": "release_escrow"})
        with pytest.raises(mcp_errors.MCPError):
            await made.call_tool("release_escrow", {"escrow_id": "e1"})
        assert sandbox.calls.by_tool["release_escrow"] == 1
        faults(sandbox, {"reset": True, "tool": "release_escrow"})
        problem = await refused(made, "release_escrow", {"escrow_id": "e1"})
        assert (problem["code"], problem["executed"]) == ("upstream_disconnected", "unknown")
        assert problem["next_step"] == "verify_then_retry"
        assert sandbox.calls.by_tool["release_escrow"] == 2


async def test_a_policy_knows_better_than_a_hint(sandbox: Sandbox) -> None:
    """Without trust every tool writes; what a policy calls idempotent is repeated."""
    idempotent = "{name: q, match: {tool: release_escrow}, effect: idempotent}]"
    async with gated(sandbox, READS) as proxy, client(proxy) as made:
        await made.list_tools()
        faults(sandbox, {"status": 503, "tool": "get_balance"})
        with pytest.raises(mcp_errors.MCPError):
            await made.call_tool("get_balance", WHO)
        assert sandbox.calls.by_tool["get_balance"] == 1
        proxy.write_policies(READS.replace("]", f", {idempotent}"))
        assert proxy.app.reload()
        faults(sandbox, {"status": 503, "tool": "release_escrow"})
        await made.call_tool("release_escrow", {"escrow_id": "e1"})
        assert sandbox.calls.by_tool["release_escrow"] == 2


async def test_a_question_to_a_person_passes(sandbox: Sandbox) -> None:
    """A server that needs an answer first gets it: neither kept, nor counted as a failure."""
    kept = """
policies:
  - name: p
    match: {tool: ask_owner}
    effect: read
    cache: {max_age: 1h}
    loop: {same: 2}
    breaker: {consecutive: 1}
"""

    async def agrees(_: Any, params: Any) -> Any:
        return mcp_types.ElicitResult(action="accept", content={"agree": True})

    async with gated(sandbox, kept) as proxy, client(proxy, elicitation_callback=agrees) as made:
        first = await made.call_tool("ask_owner", {"what": "pay"})
        assert not first.is_error
        asked = sandbox.calls.by_tool["ask_owner"]
        assert asked == 2
        assert (await made.call_tool("ask_owner", {"what": "pay"})).content == first.content
        metrics = await proxy.until_metric("holdfast_calls_total", 4, tool="ask_owner")
        assert metrics.sum("holdfast_attempts_total", result="success") >= asked
        assert metrics.sum("holdfast_attempts_total", result="failure") == 0


async def test_headers_that_say_something_else_are_refused(sandbox: Sandbox) -> None:
    """A tool that is not the body's one; nothing is sent."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "release_escrow", "arguments": {}, "_meta": meta}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "get_balance",
    }
    async with gated(sandbox) as proxy, httpx.AsyncClient() as made:
        got = await made.post(f"http://{proxy.listen}/mcp", json=body, headers=headers)
        assert got.status_code == 400
        assert got.json()["error"]["code"] == -32020
        assert got.json()["id"] == 1
        assert sandbox.calls.total == 0


async def test_a_session_that_is_gone_is_begun_anew(sandbox: Sandbox) -> None:
    """The server's 404 comes to the client, which begins another."""
    async with gated(sandbox) as proxy:
        async with client(proxy, "legacy") as made:
            await made.call_tool("get_balance", WHO)
            sandbox.reset()
            with pytest.raises(mcp_errors.MCPError, match="no such session"):
                await made.call_tool("get_balance", WHO)
        async with client(proxy, "legacy") as made:
            assert not (await made.call_tool("get_balance", WHO)).is_error


APPROVED = """
policies:
  - name: p
    match: {tool: record_transaction}
    approval: {mode: async, approvers: 1}
"""


@MODES
async def test_a_person_approves_one_call(sandbox: Sandbox, mode: str) -> None:
    """It runs once, however often it is asked for; one with another argument is another call."""
    async with gated(sandbox, APPROVED) as proxy, client(proxy, mode) as made:
        tool, other = "record_transaction", PAID | {"amount": 6}
        problem = await refused(made, tool, PAID)
        assert (problem["code"], problem["executed"]) == ("approval_pending", "no")
        assert (await refused(made, tool, PAID))["approval"] == problem["approval"]
        await decide(proxy, problem["approval"])
        assert (await refused(made, tool, other))["code"] == "approval_pending"
        assert sandbox.calls.by_tool[tool] == 0
        paid = await within(made.call_tool(tool, PAID, progress_callback=ignored))
        assert not paid.is_error
        again = await within(made.call_tool(tool, PAID, progress_callback=ignored))
        assert (again.content, sandbox.calls.by_tool[tool]) == (paid.content, 1)
        assert (await refused(made, tool, other))["code"] == "approval_pending"


async def decide(proxy: Proxy, name: str) -> None:
    """A person says yes, by the admin API."""
    await proxy.change(f"/v1/approvals/{name}/decision", {"decision": "approve"})


@MODES
async def test_a_kill_ends_what_runs_and_outlives_a_restart(sandbox: Sandbox, mode: str) -> None:
    """The stream that runs ends with a result that says so; so do all calls after it."""
    begun = asyncio.Event()

    async def told(*_: Any) -> None:
        begun.set()

    async with gated(sandbox) as proxy:
        faults(sandbox, {"stall": 2, "tool": "count"})
        async with client(proxy, mode) as made:
            running = asyncio.ensure_future(
                made.call_tool("count", {"to": 9}, progress_callback=told)
            )
            await within(begun.wait())
            await proxy.change("/v1/kills", {"scope": "tool:count", "reason": "case 12"})
            ended = await within(running)
            assert ended.is_error
            assert ended.meta[PROBLEM]["code"] == "killed"
            assert (await refused(made, "count", {"to": 2}))["code"] == "killed"
            while sandbox.calls.under_way > (mode == "legacy"):  # the stream of its session stays
                await breathe()
        await proxy.restart()
        async with client(proxy, mode) as made:
            assert (await refused(made, "count", {"to": 2}))["code"] == "killed"


async def test_an_upstream_that_says_nothing_of_itself(sandbox: Sandbox) -> None:
    """`auto` knows the protocol by what is asked."""
    async with holdfast(sandbox.url, "auto") as proxy:
        async with client(proxy) as made:
            await made.call_tool("get_balance", WHO)
        ends = await proxy.records(1)
        assert {(one["protocol"], one["tool"]) for one in ends if one["tool"] == "get_balance"} == {
            ("mcp", "get_balance")
        }
