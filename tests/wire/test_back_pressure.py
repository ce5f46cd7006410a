"""A slow reader stops the other side's writing (spec 2.1): nothing piles up in the middle."""

import asyncio

import pytest

from tests.harness import (
    OK,
    Connection,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    request,
    within,
)
from tests.harness.messages import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

BLOCK = b"x" * (1 << 20)
BLOCKS = 96
ALL = BLOCKS << 20
MUCH = 32 << 20
"""Bytes: more than the kernel's buffers of two connections take, much less than all."""


async def stands_still(proxy: Proxy, accepted: object) -> int:
    """What the kernel has taken, once twenty calls by others passed without it taking more."""
    last = -1
    while last != (now := accepted()):  # type: ignore[operator]
        last = now
        for _ in range(20):
            await proxy.call(request("/meanwhile"))
    return last


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_an_agent_that_does_not_read_stops_the_upstream(
    proxy: Proxy, upstream: RawUpstream, framing: str
) -> None:
    """The upstream can write only what fits into buffers; when the agent reads, all of it comes."""
    pouring: asyncio.Future[tuple[UpstreamConnection, int]] = (
        asyncio.get_running_loop().create_future()
    )

    async def pours(connection: UpstreamConnection, asked: Message) -> None:
        if asked.target != b"/flood":
            connection.send(OK)
            return
        if framing == "length":
            connection.send(answer(200, f"Content-Length: {ALL}", body=None))
        else:
            connection.send(answer(200, "Transfer-Encoding: chunked", body=None))
        before = connection.accepted  # it may have served others before
        pouring.set_result((connection, before))
        for _ in range(BLOCKS):
            await connection.may_write.wait()
            connection.send(BLOCK if framing == "length" else b"100000\r\n" + BLOCK + b"\r\n")
        if framing == "chunked":
            connection.send(b"0\r\n\r\n")

    upstream.otherwise = pours
    async with await proxy.connect(receive_buffer=65536) as agent:
        agent.transport.pause_reading()
        agent.keeps = False
        agent.send(request("/flood"))
        connection, before = await within(pouring)
        assert await within(stands_still(proxy, lambda: connection.accepted)) < before + MUCH
        agent.transport.resume_reading()
        await agent.counted(ALL)


async def test_an_upstream_that_does_not_read_stops_the_agent(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """The same for an upload."""
    reading: asyncio.Future[UpstreamConnection] = asyncio.get_running_loop().create_future()

    async def reads_later(connection: UpstreamConnection, head: Message) -> None:
        if head.target != b"/flood":
            return
        connection.keeps = False
        connection.transport.pause_reading()
        reading.set_result(connection)
        await connection.counted(ALL)
        connection.send(answer(200, "Connection: close", body=b"all of it"))
        connection.close()

    upstream.on_head = reads_later
    async with await proxy.connect() as agent:
        agent.send(request("/flood", f"Content-Length: {ALL}", method="POST"))

        async def uploads() -> None:
            for _ in range(BLOCKS):
                await agent.may_write.wait()
                agent.send(BLOCK)

        upload = asyncio.create_task(uploads())
        connection = await within(reading)
        assert await within(stands_still(proxy, lambda: agent.accepted)) < MUCH
        connection.transport.resume_reading()
        await within(upload)
        assert (await agent.answer()).body == b"all of it"


async def test_an_agent_that_only_asks_is_not_read_for_ever(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Pipelined requests wait in the agent's own buffers while the first one is unanswered."""
    go = asyncio.Event()

    async def waits(connection: UpstreamConnection, asked: Message) -> None:
        if asked.target == b"/first":
            await within(go.wait())
        connection.send(OK)

    upstream.otherwise = waits
    async with await proxy.connect() as agent:
        agent.send(request("/first"))
        await upstream.seen()
        flood = request("/more", "X-Fill: " + "x" * 8000) * 128
        for _ in range(64):
            agent.send(flood)
        assert await within(stands_still(proxy, lambda: agent.accepted)) < MUCH
        go.set()
        assert (await agent.answer()).status == 200


async def test_one_slow_reader_does_not_slow_the_others(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """While an agent is stuck in front of a flood, another's calls go through."""

    async def pours(connection: UpstreamConnection, asked: Message) -> None:
        if asked.target != b"/flood":
            connection.send(OK)
            return
        connection.send(answer(200, f"Content-Length: {ALL}", body=None))
        while connection.written < ALL and not connection.ended.is_set():
            await connection.may_write.wait()
            connection.send(BLOCK)

    upstream.otherwise = pours
    stuck: Connection
    async with await proxy.connect(receive_buffer=65536) as stuck:
        stuck.transport.pause_reading()
        stuck.send(request("/flood"))
        await upstream.seen()
        for _ in range(100):
            assert (await proxy.call(request("/quick"))).body == b"ok"
