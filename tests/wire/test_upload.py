"""`Upgrade` (RFC 9110 7.8): after 101 the bytes are the two ends' own."""

import asyncio
import contextlib
import os
import stat

import pytest

from tests.harness import Proxy, RawUpstream, UpstreamConnection, answer, holdfast, request, within
from tests.harness.agent import Connection
from tests.harness.messages import Message
from tests.harness.upstream import then_close

pytestmark = pytest.mark.asyncio(loop_scope="module")

ASK = request("/ws", "Connection: keep-alive, Upgrade", "Upgrade: chat/1", "X-Key: k")
GRANTED = answer(101, "Connection: Upgrade", "Upgrade: chat/1", "X-Accept: a", body=None)


async def tunnel(proxy: Proxy, upstream: RawUpstream) -> tuple[Connection, UpstreamConnection]:
    """Both ends of a tunnel that is open."""
    held: asyncio.Future[UpstreamConnection] = asyncio.get_running_loop().create_future()

    async def grants(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(GRANTED)
        held.set_result(connection)
        await connection.lost.wait()

    upstream.then(grants)
    agent = await proxy.connect()
    agent.send(ASK)
    assert (await agent.answer()).status == 101
    return agent, await within(held)


async def test_the_offer_and_the_grant_go_through(proxy: Proxy, upstream: RawUpstream) -> None:
    """`Upgrade` and its `Connection` reach the other side in both directions, with the rest."""
    upstream.then(then_close(GRANTED))
    async with await proxy.connect() as agent:
        got = await agent.call(ASK)
    seen = await upstream.seen()
    assert seen.value("upgrade") == b"chat/1"
    assert b"upgrade" in seen.values("connection")[0].lower()
    assert seen.value("x-key") == b"k"
    assert got.status == 101
    assert got.value("upgrade") == b"chat/1"
    assert b"upgrade" in got.values("connection")[0].lower()
    assert got.value("x-accept") == b"a"


async def test_bytes_flow_both_ways(proxy: Proxy, upstream: RawUpstream) -> None:
    """Whatever one end says the other hears, unchanged: also what looks like HTTP."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        said = b"GET / HTTP/1.1\r\n\r\n\x00\xff\n\n"
        agent.send(said)
        assert await far.exactly(len(said)) == said
        heard = b"HTTP/1.1 500 No\r\n\r\n" + bytes(range(256))
        far.send(heard)
        assert await agent.exactly(len(heard)) == heard


async def test_many_turns_in_a_tunnel(proxy: Proxy, upstream: RawUpstream) -> None:
    """A conversation of a thousand small turns."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        for turn in range(1000):
            said = b"%d;" % turn
            agent.send(said)
            assert await far.exactly(len(said)) == said
            far.send(said)
            assert await agent.exactly(len(said)) == said


async def test_a_large_transfer_through_a_tunnel(proxy: Proxy, upstream: RawUpstream) -> None:
    """Megabytes both ways at once; neither blocks the other."""
    agent, far = await tunnel(proxy, upstream)
    block = bytes(range(256)) * 16384
    async with agent:
        agent.send(block)
        far.send(block[::-1])
        assert await far.exactly(len(block)) == block
        assert await agent.exactly(len(block)) == block[::-1]


async def test_bytes_of_the_upstream_behind_its_101(proxy: Proxy, upstream: RawUpstream) -> None:
    """What stands in the same segment as the 101 is the tunnel's first bytes."""
    upstream.then(then_close(GRANTED + b"hello"))
    async with await proxy.connect() as agent:
        agent.send(ASK)
        assert (await agent.answer()).status == 101
        assert await agent.rest() == b"hello"


async def test_bytes_of_the_agent_behind_its_offer(proxy: Proxy, upstream: RawUpstream) -> None:
    """What the agent sends before the 101 waits for it, and is the tunnel's if it comes."""

    async def grants(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(GRANTED)
        connection.send(b"got " + await connection.exactly(5))
        connection.close()

    upstream.then(grants)
    async with await proxy.connect() as agent:
        agent.send(ASK + b"early")
        assert (await agent.answer()).status == 101
        assert await agent.rest() == b"got early"


async def test_an_agent_that_closes_ends_the_tunnel(proxy: Proxy, upstream: RawUpstream) -> None:
    """The upstream sees the end after the last bytes."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        agent.send(b"last words")
        agent.close()
        assert await far.rest() == b"last words"
        far.close()


async def test_an_upstream_that_closes_ends_the_tunnel(proxy: Proxy, upstream: RawUpstream) -> None:
    """So does the agent."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        far.send(b"last words")
        far.close()
        assert await agent.rest() == b"last words"


async def test_a_reset_agent_ends_the_tunnel(proxy: Proxy, upstream: RawUpstream) -> None:
    """A lost agent does not leave its upstream connection behind."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        agent.reset()
        await within(far.ended.wait())


async def test_a_reset_upstream_ends_the_tunnel(proxy: Proxy, upstream: RawUpstream) -> None:
    """Nor the other way round."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        far.reset()
        await within(agent.ended.wait())


async def test_one_direction_may_end_before_the_other(proxy: Proxy, upstream: RawUpstream) -> None:
    """An agent that has nothing more to say still hears the upstream out."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        agent.send(b"question")
        agent.half_close()
        assert await far.rest() == b"question"
        far.send(b"answer")
        far.close()
        assert await agent.rest() == b"answer"


async def test_a_refused_upgrade_is_an_ordinary_answer(proxy: Proxy, upstream: RawUpstream) -> None:
    """An upstream that answers otherwise is answered with that; the connection goes on."""
    upstream.then(answer(426, "Upgrade: chat/2", body=b"other"))
    async with await proxy.connect() as agent:
        got = await agent.call(ASK)
        assert (got.status, got.body) == (426, b"other")
        assert (await agent.call(request("/next"))).status == 200


async def test_an_ignored_upgrade_may_be_followed_by_requests(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """An upstream that answers 200 has declined; what the agent sends next is HTTP."""
    async with await proxy.connect() as agent:
        agent.send(ASK + request("/next"))
        assert [(await agent.answer()).status for _ in range(2)] == [200, 200]
    assert [one.target for one in upstream.requests] == [b"/ws", b"/next"]


async def test_upgrade_needs_connection(proxy: Proxy, upstream: RawUpstream) -> None:
    """`Upgrade` that `Connection` does not name is not an offer, and stays at this hop."""
    await proxy.call(request("/", "Upgrade: chat/1"))
    assert (await upstream.seen()).values("upgrade") == []


async def test_an_http_1_0_agent_cannot_upgrade(proxy: Proxy, upstream: RawUpstream) -> None:
    """A server ignores `Upgrade` in HTTP/1.0 (RFC 9110 7.8)."""
    await proxy.call(request("/", "Connection: Upgrade", "Upgrade: chat/1", version="1.0"))
    assert (await upstream.seen()).values("upgrade") == []


async def test_a_101_that_nobody_asked_for_is_no_tunnel(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """An upstream cannot switch protocols by itself: 502, and its connection is closed."""
    upstream.then(GRANTED + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    async with await proxy.connect() as agent:
        got = await agent.call(request())
        assert got.status == 502
        assert b"poison" not in got.body
        assert b'"bad_upstream_response"' in got.body
    await within(upstream.connections[-1].ended.wait())


async def test_a_tunnels_connection_is_never_pooled(upstream: RawUpstream) -> None:
    """The next call has a connection of its own."""
    async with holdfast(upstream) as proxy:
        before = len(upstream.connections)
        agent, far = await tunnel(proxy, upstream)
        async with agent:
            agent.close()
            await far.rest()
            far.close()
        await proxy.call(request())
        assert len(upstream.connections) == before + 2


def open_sockets() -> int:
    """Of this process. Files come and go: the journal's threads have some."""
    found = 0
    for name in os.listdir("/dev/fd"):
        with contextlib.suppress(OSError):  # the one that the list was read from
            found += stat.S_ISSOCK(os.fstat(int(name)).st_mode)
    return found


async def test_an_ended_tunnel_leaves_no_socket(upstream: RawUpstream) -> None:
    """However it ended: what was opened for it is closed, though the process lives on."""
    ends = [
        (Connection.close, UpstreamConnection.close),
        (Connection.half_close, UpstreamConnection.close),
        (Connection.reset, UpstreamConnection.close),
        (Connection.half_close, UpstreamConnection.reset),
    ]
    async with holdfast(upstream) as proxy:
        before = open_sockets()
        for leave, answer_it in ends * 3:
            agent, far = await tunnel(proxy, upstream)
            async with agent:
                leave(agent)
                await far.rest()
                answer_it(far)
                await agent.rest()
        await proxy.metrics()
        assert open_sockets() <= before + 1  # at most one is kept for the next call


async def test_a_tunnel_holds_back_a_fast_talker(proxy: Proxy, upstream: RawUpstream) -> None:
    """A tunnel whose reader does not read stops taking bytes well before they fill the memory."""
    agent, far = await tunnel(proxy, upstream)
    async with agent:
        agent.transport.pause_reading()
        block = b"x" * (1 << 20)
        for _ in range(64):
            far.send(block)
        for _ in range(50):
            await proxy.call(request("/meanwhile"))
        assert far.accepted < 32 << 20
        agent.keeps = False
        agent.transport.resume_reading()
        await agent.counted(64 << 20)
