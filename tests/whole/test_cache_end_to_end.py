"""Answers that are given again, on real sockets (spec 3.8)."""

import json

import pytest

from tests.harness import Message, Proxy, RawUpstream, answer, chunked, holdfast, request
from tests.harness.upstream import hang_up, then_close

pytestmark = pytest.mark.asyncio(loop_scope="module")

FRESH = """
policies:
  - {name: reads, match: {tool: "get_*"}, effect: read, cache: {max_age: 1m}}
"""
STALE = """
policies:
  - name: reads
    effect: read
    cache: {stale_if_error: 1h}
    breaker: {consecutive: 2, open: {base: 1m}}
    timeout: {total: 4s, attempt: 200ms}
"""
JSON = "Content-Type: application/json"
LARGE = b"x" * 300_000


def tool(*lines: str, name: str = "get_balance", **arguments: object) -> bytes:
    """A tool call."""
    body = json.dumps({"tool": name, "input": arguments}).encode()
    return request("/", JSON, *lines, method="POST", body=body)


def told(got: Message) -> tuple[bytes | None, bytes]:
    """What an answer says of its attempts, and of the cache."""
    return got.value("holdfast-attempts"), got.value("cache-status") or b""


def is_hit(got: Message) -> bool:
    """Did it come from the shelf?"""
    attempts, status = told(got)
    return attempts == b"0" and status.startswith(b"holdfast; hit; ttl=") and bool(got.value("age"))


async def fetched(proxy: Proxy, raw: bytes, times: int = 2) -> list[Message]:
    """The answers to the same call, one connection for all."""
    async with await proxy.connect() as agent:
        return [await agent.call(raw) for _ in range(times)]


async def test_a_hit_is_the_same_answer(upstream: RawUpstream) -> None:
    """Status, head and body as they were; on a connection that stays."""
    async with holdfast(upstream, "tools", FRESH) as proxy:
        upstream.then(answer(201, "X-A: b", "Content-Type: text/plain", body=b"hello"))
        first, second = await fetched(proxy, tool())
    assert told(first) == (b"1", b"holdfast; fwd=miss; stored")
    assert is_hit(second)
    assert (second.start, second.body) == (first.start, first.body)
    ours = ("holdfast-", "age", "cache-status")
    assert second.without(*ours) == first.without(*ours)
    assert (second.value("holdfast-outcome"), second.value("holdfast-origin")) == (
        b"ok",
        b"upstream",
    )
    assert len(upstream.requests) == 1


@pytest.mark.parametrize(
    "raw",
    [
        answer(200, body=LARGE),
        answer(200, "Transfer-Encoding: chunked", body=chunked(LARGE, LARGE)),
        answer(200, "Transfer-Encoding: chunked", body=chunked(b"ok")),
        answer(204, body=None),
        answer(200, body=b""),
    ],
    ids=["large", "chunked", "small chunks", "no content", "empty"],
)
async def test_every_framing_comes_out_right(upstream: RawUpstream, raw: bytes) -> None:
    """Also what came in many pieces, and for agents of HTTP/1.0, whose connection may stay."""
    async with holdfast(upstream, "http", "policies: [{name: all, cache: {max_age: 1m}}]") as proxy:
        upstream.then(raw)
        first, *others = await fetched(proxy, request("/a"), 3)
        old = await fetched(proxy, request("/a", "Connection: keep-alive", version="1.0"))
    assert not is_hit(first)
    for got in (*others, *old):
        assert is_hit(got)
        assert (got.status, got.body) == (first.status, first.body)
    assert len(upstream.requests) == 1


async def test_what_ends_with_its_connection_is_kept_with_its_length(upstream: RawUpstream) -> None:
    """It ended well, as far as HTTP/1.0 can tell; then agents need no end of the connection."""
    async with holdfast(upstream, "http", "policies: [{name: all, cache: {max_age: 1m}}]") as proxy:
        upstream.then(then_close(b"HTTP/1.0 200 OK\r\n\r\nhello"))
        await proxy.call(request("/a"))
        got = (await fetched(proxy, request("/a", "Connection: keep-alive", version="1.0")))[-1]
    assert is_hit(got)
    assert (got.value("content-length"), got.body) == (b"5", b"hello")


