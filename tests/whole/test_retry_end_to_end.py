"""A failing tool is retried, broken and timed as the YAML says (spec 3.1-3.3)."""

import asyncio
import json

import pytest

from tests.harness import OK, Message, Proxy, RawUpstream, answer, holdfast, request, within
from tests.harness.upstream import Step, hang_up, never, slam, then_close

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = """
policies:
  - name: all
    timeout: {total: 4s}
    retry: {attempts: 3, backoff: {base: 1ms, max: 2ms}, budget: {burst: 100}}
  - {name: reads, match: {tool: "get_*"}, effect: read}
  - {name: writes, match: {tool: "move_*"}, effect: write}
"""
JSON = "Content-Type: application/json"


def tool(name: str, *lines: str) -> bytes:
    """A tool call."""
    body = json.dumps({"tool": name, "input": {"n": 1}}).encode()
    return request("/", JSON, *lines, method="POST", body=body)


def failed(status: int, *lines: str) -> bytes:
    """An answer that says no."""
    return answer(status, *lines, body=b"no")


async def tried(upstream: RawUpstream, raw: bytes, *steps: Step, rules: str = RULES) -> Message:
    """The answer to a call whose attempts are answered by these steps."""
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then(*steps)
        return await proxy.call(raw)


HARMLESS: dict[str, Step] = {
    "500": failed(500),
    "502": failed(502),
    "503": failed(503),
    "504": failed(504),
    "529": failed(529),
    "429": failed(429, "retry-after-ms: 1"),
    "closed": hang_up,
    "reset": slam,
    "half a head": then_close(b"HTTP/1.1 200 OK\r\nContent-Le"),
}


@pytest.mark.parametrize("step", HARMLESS.values(), ids=HARMLESS.keys())
async def test_a_read_is_sent_again(upstream: RawUpstream, step: Step) -> None:
    """Two failures, then success: the agent sees the success, and that it took three."""
    got = await tried(upstream, tool("get_balance"), step, step)
    assert (got.status, got.body) == (200, b"ok")
    assert got.value("holdfast-attempts") == b"3"
    assert got.value("holdfast-outcome") == b"ok"
    assert len(upstream.requests) == 3


async def test_the_same_bytes_are_sent_again(upstream: RawUpstream) -> None:
    """Every attempt has the same head and body."""
    await tried(upstream, tool("get_balance", "X-A: b"), failed(503), failed(503))
    first, *others = [(one.start, one.lines, one.body) for one in upstream.requests]
    assert others == [first, first]


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 409, 422, 501, 505])
async def test_other_answers_are_not_sent_again(upstream: RawUpstream, status: int) -> None:
    """What is no failure is the answer."""
    got = await tried(upstream, tool("get_balance"), failed(status))
    assert (got.status, got.body) == (status, b"no")
    assert len(upstream.requests) == 1


async def test_the_last_answer_is_handed_back(upstream: RawUpstream) -> None:
    """When attempts are used up the upstream's own answer goes through; SDKs are told to stop."""
    steps = [failed(503, "X-Try: 1"), failed(502, "X-Try: 2"), failed(500, "X-Try: 3")]
    got = await tried(upstream, tool("get_balance"), *steps)
    assert (got.status, got.body, got.value("x-try")) == (500, b"no", b"3")
    assert got.value("holdfast-origin") == b"upstream"
    assert got.value("holdfast-outcome") == b"failed"
    assert got.value("x-should-retry") == b"false"
    assert len(upstream.requests) == 3


@pytest.mark.parametrize(
    "step",
    [failed(500), failed(502), failed(503), failed(504), hang_up, slam],
    ids=["500", "502", "503", "504", "closed", "reset"],
)
async def test_a_write_is_sent_once(upstream: RawUpstream, step: Step) -> None:
    """None of these proves that nothing ran."""
    got = await tried(upstream, tool("move_money"), step)
    assert got.status >= 500
    assert len(upstream.requests) == 1


@pytest.mark.parametrize("status", [421, 425])
async def test_a_write_that_did_not_run_is_sent_again(upstream: RawUpstream, status: int) -> None:
    """Misdirected and too early are proof."""
    rules = RULES.replace("attempts: 3", "attempts: 3, on: [421, 425, 503]")
    got = await tried(upstream, tool("move_money"), failed(status), rules=rules)
    assert got.status == 200
    assert len(upstream.requests) == 2


