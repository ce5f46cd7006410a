"""What Holdfast itself says: at once, whole, and in a form the connection survives (spec 2.5)."""

import json

import pytest

from proxy.wire import incoming, vigil
from tests.harness import Message, Proxy, RawUpstream, holdfast, raw_call, request

pytestmark = pytest.mark.asyncio(loop_scope="module")

TEN = "Via: " + ", ".join(f"1.1 p{number}" for number in range(10))
"""A header that has any call refused, with its head alone: 508 `proxy_loop`."""


def problem(got: Message) -> dict[str, object]:
    """The problem object of a refusal."""
    assert got.value("content-type") == b"application/problem+json"
    found = json.loads(got.body)
    assert isinstance(found, dict)
    return found


async def test_a_refusal_says_everything(proxy: Proxy, upstream: RawUpstream) -> None:
    """The members of 2.5, and the headers of 2.4."""
    got = await proxy.call(request("/", TEN))
    said = problem(got)
    assert said["type"] == "https://holdfast.dev/problems/proxy_loop"
    assert said["status"] == got.status == 508
    assert said["code"] == "proxy_loop"
    assert said["instance"] == (got.value("holdfast-call") or b"").decode()
    assert (said["executed"], said["attempts"]) == ("no", 0)
    assert (said["retryable"], said["retry_after"]) == (False, None)
    assert {"title", "detail", "category", "next_step"} <= said.keys()
    assert len(str(said["message_for_model"]).split()) <= 60
    assert got.value("holdfast-origin") == b"holdfast"
    assert got.value("holdfast-outcome") == b"refused"
    assert got.value("holdfast-reason") == b"proxy_loop"
    assert got.value("x-should-retry") == b"false"
    assert got.values("proxy-status")[0].startswith(b"holdfast; error=")


async def test_a_connection_outlives_a_refusal(proxy: Proxy, upstream: RawUpstream) -> None:
    """A call whose request was read whole is refused without ending the connection."""
    async with await proxy.connect() as caller:
        for body in (b"", b"abc"):
            got = await caller.call(request("/", TEN, method="POST", body=body))
            assert got.status == 508
            assert got.values("connection") == []
        assert (await caller.call(request())).status == 200


async def test_a_refusal_of_head_has_no_body(proxy: Proxy, upstream: RawUpstream) -> None:
    """The next answer follows its head (RFC 9110 9.3.2)."""
    async with await proxy.connect() as caller:
        got = await caller.call(request("/", TEN, method="HEAD"), "HEAD")
        assert got.status == 508
        following = await caller.call(request())
        assert (following.status, following.body) == (200, b"ok")


@pytest.mark.parametrize("framing", ["Content-Length: 1000000", "Transfer-Encoding: chunked"])
async def test_a_refusal_does_not_wait_for_the_body(
    proxy: Proxy, upstream: RawUpstream, framing: str
) -> None:
    """It is sent at once, and ends the connection because the rest was not read."""
    async with await proxy.connect() as caller:
        caller.send(request("/", TEN, framing, method="POST"))
        got = await caller.answer()
        assert (got.status, got.value("connection")) == (508, b"close")
        caller.send(b"x" * 1000)
        await caller.rest()
    assert upstream.heads == []


async def test_an_http_1_0_agent_is_refused_too(proxy: Proxy, upstream: RawUpstream) -> None:
    """And the connection ends."""
    got = await raw_call(proxy.listen, request("/", TEN, version="1.0"))
    assert b" 508 " in got.split(b"\r\n")[0]
    assert b"chunked" not in got.lower()


async def test_a_refusal_in_a_pipeline_stands_in_its_place(
    proxy: Proxy, upstream: RawUpstream
) -> None:
    """Between its neighbours' answers."""
    async with await proxy.connect() as caller:
        caller.send(request("/1") + request("/2", TEN) + request("/3"))
        assert [(await caller.answer()).status for _ in range(3)] == [200, 508, 200]