async def test_what_broke_off_is_not_kept(upstream: RawUpstream) -> None:
    """The next call is sent."""
    async with holdfast(upstream, "http", "policies: [{name: all, cache: {max_age: 1m}}]") as proxy:
        upstream.then(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhell"))
        async with await proxy.connect() as agent:
            agent.send(request("/a"))
            assert (await agent.rest()).endswith(b"hell")
        assert (await proxy.call(request("/a"))).body == b"ok"
    assert len(upstream.requests) == 2


async def test_nobody_gets_what_another_was_told(upstream: RawUpstream) -> None:
    """Another credential, another target, other arguments, another tool: all are sent."""
    async with holdfast(upstream, "tools", FRESH) as proxy:
        calls = [
            tool(),
            tool("Authorization: Bearer a"),
            tool("Authorization: Bearer b"),
            tool("x-api-key: a"),
            tool("Cookie: a=b"),
            tool(of=1),
            tool(name="get_other"),
        ]
        upstream.then(*(answer(200, body=b"%d" % number) for number in range(len(calls))))
        for _ in range(2):
            for number, call in enumerate(calls):
                assert (await proxy.call(call)).body == b"%d" % number
    assert len(upstream.requests) == len(calls)


async def test_writes_are_always_sent(upstream: RawUpstream) -> None:
    """Nothing is looked for, and nothing said."""
    async with holdfast(upstream, "tools", FRESH) as proxy:
        upstream.then()
        first, second = await fetched(proxy, tool(name="move_money"))
    assert told(first) == told(second) == (b"1", b"")
    assert len(upstream.requests) == 2


async def test_what_is_volatile_does_not_count(upstream: RawUpstream) -> None:
    """Two nonces, one sending; a key that stands twice is refused."""
    rules = FRESH.replace("max_age: 1m", "max_age: 1m, volatile: [input.nonce]")
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then()
        await proxy.call(tool(nonce=1, of=1))
        assert is_hit(await proxy.call(tool(of=1, nonce=2)))
        twice = b'{"tool": "get_balance", "input": {"of": 1, "of": 2}}'
        got = await proxy.call(request("/", JSON, method="POST", body=twice))
        assert (got.status, json.loads(got.body)["code"]) == (400, "ambiguous_call")
    assert len(upstream.requests) == 1


async def test_an_old_answer_stands_in_when_the_upstream_dies(upstream: RawUpstream) -> None:
    """For failures at first, then for the open circuit; each says why."""
    async with holdfast(upstream, "tools", STALE) as proxy:
        upstream.then(answer(200, body=b"good"))
        await proxy.call(tool())
        upstream.then(answer(500, body=b"no"), hang_up)
        got = [await proxy.call(tool()) for _ in range(3)]
        refused = await proxy.call(tool(of=2))
        metrics = await proxy.until_metric("holdfast_calls_total", 5)
    assert [(one.status, one.body) for one in got] == [(200, b"good")] * 3
    assert {one.value("holdfast-outcome") for one in got} == {b"stale"}
    reasons = ["failure", "upstream_disconnected", "circuit_open"]
    assert [one.value("holdfast-reason") for one in got] == [each.encode() for each in reasons]
    assert [told(one) for one in got] == [
        (tried, b"holdfast; hit; ttl=0; detail=" + reason.encode())
        for tried, reason in zip((b"1", b"1", b"0"), reasons, strict=True)
    ]
    assert (refused.status, refused.value("holdfast-outcome")) == (503, b"refused")
    assert metrics.sum("holdfast_cache_total", result="stale") == 3
    assert metrics.sum("holdfast_calls_total", outcome="stale", reason="circuit_open") == 1
    assert metrics.sum("holdfast_attempts_total", result="failure") == 2
    assert metrics.sum("holdfast_cache_entries") == 1


async def test_an_old_answer_stands_in_for_one_that_is_cut(upstream: RawUpstream) -> None:
    """Before its first byte nobody has seen anything of it."""
    async with holdfast(upstream, "tools", STALE) as proxy:
        upstream.then(answer(200, body=b"good"))
        await proxy.call(tool())
        upstream.then(then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"))
        got = await proxy.call(tool())
    assert (got.status, got.body, got.value("holdfast-reason")) == (200, b"good", b"truncated")


async def test_an_agent_may_want_a_new_answer(upstream: RawUpstream) -> None:
    """`Cache-Control: no-cache`; what comes is kept for the others."""
    async with holdfast(upstream, "tools", FRESH) as proxy:
        upstream.then(*(answer(200, body=b"%d" % number) for number in range(3)))
        for lines, body in (((), b"0"), (("Cache-Control: no-cache",), b"1"), ((), b"1")):
            assert (await proxy.call(tool(*lines))).body == body


async def test_what_was_kept_outlives_a_reload(upstream: RawUpstream) -> None:
    """And is judged by the policy that is in force then."""
    async with holdfast(upstream, "tools", FRESH) as proxy:
        upstream.then()
        await proxy.call(tool())
        proxy.write_policies(FRESH.replace("1m", "2m"))
        assert proxy.app.reload()
        assert is_hit(await proxy.call(tool()))
