"""An agent hangs up (spec 2.1): the upstream is told, nothing counts as a failure."""

import asyncio
import contextlib

import pytest

from tests.harness import (
    OK,
    Connection,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    holdfast,
    request,
    within,
)
from tests.harness.messages import Message
from tests.harness.upstream import after, never

pytestmark = pytest.mark.asyncio(loop_scope="module")

ENVELOPE = b'{"tool":"move_money","input":{}}'
WRITE = request("/", "Content-Type: application/json", method="POST", body=ENVELOPE)
POLICIES = """
policies:
  - {name: all, timeout: {total: 4s}, breaker: {consecutive: 1}, retry: {attempts: 3}}
"""


async def nothing_failed(proxy: Proxy, cancelled: int = 1) -> None:
    """So many calls were cancelled, and none was held against the upstream."""
    await proxy.until_metric("holdfast_calls_total", cancelled, outcome="cancelled")
    metrics = await proxy.metrics()
    assert metrics.sum("holdfast_calls_total", outcome="failed") == 0
    assert metrics.sum("holdfast_attempts_total", result="failure") == 0
    assert metrics.sum("holdfast_attempts_total", result="truncated") == 0
    assert metrics.sum("holdfast_retries_total", decision="sent") == 0
    assert metrics.sum("holdfast_inflight") == 0


async def held(proxy: Proxy, upstream: RawUpstream, agent: Connection) -> UpstreamConnection:
    """The connection on which an agent's call waits for an answer."""
    agent.send(request("/held"))
    asked = await upstream.seen()
    return upstream.carrier(asked)


@pytest.mark.parametrize("leave", [Connection.close, Connection.reset], ids=["closed", "reset"])
async def test_hanging_up_before_the_answer_cancels_the_call(
    upstream: RawUpstream, leave: object
) -> None:
    """The upstream's connection ends at once; the call is `cancelled`, the breaker stays closed."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        upstream.then(never)
        async with await proxy.connect() as agent:
            connection = await held(proxy, upstream, agent)
            leave(agent)  # type: ignore[operator]
            await within(connection.ended.wait())
        await nothing_failed(proxy)
        assert (await proxy.call(request("/next"))).status == 200


async def test_hanging_up_in_a_stream_cancels_it(upstream: RawUpstream) -> None:
    """The same after the head has been passed on."""

    async def streams(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, "Content-Type: text/event-stream", body=None)[:-2])
        connection.send(b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: 1\n\n\r\n")
        await connection.ended.wait()

    async with holdfast(upstream, policies=POLICIES) as proxy:
        upstream.then(streams)
        async with await proxy.connect() as agent:
            connection = await held(proxy, upstream, agent)
            await agent.until(b"data: 1\n\n")
            agent.close()
            await within(connection.ended.wait())
        await nothing_failed(proxy)


async def test_hanging_up_in_an_upload_cancels_it(upstream: RawUpstream) -> None:
    """A reset within the body: the upstream must not take the part for the whole."""
    async with holdfast(upstream) as proxy, await proxy.connect() as agent:
        before = len(upstream.connections)
        agent.send(request("/", "Content-Length: 100000", method="POST") + b"x" * 1000)
        await upstream.began()
        agent.reset()
        await within(upstream.connections[before].ended.wait())
        assert upstream.requests == []


async def test_hanging_up_between_retries_ends_them(upstream: RawUpstream) -> None:
    """A call that waits out its backoff is not sent again for an agent that has left."""
    policies = """
policies:
  - {name: r, effect: read, retry: {attempts: 5, backoff: {base: 20s, max: 20s, jitter: none}},
     timeout: {total: 200s}}
