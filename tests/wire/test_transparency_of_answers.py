"""Answers come out as the upstream gave them, with what Holdfast says of them (2.1, 2.4)."""

import pytest

from tests.harness import (
    OK,
    Message,
    Proxy,
    RawUpstream,
    answer,
    chunked,
    holdfast,
    raw_call,
    request,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


def unlike(message: Message) -> list[tuple[bytes, bytes]]:
    """An answer's headers but for those that Holdfast adds (2.4)."""
    return message.without("holdfast-", "proxy-status")


async def test_answers_are_passed_on_as_they_are(proxy: Proxy, upstream: RawUpstream) -> None:
    """Status, reason, headers with case, order and number, body: all the upstream's."""
    lines = (
        b"X-Case-Kept: One",
        b"x-dup: 1",
        b"X-Dup: 2",
        b"Set-Cookie: a=1",
        b"X-Latin: caf\xe9",
        b"X-Empty:",
        b"Server: up/1",
        b"Date: Thu, 01 Jan 1970 00:00:00 GMT",
        b"Retry-After: 7",
        b"Content-Encoding: gzip",
        b"Content-Length: 9",
    )
    upstream.then(answer(b"299 Odd  Reason\xc3\xa9", *lines, body=b"notgzip!\x00"))
    got = await proxy.call(request())
    assert got.start == b"HTTP/1.1 299 Odd  Reason\xc3\xa9"
    assert unlike(got) == Message(b"", lines).headers
    assert got.body == b"notgzip!\x00"


@pytest.mark.parametrize("status", [200, 201, 206, 299, 300, 400, 404, 418, 499, 500, 503, 599])
async def test_every_status_passes(proxy: Proxy, upstream: RawUpstream, status: int) -> None:
    """Errors of the upstream are its own answers, byte for byte."""
    upstream.then(answer(status, "Content-Type: text/odd", body=b"theirs"))
    got = await proxy.call(request())
    assert (got.status, got.reason, got.body) == (status, b"Said", b"theirs")
    assert got.value("holdfast-origin") == b"upstream"


@pytest.mark.parametrize("start", [b"200 ", b"200"])
async def test_a_reason_may_be_empty(proxy: Proxy, upstream: RawUpstream, start: bytes) -> None:
    """It is passed on empty, not made up (RFC 9112 4)."""
    upstream.then(answer(start, body=b"x"))
    assert (await proxy.call(request())).start == b"HTTP/1.1 200 "


async def test_hop_by_hop_headers_of_an_answer_stay_here(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Also those that the upstream's `Connection` names."""
    hop = (
        "Connection: X-Hop, close",
        "X-Hop: secret",
        "Keep-Alive: timeout=9",
        "Proxy-Connection: x",
    )
    upstream.then(answer(200, *hop))
    got = await proxy.call(request())
    assert b"secret" not in got.raw
    assert (got.values("keep-alive"), got.values("proxy-connection")) == ([], [])


async def test_what_holdfast_says_in_an_answer(proxy: Proxy, upstream: RawUpstream) -> None:
    """The headers of 2.4 that a passed call has, and a call id that is new each time."""
    first, second = [await proxy.call(request()) for _ in range(2)]
    assert first.value("holdfast-origin") == b"upstream"
    assert first.value("holdfast-attempts") == b"1"
    assert first.value("holdfast-outcome") == b"ok"
    assert first.value("holdfast-call") != second.value("holdfast-call")


async def test_what_holdfast_says_can_be_little(upstream: RawUpstream) -> None:
    """`holdfast: {headers: minimal}` leaves the call and the origin."""
    async with holdfast(upstream, mount={"holdfast": {"headers": "minimal"}}) as proxy:
        got = await proxy.call(request())
    ours = {name.lower() for name, _ in got.headers if name.lower().startswith(b"holdfast-")}
    assert ours == {b"holdfast-call", b"holdfast-origin"}


async def test_a_chunked_answer_arrives_whole(proxy: Proxy, upstream: RawUpstream) -> None:
    """Chunked stays chunked for HTTP/1.1; extensions may go, bytes may not."""
    framed = b"3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
    upstream.then(answer(200, "Transfer-Encoding: chunked", body=framed))
    got = await proxy.call(request())
    assert (got.body, got.values("content-length")) == (b"abcdefg", [])


async def test_trailers_of_an_answer_arrive(proxy: Proxy, upstream: RawUpstream) -> None:
    """Behind the last chunk, as written."""
    trailers = (b"X-Sum: 9", b"x-more: caf\xe9")
    body = chunked(b"abc", trailers=trailers)
    upstream.then(answer(200, "Transfer-Encoding: chunked", "Trailer: X-Sum", body=body))
    got = await proxy.call(request("/", "TE: trailers"))
    assert (got.body, got.trailers) == (b"abc", trailers)


async def test_interim_answers_are_passed_on(proxy: Proxy, upstream: RawUpstream) -> None:
    """Every 1xx, with its headers, before the answer."""
    upstream.then(
        answer(103, "Link: </a>; rel=preload", body=None)
        + answer(b"102 Busy", body=None)
        + answer(103, "Link: </b>", body=None)
        + OK
    )
    got = await proxy.call(request())
    assert [one.status for one in got.interim] == [103, 102, 103]
    assert got.interim[0].value("link") == b"</a>; rel=preload"
    assert got.interim[0].values("connection") == []
    assert (got.status, got.body) == (200, b"ok")


async def test_a_100_that_nobody_expected_does_no_harm(proxy: Proxy, upstream: RawUpstream) -> None:
    """Passed or dropped, it is not the answer."""
    upstream.then(answer(b"100 Continue", body=None) + OK)
    async with await proxy.connect() as agent:
        assert (await agent.call(request())).body == b"ok"
        assert (await agent.call(request())).body == b"ok"


BODILESS = [
    ("HEAD", answer(200, "Content-Length: 5000", body=None)),
    ("HEAD", answer(200, "Transfer-Encoding: chunked", body=None)),
    ("HEAD", answer(404, body=None)),
    ("GET", answer(204, "X-A: 1", body=None)),
    ("DELETE", answer(204, body=None)),
    ("GET", answer(304, "ETag: x", body=None)),
    ("GET", answer(304, "Content-Length: 5000", body=None)),
    ("GET", answer(304, "Transfer-Encoding: chunked", body=None)),
    ("HEAD", answer(304, "Content-Length: 5000", body=None)),
]


@pytest.mark.parametrize(("method", "head"), BODILESS)
async def test_answers_without_a_body(
    proxy: Proxy, upstream: RawUpstream, method: str, head: bytes
) -> None:
    """HEAD, 204 and 304 end with their heads, whatever these say; the connections go on."""
    upstream.then(head)
    async with await proxy.connect() as agent:
        got = await agent.call(request("/1", method=method), method)
        assert got.status == Message(head.split(b"\r\n")[0], ()).status
        after = await agent.call(request("/2"))
        assert (after.status, after.body) == (200, b"ok")


async def test_a_head_answer_keeps_its_length(proxy: Proxy, upstream: RawUpstream) -> None:
    """The length a GET would have is what HEAD is for."""
    upstream.then(answer(200, "Content-Length: 5000", body=None))
    got = await proxy.call(request("/", method="HEAD"), "HEAD")
    assert got.value("content-length") == b"5000"


async def test_a_204_gets_no_framing(proxy: Proxy, upstream: RawUpstream) -> None:
    """No chunked, no length is added (RFC 9110 8.6, RFC 9112 6.1)."""
    upstream.then(answer(204, body=None))
    got = await proxy.call(request())
    assert (got.values("transfer-encoding"), got.values("content-length")) == ([], [])


async def test_a_method_that_tunnels_is_refused(proxy: Proxy, upstream: RawUpstream) -> None:
    """CONNECT: 405 `method_refused`."""
    got = await raw_call(
        proxy.listen, request("far.test:443", "Connection: close", method="CONNECT")
    )
    assert got.startswith(b"HTTP/1.1 405 ")
    assert b'"method_refused"' in got
    assert upstream.heads == []


@pytest.mark.parametrize("method", ["BREW", "get", "G", "X-Y_Z.1"])
async def test_an_unknown_method_is_refused(
    proxy: Proxy, upstream: RawUpstream, method: str
) -> None:
    """Tokens that are no known method: 501."""
    got = await raw_call(proxy.listen, request("/", "Connection: close", method=method))
    assert got.startswith(b"HTTP/1.1 501 ")
    assert upstream.heads == []