async def test_an_agent_that_retries_owns_the_retries(upstream: RawUpstream) -> None:
    """An SDK's own retry count makes ours one attempt."""
    got = await tried(upstream, tool("get_balance", "x-stainless-retry-count: 1"), failed(503))
    assert got.status == 503
    assert len(upstream.requests) == 1


async def test_a_long_pushback_ends_the_retries(upstream: RawUpstream) -> None:
    """`Retry-After` that fits neither cap nor deadline: the upstream's answer, at once."""
    got = await tried(upstream, tool("get_balance"), failed(429, "Retry-After: 600"))
    assert (got.status, got.value("retry-after")) == (429, b"600")
    assert len(upstream.requests) == 1


async def test_an_upstream_may_end_the_retries(upstream: RawUpstream) -> None:
    """`x-should-retry: false`."""
    got = await tried(upstream, tool("get_balance"), failed(503, "x-should-retry: false"))
    assert (got.status, len(upstream.requests)) == (503, 1)


async def test_a_hanging_attempt_is_given_up_and_sent_again(upstream: RawUpstream) -> None:
    """`timeout.attempt` ends the first; the second succeeds; the first's connection is closed."""
    rules = RULES.replace("total: 4s", "total: 4s, attempt: 200ms")
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then(never)
        got = await proxy.call(tool("get_balance"))
        assert (got.status, got.value("holdfast-attempts")) == (200, b"2")
        first = upstream.carrier(upstream.requests[0])
        await within(first.ended.wait())


async def test_no_attempt_begins_that_cannot_last(upstream: RawUpstream) -> None:
    """A deadline under `min_attempt` is refused before anything is sent."""
    got = await tried(upstream, tool("get_balance", "holdfast-timeout-ms: 50"))
    assert got.status == 504
    problem = json.loads(got.body)
    assert (problem["code"], problem["executed"]) == ("deadline_exceeded", "no")
    assert upstream.requests == []