"""
    policies = policies.replace(", jitter: none", "")
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(answer(503, body=b"busy"))
        async with await proxy.connect() as agent:
            agent.send(request("/"))
            await upstream.seen()
            await proxy.metrics()
            agent.reset()
        metrics = await proxy.until_metric("holdfast_calls_total", 1, outcome="cancelled")
        assert metrics.sum("holdfast_inflight") == 0
        assert len(upstream.requests) == 1


async def test_hanging_up_drops_what_was_pipelined(upstream: RawUpstream) -> None:
    """Requests that had not begun are not carried out for an agent that was reset."""
    async with holdfast(upstream) as proxy:
        upstream.then(never)
        async with await proxy.connect() as agent:
            agent.send(request("/1") + request("/2") + request("/3"))
            await upstream.seen()
            agent.reset()
        await proxy.call(request("/sentinel"))
        assert [one.target for one in upstream.requests] == [b"/1", b"/sentinel"]


async def test_hanging_up_behind_more_than_is_read_ahead_is_seen(upstream: RawUpstream) -> None:
    """Nobody reads up to its FIN, which is seen all the same."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        upstream.then(never)
        async with await proxy.connect() as agent:
            connection = await held(proxy, upstream, agent)
            agent.send(request("/dropped", "X-A: " + "a" * 1000) * 200)
            agent.close()
            await within(connection.ended.wait())
        await nothing_failed(proxy)
        assert (await proxy.call(request("/next"))).status == 200


async def test_many_agents_hang_up_at_once(upstream: RawUpstream) -> None:
    """A hundred: every upstream connection ends, nothing is left in flight."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        before = len(upstream.connections)
        upstream.then()
        upstream.otherwise = never
        async with contextlib.AsyncExitStack() as agents_end:
            for _ in range(100):
                agent = await agents_end.enter_async_context(await proxy.connect())
                agent.send(request())
            await upstream.seen(100)
        for connection in upstream.connections[before:]:
            await within(connection.ended.wait())
        await nothing_failed(proxy, cancelled=100)


# writes finish


async def test_a_write_that_was_sent_is_finished(upstream: RawUpstream) -> None:
    """Unary tool calls that may change something go on alone, so that their outcome is known."""
    go = asyncio.Event()
    async with holdfast(upstream, "tools", POLICIES) as proxy:
        upstream.then(after(go))
        async with await proxy.connect() as agent:
            agent.send(WRITE)
            await upstream.seen()
            agent.reset()
        await proxy.call(request("/the-reset-has-been-read-by-now"))
        assert upstream.requests[0].body == ENVELOPE
        connection = upstream.carrier(upstream.requests[0])
        assert not connection.ended.is_set()
        go.set()
        await proxy.until_metric("holdfast_attempts_total", 2, result="success")


async def test_a_write_may_be_told_to_be_cancelled(upstream: RawUpstream) -> None:
    """`on_disconnect: cancel`."""
    policies = "policies: [{name: c, timeout: {on_disconnect: cancel}}]"
    async with holdfast(upstream, "tools", policies) as proxy:
        upstream.then(never)
        async with await proxy.connect() as agent:
            agent.send(WRITE)
            asked = await upstream.seen()
            agent.reset()
            connection = upstream.carrier(asked)
            await within(connection.ended.wait())
        await nothing_failed(proxy)


async def test_a_read_may_be_told_to_finish(upstream: RawUpstream) -> None:
    """`on_disconnect: finish`."""
    policies = "policies: [{name: f, timeout: {on_disconnect: finish}}]"
    go = asyncio.Event()
    async with holdfast(upstream, policies=policies) as proxy:
        upstream.then(after(go, OK))
        async with await proxy.connect() as agent:
            agent.send(request())
            await upstream.seen()
            agent.reset()
        await proxy.metrics()
        go.set()
        await proxy.until_metric("holdfast_attempts_total", 1, result="success")


async def test_a_finished_writes_connection_is_used_again(upstream: RawUpstream) -> None:
    """An answer that was read to its end for nobody leaves a good connection."""
    go = asyncio.Event()
    async with holdfast(upstream, "tools") as proxy:
        before = len(upstream.connections)
        upstream.then(after(go))
        async with await proxy.connect() as agent:
            agent.send(WRITE)
            await upstream.seen()
            agent.reset()
        await proxy.metrics()
        go.set()
        await proxy.until_metric("holdfast_attempts_total", 1, result="success")
        assert (await proxy.call(request("/next"))).status == 200
        assert len(upstream.connections) == before + 1
