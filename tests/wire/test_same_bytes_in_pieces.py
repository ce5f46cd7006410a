"""A call is not hidden by the way its bytes arrive, nor by what they are said to be (spec 2.2)."""

import gzip
import zlib

import pytest

from tests.harness import Proxy, RawUpstream, breathe, request
from tests.wire.guarded import BLOCKED, post, refused

pytestmark = pytest.mark.asyncio(loop_scope="module")

UTF_16_LITTLE = BLOCKED.decode().encode("utf-16-le")
UTF_16_BIG = BLOCKED.decode().encode("utf-16-be")
PIECES = {
    "white space first": [b" ", b"\r\n\t", BLOCKED],
    "much white space first": [b" " * 200_000, BLOCKED],
    "byte by byte": [bytes([byte]) for byte in BLOCKED],
    "a BOM in pieces": [b"\xef", b"\xbb", b"\xbf", BLOCKED],
    "UTF-16 in pieces": [b"\xff", b"\xfe", UTF_16_LITTLE],
    "UTF-16 without a BOM": [UTF_16_LITTLE[:1], UTF_16_LITTLE[1:]],
    "UTF-16 big in pieces": [UTF_16_BIG[:1], UTF_16_BIG[1:]],
    "gzip in pieces": [gzip.compress(BLOCKED)[:1], gzip.compress(BLOCKED)[1:]],
}


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "application/json"])
@pytest.mark.parametrize("pieces", PIECES.values(), ids=PIECES.keys())
async def test_a_slow_beginning_does_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream, pieces: list[bytes], kind: str
) -> None:
    """Bytes that come one by one are looked at until they say what the body is."""
    lines = [f"Content-Type: {kind}", f"Content-Length: {sum(map(len, pieces))}"]
    if pieces[0].startswith(b"\x1f"):
        lines.append("Content-Encoding: gzip")
    async with await guarded.connect() as agent:
        agent.send(request("/", *lines, method="POST"))
        for piece in pieces:
            agent.send(piece)
            await breathe(4)
        got = await agent.answer()
    assert got.status in (400, 415, 503), got.start
    assert upstream.requests == []


@pytest.mark.parametrize("kind", ["text/plain", "application/octet-stream", "image/png"])
@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_a_coding_and_a_type_together_do_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream, kind: str, coding: str, pack: object
) -> None:
    """A packed body looks like nothing until it is unpacked."""
    body = pack(BLOCKED)  # type: ignore[operator]
    raw = post(body, f"Content-Type: {kind}", f"Content-Encoding: {coding}")
    await refused(guarded, upstream, raw, 503, 400, 415)


async def test_a_type_on_two_lines_does_not_hide_a_call(
    guarded: Proxy, upstream: RawUpstream
) -> None:
    """Whichever of two content-types an upstream believes."""
    raw = post(BLOCKED, "Content-Type: image/png", "Content-Type: application/json")
    await refused(guarded, upstream, raw, 503, 400)
    upstream.then()
    raw = post(BLOCKED, "Content-Type: application/json", "Content-Type: image/png")
    await refused(guarded, upstream, raw, 503, 400)


async def test_the_bytes_of_other_posts_are_not_held(guarded: Proxy, upstream: RawUpstream) -> None:
    """What begins like nothing that is read streams on: its upstream has it before its end."""
    async with await guarded.connect() as agent:
        lines = ("Content-Type: application/octet-stream", "Content-Length: 2000000")
        agent.send(request("/", *lines, method="POST") + b"\x89PNG")
        head = await upstream.began()
        await upstream.carrier(head).counted(len(head.raw) + 4)
        agent.send(b"x" * (2_000_000 - 4))
        assert (await agent.answer()).status == 200
    assert len(upstream.requests[0].body) == 2_000_000
