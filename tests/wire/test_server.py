"""The agent's side (spec 2.1): connections kept, pipelines, versions, expectations, half-closes."""

import asyncio
from pathlib import Path

import pytest

from proxy.wire.server import remove_stale
from tests.harness import (
    Connection,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    chunked,
    holdfast,
    raw_call,
    request,
    within,
)
from tests.harness.messages import Message
from tests.harness.upstream import after

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def echo_target(connection: UpstreamConnection, asked: Message) -> None:
    """Answer with the target and the body, so that answers can be told apart."""
    connection.send(answer(200, body=asked.target + b"|" + asked.body))


# keep-alive


async def test_a_connection_is_kept_for_the_next_call(proxy: Proxy, upstream: RawUpstream) -> None:
    """HTTP/1.1 connections persist unless somebody says otherwise (RFC 9112 9.3)."""
    async with await proxy.connect() as agent:
        for number in range(3):
            assert (await agent.call(request(f"/{number}"))).status == 200
    assert [one.target for one in upstream.requests] == [b"/0", b"/1", b"/2"]


@pytest.mark.parametrize("word", ["close", "Close", "x, close", "close, x"])
async def test_an_agent_that_says_close_is_closed_on(
    proxy: Proxy, upstream: RawUpstream, word: str
) -> None:
    """`Connection: close` ends the connection after its answer, which says so too."""
    got = await raw_call(proxy.listen, request("/", f"Connection: {word}"))
    assert got.startswith(b"HTTP/1.1 200 ")
    assert got.endswith(b"\r\n\r\nok")
    assert b"\r\nconnection: close\r\n" in got.lower()


