"""Another upstream, or a second sending, where the first does not answer (spec 3.6, 3.7)."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.harness import OK, Message, RawUpstream, answer, holdfast, request, within
from tests.harness.upstream import Step, UpstreamConnection, hang_up, never

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = """
policies:
  - name: all
    timeout: {total: 4s}
    retry: {attempts: 2, backoff: {base: 1ms, max: 2ms}}
    breaker: {consecutive: 1}
  - {name: reads, match: {tool: "get_*"}, effect: read}
  - name: chain
    match: {upstream: gateway}
    fallback:
      chain:
        - {upstream: spare}
        - {static: {body: {balance: unknown}}}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def spare() -> AsyncIterator[RawUpstream]:
    """Another upstream."""
    async with RawUpstream() as other:
        yield other


def tool(name: str, *lines: str) -> bytes:
    """A tool call."""
    body = json.dumps({"tool": name, "input": {"n": 1}}).encode()
    return request("/", "Content-Type: application/json", *lines, method="POST", body=body)


def mounted(spare: RawUpstream) -> str:
    """Both upstreams' rules."""
    return f"upstreams: {{spare: {{url: '{spare.url}', protocol: tools, path: /spare}}}}\n{RULES}"


async def test_a_backup_answers_where_the_upstream_does_not(
    upstream: RawUpstream, spare: RawUpstream
) -> None:
    """With the same bytes. The answer says who gave it, and why; then the circuit is open."""
    async with holdfast(upstream, "tools", mounted(spare)) as proxy:
        upstream.then(answer(500, body=b"no"), answer(500, body=b"no"))
        got = await proxy.call(tool("get_a"))
        assert (got.status, got.body) == (200, b"ok")
        assert got.value("holdfast-outcome") == b"fallback"
        assert got.value("holdfast-served-by") == b"spare"
        assert got.value("holdfast-reason") == b"failure"
        assert got.value("holdfast-attempts") == b"2"
        assert spare.requests[0].body == upstream.requests[0].body
        again = await proxy.call(tool("get_a"))
        assert again.value("holdfast-reason") == b"circuit_open"
        assert len(upstream.requests) == 1
        figures = await proxy.metrics()
        assert figures.sum("holdfast_fallbacks_total", to="spare", result="ok") == 2
        assert figures.sum("holdfast_calls_total", outcome="fallback") == 2


async def test_the_policys_own_words_are_last(upstream: RawUpstream, spare: RawUpstream) -> None:
    """They are ours, and say so."""
    async with holdfast(upstream, "tools", mounted(spare)) as proxy:
        upstream.otherwise = spare.otherwise = hang_up
        got = await proxy.call(tool("get_a"))
        assert json.loads(got.body) == {"balance": "unknown"}
        assert got.value("holdfast-origin") == b"holdfast"
        assert got.value("holdfast-outcome") == b"fallback"
        assert got.value("holdfast-reason") == b"upstream_disconnected"


async def test_a_write_that_may_have_run_is_not_sent_elsewhere(
    upstream: RawUpstream, spare: RawUpstream
) -> None:
    """Nobody knows whether it ran; the policy's own words may still be said."""
    async with holdfast(upstream, "tools", mounted(spare)) as proxy:
        upstream.then(hang_up)
        got = await proxy.call(tool("move_a"))
        assert got.value("holdfast-outcome") == b"fallback"
        assert spare.requests == []


async def test_an_upload_flows_again(upstream: RawUpstream, spare: RawUpstream) -> None:
    """A body that came in pieces was kept for whoever stands in."""
    body = b"x" * 300_000
    rules = mounted(spare).replace('{tool: "get_*"}', "{path: '/*'}")
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then(answer(503, body=b"no"), answer(503, body=b"no"))
        got = await proxy.call(request("/put", "Content-Type: text/plain", method="PUT", body=body))
        assert got.value("holdfast-served-by") == b"spare"
        assert spare.requests[0].body == body


HEDGED = """
policies:
  - {name: reads, effect: read, timeout: {total: 4s}, hedge: {after: 20ms}}
"""


def after(gate: asyncio.Event, raw: bytes) -> Callable[..., Awaitable[None]]:
    """Answer when the gate opens."""

    async def step(connection: UpstreamConnection, message: Message) -> None:
        await gate.wait()
        connection.send(raw)

    return step


async def test_a_slow_read_is_asked_again_and_the_first_answer_counts(
    upstream: RawUpstream,
) -> None:
    """The slow one's connection is closed at once: it is not awaited, and never reused."""
    async with holdfast(upstream, "tools", HEDGED) as proxy:
        upstream.then(never)
        got = await within(proxy.call(tool("get_a")))
        assert (got.status, got.body, got.value("holdfast-attempts")) == (200, b"ok", b"2")
        await upstream.closed(1)
        figures = await proxy.until_metric("holdfast_hedges_total", 1, result="won")
        assert figures.sum("holdfast_attempts_total", result="cancelled") == 1
        assert figures.sum("holdfast_attempts_total", result="success") == 1
        assert figures.sum("holdfast_inflight") == 0
        assert (await proxy.call(tool("get_a"))).body == b"ok"


