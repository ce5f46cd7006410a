"""A thousand exchanges, made by chance: what came out of the proxy is what went in.

The allowed differences are those of spec 2.1 and 2.4, written out in `expected_request` and
`expected_answer`; every other byte must be the same.
"""

import asyncio
import random
import string

import pytest

from tests.harness import Message, Proxy, RawUpstream, UpstreamConnection, chunked, holdfast, within
from tests.harness.messages import CRLF

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXCHANGES = 1000
LANES = 8
TOKEN = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"
URL = string.ascii_letters + string.digits + "-._~!$&'()*+,;=:@/%[]"
VALUE = bytes(range(0x21, 0x7F)) + bytes(range(0x80, 0x100)) + b" \t"
SPECIAL = frozenset(
    b"host connection content-length transfer-encoding keep-alive te upgrade trailer expect via "
    b"proxy-connection proxy-authenticate proxy-authorization authorization x-api-key".split()
)
Headers = list[tuple[bytes, bytes]]


class Exchange:
    """One request and its answer, made from a seed."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed)
        self.seed = seed
        self.method = chance.choice(
            ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "QUERY", "PROPFIND"]
        )
        self.target = b"/%d/" % seed + some(chance, URL, 60).encode()
        if chance.random() < 0.5:
            self.target += b"?" + some(chance, URL + "?", 60).encode()
        self.headers = headers(chance)
        self.body, self.framing = body(chance, (b"none", b"length", b"chunked"))
        self.trailers = headers(chance)[:2] if self.framing == b"chunked" else []
        self.status = chance.choice(
            [200, 200, 200, 201, 204, 206, 302, 304, 400, 404, 429, 500, 503]
        )
        self.reason = some(chance, string.printable[:95], 20).encode().strip()
        self.answer_headers = headers(chance)
        self.answer_body, self.answer_framing = body(chance, (b"length", b"chunked", b"close"))
        self.answer_trailers = headers(chance)[:2] if self.answer_framing == b"chunked" else []
        self.interim = [headers(chance) for _ in range(chance.choice([0, 0, 0, 1, 2]))]
        if self.method == "HEAD" or self.status in (204, 304):
            self.answer_body, self.answer_trailers, self.answer_framing = b"", [], b"none"

    def request(self) -> bytes:
        """Its request, as bytes."""
        start = self.method.encode() + b" " + self.target + b" HTTP/1.1"
        lines = [(b"Host", b"agent.test"), *self.headers]
        return written(start, lines, self.body, self.framing, self.trailers)

    def answer(self) -> bytes:
        """Its answers, as bytes."""
        early = b"".join(written(b"HTTP/1.1 103 Hints", one, b"", b"none") for one in self.interim)
        start = b"HTTP/1.1 %d " % self.status + self.reason
        closes = [(b"Connection", b"close")] if self.answer_framing == b"close" else []
        lines = [*self.answer_headers, *closes]
        return early + written(
            start, lines, self.answer_body, self.answer_framing, self.answer_trailers
        )


def some(chance: random.Random, letters: str, most: int) -> str:
    """So many letters, at least one."""
    return "".join(chance.choices(letters, k=chance.randint(1, most)))


def headers(chance: random.Random) -> Headers:
    """End-to-end headers that nobody has a meaning for: odd names, repeated names, odd bytes."""
    made: Headers = []
    for _ in range(chance.randint(0, 12)):
        name = some(chance, TOKEN, 20).encode()
        if made and chance.random() < 0.2:
            name = chance.choice(made)[0].swapcase()
        if name.lower() in SPECIAL or name.lower().startswith((b"holdfast", b"proxy-")):
            continue
        made.append((name, bytes(chance.choices(VALUE, k=chance.randint(0, 40))).strip(b" \t")))
    return made


def body(chance: random.Random, framings: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """(bytes, how they are framed)"""
    framing = chance.choice(framings)
    size = chance.choice([0, 1, 100, 5000, 70_000])
    return (b"" if framing == b"none" else chance.randbytes(size)), framing


def written(
    start: bytes, lines: Headers, content: bytes, framing: bytes, trailers: Headers | None = None
) -> bytes:
    """A message as bytes."""
    if framing == b"length":
        lines = [*lines, (b"Content-Length", b"%d" % len(content))]
    elif framing == b"chunked":
        lines = [*lines, (b"Transfer-Encoding", b"chunked")]
        third = len(content) // 3
        parts = [part for part in (content[:third], content[third:]) if part]
        content = chunked(*parts, trailers=tuple(n + b": " + v for n, v in trailers or []))
    head = CRLF.join([start, *(name + b": " + value for name, value in lines)])
    return head + CRLF + CRLF + content


def end_to_end(message: Message, *added: str) -> Headers:
    """A message's headers without framing, and without what may be added."""
    hop = ("content-length", "transfer-encoding", "connection", "keep-alive")
    return [
        (name, value)
        for name, value in message.headers
        if name.lower().decode("latin-1") not in (*hop, *added)
        and not name.lower().startswith(b"holdfast-")
    ]


