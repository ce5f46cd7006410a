"""An upstream dies, its backup takes over, and gives back (spec 3.13), on sockets."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.harness import (
    Message,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    holdfast,
    request,
    within,
)
from tests.harness.upstream import Step, hang_up

pytestmark = pytest.mark.asyncio(loop_scope="module")

READ, WRITE = "get_balance", "deposit"


def call(tool: str) -> bytes:
    """A call of a tool."""
    body = json.dumps({"tool": tool, "input": {}}).encode()
    return request("/", "Content-Type: application/json", method="POST", body=body)


@pytest_asyncio.fixture(loop_scope="module")
async def spare() -> AsyncIterator[RawUpstream]:
    """The backup."""
    async with RawUpstream() as far:
        far.otherwise = answer(200, body=b"spare")
        yield far


def policies(spare: RawUpstream, section: str = "", **more: Any) -> str:
    """The backup, and what is in force for all. It names no path: agents do not reach it."""
    other = json.dumps({"url": spare.url, "protocol": "tools", **more})
    return (
        f"upstreams: {{spare: {other}}}\n"
        "policies:\n"
        f"  - {{name: all{section}}}\n"
        f"  - {{name: reads, match: {{tool: 'get_*'}}, effect: read}}\n"
    )


PROBES = {"path": "/healthz", "interval": "20ms", "timeout": "1s"}
BREAKER = ", breaker: {consecutive: 2, probes: 1, open: {base: 20ms, jitter: 0}}"


def dead_but_for(well: asyncio.Event) -> Step:
    """Closes without a word, until it is well."""

    async def step(connection: UpstreamConnection, asked: Message) -> None:
        if well.is_set():
            connection.send(answer(200, body=b"primary"))
        else:
            await hang_up(connection, asked)

    return step


async def until_served_by(proxy: Proxy, name: bytes | None, tool: str = READ) -> Message:
    """The first answer that comes from there."""

    async def look() -> Message:
        while (got := await proxy.call(call(tool))).value("holdfast-served-by") != name or (
            got.status != 200
        ):
            await breathe()
        return got

    return await within(look(), 10.0)


@pytest.mark.parametrize("tool", [READ, WRITE])
async def test_calls_go_on_at_the_backup_and_come_back(
    upstream: RawUpstream, spare: RawUpstream, tool: str
) -> None:
    """Reads and writes. When it has been well for long enough it gets its calls again, a few
    first; no call fails on the way back."""
    well = asyncio.Event()
    well.set()
    upstream.otherwise = dead_but_for(well)
    mount = {"backups": ["spare"], "health": {**PROBES, "well_for": "200ms", "step": "100ms"}}
    async with holdfast(upstream, "tools", policies(spare), mount) as proxy:
        assert (await proxy.call(call(tool))).body == b"primary"
        well.clear()
        got = await until_served_by(proxy, b"spare", tool)
        assert (got.body, got.value("holdfast-outcome")) == (b"spare", b"ok")
        figures = await proxy.metrics()
        assert figures.sum("holdfast_upstream_healthy", upstream="gateway") == 0
        assert figures.sum("holdfast_health_probes_total", result="failed") >= 3
        well.set()

        async def comes_back() -> set[bytes]:
            bodies, in_a_row = [], 0
            while in_a_row < 50:
                got = await proxy.call(call(tool))
                assert got.status == 200
                bodies.append(got.body)
                in_a_row = in_a_row + 1 if got.body == b"primary" else 0
            return set(bodies)

        assert await within(comes_back(), 15.0) == {b"primary", b"spare"}
        figures = await proxy.metrics()
        assert figures.sum("holdfast_upstream_healthy", upstream="gateway") == 1
        assert figures.sum("holdfast_attempts_total", upstream="spare", result="success") > 0


async def test_an_open_circuit_moves_the_calls(upstream: RawUpstream, spare: RawUpstream) -> None:
    """Without any probe: after the calls that opened it not one fails, though some of them must
    try whether it is back. Nobody listens there."""
    await_closed = RawUpstream()
    async with await_closed:
        await await_closed.shut()
        url = await_closed.url
        mount = {"backups": ["spare"]}
        async with holdfast(url, "tools", policies(spare, BREAKER), mount) as proxy:
            for tool in (READ, WRITE):
                assert (await proxy.call(call(tool))).status == 502
            for number in range(150):
                got = await proxy.call(call((READ, WRITE)[number % 2]))
                assert (got.status, got.value("holdfast-served-by")) == (200, b"spare")
            figures = await proxy.until_metric("holdfast_breaker_probes_total", 1)
            assert figures.sum("holdfast_calls_total", outcome="ok") == 150


async def test_probes_are_no_calls(upstream: RawUpstream, spare: RawUpstream) -> None:
    """They are counted by themselves, and nowhere else."""
    mount = {"health": {"tool": READ, "interval": "10ms"}}
    async with holdfast(upstream, "tools", policies(spare, path="/spare"), mount) as proxy:
        await upstream.seen(5)
        figures = await proxy.until_metric("holdfast_health_probes_total", 5, result="passed")
        assert upstream.requests[0].body == b'{"tool":"get_balance","input":{}}'
        for name in ("holdfast_calls_total", "holdfast_attempts_total", "holdfast_inflight"):
            assert figures.sum(name) == 0
        assert figures.sum("holdfast_upstream_healthy") == 1


async def test_a_backup_without_a_path_is_not_reached_by_agents(
    upstream: RawUpstream, spare: RawUpstream
) -> None:
    """What looks like its name is a path like any other."""
    mount = {"backups": ["spare"]}
    async with holdfast(upstream, "tools", policies(spare), mount) as proxy:
        assert (await proxy.call(request("/spare"))).status == 200
        assert (await upstream.seen()).target == b"/spare"
        assert spare.requests == []


async def test_a_failure_at_the_backup_says_so(upstream: RawUpstream, spare: RawUpstream) -> None:
    """The refusal in its place names who was asked."""
    upstream.otherwise = hang_up
    spare.otherwise = hang_up
    mount = {"backups": ["spare"], "health": PROBES}
    async with holdfast(upstream, "tools", policies(spare), mount) as proxy:
        await proxy.until_metric("holdfast_health_probes_total", 3, result="failed")
        got = await proxy.call(call(WRITE))
        assert (got.status, got.value("holdfast-served-by")) == (502, b"spare")
        assert json.loads(got.body)["executed"] == "unknown"


async def test_over_a_reload_the_standing_stays(upstream: RawUpstream, spare: RawUpstream) -> None:
    """Of an upstream that did not change; one that did begins anew, with a prober of its own."""
    upstream.otherwise = hang_up
    mount = {"backups": ["spare"], "health": {**PROBES, "interval": "10ms"}}
    async with holdfast(upstream, "tools", policies(spare), mount) as proxy:
        await until_served_by(proxy, b"spare")
        prober = proxy.app._outbound.at_work["gateway"].prober
        proxy.write_policies(policies(spare, ", timeout: {total: 5s}"))
        assert proxy.app.reload()
        assert proxy.app._outbound.at_work["gateway"].prober is prober
        assert (await proxy.call(call(READ))).value("holdfast-served-by") == b"spare"
        first = proxy.folder / "policies" / "00.yaml"
        upstream.then()
        first.write_text(first.read_text().replace("10ms", "11ms"))
        assert proxy.app.reload()
        assert proxy.app._outbound.at_work["gateway"].prober is not prober
        assert (await proxy.call(call(READ))).value("holdfast-served-by") is None
        await proxy.until_metric("holdfast_health_probes_total", 1, result="passed")


async def test_the_log_tells_where_calls_go(
    upstream: RawUpstream, spare: RawUpstream, capfd: pytest.CaptureFixture[str]
) -> None:
    """One line when they leave."""
    upstream.otherwise = hang_up
    mount = {"backups": ["spare"], "health": PROBES}
    async with holdfast(upstream, "tools", policies(spare), mount) as proxy:
        await until_served_by(proxy, b"spare")
        await until_served_by(proxy, b"spare")
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    (told,) = [line for line in lines if line["event"] == "traffic"]
    del told["ts"]
    assert told == {
        "level": "warning", "event": "traffic", "upstream": "gateway", "backups": ["spare"],
        "percent": 0, "why": "probes", "bulkhead": "",
    }  # fmt: skip