async def test_a_truncated_answer_is_sent_again_before_it_is_shown(upstream: RawUpstream) -> None:
    """An answer cut before its first body byte was never committed: a read is repeated."""
    cut = then_close(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    got = await tried(upstream, tool("get_balance"), cut)
    assert (got.status, got.body, len(upstream.requests)) == (200, b"ok", 2)


async def test_of_an_answer_that_breaks_off_nothing_is_left(upstream: RawUpstream) -> None:
    """What the agent gets in its place has one head: ours."""
    cut = then_close(answer(200, "Content-Length: 9", "X-Theirs: yes", body=None))
    got = await tried(upstream, tool("move_money"), cut)
    assert (got.status, json.loads(got.body)["code"]) == (502, "truncated")
    assert got.raw.count(b"HTTP/1.1 ") == 1
    assert got.value("x-theirs") is None


async def test_a_body_too_large_to_keep_is_sent_once(upstream: RawUpstream) -> None:
    """Over `replay` there is no second attempt; the reason is counted."""
    rules = RULES.replace("attempts: 3", "attempts: 3, replay: 1KiB")
    body = json.dumps({"tool": "get_balance", "input": "x" * 5000}).encode()
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then(failed(503))
        got = await proxy.call(request("/", JSON, method="POST", body=body))
        assert (got.status, len(upstream.requests)) == (503, 1)
        metrics = await proxy.metrics()
        assert metrics.sum("holdfast_retry_disabled_total", reason="body_too_large") == 1


async def test_retries_have_a_budget(upstream: RawUpstream) -> None:
    """When it is used up the last answer is returned with `holdfast-reason: retry_budget`."""
    rules = RULES.replace("burst: 100", "ratio: 0.0, min_per_minute: 0, burst: 2")
    async with holdfast(upstream, "tools", rules) as proxy:
        upstream.then()
        upstream.otherwise = failed(503)
        got = [await proxy.call(tool("get_balance")) for _ in range(3)]
    assert len(upstream.requests) == 3 + 2
    assert got[-1].status == 503
    assert got[-1].value("holdfast-reason") == b"retry_budget"


async def test_attempts_are_counted(upstream: RawUpstream) -> None:
    """No hidden resend: what the upstream saw is what the metrics say."""
    async with holdfast(upstream, "tools", RULES) as proxy:
        upstream.then(failed(503), hang_up)
        await proxy.call(tool("get_balance"))
        metrics = await proxy.until_metric("holdfast_calls_total", 1)
    assert metrics.sum("holdfast_attempts_total") == len(upstream.requests) == 3
    assert metrics.sum("holdfast_attempts_total", result="failure") == 2
    assert metrics.sum("holdfast_retries_total", decision="sent") == 2
    assert metrics.sum("holdfast_calls_total", outcome="ok") == 1


BREAKER = """
policies:
  - name: all
    effect: read
    breaker: {consecutive: 3, open: {base: 300ms, factor: 1, max: 300ms, jitter: 0}, probes: 1}
"""


async def trip(proxy: Proxy, upstream: RawUpstream, name: str = "get_balance") -> None:
    """Three failures in a row."""
    upstream.then(*[failed(500)] * 3)
    for _ in range(3):
        assert (await proxy.call(tool(name))).status == 500


async def test_a_breaker_opens(upstream: RawUpstream) -> None:
    """After N failures calls are refused 503 with what is left of the open time."""
    async with holdfast(upstream, "tools", BREAKER) as proxy:
        await trip(proxy, upstream)
        got = await proxy.call(tool("get_balance"))
        problem = json.loads(got.body)
        assert (got.status, problem["code"]) == (503, "circuit_open")
        assert problem["executed"] == "no"
        assert got.value("holdfast-outcome") == b"refused"
        assert got.value("holdfast-reason") == b"circuit_open"
        assert got.value("retry-after") == b"1"
        assert 0 < int(got.value("retry-after-ms") or b"0") <= 300
        assert got.value("x-should-retry") == b"true"
        assert len(upstream.requests) == 3


async def test_a_breaker_is_the_tools_own(upstream: RawUpstream) -> None:
    """Another tool of the same upstream goes on."""
    async with holdfast(upstream, "tools", BREAKER) as proxy:
        await trip(proxy, upstream)
        assert (await proxy.call(tool("get_other"))).status == 200


async def test_a_breaker_closes_after_a_probe(upstream: RawUpstream) -> None:
    """When the open time is over one call goes through, and its success closes the circuit."""
    async with holdfast(upstream, "tools", BREAKER) as proxy:
        await trip(proxy, upstream)
        upstream.then()

        async def until_let_through() -> None:
            while (await proxy.call(tool("get_balance"))).status != 200:
                pass

        await within(until_let_through())
        assert (await proxy.call(tool("get_balance"))).status == 200


async def test_one_probe_at_a_time(upstream: RawUpstream) -> None:
    """Half-open lets a single call through while the others are still refused."""
    async with holdfast(upstream, "tools", BREAKER) as proxy:
        await trip(proxy, upstream)
        upstream.then()
        upstream.otherwise = never

        async def call() -> int:
            async with await proxy.connect() as agent:
                agent.send(tool("get_balance"))
                return (await agent.answer()).status

        async def probes() -> asyncio.Task[int]:
            while True:
                one = asyncio.create_task(call())
                head = asyncio.create_task(upstream.began(1))
                await asyncio.wait({one, head}, return_when=asyncio.FIRST_COMPLETED)
                if upstream.heads:
                    await head
                    return one
                head.cancel()
                assert await one == 503

        probe = await within(probes())
        for _ in range(5):
            assert await call() == 503
        assert len(upstream.heads) == 1
        probe.cancel()


async def test_shadow_refuses_nobody(upstream: RawUpstream) -> None:
    """`mode: shadow` counts what it would have refused, and lets it go."""
    async with holdfast(upstream, "tools", BREAKER + "    mode: shadow\n") as proxy:
        await trip(proxy, upstream)
        upstream.then(OK)
        assert (await proxy.call(tool("get_balance"))).status == 200
        metrics = await proxy.until_metric("holdfast_refusals_total", 1, enforced="false")
        assert metrics.sum("holdfast_refusals_total", enforced="true") == 0


async def test_text_for_a_model(upstream: RawUpstream) -> None:
    """`Accept: text/markdown` gets the refusal as text of at most 60 words."""
    async with holdfast(upstream, "tools", BREAKER) as proxy:
        await trip(proxy, upstream)
        got = await proxy.call(tool("get_balance", "Accept: text/markdown"))
    assert got.status == 503
    assert (got.value("content-type") or b"").startswith(b"text/markdown")
    assert len(got.body.split()) <= 60
