"""Bodies on their way up, and agents that expect a 100 before they send one (spec 2.1)."""

import asyncio

import pytest

from tests.harness import (
    OK,
    Message,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    chunked,
    request,
    within,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_post_without_a_body_is_not_waited_for(proxy: Proxy, upstream: RawUpstream) -> None:
    """Without framing a request has no body (RFC 9112 6.3)."""
    assert (await proxy.call(request("/", method="POST"))).status == 200
    assert (await upstream.seen()).body == b""


async def test_a_length_of_zero_stays(proxy: Proxy, upstream: RawUpstream) -> None:
    """`Content-Length: 0` is said again upstream."""
    await proxy.call(request("/", "Content-Length: 0", method="POST"))
    assert (await upstream.seen()).value("content-length") == b"0"


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS", "QUERY", "PATCH", "SEARCH"])
async def test_any_method_may_have_a_body(proxy: Proxy, upstream: RawUpstream, method: str) -> None:
    """Methods and bodies are passed on as they are, whatever they mean."""
    await proxy.call(request("/", method=method, body=b"abc"))
    seen = await upstream.seen()
    assert (seen.method, seen.body) == (method.encode(), b"abc")


async def test_a_chunked_body_arrives_whole(proxy: Proxy, upstream: RawUpstream) -> None:
    """Chunks, their extensions and the size's spelling are framing; the body is not."""
    framed = b'5;a=b;c="d"\r\nhello\r\n0006\r\n world\r\n0\r\n\r\n'
    await proxy.call(request("/", "Transfer-Encoding: chunked", method="POST") + framed)
    assert (await upstream.seen()).body == b"hello world"


async def test_trailers_of_a_request_arrive(proxy: Proxy, upstream: RawUpstream) -> None:
    """Trailers go upstream behind the last chunk."""
    raw = request("/", "Transfer-Encoding: chunked", "Trailer: X-Sum", method="POST")
    await proxy.call(raw + chunked(b"abc", trailers=(b"X-Sum: 9", b"X-More: 1")))
    seen = await upstream.seen()
    assert seen.trailers == (b"X-Sum: 9", b"X-More: 1")


async def test_a_streamed_body_is_passed_on_as_it_comes(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """The upstream has read the first chunk before the agent sends the second."""
    parts: list[bytes] = []
    read = asyncio.Event()

    async def reads(connection: UpstreamConnection, head: Message) -> None:
        parts.append(await connection.until(b"first"))
        read.set()
        await connection.until(b"0\r\n\r\n")
        connection.send(OK)
        connection.close()

    upstream.on_head = reads
    async with await proxy.connect() as agent:
        agent.send(request("/", "Transfer-Encoding: chunked", method="POST") + b"5\r\nfirst\r\n")
        await within(read.wait())
        agent.send(b"6\r\nsecond\r\n0\r\n\r\n")
        assert (await agent.answer()).status == 200


async def test_a_streamed_body_of_known_length_is_passed_on_as_it_comes(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """The same for Content-Length, which the upstream is told before the body is complete."""
    async with await proxy.connect() as agent:
        agent.send(request("/", "Content-Length: 6", method="POST") + b"abc")
        head = await upstream.began()
        assert head.value("content-length") == b"6"
        await upstream.carrier(head).counted(len(head.raw) + 3)
        agent.send(b"def")


# Expect


async def test_a_streamed_expectation_is_the_upstreams(proxy: Proxy, upstream: RawUpstream) -> None:
    """Where the body is passed on, the upstream's own 100 is what the agent gets."""
    asked = asyncio.Event()

    async def says_continue(connection: UpstreamConnection, head: Message) -> None:
        assert head.value("expect") == b"100-continue"
        await within(asked.wait())
        connection.send(b"HTTP/1.1 100 Go On\r\n\r\n")

    upstream.on_head = says_continue
    async with await proxy.connect() as agent:
        agent.send(request("/", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        await upstream.began()
        assert agent.waiting == b""
        asked.set()
        interim = await agent.head()
        assert interim.start == b"HTTP/1.1 100 Go On"
        agent.send(b"abc")
        assert (await agent.answer()).status == 200
    assert upstream.requests[0].body == b"abc"


async def test_an_upstream_may_decline_an_expectation(proxy: Proxy, upstream: RawUpstream) -> None:
    """A final answer instead of 100 comes through before any body was sent."""
    upstream.on_head = answer(417, "Connection: close", body=b"no")
    async with await proxy.connect() as agent:
        agent.send(request("/", "Expect: 100-continue", "Content-Length: 3", method="POST"))
        got = await agent.answer()
        assert (got.status, got.body, got.interim) == (417, b"no", ())


async def test_a_buffered_expectation_is_ours(tools: Proxy, upstream: RawUpstream) -> None:
    """Where the body must be read first, the agent is told to go on, and only once."""
    body = b'{"tool":"t","input":{}}'
    length = f"Content-Length: {len(body)}"
    async with await tools.connect() as agent:
        agent.send(request("/", "Expect: 100-continue", length, method="POST"))
        assert (await agent.head()).status == 100
        agent.send(body)
        got = await agent.answer()
    assert (got.status, got.interim) == (200, ())
    assert (await upstream.seen()).body == body


async def test_a_body_sent_without_waiting_for_100_is_taken(
    tools: Proxy, upstream: RawUpstream
) -> None:
    """An agent that expects but does not wait is served as well; a 100 may be left out."""
    body = b'{"tool":"t","input":{}}'
    got = await tools.call(request("/", "Expect: 100-continue", method="POST", body=body))
    assert got.status == 200
    assert (await upstream.seen()).body == body
