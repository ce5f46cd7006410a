"""Connections to an upstream: used again when it is safe, never otherwise (spec 2.1)."""

import asyncio
import json
import socket

import pytest

from tests.harness import (
    OK,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    chunked,
    holdfast,
    request,
    within,
)
from tests.harness.messages import Message
from tests.harness.upstream import Step, after, hang_up, never, slam, then_close

READ = "policies: [{name: reads, effect: read}]"
"""Reads take any idle connection; a write would ask for a fresh one."""


async def shared(upstream: RawUpstream, proxy: Proxy, *steps: Step) -> int:
    """How many connections two calls in a row make, the first answered by these steps."""
    upstream.then(*steps)
    await proxy.call(request("/1"))
    await proxy.call(request("/2"))
    return len(upstream.connections)


async def test_calls_share_a_connection() -> None:
    """Whoever the agent's connections belong to, one after another they need one upstream."""
    async with RawUpstream() as upstream, holdfast(upstream) as proxy:
        for number in range(20):
            await proxy.call(request(f"/{number}"))
        assert len(upstream.connections) == 1


async def test_calls_at_once_have_connections_of_their_own() -> None:
    """No call waits behind another's answer."""
    go = asyncio.Event()
    async with RawUpstream(*[after(go)] * 5) as upstream, holdfast(upstream) as proxy:
        calls = [asyncio.create_task(proxy.call(request())) for _ in range(5)]
        await upstream.seen(5)
        assert len(upstream.connections) == 5
        go.set()
        await within(asyncio.gather(*calls))
        for _ in range(10):
            await proxy.call(request())
        assert len(upstream.connections) == 5


REUSED = {
    "length": answer(200, body=b"abc"),
    "chunked": answer(200, "Transfer-Encoding: chunked", body=chunked(b"abc")),
    "trailers": answer(
        200, "Transfer-Encoding: chunked", body=chunked(b"abc", trailers=(b"X: 1",))
    ),
    "no body": answer(204, body=None),
    "not modified": answer(304, "Content-Length: 9", body=None),
    "interim": answer(103, body=None) + OK,
    "an error": answer(500, body=b"no"),
}


@pytest.mark.parametrize("raw", REUSED.values(), ids=REUSED.keys())
async def test_a_connection_is_used_again_after(raw: bytes) -> None:
    """Every answer whose end is certain leaves a connection that is good."""
    async with RawUpstream() as upstream, holdfast(upstream) as proxy:
        assert await shared(upstream, proxy, raw) == 1


async def test_a_connection_is_used_again_after_head() -> None:
    """HEAD has no body to wait for."""
    head = answer(200, "Content-Length: 5000", body=None)
    async with RawUpstream(head) as upstream, holdfast(upstream) as proxy:
        await proxy.call(request("/1", method="HEAD"), "HEAD")
        await proxy.call(request("/2"))
        assert len(upstream.connections) == 1


