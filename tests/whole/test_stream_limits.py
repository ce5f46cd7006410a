"""The limits of streams (spec 3.1), on sockets: who meets one, and what is said of it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import (
    Ended,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    holdfast,
    request,
    within,
)
from tests.harness.messages import Message
from tests.harness.proxy import Figures

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSE = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)
PING = b"event: ping\ndata: {}\n\n"
SAYS = b"data: {}\n\n"


def policies(**limits: str) -> str:
    """One policy with these limits, and a breaker that opens at the first failure."""
    section = ", ".join(f"{name}: {value}" for name, value in limits.items())
    return f"policies: [{{name: p, timeout: {{{section}}}, breaker: {{consecutive: 1}}}}]"


def talks(said: bytes) -> Callable[[UpstreamConnection, Message], Any]:
    """A stream that says the same again and again, as fast as it is read."""

    async def step(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(SSE)
        while not connection.ended.is_set():
            connection.send(b"%x\r\n%b\r\n" % (len(said), said))
            await within(connection.may_write.wait())
            await breathe()

    return step


async def silent(connection: UpstreamConnection, asked: Message) -> None:
    """A head and no more."""
    connection.send(SSE)
    await connection.ended.wait()


async def broken(proxy: Proxy, raw: bytes) -> bytes:
    """What came of a stream that must break off: all its bytes, without an end."""
    async with await proxy.connect() as agent:
        agent.send(raw)
        with pytest.raises(Ended) as ended:
            await agent.answer()
        assert not ended.value.received.endswith(b"0\r\n\r\n")
        return bytes(agent.received)


async def said_of(proxy: Proxy) -> Figures:
    """What the metrics say when one call is over."""
    return await proxy.until_metric("holdfast_calls_total", 1)


@pytest.mark.parametrize(
    ("limit", "step"),
    [("stream_idle", silent), ("stream_progress", talks(PING)), ("stream_max", talks(SAYS))],
)
async def test_a_stream_that_meets_its_limit_breaks_off(
    upstream: RawUpstream, limit: str, step: Any
) -> None:
    """The agent sees a cut, the upstream the end of its connection, the record the deadline."""
    async with holdfast(upstream, policies=policies(**{limit: "200ms"})) as proxy:
        upstream.then(step)
        await broken(proxy, request("/", method="POST"))
        figures = await said_of(proxy)
        asked = await upstream.seen()
        await within(upstream.carrier(asked).ended.wait())
    failed = {"outcome": "failed", "reason": "deadline_exceeded"}
    assert figures.sum("holdfast_calls_total", **failed) == 1
    assert figures.sum("holdfast_attempts_total", result="failure") == 1
    opened = figures.sum("holdfast_breaker_state", state="open")
    assert opened == (0 if limit == "stream_max" else 1)


@pytest.mark.parametrize("limit", ["stream_progress", "stream_max"])
async def test_a_long_get_meets_none_but_the_idle_one(upstream: RawUpstream, limit: str) -> None:
    """It is a subscription: it is still there when a POST that began later has met its limit."""
    over = asyncio.Event()

    async def subscribed(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(SSE)
        await within(over.wait())
        connection.send(b"0\r\n\r\n")

    limits = policies(**{limit: "200ms"})
    async with holdfast(upstream, policies=limits) as proxy, await proxy.connect() as agent:
        upstream.then(subscribed, silent)
        agent.send(request("/"))
        await upstream.seen()
        await broken(proxy, request("/", method="POST"))
        over.set()
        assert (await agent.answer()).status == 200


async def test_a_stream_outlives_the_time_of_its_call(upstream: RawUpstream) -> None:
    """`total` ends at the commit; an answer that is no stream it still cuts."""
    asked = asyncio.Event()

    async def late(connection: UpstreamConnection, asked_for: Message) -> None:
        connection.send(SSE)
        await within(asked.wait())
        connection.send(b"0\r\n\r\n")

    async with holdfast(upstream, policies=policies(total="1s")) as proxy:
        async with await proxy.connect() as agent:
            upstream.then(late, answer(200, "Content-Length: 9", body=None) + b"part")
            agent.send(request("/", method="POST"))
            await upstream.seen()
            assert b"part" in await broken(proxy, request("/", method="PUT"))
            asked.set()
            assert (await agent.answer()).status == 200
        figures = await proxy.until_metric("holdfast_calls_total", 2)
    assert figures.sum("holdfast_calls_total", reason="deadline_exceeded") == 1


@pytest.mark.parametrize(
    "line",
    [
        "holdfast-timeout-ms: 300",
        "x-envoy-expected-rq-timeout-ms: 300",
        "x-stainless-read-timeout: 0.55",
        "grpc-timeout: 300m",
    ],
)
async def test_a_client_says_how_long_it_waits(upstream: RawUpstream, line: str) -> None:
    """It is answered before it gives up, though the policy would wait longer."""
    async with holdfast(upstream, policies=policies(total="60s")) as proxy:
        upstream.then(silent_altogether)
        got = await within(proxy.call(request("/", line)))
        assert got.status == 504
        assert b"deadline_exceeded" in got.body


async def silent_altogether(connection: UpstreamConnection, asked: Message) -> None:
    """Not even a head."""
    await connection.ended.wait()


async def test_no_attempt_starts_that_cannot_last(upstream: RawUpstream) -> None:
    """With less than `min_attempt` left nothing is sent."""
    async with holdfast(upstream, policies=policies(min_attempt="5s", total="60s")) as proxy:
        upstream.then()
        got = await proxy.call(request("/", "holdfast-timeout-ms: 4000"))
        assert got.status == 504
        assert (b'"executed":"no"' in got.body, upstream.heads) == (True, [])
