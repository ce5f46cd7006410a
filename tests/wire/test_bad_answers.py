"""An upstream's answers are held to the rules of 2.2: 502, its connection closed, never pooled."""

import pytest

from tests.harness import OK, Ended, Proxy, RawUpstream, answer, request, within
from tests.harness.upstream import hang_up, slam, then_close, then_reset

pytestmark = pytest.mark.asyncio(loop_scope="module")


def head(*lines: bytes) -> bytes:
    """An answer's head with these raw lines, each with its own end."""
    return b"HTTP/1.1 200 OK\r\n" + b"".join(lines) + b"\r\n"


CL = b"Content-Length: "
TE = b"Transfer-Encoding: "
CHUNKS = b"3\r\nabc\r\n0\r\n\r\n"

HEADS = {
    "length and coding": head(CL + b"3\r\n", TE + b"chunked\r\n") + CHUNKS,
    "coding and length": head(TE + b"chunked\r\n", CL + b"3\r\n") + CHUNKS,
    "length twice, different": head(CL + b"3\r\n", CL + b"4\r\n") + b"abcd",
    "length twice, the same": head(CL + b"3\r\n", CL + b"3\r\n") + b"abc",
    "length as a list": head(CL + b"3, 3\r\n") + b"abc",
    "length with plus": head(CL + b"+3\r\n") + b"abc",
    "length with minus": head(CL + b"-3\r\n") + b"abc",
    "length with letter": head(CL + b"3a\r\n") + b"abc",
    "length empty": head(CL + b"\r\n"),
    "length over 64 bits": head(CL + b"18446744073709551619\r\n") + b"abc",
    "coding gzip": head(TE + b"gzip\r\n") + CHUNKS,
    "coding identity": head(TE + b"identity\r\n") + CHUNKS,
    "coding gzip, chunked": head(TE + b"gzip, chunked\r\n") + CHUNKS,
    "coding on two lines": head(TE + b"chunked\r\n", TE + b"chunked\r\n") + CHUNKS,
    "coding behind vertical tab": head(TE + b"\x0bchunked\r\n") + CHUNKS,
    "LF after the status line": b"HTTP/1.1 200 OK\nContent-Length: 3\r\n\r\nabc",
    "LF after a header": head(b"X-A: 1\n", CL + b"3\r\n") + b"abc",
    "LF only": b"HTTP/1.1 200 OK\nContent-Length: 3\n\nabc",
    "CR within a value": head(b"X-A: 1\r2\r\n", CL + b"3\r\n") + b"abc",
    "NUL in a value": head(b"X-A: 1\x002\r\n", CL + b"3\r\n") + b"abc",
    "obs-fold": head(b"X-A: 1\r\n 2\r\n", CL + b"3\r\n") + b"abc",
    "space before the colon": head(b"Content-Length : 3\r\n") + b"abc",
    "no colon": head(b"X-A\r\n", CL + b"3\r\n") + b"abc",
    "no name": head(b": 1\r\n", CL + b"3\r\n") + b"abc",
    "bad byte in a name": head(b"X(A: 1\r\n", CL + b"3\r\n") + b"abc",
    "status of two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status of letters": b"HTTP/1.1 abc OK\r\nContent-Length: 3\r\n\r\nabc",
    "no status": b"HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
    "another protocol": b"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "version 2": b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "garbage": b"\x15\x03\x03\x00\x02\x02\x46 and more\r\n\r\n",
    "plain words": b"hello, I am not HTTP\r\n\r\n",
    "a request": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "a long value": head(b"X-A: " + b"a" * (65 << 10) + b"\r\n", CL + b"3\r\n") + b"abc",
    "too many headers": head(*[b"X-%d: v\r\n" % n for n in range(129)], CL + b"3\r\n") + b"abc",
    "a head without an end": b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * (70 << 10),
    "a bad interim answer": b"HTTP/1.1 103 Early\r\nX : y\r\n\r\n" + OK,
}

