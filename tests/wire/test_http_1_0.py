"""Agents that speak HTTP/1.0 (spec 2.1, RFC 9112 C.2)."""

import pytest

from tests.harness import OK, Proxy, RawUpstream, answer, chunked, raw_call, request

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_http_1_0_agent_is_closed_on(proxy: Proxy, upstream: RawUpstream) -> None:
    """Without a word about keep-alive an HTTP/1.0 connection carries one exchange."""
    got = await raw_call(proxy.listen, request("/", version="1.0"))
    assert got.endswith(b"\r\n\r\nok")
    assert (await upstream.seen()).start == b"GET / HTTP/1.1"


async def test_an_http_1_0_agent_needs_no_host(proxy: Proxy, upstream: RawUpstream) -> None:
    """Host came with HTTP/1.1; the upstream gets one all the same."""
    got = await raw_call(proxy.listen, request("/", version="1.0", host=None))
    assert b" 200 " in got.split(b"\r\n")[0]
    assert (await upstream.seen()).value("host") == upstream.address.encode()


async def test_an_http_1_0_agent_that_asks_for_keep_alive_knows_what_it_gets(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Either the answer grants `keep-alive` and the connection stays, or it ends after it."""
    async with await proxy.connect() as agent:
        first = await agent.call(request("/1", "Connection: keep-alive", version="1.0"))
        assert first.body == b"ok"
        granted = b"keep-alive" in b",".join(first.values("connection")).lower()
        if granted:
            assert (await agent.call(request("/2", version="1.0"))).body == b"ok"
        assert await agent.rest() == b""


async def test_an_http_1_0_agent_gets_no_chunks(proxy: Proxy, upstream: RawUpstream) -> None:
    """A chunked answer is told to HTTP/1.0 by the end of the connection (RFC 9112 6.1)."""
    upstream.then(answer(200, "Transfer-Encoding: chunked", body=chunked(b"one ", b"two")))
    async with await proxy.connect() as agent:
        agent.send(request("/", "Connection: keep-alive", version="1.0"))
        got = await agent.rest()
    head, body = got.split(b"\r\n\r\n", 1)
    assert b"transfer-encoding" not in head.lower()
    assert body == b"one two"
    assert not agent.was_reset


async def test_an_http_1_0_agent_gets_no_interim_answers(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """1xx came with HTTP/1.1 (RFC 9110 15.2)."""
    upstream.then(answer(103, "Link: </a>", body=None) + OK)
    got = await raw_call(proxy.listen, request("/", version="1.0"))
    assert b" 200 " in got.split(b"\r\n")[0]
    assert b"103" not in got


async def test_an_http_1_0_agent_cannot_expect_continue(
    tools: Proxy, upstream: RawUpstream
) -> None:
    """Its expectation is ignored, so that it never reads a 100 (RFC 9110 10.1.1)."""
    body = b'{"tool":"t","input":{}}'
    raw = request("/", "Expect: 100-continue", method="POST", body=body, version="1.0")
    got = await raw_call(tools.listen, raw)
    assert b" 200 " in got.split(b"\r\n")[0]
    assert b" 100 " not in got
