"""All clients at once through one proxy, while policies change; then it is killed."""

import asyncio
import json
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from proxy.journal.verify import verify
from proxy.lab.sandbox.faults import Script, parse_script
from proxy.lab.sandbox.gateway import Sandbox, start
from tests.harness import breathe, raw_call, request, within
from tests.harness.lazy import Lazy
from tests.harness.loops import THE_LOOP
from tests.harness.process import Process, holdfast_process
from tests.journal.written import lines

anthropic = Lazy("anthropic")
openai = Lazy("openai")
mcp_client = Lazy("mcp.client.client")

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

CALLS = 500
SECRET, CARD = "sk-agent-b3f1c2", "card-number-4929"  # made up
GOOD = "policies: [{name: p%d, retry: {attempts: 2}, breaker: {}, timeout: {total: 20s}}]"
BAD = "policies: [{name: p, retries: {attempts: 2}}]"
RELOADED = "holdfast_config_last_reload_success"
PATIENCE = 30.0
SAID: Any = [{"role": "user", "content": f"Pay with {CARD}"}]
PAID = {"agent_id": "local-agent", "note": CARD}

Ask = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def clients(listen: str) -> AsyncIterator[list[Ask]]:
    """One call of each kind: a tool by its path and by its body, two vendors' models, MCP."""
    base = f"http://{listen}"
    async with AsyncExitStack() as open_:
        web = await open_.enter_async_context(
            httpx.AsyncClient(
                base_url=base, headers={"Authorization": f"Bearer {SECRET}"}, timeout=20
            )
        )
        chat = await open_.enter_async_context(
            openai.AsyncOpenAI(base_url=f"{base}/v1", api_key=SECRET, max_retries=0)
        )
        talk = await open_.enter_async_context(
            anthropic.AsyncAnthropic(base_url=base, api_key=SECRET, max_retries=0)
        )
        mcp = await open_.enter_async_context(mcp_client.Client(f"{base}/mcp"))

        async def by_path() -> None:
            (await web.post("/v1/get_balance", json=PAID)).raise_for_status()

        async def by_body() -> None:
            body = {"tool": "get_balance", "input": PAID}
            (await web.post("/v1", json=body)).raise_for_status()

        async def chats() -> None:
            stream = await chat.chat.completions.create(
                model="sandbox-small", messages=SAID, stream=True
            )
            assert [one async for one in stream]

        async def talks() -> None:
            await talk.messages.create(model="sandbox-small", messages=SAID, max_tokens=20)

        async def calls() -> None:
            assert not (await mcp.call_tool("get_balance", PAID)).is_error

        yield [by_path, by_body, chats, talks, calls]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for it."""

    async def look() -> None:
        while not holds():
            await breathe()

    await within(look(), PATIENCE)


def finished(folder: Path) -> list[Any]:
    """The ends of calls that are in the journal."""
    told = [json.loads(line) for line in lines(folder)]
    return [line for line in told if line["type"] == "call.finished"]


async def metrics(process: Process) -> str:
    """The page."""
    return (await raw_call(process.admin, request("/metrics", "Connection: close"))).decode()


async def change(process: Process, policies: str, shows: Callable[[str], bool]) -> str:
    """Put other policies in place; the first page of metrics that shows what came of it."""
    (process.folder / "policies" / "10.yaml").write_text(policies)
    process.child.send_signal(signal.SIGHUP)

    async def look() -> str:
        while not shows(page := await metrics(process)):
            pass
        return page

    return await within(look(), PATIENCE)


def version_of(page: str) -> str:
    """That of the policies in force."""
    return page.partition('holdfast_config_info{policy_version="')[2].partition('"')[0]


async def under_load(process: Process) -> None:
    """All calls; policies that are good, and some that are not, come meanwhile."""
    done = 0

    async with clients(process.listen) as kinds:

        async def works(ask: Ask) -> None:
            nonlocal done
            for _ in range(CALLS // (len(kinds) * 2)):
                await ask()
                done += 1

        async with asyncio.TaskGroup() as together:
            for ask in kinds * 2:
                together.create_task(works(ask))
            first = version_of(await metrics(process))
            await until(lambda: done > CALLS // 4)
            page = await change(process, GOOD % 2, lambda page: version_of(page) != first)
            second = version_of(page)
            await until(lambda: done > CALLS // 2)
            page = await change(process, BAD, lambda page: f"{RELOADED} 0" in page)
            assert version_of(page) == second
    assert done == CALLS


async def test_all_kinds_under_load(tmp_path: Path) -> None:
    """No call fails while policies change, well or badly; each sending has its record; what a
    killed process left is found out; no secret is anywhere."""
    sandbox = await start("127.0.0.1:0", seed=7)
    try:
        seen = await _run_and_kill(sandbox, tmp_path)
        flags = ("--data-dir", str(tmp_path))
        async with holdfast_process(sandbox.url, "auto", GOOD % 3, *flags) as process:
            process.terminate()
            assert await process.exited() == 0
            seen += "".join(process.log)
    finally:
        await sandbox.close()
    verdict = verify(tmp_path)
    assert (verdict.exit, verdict.integrity.ok) == (0, True)
    ends = finished(tmp_path)
    assert len(ends) == sandbox.calls.total
    assert [one["outcome"] for one in ends].count("unknown") == 1
    kinds = {(one["protocol"], one["layer"]) for one in ends}
    assert kinds >= {("tools", "tool"), ("openai", "llm"), ("anthropic", "llm"), ("mcp", "tool")}
    kept = _all_of(tmp_path)
    for secret in (SECRET, CARD):
        assert secret not in seen
        assert secret.encode() not in kept
    _found_out(tmp_path)


async def _run_and_kill(sandbox: Sandbox, folder: Path) -> str:
    """Logs and metrics of a process that had all calls, and was killed with one under way."""
    flags = ("--data-dir", str(folder))
    async with holdfast_process(sandbox.url, "auto", GOOD % 1, *flags) as process:
        await under_load(process)
        await until(lambda: len(finished(folder)) == sandbox.calls.total)
        assert sandbox.calls.by_status.keys() <= {200, 202}
        sandbox.script = Script(parse_script([{"hang": True, "tool": "deposit"}]))
        async with await process.connect() as agent:
            agent.send(
                request("/v1/deposit", "Content-Type: application/json", method="POST", body=b"{}")
            )
            await until(lambda: sandbox.calls.by_tool["deposit"] == 1)
            page = await metrics(process)
            process.child.send_signal(signal.SIGKILL)
            assert await process.exited() == -signal.SIGKILL
        return page + "".join(process.log)


def _all_of(folder: Path) -> bytes:
    """Every byte under it."""
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def _found_out(folder: Path) -> None:
    """A byte that was changed, and a last record that is gone."""
    changed, cut = folder.with_name("changed"), folder.with_name("cut")
    for copy in (changed, cut):
        shutil.copytree(folder, copy)
    segment = max((changed / "journal").glob("*.jsonl"))
    told = segment.read_bytes().splitlines(keepends=True)
    number = len(told) // 2
    bad = json.loads(told[number])
    told[number] = told[number].replace(b'"seq":', b'"sEq":', 1)
    segment.write_bytes(b"".join(told))
    verdict = verify(changed)
    assert verdict.exit == 1
    assert (verdict.integrity.bad[0].line, verdict.integrity.bad[0].file) == (
        number + 1, segment.name,
    )  # fmt: skip
    assert str(bad["seq"]) in verdict.why or segment.name in verdict.why
    segment = max((cut / "journal").glob("*.jsonl"))
    told = segment.read_bytes().splitlines(keepends=True)
    segment.write_bytes(b"".join(told[:-1]))
    assert verify(cut).exit == 2