CHUNKED = {
    "size with a letter": b"3\r\nabc\r\ng\r\nabc\r\n0\r\n\r\n",
    "size empty": b"3\r\nabc\r\n\r\nabc\r\n0\r\n\r\n",
    "size negative": b"3\r\nabc\r\n-3\r\nabc\r\n0\r\n\r\n",
    "size ends in LF": b"3\r\nabc\r\n3\nabc\r\n0\r\n\r\n",
    "size over 2^53": b"3\r\nabc\r\n20000000000001\r\nabc",
    "chunk longer than its size": b"3\r\nabc\r\n3\r\nabcd\r\n0\r\n\r\n",
    "LF in an extension": b"3\r\nabc\r\n3;a\nb\r\nabc\r\n0\r\n\r\n",
    "bad trailer": b"3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
    "trailers over the limits": b"3\r\nabc\r\n0\r\nX: " + b"a" * (65 << 10) + b"\r\n\r\n",
}

each_head = pytest.mark.parametrize("raw", HEADS.values(), ids=HEADS.keys())
each_body = pytest.mark.parametrize("raw", CHUNKED.values(), ids=CHUNKED.keys())


@each_head
async def test_a_malformed_head_is_a_bad_answer(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """502 `bad_upstream_response` to the agent, whose connection goes on; the upstream's ends."""
    upstream.then(raw)
    async with await proxy.connect() as agent:
        got = await agent.call(request("/1"))
        assert got.status == 502
        assert b'"bad_upstream_response"' in got.body
        assert got.value("holdfast-origin") == b"holdfast"
        bad = upstream.carrier(upstream.requests[0])
        await within(bad.ended.wait())
        assert (await agent.call(request("/2"))).status == 200
    assert upstream.carrier(upstream.requests[1]) is not bad


@each_body
async def test_a_malformed_chunk_cuts_the_answer_off(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """The agent cannot take what came for the whole; the upstream's connection ends."""
    upstream.then(answer(200, "Transfer-Encoding: chunked", body=raw))
    async with await proxy.connect() as agent:
        agent.send(request("/1"))
        try:
            got = await agent.answer()
        except Ended:
            pass
        else:
            assert got.status == 502
    bad = upstream.carrier(upstream.requests[0])
    await within(bad.ended.wait())


async def test_bytes_behind_an_answer_are_not_the_next_one(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """An answer nobody asked for never reaches a caller; its connection is not used again."""
    upstream.then(OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    async with await proxy.connect() as agent:
        assert (await agent.call(request("/1"))).body == b"ok"
        assert (await agent.call(request("/2"))).body == b"ok"
    bad = upstream.carrier(upstream.requests[0])
    await within(bad.ended.wait())


async def test_bytes_on_an_idle_connection_end_it(proxy: Proxy, upstream: RawUpstream) -> None:
    """The same for an answer that comes between two calls."""
    await proxy.call(request("/1"))
    bad = upstream.carrier(upstream.requests[0])
    bad.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    await within(bad.ended.wait())
    assert (await proxy.call(request("/2"))).body == b"ok"


@pytest.mark.parametrize(
    ("method", "status", "line"),
    [
        ("GET", 204, "X-A: 1"),
        ("GET", 204, "Content-Length: {}"),
        ("GET", 304, "Content-Length: {}"),
        ("HEAD", 200, "Content-Length: {}"),
    ],
)
@pytest.mark.parametrize("body", [b"body", b"0\r\n\r\n", answer(200, body=b"poison")])
async def test_a_body_where_there_is_none_poisons_nothing(
    proxy: Proxy, upstream: RawUpstream, method: str, status: int, line: str, body: bytes
) -> None:
    """A body with 204, 304 or behind HEAD, of the length told or another, is nobody's answer
    (RFC 9112 6.3)."""
    upstream.then(answer(status, line.format(len(body)), body=None) + body)
    async with await proxy.connect() as agent:
        got = await agent.call(request("/1", method=method), method)
        assert (got.status, got.body) == (status, b"")
        assert (await agent.call(request("/2"))).body == b"ok"


# ends


@pytest.mark.parametrize("step", [hang_up, slam], ids=["closed", "reset"])
async def test_an_upstream_that_leaves_is_a_502(
    proxy: Proxy, upstream: RawUpstream, step: object
) -> None:
    """Closed or reset before an answer: `upstream_disconnected`; it may have run."""
    upstream.then(step)  # type: ignore[arg-type]
    got = await proxy.call(request("/", method="POST", body=b"x"))
    assert got.status == 502
    assert b'"upstream_disconnected"' in got.body
    assert b'"executed":"unknown"' in got.body.replace(b" ", b"")


@pytest.mark.parametrize(
    "part", [b"HT", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"]
)
async def test_a_head_cut_short_is_a_502(proxy: Proxy, upstream: RawUpstream, part: bytes) -> None:
    """Half a head is no answer."""
    upstream.then(then_close(part))
    got = await proxy.call(request())
    assert got.status == 502
    assert got.value("holdfast-origin") == b"holdfast"


CUT = {
    "length": answer(200, "Content-Length: 100", body=b"partial"),
    "chunked": answer(200, "Transfer-Encoding: chunked", body=b"7\r\npartial\r\n"),
    "within a chunk": answer(200, "Transfer-Encoding: chunked", body=b"64\r\npartial"),
    "within the last chunk": answer(
        200, "Transfer-Encoding: chunked", body=b"7\r\npartial\r\n0\r\n"
    ),
}


@pytest.mark.parametrize("end", [then_close, then_reset], ids=["closed", "reset"])
@pytest.mark.parametrize("raw", CUT.values(), ids=CUT.keys())
async def test_a_cut_answer_is_seen_to_be_cut(
    proxy: Proxy, upstream: RawUpstream, raw: bytes, end: object
) -> None:
    """A truncated answer never ends cleanly for HTTP/1.1: no last chunk, no full length."""
    upstream.then(end(raw))  # type: ignore[operator]
    async with await proxy.connect() as agent:
        agent.send(request())
        try:
            got = await agent.answer()
        except Ended:
            return
        assert got.status == 502
        assert b"partial" not in got.body


@pytest.mark.parametrize("raw", [CUT["length"], CUT["chunked"]], ids=["length", "chunked"])
async def test_an_http_1_0_agent_learns_of_a_cut_by_a_reset(
    proxy: Proxy, upstream: RawUpstream, raw: bytes
) -> None:
    """The end of the connection would mean the end of the body: so it is a reset."""
    upstream.then(then_close(raw))
    async with await proxy.connect() as agent:
        agent.send(request("/", version="1.0"))
        got = await agent.rest()
        assert agent.was_reset or got.startswith((b"HTTP/1.1 502 ", b"HTTP/1.0 502 "))


async def test_an_answer_may_end_with_its_connection(proxy: Proxy, upstream: RawUpstream) -> None:
    """Without framing the close is the end (RFC 9112 6.3); it arrives whole, and as whole."""
    upstream.then(then_close(b"HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\nuntil-eof"))
    assert (await proxy.call(request())).body == b"until-eof"


async def test_an_answer_that_ends_with_its_connection_can_be_cut(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """A reset is no end: the agent sees an error."""

    async def step(connection, asked) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\npartial")
        await proxy.call(request("/the-bytes-have-been-read-by-now"))
        connection.reset()

    upstream.then(step)
    async with await proxy.connect() as agent:
        agent.send(request())
        try:
            got = await agent.answer()
        except Ended:
            return
        assert agent.was_reset or got.status == 502


async def test_an_http_1_0_upstream_is_understood(proxy: Proxy, upstream: RawUpstream) -> None:
    """Its answers end with the connection unless they say otherwise."""
    upstream.then(
        then_close(b"HTTP/1.0 200 OK\r\n\r\nold"),
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nold",
    )
    for _ in range(2):
        got = await proxy.call(request())
        assert (got.start, got.body) == (b"HTTP/1.1 200 OK", b"old")
    assert (await proxy.call(request())).body == b"ok"
