"""Requests that are not valid HTTP (spec 2.2): refused, closed, counted, never passed on."""

import pytest

from tests.harness import Proxy, RawUpstream, holdfast, raw_call, request
from tests.harness.wire import Ended
from tests.wire.malformed import (
    CHUNKED,
    CL,
    FRAMING,
    HOSTS,
    LIMITS,
    LINE_ENDS,
    NAMES,
    START_LINES,
    cases,
    coded,
    post,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def refused(proxy: Proxy, upstream: RawUpstream, raw: bytes, status: set[int]) -> None:
    """One answer with one of these statuses, then the end; counted; nothing went upstream."""
    before = (await proxy.metrics()).sum("holdfast_bad_requests_total")
    async with await proxy.connect() as agent:
        agent.send(raw)
        got = await agent.answer()
        assert got.status in status, got.start
        assert got.value("connection") == b"close"
        assert got.value("holdfast-origin") == b"holdfast"
        assert await agent.rest() == b""
    assert (await proxy.metrics()).sum("holdfast_bad_requests_total") == before + 1
    await proxy.call(request("/sentinel"))
    assert [one.target for one in upstream.requests] == [b"/sentinel"]


@cases(FRAMING, LINE_ENDS, NAMES, HOSTS)
async def test_a_malformed_head_is_refused(proxy: Proxy, upstream: RawUpstream, raw: bytes) -> None:
    """400, closed, counted, and nothing went upstream."""
    await refused(proxy, upstream, raw, {400})
    assert len(upstream.heads) == 1


@cases(START_LINES)
async def test_a_malformed_start_line_is_refused(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """The same for what is hardly HTTP."""
    await refused(proxy, upstream, raw, {400})
    assert len(upstream.heads) == 1


@pytest.mark.parametrize("version", ["2.0", "3.0", "9.9"])
async def test_other_versions_are_refused(
    proxy: Proxy, upstream: RawUpstream, version: str
) -> None:
    """A major version that is not 1 is no HTTP/1: 400 or 505 (RFC 9110 15.6.6)."""
    await refused(proxy, upstream, request(version=version), {400, 505})


async def test_the_preface_of_http_2_is_refused(proxy: Proxy, upstream: RawUpstream) -> None:
    """Prior-knowledge HTTP/2 gets an HTTP/1.1 error."""
    got = await raw_call(proxy.listen, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00" * 9)
    assert got[:13] in (b"HTTP/1.1 400 ", b"HTTP/1.1 501 ", b"HTTP/1.1 505 ")
    assert upstream.heads == []


@cases(LIMITS)
async def test_a_head_over_the_limits_is_refused(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """431, also before its end has come."""
    await refused(proxy, upstream, raw, {431})


async def test_limits_are_settings(upstream: RawUpstream) -> None:
    """`limits.headers` and `limits.header_bytes` count what they say, to the last one."""
    async with holdfast(upstream, limits={"headers": 4, "header_bytes": "1KiB"}) as proxy:
        assert (await proxy.call(request("/", "A: 1", "B: 2", "C: 3"))).status == 200
        assert (await proxy.call(request("/", "A: 1", "B: 2", "C: 3", "D: 4"))).status == 431
        assert (await proxy.call(request("/", "A: " + "a" * 900))).status == 200
        assert (await proxy.call(request("/", "A: " + "a" * 1100))).status == 431


@cases(CHUNKED)
async def test_a_malformed_chunk_is_refused(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """No body with junk in its framing becomes a whole request upstream; nothing is read on."""
    before = (await proxy.metrics()).sum("holdfast_bad_requests_total")
    async with await proxy.connect() as agent:
        agent.send(coded(raw) + request("/smuggled"))
        got = await agent.answer()
        assert got.status in (400, 413, 431), got.start
        assert await agent.rest() == b""
    assert (await proxy.metrics()).sum("holdfast_bad_requests_total") == before + 1
    await proxy.call(request("/sentinel"))
    assert [one.target for one in upstream.requests] == [b"/sentinel"]


@cases(CHUNKED)
async def test_a_malformed_chunk_is_refused_before_it_is_sent(
    tools: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """Where the body is read first, not even a head goes upstream."""
    async with await tools.connect() as agent:
        agent.send(coded(raw))
        assert (await agent.answer()).status in (400, 413, 431)
        assert await agent.rest() == b""
    await tools.call(request("/sentinel"))
    assert [one.target for one in upstream.heads] == [b"/sentinel"]


@cases(FRAMING)
async def test_nothing_behind_a_malformed_head_is_read(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """A second request hidden behind a doubtful length is never found."""
    got = await raw_call(proxy.listen, raw + request("/smuggled"))
    assert got.count(b"HTTP/1.1 ") == 1
    await proxy.call(request("/sentinel"))
    assert [one.target for one in upstream.requests] == [b"/sentinel"]


async def test_good_requests_before_a_bad_one_are_answered(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """A pipeline ends at its first malformed head, not before."""
    async with await proxy.connect() as agent:
        agent.send(request("/1") + request("/2") + FRAMING["length and coding"])
        assert [(await agent.answer()).status for _ in range(3)] == [200, 200, 400]
        assert await agent.rest() == b""


async def test_a_refusal_is_a_problem_object(proxy: Proxy, upstream: RawUpstream) -> None:
    """Malformed input gets the error shape of 2.5."""
    got = await proxy.call(FRAMING["length and coding"])
    assert got.value("content-type") == b"application/problem+json"
    assert got.value("x-should-retry") == b"false"
    assert b'"bad_request"' in got.body


async def test_a_head_that_takes_too_long_is_refused(upstream: RawUpstream) -> None:
    """408 after `limits.header_timeout`, closed and counted."""
    async with (
        holdfast(upstream, limits={"header_timeout": "200ms"}) as hurried,
        await hurried.connect() as agent,
    ):
        agent.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
        assert (await agent.answer()).status == 408
        assert await agent.rest() == b""
        assert (await hurried.metrics()).sum("holdfast_bad_requests_total") == 1
    assert upstream.heads == []


async def test_dripping_bytes_buy_no_time(upstream: RawUpstream) -> None:
    """The limit is on the whole head: one byte after each of another agent's calls is too slow."""
    async with (
        holdfast(upstream, limits={"header_timeout": "200ms"}) as hurried,
        await hurried.connect() as dripping,
        await hurried.connect() as other,
    ):
        dripping.send(b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ")
        for _ in range(20_000):
            if dripping.ended.is_set():
                break
            dripping.send(b"a")
            await other.call(request())
        assert (await dripping.rest()).startswith(b"HTTP/1.1 408 ")


async def test_the_second_head_of_a_connection_is_timed_too(upstream: RawUpstream) -> None:
    """A kept connection may be idle, but not in the middle of a head."""
    async with (
        holdfast(upstream, limits={"header_timeout": "200ms"}) as hurried,
        await hurried.connect() as agent,
    ):
        await agent.call(request())
        agent.send(b"GET / HT")
        assert (await agent.answer()).status == 408
        assert await agent.rest() == b""


async def test_a_connection_that_says_nothing_ends(upstream: RawUpstream) -> None:
    """An agent that connects and is silent does not hold its place for ever."""
    async with (
        holdfast(upstream, limits={"header_timeout": "200ms", "keepalive": "200ms"}) as hurried,
        await hurried.connect() as agent,
    ):
        got = await agent.rest()
        assert got == b"" or got.startswith(b"HTTP/1.1 408 ")


async def test_a_refusal_is_heard_while_the_agent_still_sends(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """The answer is not lost to a reset because of bytes that nobody reads."""
    async with await proxy.connect() as agent:
        agent.send(post(CL + b"5000000\r\n", CL + b"5000000\r\n", body=b"x" * 300_000))
        try:
            got = await agent.answer()
        except Ended as early:
            pytest.fail(f"the refusal was lost: {early}")
        assert got.status == 400