async def test_requests_after_close_are_not_carried_out(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Nothing that follows a request with `Connection: close` is a request (RFC 9112 9.6)."""
    await raw_call(proxy.listen, request("/1", "Connection: close") + request("/2"))
    assert [one.target for one in upstream.requests] == [b"/1"]


async def test_an_upstream_that_closes_does_not_close_the_agent(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """`Connection` is about one hop (RFC 9110 7.6.1)."""
    upstream.then(answer(200, "Connection: close", body=b"bye"))
    async with await proxy.connect() as agent:
        assert (await agent.call(request("/1"))).body == b"bye"
        assert (await agent.call(request("/2"))).body == b"ok"


async def test_an_idle_connection_ends_after_keepalive(upstream: RawUpstream) -> None:
    """A kept connection that asks nothing for `limits.keepalive` is closed without a word."""
    async with (
        holdfast(upstream, limits={"keepalive": "200ms"}) as short,
        await short.connect() as agent,
    ):
        await agent.call(request())
        assert await agent.rest() == b""
        assert not agent.was_reset


async def test_an_agent_may_listen_on_a_unix_socket(
    upstream: RawUpstream, tmp_path: object
) -> None:
    """`listen: unix:/path` serves the same."""
    path = f"unix:{tmp_path}/proxy.sock"
    async with (
        holdfast(upstream, listen=path) as proxy,
        await Connection.open(path) as agent,
    ):
        assert proxy.listen == path
        assert (await agent.call(request("/u"))).body == b"ok"
    assert upstream.requests[0].target == b"/u"


# pipelining


@pytest.mark.parametrize("count", [2, 60])
async def test_pipelined_requests_are_answered_in_order(
    proxy: Proxy, upstream: RawUpstream, count: int
) -> None:
    """Requests sent without waiting get their answers in the order of the requests."""
    upstream.otherwise = echo_target
    async with await proxy.connect() as agent:
        agent.send(b"".join(request(f"/{number}") for number in range(count)))
        bodies = [(await agent.answer()).body for _ in range(count)]
    assert bodies == [b"/%d|" % number for number in range(count)]


async def test_pipelined_requests_with_bodies_keep_their_own(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Bodies of every framing end where they end; the next request begins there."""
    upstream.otherwise = echo_target
    chunks = request("/2", "Transfer-Encoding: chunked", method="POST") + chunked(b"t", b"wo")
    last = request("/3", "Content-Length: 0", method="POST")
    async with await proxy.connect() as agent:
        agent.send(request("/1", method="POST", body=b"one") + chunks + last + request("/4"))
        bodies = [(await agent.answer()).body for _ in range(4)]
    assert bodies == [b"/1|one", b"/2|two", b"/3|", b"/4|"]


async def test_a_slow_answer_holds_back_the_later_ones(proxy: Proxy, upstream: RawUpstream) -> None:
    """The second of two pipelined requests is not answered before the first."""
    go = asyncio.Event()
    upstream.then(after(go, answer(200, body=b"first")), answer(200, body=b"second"))
    async with await proxy.connect() as agent:
        agent.send(request("/1") + request("/2"))
        await upstream.seen(1)
        assert agent.waiting == b""
        go.set()
        assert [(await agent.answer()).body for _ in range(2)] == [b"first", b"second"]


async def test_a_pipeline_goes_on_after_a_refusal(proxy: Proxy, upstream: RawUpstream) -> None:
    """A method that is refused (its head was valid) does not take its neighbours' answers."""
    async with await proxy.connect() as agent:
        agent.send(request("/1") + request("/2", method="BREW"))
        assert (await agent.answer()).status == 200
        assert (await agent.answer()).status == 501


async def test_a_head_may_come_in_any_pieces(proxy: Proxy, upstream: RawUpstream) -> None:
    """Wherever two writes cut two pipelined requests, they are the same two requests."""
    upstream.otherwise = echo_target
    raw = request("/1", "X-A: b", method="POST", body=b"body") + request("/2")
    async with await proxy.connect() as agent:
        for cut in range(1, len(raw)):
            agent.send(raw[:cut])
            # An exchange on another connection gives the first piece time to be read alone.
            if cut % 16 == 0:
                await proxy.call(request("/between"))
            else:
                await breathe()
            agent.send(raw[cut:])
            assert [(await agent.answer()).body for _ in range(2)] == [b"/1|body", b"/2|"]


async def test_a_head_may_come_byte_by_byte(proxy: Proxy, upstream: RawUpstream) -> None:
    """Single bytes, each in a segment of its own, make a request too."""
    async with await proxy.connect() as agent:
        for byte in request("/slowly", "X-A: b"):
            agent.send(bytes([byte]))
            await breathe()
        assert (await agent.answer()).status == 200
    assert upstream.requests[0].target == b"/slowly"


async def test_empty_lines_before_a_request_are_skipped(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Old clients send a CRLF after a body; it belongs to nobody (RFC 9112 2.2)."""
    async with await proxy.connect() as agent:
        agent.send(request("/1", method="POST", body=b"x") + b"\r\n" + request("/2"))
        assert [(await agent.answer()).status for _ in range(2)] == [200, 200]


# ends of connections


async def test_a_half_close_is_not_a_hang_up(proxy: Proxy, upstream: RawUpstream) -> None:
    """An agent that has said everything still hears its answer."""
    go = asyncio.Event()
    upstream.then(after(go, answer(200, body=b"heard")))
    async with await proxy.connect() as agent:
        agent.send(request())
        agent.half_close()
        await upstream.seen()
        await proxy.call(request("/the-fin-has-been-read-by-now"))
        go.set()
        assert (await agent.answer()).body == b"heard"
        assert await agent.rest() == b""


async def test_an_agent_that_leaves_within_a_head_leaves_nothing(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Half a head is no request: the connection ends, nothing goes upstream."""
    async with await proxy.connect() as agent:
        agent.send(request("/half")[:-3])
        agent.half_close()
        await agent.rest()
    await proxy.call(request("/whole"))
    assert [one.target for one in upstream.heads] == [b"/whole"]


@pytest.mark.parametrize("framing", ["Content-Length: 10", "Transfer-Encoding: chunked"])
async def test_a_request_cut_short_never_looks_whole(
    proxy: Proxy, upstream: RawUpstream, framing: str
) -> None:
    """The end of the connection within a body ends the upstream's too, before the body's end."""
    async with await proxy.connect() as agent:
        agent.send(request("/", framing, method="POST") + b"3\r\nabc\r\n")
        connection = upstream.carrier(await upstream.began())
        agent.half_close()
        await within(connection.ended.wait())
    assert upstream.requests == []


async def test_connections_over_the_limit_are_told_so(upstream: RawUpstream) -> None:
    """`limits.connections` in use: the next agent is refused 503, the others go on."""
    async with (
        holdfast(upstream, limits={"connections": 2}) as narrow,
        await narrow.connect() as first,
        await narrow.connect() as second,
    ):
        await first.call(request())
        await second.call(request())
        async with await narrow.connect() as third:
            third.send(request())
            got = await third.answer()
            assert got.status == 503
            assert b'"overloaded"' in got.body
            await third.rest()
        assert (await first.call(request())).status == 200


async def test_a_free_place_is_used_again(upstream: RawUpstream) -> None:
    """A connection that ended makes room for another."""
    async with holdfast(upstream, limits={"connections": 1}) as narrow:
        for _ in range(5):
            got = await raw_call(narrow.listen, request("/", "Connection: close"))
            assert got.startswith(b"HTTP/1.1 200 ")


async def test_an_early_answer_reaches_an_agent_that_still_sends(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """A 413 that comes while the body is being sent is delivered, not lost to a reset."""
    upstream.on_head = answer(413, "Connection: close", body=b"too big")
    async with await proxy.connect() as agent:
        agent.send(request("/", "Content-Length: 8000000", method="POST") + b"x" * 500_000)
        got = await agent.answer()
        assert (got.status, got.body) == (413, b"too big")
        agent.send(b"x" * 500_000)
        await agent.rest()


async def test_an_early_answer_is_not_the_end_of_the_upload(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """An upstream that answers early on a connection that stays may still read the rest."""
    upstream.on_head = answer(200, body=b"early")

    async def nothing(connection: UpstreamConnection, asked: Message) -> None:
        pass

    upstream.otherwise = nothing
    async with await proxy.connect() as agent:
        agent.send(request("/", "Content-Length: 6", method="POST") + b"abc")
        assert (await agent.answer()).body == b"early"


async def test_what_is_no_stale_socket_stays(tmp_path: Path) -> None:
    """A file under the name of the socket is somebody's, and so is a socket that answers."""
    precious = tmp_path / "important.txt"
    precious.write_text("mine")
    with pytest.raises(OSError, match="in use"):
        remove_stale(str(precious))
    assert precious.read_text() == "mine"
