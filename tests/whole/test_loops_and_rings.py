"""Agents that repeat themselves, and agents that wait for each other, on real sockets."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.harness import Message, Proxy, RawUpstream, answer, chunked, holdfast, request
from tests.harness.loops import THE_LOOP
from tests.harness.upstream import Step, UpstreamConnection

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

JSON = "Content-Type: application/json"
RULES = """
policies:
  - {name: guard, match: {layer: tool}, loop: {}, retry: {attempts: 2, on: [500],
     backoff: {base: 1ms, max: 1ms}, budget: {burst: 1000}}, effect: read}
"""


def tool(*lines: str, **arguments: object) -> bytes:
    """A tool call."""
    body = json.dumps({"tool": "search", "input": arguments}).encode()
    return request("/", JSON, *lines, method="POST", body=body)


def problem(got: Message) -> dict[str, Any]:
    """What is said of a refusal."""
    told: dict[str, Any] = json.loads(got.body)
    return told


async def test_the_sixth_of_the_same_is_refused(upstream: RawUpstream) -> None:
    """The answers before say that it is coming; twenty different pages go."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        upstream.otherwise = answer(200, body=b'{"found": []}')
        got = [await proxy.call(tool(page=1)) for _ in range(6)]
        assert [one.status for one in got] == [200] * 5 + [422]
        assert [one.value("holdfast-loop") for one in got[:3]] == [
            None, None, b"same; times=3; limit=5",
        ]  # fmt: skip
        told = problem(got[-1])
        assert (told["code"], told["rule"], told["times"]) == ("loop_detected", "same", 5)
        assert told["answered"] == '{"found": []}'
        assert (told["retryable"], got[-1].value("x-should-retry")) == (False, b"false")
        pages = [await proxy.call(tool(page=number)) for number in range(2, 22)]
        assert {one.status for one in pages} == {200}
        metrics = await proxy.until_metric("holdfast_refusals_total", 1, code="loop_detected")
    assert len(upstream.requests) == 25
    assert metrics.sum("holdfast_loops_total", rule="same", step="note") == 3
    assert metrics.sum("holdfast_loops_total", step="refuse") == 1


async def test_retries_of_our_own_do_not_count(upstream: RawUpstream) -> None:
    """Three calls that fail, each sent twice; the fourth is refused, and hears how they failed."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        upstream.otherwise = answer(500, body=b"no luck")
        got = [await proxy.call(tool()) for _ in range(4)]
    assert [one.status for one in got] == [500, 500, 500, 422]
    assert got[2].value("holdfast-loop") == b"failing; times=3; limit=3"
    assert "failed 3 times" in problem(got[3])["detail"]
    assert len(upstream.requests) == 6


async def test_what_the_network_does_is_noted_too() -> None:
    """An answer of ours says so as well."""
    async with RawUpstream() as gone:
        await gone.shut()
    async with holdfast(gone.url, "tools", RULES) as proxy:
        got = [await proxy.call(tool()) for _ in range(4)]
    assert [one.status for one in got] == [502, 502, 502, 422]
    assert [one.value("holdfast-loop") for one in got[1:3]] == [None, b"failing; times=3; limit=3"]


async def test_streams_are_known_again(upstream: RawUpstream) -> None:
    """By what passed; with payloads kept they are looked at by two."""
    rules = RULES.replace("effect: read", "effect: read, audit: {payload: redacted}")
    async with holdfast(upstream, "tools", rules) as proxy:
        events = chunked(b"data: 1\n\n", b"data: 2\n\n")
        upstream.otherwise = answer(
            200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=events
        )
        got = [await proxy.call(tool()) for _ in range(6)]
    assert [one.status for one in got] == [200] * 5 + [422]
    assert {one.body for one in got[:5]} == {b"data: 1\n\ndata: 2\n\n"}
    assert problem(got[5])["answered"] == "data: 1 data: 2"


async def test_leaving_the_workflow_out_leads_nowhere(upstream: RawUpstream) -> None:
    """Calls without one fall under the agent; another workflow is another."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        upstream.then()
        for lines in ((), ("holdfast-workflow: w",)):
            got = [await proxy.call(tool(*lines)) for _ in range(6)]
            assert [one.status for one in got] == [200] * 5 + [422]


async def test_what_it_did_outlives_a_reload(upstream: RawUpstream) -> None:
    """And is judged by the rules that are in force then."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        upstream.then()
        for _ in range(4):
            await proxy.call(tool())
        proxy.write_policies(RULES.replace("loop: {}", "loop: {same: 4}"))
        assert proxy.app.reload()
        assert (await proxy.call(tool())).status == 422


# --- two agents behind one proxy ---

AGENTS = """
upstreams:
  {ann}: {{url: "{first}", protocol: http, path: /, forward: [chain]}}
  to-bob: {{url: "{second}", protocol: http, path: /bob, forward: [chain]}}
policies:
  - {{name: guard, loop: {loop}}}
