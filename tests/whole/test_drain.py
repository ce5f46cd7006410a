"""Stopping (spec 1.1 `drain`): what runs is finished, nothing new begins, nothing is lost."""

import asyncio
import contextlib

import aiohttp
import pytest

from tests.harness import (
    OK,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    holdfast,
    raw_call,
    request,
    within,
)
from tests.harness.loops import ONE_LOOP
from tests.harness.messages import Message
from tests.harness.process import holdfast_process
from tests.harness.upstream import after, never

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_running_call_is_finished(upstream: RawUpstream) -> None:
    """Its answer says that the connection ends; then the proxy is gone."""
    go = asyncio.Event()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(after(go))
        agent.send(request())
        await upstream.seen()
        stopping = asyncio.create_task(proxy.app.stop(drain=5))
        await breathe(10)
        assert not stopping.done()
        go.set()
        got = await agent.answer()
        assert (got.status, got.body) == (200, b"ok")
        assert got.value("connection") == b"close"
        assert await agent.rest() == b""
        await within(stopping)


async def test_a_running_stream_is_finished(upstream: RawUpstream) -> None:
    """A body that is under way comes to its end."""
    go = asyncio.Event()

    async def streams(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, "Transfer-Encoding: chunked", body=b"5\r\nfirst\r\n"))
        await within(go.wait())
        connection.send(b"4\r\nlast\r\n0\r\n\r\n")

    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(streams)
        agent.send(request())
        await agent.until(b"first\r\n")
        stopping = asyncio.create_task(proxy.app.stop(drain=5))
        await breathe(10)
        go.set()
        assert (await agent.rest()).endswith(b"4\r\nlast\r\n0\r\n\r\n")
        await within(stopping)


async def test_idle_connections_are_closed_at_once(upstream: RawUpstream) -> None:
    """An agent that keeps a connection and asks nothing holds nobody up."""
    async with holdfast(upstream) as proxy, await proxy.connect() as idle:
        await idle.call(request())
        await within(proxy.app.stop(drain=5))
        assert await idle.rest() == b""
        assert not idle.was_reset


async def test_nothing_new_is_taken(upstream: RawUpstream) -> None:
    """New connections are refused while the old ones drain."""
    go = asyncio.Event()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(after(go))
        agent.send(request())
        await upstream.seen()
        stopping = asyncio.create_task(proxy.app.stop(drain=5))
        await breathe(10)
        try:
            async with await proxy.connect() as late:
                late.send(request("/late"))
                got = await late.rest()
                assert got == b"" or b" 503 " in got.split(b"\r\n")[0]
        except ConnectionError:
            pass
        assert [one.target for one in upstream.requests] == [b"/"]
        go.set()
        assert (await agent.answer()).status == 200
        await within(stopping)


async def test_it_is_not_ready_at_once(upstream: RawUpstream) -> None:
    """`/readyz` says 503 while calls are still being finished."""
    go = asyncio.Event()
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(after(go))
        agent.send(request())
        await upstream.seen()
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://{proxy.admin}/readyz") as before:
                assert before.status == 200
            stopping = asyncio.create_task(proxy.app.stop(drain=5))
            await breathe(10)
            async with session.get(f"http://{proxy.admin}/readyz") as during:
                assert during.status == 503
        go.set()
        await agent.answer()
        await within(stopping)


async def test_a_call_that_does_not_end_is_cut_off(upstream: RawUpstream) -> None:
    """After `drain` it is over: the agent sees an error or an end, and so does the upstream."""
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        upstream.then(never)
        agent.send(request())
        asked = await upstream.seen()
        await within(proxy.app.stop(drain=0.1))
        got = await agent.rest()
        assert got == b"" or got[:13] in (b"HTTP/1.1 502 ", b"HTTP/1.1 503 ", b"HTTP/1.1 504 ")
        connection = upstream.carrier(asked)
        await within(connection.ended.wait())


async def test_a_refused_port_stays_free(upstream: RawUpstream) -> None:
    """After stopping, nobody listens any more."""
    async with holdfast(upstream) as proxy:
        await within(proxy.app.stop(drain=0))
        with pytest.raises(OSError):
            await proxy.connect()


@ONE_LOOP
async def test_sigterm_loses_none_of_fifty_calls(upstream: RawUpstream) -> None:
    """SIGTERM during 50 calls: 50 answers, and exit code 0."""
    go = asyncio.Event()
    async with holdfast_process(upstream) as process, contextlib.AsyncExitStack() as agents_end:
        upstream.then()
        upstream.otherwise = after(go)
        agents = [await agents_end.enter_async_context(await process.connect()) for _ in range(50)]
        for agent in agents:
            agent.send(request())
        await upstream.seen(50)
        process.terminate()
        await drains(process.admin)
        go.set()
        got = await within(asyncio.gather(*(agent.answer() for agent in agents)))
        assert [(one.status, one.body) for one in got] == [(200, b"ok")] * 50
        assert await process.exited() == 0
        assert "Traceback" not in "".join(process.log)


async def drains(admin: str) -> None:
    """Return when a proxy says that it is not ready any more."""

    async def look() -> None:
        while b" 503 " not in await raw_call(admin, request("/readyz", "Connection: close")):
            pass

    await within(look())


@ONE_LOOP
async def test_a_second_sigterm_is_no_harm(upstream: RawUpstream) -> None:
    """Orchestrators repeat themselves; an idle proxy ends cleanly."""
    async with holdfast_process(upstream) as process:
        async with await process.connect() as agent:
            upstream.then(OK)
            assert (await agent.call(request())).status == 200
            process.terminate()
            process.terminate()
            await agent.rest()
        assert await process.exited() == 0
        assert "Traceback" not in "".join(process.log)