async def test_the_first_sending_may_still_win(upstream: RawUpstream) -> None:
    """Then the hedge is the one that is cancelled."""
    gate = asyncio.Event()
    async with holdfast(upstream, "tools", HEDGED) as proxy:
        upstream.then(after(gate, OK), never)
        async with await proxy.connect() as agent:
            agent.send(tool("get_a"))
            await upstream.seen(2)
            gate.set()
            assert (await agent.answer("POST")).body == b"ok"
        figures = await proxy.until_metric("holdfast_hedges_total", 1, result="lost")
        assert figures.sum("holdfast_attempts_total", result="cancelled") == 1


async def test_an_agent_that_leaves_ends_both(upstream: RawUpstream) -> None:
    """Neither goes on."""
    async with holdfast(upstream, "tools", HEDGED) as proxy:
        upstream.then(never, never)
        async with await proxy.connect() as agent:
            agent.send(tool("get_a"))
            await upstream.seen(2)
        await upstream.closed(2)
        figures = await proxy.until_metric("holdfast_calls_total", 1, outcome="cancelled")
        assert figures.sum("holdfast_attempts_total", result="cancelled") == 2


@pytest.mark.parametrize("first", [answer(500, body=b"no"), hang_up], ids=["500", "closed"])
async def test_a_hedge_saves_a_call_that_fails(upstream: RawUpstream, first: Step) -> None:
    """The first sending fails while the second is on its way."""
    gate, broken = asyncio.Event(), asyncio.Event()

    async def fails(connection: UpstreamConnection, message: Message) -> None:
        await broken.wait()
        if isinstance(first, bytes):
            connection.send(first)
        else:
            await first(connection, message)

    async with holdfast(upstream, "tools", HEDGED) as proxy:
        upstream.then(fails, after(gate, OK))
        async with await proxy.connect() as agent:
            agent.send(tool("get_a"))
            await upstream.seen(2)
            broken.set()
            await proxy.metrics()
            gate.set()
            got = await agent.answer("POST")
        assert (got.status, got.body) == (200, b"ok")


BARRED = """
upstreams: {{spare: {{url: "{url}", protocol: tools, path: /spare}}}}
policies:
  - {{name: chain, match: {{upstream: gateway}}, effect: read, fallback: [{{upstream: spare}}]}}
  - {{name: barred, match: {{upstream: spare}}, risk: high, {bar}}}
"""


@pytest.mark.parametrize(
    ("bar", "status"),
    [
        ("deny: true", 403),
        ("deny: {when: 'input.n > 0'}", 403),
        ("deny: {when: 'input.n > 1'}", 200),
        ("approval: {}", 403),
        ("approval: {when: 'input.n > 0'}", 403),
        ("approval: {when: 'input.n > 1'}", 200),
        ("mode: shadow, deny: true", 200),
    ],
)
async def test_a_way_round_leads_to_nothing_that_is_forbidden(
    upstream: RawUpstream, spare: RawUpstream, bar: str, status: int
) -> None:
    """What a policy denies at an upstream, or has people approve, is not sent there instead."""
    rules = BARRED.format(url=spare.url, bar=bar)
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then(answer(500, body=b"no"))
        got = await proxy.call(tool("get_a"))
        assert got.status == status
        assert len(spare.requests) == (status == 200)
        if status == 403:
            assert json.loads(got.body)["policy"] == "barred"


SPOKEN = "policies: [{name: all, timeout: {total: 4s}, fallback: [{static: {%s}}]}]"


async def test_a_result_of_the_policy_has_the_id_of_the_request(upstream: RawUpstream) -> None:
    """What an MCP client calls an answer."""
    async with holdfast(upstream, "mcp", SPOKEN % "result: {content: []}") as proxy:
        upstream.then(answer(500))
        body = b'{"jsonrpc":"2.0","id":"q-7","method":"tools/call","params":{"name":"find"}}'
        got = await proxy.call(
            request("/", "Content-Type: application/json", method="POST", body=body)
        )
        assert (got.status, got.value("holdfast-outcome")) == (200, b"fallback")
        assert json.loads(got.body) == {"jsonrpc": "2.0", "id": "q-7", "result": {"content": []}}


async def test_who_asked_a_model_for_a_stream_gets_no_body_of_the_policy(
    upstream: RawUpstream,
) -> None:
    """Its SDK would wait for events: it is told what failed."""
    async with holdfast(upstream, "openai", SPOKEN % "body: {choices: []}") as proxy:
        for stream, status in ((b"false", 200), (b"true", 500)):
            upstream.then(answer(500))
            body = b'{"model":"m","messages":[],"stream":%b}' % stream
            line = "Content-Type: application/json"
            got = await proxy.call(request("/v1/chat/completions", line, method="POST", body=body))
            assert got.status == status