"""


class Pair:
    """Ann and bob, who are called through the proxy, and call each other through it."""

    def __init__(self, first: RawUpstream, second: RawUpstream) -> None:
        self.ann, self.bob = first, second
        self.proxy: Proxy

    def rules(self, ann: str = "to-ann", loop: str = "{}") -> str:
        """How they are mounted."""
        return AGENTS.format(ann=ann, first=self.ann.url, second=self.bob.url, loop=loop)

    def calls(self, who: str, path: str, task: str = "t") -> Step:
        """On being called this agent calls on, with what it was sent; its answer is what came."""

        async def step(connection: UpstreamConnection, got: Message) -> None:
            chain = got.value("holdfast-chain")
            assert chain is not None
            back = await self.call(who, path, task, chain)
            connection.send(answer(200, body=b"%d %b" % (back.status, back.body)))

        return step

    async def call(self, who: str, path: str, task: str = "t", chain: bytes = b"") -> Message:
        """What comes of a call of this agent."""
        lines = [f"x-agent: {who}", f"holdfast-task: {task}"]
        lines += [f"holdfast-chain: {chain.decode()}"] if chain else []
        return await self.proxy.call(request(path, *lines))


@pytest_asyncio.fixture(loop_scope="module")
async def pair() -> AsyncIterator[Pair]:
    """Both of them."""
    async with RawUpstream() as first, RawUpstream() as second:
        yield Pair(first, second)


def behind(pair: Pair, rules: str, **more: Any) -> Any:
    """The proxy that both have."""
    return holdfast(None, policies=rules, identity=["header:x-agent", "static"], **more)


def code(body: bytes) -> dict[str, Any]:
    """The innermost refusal of calls that called on."""
    told: dict[str, Any] = json.loads(body[body.index(b"{") :])
    return told


async def test_agents_that_wait_for_each_other_are_told(pair: Pair) -> None:
    """Ann calls bob, who calls ann, who calls bob: she waits already. The others have an answer."""
    pair.bob.script.append(pair.calls("bob", "/ann"))
    pair.ann.script.append(pair.calls("ann", "/bob"))
    async with behind(pair, pair.rules()) as pair.proxy:
        got = await pair.call("ann", "/bob")
        metrics = await pair.proxy.until_metric("holdfast_calls_total", 3)
    assert got.status == 200
    assert got.body.startswith(b"200 508 {")
    told = code(got.body)
    assert (told["code"], told["cycle"]) == ("deadlock", ["ann", "bob", "ann"])
    assert (told["retryable"], told["executed"]) == (False, "no")
    assert metrics.sum("holdfast_loops_total", rule="deadlock") == 1
    assert (len(pair.bob.requests), len(pair.ann.requests)) == (1, 1)


async def test_where_the_upstream_has_the_agents_name_it_is_not_even_called(pair: Pair) -> None:
    """The call that closes the ring is refused."""
    pair.bob.script.append(pair.calls("bob", "/ann"))
    async with behind(pair, pair.rules(ann="ann")) as pair.proxy:
        got = await pair.call("ann", "/bob")
    assert (got.status, code(got.body)["cycle"]) == (200, ["ann", "bob", "ann"])
    assert pair.ann.requests == []


@pytest.mark.parametrize(
    ("loop", "task"), [("{deadlock: false}", "t"), ("{}", "other")], ids=["allowed", "other work"]
)
async def test_a_chain_that_is_slow_and_alive_goes_on(pair: Pair, loop: str, task: str) -> None:
    """Where agents answer while they wait, and where it is not the same task."""
    pair.bob.script.append(pair.calls("bob", "/ann"))
    pair.ann.script.append(pair.calls("ann", "/bob", task))
    async with behind(pair, pair.rules(loop=loop)) as pair.proxy:
        got = await pair.call("ann", "/bob")
    assert (got.status, got.body) == (200, b"200 200 ok")


async def test_a_chain_of_a_call_that_is_over_says_nothing(pair: Pair) -> None:
    """Bob keeps it, and hands it to ann later: nobody waits."""
    async with behind(pair, pair.rules()) as pair.proxy:
        await pair.call("ann", "/bob")
        kept = pair.bob.requests[0].value("holdfast-chain")
        assert kept is not None
        assert (await pair.call("ann", "/bob", chain=kept)).status == 200
        metrics = await pair.proxy.metrics()
    assert metrics.sum("holdfast_chains_ignored_total", reason="ended") == 1


async def test_chains_may_be_too_deep(pair: Pair) -> None:
    """With a key of the fleet, or without."""
    for number, key in enumerate(("", "a key of the fleet")):
        pair.bob.script.append(pair.calls("bob", "/ann"))
        pair.ann.script.append(pair.calls("cat", "/bob"))
        async with behind(pair, pair.rules(loop="{max_depth: 2}"), fleet_key=key) as pair.proxy:
            got = await pair.call("ann", "/bob")
        told = code(got.body)
        assert (told["code"], told["rule"], number) == ("loop_detected", "depth", number)


async def test_nothing_is_told_unasked(pair: Pair) -> None:
    """Where the section is off, or the upstream's line does not say so; what an agent sends of
    itself stays here."""
    seen: list[bytes | None] = []
    edits: list[Callable[[str], str]] = [
        lambda rules: rules.replace("loop: {}", "deny: false"),
        lambda rules: rules.replace(", forward: [chain]", ""),
    ]
    for edit in edits:
        async with behind(pair, edit(pair.rules())) as pair.proxy:
            assert (await pair.call("ann", "/bob", chain=b"x")).status == 200
        seen.append(pair.bob.requests[-1].value("holdfast-chain"))
    assert seen == [None, None]
