"""One conversation that touches everything at once, as a probe of the whole.

The other files look at one promise each on a connection of its own. Here a single agent's
connection carries every kind of exchange behind every other kind, in an order made by chance, so
that what one leaves behind would spoil the next.
"""

import asyncio
import random

import pytest

from tests.harness import (
    Connection,
    Ended,
    Message,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    chunked,
    request,
    within,
)
from tests.harness.messages import CRLF

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def far_end(connection: UpstreamConnection, asked: Message) -> None:
    """Answers by the first word of the path."""
    word = asked.target.split(b"/")[1]
    body = asked.target + b" " + asked.body
    if word == b"chunked":
        parts = (body[:1], body[1:])
        connection.send(answer(200, "Transfer-Encoding: chunked", body=chunked(*parts)))
    elif word == b"close":
        connection.send(answer(200, "Connection: close", body=None) + body)
        connection.close()
    elif word == b"empty":
        connection.send(answer(204, body=None))
    elif word == b"same":
        connection.send(answer(304, "Content-Length: 77", body=None))
    elif word == b"hints":
        connection.send(answer(103, "Link: </a>", body=None) * 2 + answer(200, body=body))
    elif word == b"extra":
        connection.send(answer(200, body=body) + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n!")
    elif word == b"bad":
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx")
    elif word == b"gone":
        connection.close()
    else:
        head = asked.method == b"HEAD"
        connection.send(answer(200, f"Content-Length: {len(body)}", body=None if head else body))


async def exchange(agent: Connection, word: str, number: int, chance: random.Random) -> None:
    """One exchange, checked."""
    target = f"/{word}/{number}"
    method = "HEAD" if word == "head" else chance.choice(["GET", "POST", "PUT"])
    body = chance.randbytes(chance.choice([0, 3, 3000]))
    if chance.random() < 0.3:
        raw = request(target, "Transfer-Encoding: chunked", method=method)
        raw += chunked(*(part for part in (body[:1], body[1:]) if part))
    else:
        raw = request(target, method=method, body=body)
    agent.send((CRLF if chance.random() < 0.1 else b"") + raw)
    got = await agent.answer(method)
    said = target.encode() + b" " + body
    if word in ("bad", "gone"):
        assert got.status == 502
    elif word in ("empty", "same", "head"):
        assert got.body == b""
    else:
        assert (got.status, got.body) == (200, said)
    assert len(got.interim) == (2 if word == "hints" else 0)


WORDS = ["plain", "chunked", "close", "empty", "same", "hints", "extra", "bad", "gone", "head"]


@pytest.mark.parametrize("seed", range(6))
async def test_any_exchange_may_follow_any_other(
    proxy: Proxy, upstream: RawUpstream, seed: int
) -> None:
    """Three hundred exchanges on one connection: each agent gets its own answers, whole."""
    upstream.otherwise = far_end
    chance = random.Random(seed)
    async with await proxy.connect() as agent:
        for number in range(300):
            await exchange(agent, chance.choice(WORDS), number, chance)


async def test_agents_do_not_hear_each_other(proxy: Proxy, upstream: RawUpstream) -> None:
    """Thirty such agents at once, some of which leave in the middle of an answer."""
    upstream.otherwise = far_end

    async def live(seed: int) -> None:
        chance = random.Random(1000 + seed)
        for _ in range(3):
            async with await proxy.connect() as agent:
                for number in range(chance.randint(1, 15)):
                    await exchange(agent, chance.choice(WORDS), number, chance)
                agent.send(request("/plain/left", method="POST", body=b"x" * 100))
                if chance.random() < 0.5:
                    agent.reset()

    await within(asyncio.gather(*map(live, range(30))), 20)


async def test_what_is_pipelined_is_kept_apart(proxy: Proxy, upstream: RawUpstream) -> None:
    """A hundred requests of all kinds sent as one piece, cut anywhere."""
    upstream.otherwise = far_end
    chance = random.Random(7)
    words = [chance.choice(WORDS) for _ in range(100)]
    methods = ["HEAD" if word == "head" else "POST" for word in words]
    raw = b"".join(
        request(f"/{word}/{n}", method=method, body=b"b%d" % n)
        for n, (word, method) in enumerate(zip(words, methods, strict=True))
    )
    async with await proxy.connect() as agent:
        while raw:
            cut = chance.randint(1, 400)
            agent.send(raw[:cut])
            raw = raw[cut:]
        for number, (word, method) in enumerate(zip(words, methods, strict=True)):
            try:
                got = await agent.answer(method)
            except Ended as ended:
                pytest.fail(f"no answer to {number} {word}: {ended}")
            if got.body and word not in ("bad", "gone"):
                assert got.body == b"/%s/%d b%d" % (word.encode(), number, number)