def check_request(exchange: Exchange, seen: Message) -> None:
    """Allowed: Host is the upstream's, Via is added, framing may be said otherwise."""
    assert seen.start == exchange.method.encode() + b" " + exchange.target + b" HTTP/1.1"
    assert end_to_end(seen, "via", "host") == exchange.headers
    assert len(seen.values("host")) == len(seen.values("via")) == 1
    assert seen.body == exchange.body
    assert trailers_of(seen) == exchange.trailers


def check_answer(exchange: Exchange, got: Message) -> None:
    """Allowed: the headers of 2.4 are added, framing may be said otherwise."""
    assert got.start == b"HTTP/1.1 %d " % exchange.status + exchange.reason
    added = ("x-should-retry",) if not exchange_says(exchange, b"x-should-retry") else ()
    assert end_to_end(got, "proxy-status", *added) == exchange.answer_headers
    assert got.body == exchange.answer_body
    assert trailers_of(got) == exchange.answer_trailers
    assert [end_to_end(one) for one in got.interim] == exchange.interim


def exchange_says(exchange: Exchange, name: bytes) -> bool:
    return any(found.lower() == name for found, _ in exchange.answer_headers)


def trailers_of(message: Message) -> Headers:
    return Message(b"", message.trailers).headers


async def play(proxy: Proxy, upstream: RawUpstream) -> None:
    """All exchanges, over eight agents' connections at once."""
    exchanges = {exchange.target: exchange for exchange in map(Exchange, range(EXCHANGES))}

    async def answers(connection: UpstreamConnection, asked: Message) -> None:
        exchange = exchanges[asked.target]
        connection.send(exchange.answer())
        if exchange.answer_framing == b"close":
            connection.close()

    async def lane(number: int) -> None:
        async with await proxy.connect() as agent:
            for exchange in list(exchanges.values())[number::LANES]:
                agent.send(exchange.request())
                try:
                    check_answer(exchange, await agent.answer(exchange.method))
                except Exception as wrong:
                    wrong.add_note(f"exchange {exchange.seed}: {exchange.answer()[:600]!r}")
                    raise

    upstream.otherwise = answers
    await within(asyncio.gather(*map(lane, range(LANES))), 60)
    assert len(upstream.requests) == EXCHANGES
    for seen in upstream.requests:
        check_request(exchanges[seen.target], seen)


async def test_a_thousand_exchanges_are_passed_on_as_they_are(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Without policies."""
    await play(proxy, upstream)


async def test_a_thousand_exchanges_under_policies(upstream: RawUpstream) -> None:
    """With sections on that wrap every call, but change none of these."""
    rules = "policies: [{name: all, timeout: {total: 30s}, retry: {attempts: 1}}]"
    async with holdfast(upstream, "tools", rules) as proxy:
        await play(proxy, upstream)