DROPPED: dict[str, Step] = {
    "close announced": answer(200, "Connection: close", body=b"abc"),
    "close among others": answer(200, "Connection: x, Close", body=b"abc"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "ended by its close": then_close(b"HTTP/1.1 200 OK\r\n\r\nabc"),
    "bytes behind it": OK + b"x",
    "bad framing": answer(200, "Content-Length: 3", "Content-Length: 3", body=b"abc"),
    "no answer": hang_up,
    "a reset": slam,
}


@pytest.mark.parametrize("step", DROPPED.values(), ids=DROPPED.keys())
async def test_a_connection_is_not_used_again_after(step: Step) -> None:
    """Whatever leaves doubt, or was to be the last, is never given another call."""
    async with RawUpstream() as upstream, holdfast(upstream) as proxy:
        assert await shared(upstream, proxy, step) == 2
        await upstream.closed(1)


async def test_a_cancelled_calls_connection_is_closed() -> None:
    """An answer that nobody waits for any more must not become the next one's."""
    async with RawUpstream(never) as upstream, holdfast(upstream) as proxy:
        async with await proxy.connect() as agent:
            agent.send(request())
            await upstream.seen()
            agent.reset()
            await upstream.closed(1)
        assert (await proxy.call(request())).body == b"ok"
        assert len(upstream.connections) == 2


async def test_an_early_answers_connection_is_closed() -> None:
    """An upstream that answered before the body's end may still expect the rest of it."""
    async with RawUpstream() as upstream, holdfast(upstream) as proxy:
        upstream.on_head = answer(413, body=b"big")
        async with await proxy.connect() as agent:
            agent.send(request("/", "Content-Length: 1000000", method="POST") + b"x" * 1000)
            assert (await agent.answer()).status == 413
        await upstream.closed(1)
        upstream.then()
        assert (await proxy.call(request())).body == b"ok"


# a connection that goes stale


async def leaves_next(upstream: RawUpstream, proxy: Proxy) -> None:
    """Make a kept-alive connection whose upstream closes as soon as the next request comes."""
    await proxy.call(request("/first"))
    upstream.then(hang_up)


async def test_a_stale_connection_is_not_resent_in_silence() -> None:
    """The upstream closed just as we wrote: the agent is told, and it was sent exactly once."""
    async with RawUpstream() as upstream, holdfast(upstream) as proxy:
        await leaves_next(upstream, proxy)
        got = await proxy.call(request("/second", method="POST", body=b"x"))
        assert got.status == 502
        problem = json.loads(got.body)
        assert (problem["code"], problem["executed"]) == ("upstream_disconnected", "unknown")
        assert [one.target for one in upstream.requests] == [b"/second"]
        assert got.value("holdfast-attempts") == b"1"


async def test_a_stale_connection_is_retried_where_policy_says_so() -> None:
    """With a retry section a read is sent again, and both attempts are counted."""
    policies = "policies: [{name: r, effect: read, retry: {attempts: 2, backoff: {base: 1ms}}}]"
    async with RawUpstream() as upstream, holdfast(upstream, policies=policies) as proxy:
        await leaves_next(upstream, proxy)
        got = await proxy.call(request("/second"))
        assert got.status == 200
        assert got.value("holdfast-attempts") == b"2"
        assert [one.target for one in upstream.requests] == [b"/second", b"/second"]


async def test_a_connection_closed_while_idle_is_not_used() -> None:
    """An end that was read before the next call costs that call nothing."""
    async with RawUpstream() as upstream, holdfast(upstream) as proxy:
        await proxy.call(request("/1"))
        upstream.connections[0].close()
        await within(upstream.connections[0].lost.wait())
        assert (await proxy.call(request("/2"))).status == 200
        assert len(upstream.connections) == 2


async def test_idle_connections_are_closed() -> None:
    """`pool.idle` ends a connection that nobody used for so long."""
    mount = {"pool": {"idle": "200ms"}}
    async with RawUpstream() as upstream, holdfast(upstream, mount=mount) as proxy:
        await proxy.call(request())
        await upstream.closed(1)
        assert (await proxy.call(request())).status == 200


async def test_a_write_does_not_trust_an_idle_connection() -> None:
    """Over a second idle, it may be stale: a write goes out on a fresh one, a read may use it."""
    rules = "policies: [{name: w, match: {method: POST}, effect: write}]"
    async with RawUpstream() as upstream, holdfast(upstream, policies=rules) as proxy:
        await proxy.call(request("/1"))
        for raw, connections in (
            (request("/2"), 1),
            (request("/3", method="POST", body=b"x"), 2),
        ):
            (mounted,) = proxy.app._outbound.at_work.values()
            (idle,) = mounted.sender.pool._idle
            idle.idle_since -= 2.0  # as if two seconds passed
            assert (await proxy.call(raw)).status == 200
            assert len(upstream.connections) == connections


# limits


async def test_the_pool_has_a_limit() -> None:
    """`pool.max` connections at most; further calls wait their turn and are all answered."""
    open_at_once: list[int] = []

    async with RawUpstream() as upstream, holdfast(upstream, mount={"pool": {"max": 2}}) as proxy:

        async def notes(connection: UpstreamConnection, asked: Message) -> None:
            open_at_once.append(len(upstream.live))
            connection.send(OK)

        upstream.otherwise = notes
        calls = [proxy.call(request(f"/{number}")) for number in range(20)]
        got = await within(asyncio.gather(*calls))
        assert [one.status for one in got] == [200] * 20
        assert max(open_at_once) <= 2
        assert len(upstream.connections) <= 2


async def test_a_call_that_waits_for_the_pool_gets_a_place_when_one_breaks() -> None:
    """A connection that failed makes room just as one that was given back."""
    go = asyncio.Event()
    mount = {"pool": {"max": 1}}
    async with RawUpstream(after(go, slam)) as upstream, holdfast(upstream, mount=mount) as proxy:
        first = asyncio.create_task(proxy.call(request("/1")))
        await upstream.seen(1)
        second = asyncio.create_task(proxy.call(request("/2")))
        go.set()
        assert (await within(first)).status == 502
        assert (await within(second)).status == 200


async def test_a_call_that_waits_for_the_pool_may_leave() -> None:
    """An agent that hangs up while it waits takes no place, and sends nothing."""
    go = asyncio.Event()
    mount = {"pool": {"max": 1}}
    async with RawUpstream(after(go)) as upstream, holdfast(upstream, mount=mount) as proxy:
        first = asyncio.create_task(proxy.call(request("/1")))
        await upstream.seen(1)
        async with await proxy.connect() as waiting:
            waiting.send(request("/2"))
            await proxy.metrics()
            waiting.reset()
        await proxy.metrics()
        go.set()
        assert (await within(first)).status == 200
        assert (await proxy.call(request("/3"))).status == 200
        assert [one.target for one in upstream.requests] == [b"/1", b"/3"]


# reaching an upstream


def closed_port() -> int:
    """A port that refuses connections."""
    with socket.socket() as plug:
        plug.bind(("127.0.0.1", 0))
        return int(plug.getsockname()[1])


async def test_an_upstream_that_refuses_is_unreachable() -> None:
    """502 `upstream_unreachable`, `executed: no`: proven that nothing ran."""
    async with holdfast(f"http://127.0.0.1:{closed_port()}") as proxy:
        got = await proxy.call(request("/", method="POST", body=b"x"))
        problem = json.loads(got.body)
        assert (got.status, problem["code"]) == (502, "upstream_unreachable")
        assert (problem["executed"], problem["retryable"]) == ("no", True)
        assert got.value("x-should-retry") == b"true"
        assert got.values("proxy-status")[0].startswith(b"holdfast; error=")


async def test_a_name_with_several_addresses_is_tried_in_turn() -> None:
    """`localhost` may be ::1 first, where nobody listens: the call goes to 127.0.0.1."""
    async with RawUpstream() as upstream, holdfast(f"http://localhost:{upstream.port}") as proxy:
        got = await proxy.call(request())
        assert got.status == 200
        assert upstream.requests[0].value("host") == b"localhost:%d" % upstream.port


async def test_a_connect_that_hangs_ends_in_time() -> None:
    """`timeout.connect`: an upstream that never accepts is unreachable, not waited for."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        policies = "policies: [{name: t, timeout: {total: 4s, attempt: 3s, connect: 200ms}}]"
        async with holdfast(f"http://127.0.0.1:{port}", policies=policies) as proxy:
            got = await proxy.call(request())
            assert got.status == 502
            assert json.loads(got.body)["code"] == "upstream_unreachable"
        for filler in fillers:
            filler.close()