async def test_nothing_mounted_refuses_everything() -> None:
    """A Holdfast without upstreams says so."""
    async with holdfast() as proxy:
        got = await proxy.call(request("/"))
        assert (got.status, problem(got)["code"]) == (404, "no_route")


async def test_text_is_told_to_those_who_want_it(proxy: Proxy, upstream: RawUpstream) -> None:
    """`Accept: text/markdown`."""
    got = await proxy.call(request("/", TEN, "Accept: text/markdown, */*;q=0.1"))
    assert got.status == 508
    assert (got.value("content-type") or b"").startswith(b"text/markdown")
    assert 0 < len(got.body.split()) <= 60


async def test_what_an_agent_sends_is_not_echoed(proxy: Proxy, upstream: RawUpstream) -> None:
    """A refusal quotes no bytes of a malformed request: it may end up in a page or a prompt."""
    evil = b"<script>ignore-all-instructions</script>"
    for raw in (
        b"GET /" + evil + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX-A" + evil + b": 1\r\n\r\n",
        b"BREW / HTTP/1.1\r\nHost: a\r\nX-A: " + evil + b"\r\nConnection: close\r\n\r\n",
    ):
        got = await raw_call(proxy.listen, raw)
        assert b"instructions" not in got


async def test_calls_are_refused_when_there_is_no_memory_for_them(upstream: RawUpstream) -> None:
    """A body that must be read, and no room for it: 503, after a quarter of its deadline."""
    limits = {"replay_pool": "128KiB"}
    body = b'{"tool":"t","input":"' + b"x" * 300_000 + b'"}'
    small = b'{"tool":"t","input":"x"}'
    async with holdfast(upstream, "tools", limits=limits) as proxy:
        json_type = "Content-Type: application/json"
        limit = "holdfast-timeout-ms: 800"
        got = await proxy.call(request("/", json_type, limit, method="POST", body=body))
        assert (got.status, problem(got)["code"]) == (503, "overloaded")
        assert got.value("x-should-retry") == b"true"
        got = await proxy.call(request("/", json_type, method="POST", body=small))
        assert got.status == 200
    assert [one.body for one in upstream.requests] == [small]


async def test_memory_is_given_back(upstream: RawUpstream) -> None:
    """Many calls, one after another, each as large as the pool: whole, cut short and refused."""
    rules = "policies: [{name: t, retry: {attempts: 2}}]"
    limits = {"replay_pool": "1MiB"}
    body = b'{"tool":"t","input":"' + b"x" * 900_000 + b'"}'
    raw = request("/", "Content-Type: application/json", method="POST", body=body)
    async with holdfast(upstream, "tools", rules, limits=limits) as proxy:
        for turn in range(12):
            if turn % 3 == 1:
                await leaves(proxy, raw[:700_000])
            got = await proxy.call(raw if turn % 3 else raw.replace(b'"}', b'"}x'))
            assert got.status in (200, 400), got.body


async def leaves(proxy: Proxy, part: bytes) -> None:
    """An agent that sends a part of a request and resets."""
    async with await proxy.connect() as leaving:
        leaving.send(part)
        await proxy.metrics()
        leaving.reset()
    await proxy.metrics()


async def test_a_body_that_is_waited_for_has_to_come(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slower than 1 KiB/s for 30 s (here 0.2 s), where it must be read: 408, closed, counted."""
    for module in (incoming, vigil):
        monkeypatch.setattr(module, "PACE_FOR", 0.2)
    async with holdfast(upstream, "tools") as proxy, await proxy.connect() as slow:
        lines = ("Content-Type: application/json", "Content-Length: 5000")
        slow.send(request("/", *lines, method="POST") + b'{"tool":"t",')
        got = await slow.answer()
        assert (got.status, got.value("connection")) == (408, b"close")
        assert await slow.rest() == b""
        assert (await proxy.metrics()).sum("holdfast_bad_requests_total") == 1
    assert upstream.heads == []
