"""Policies change under load (spec 1.3): no call fails, none waits, a bad file changes nothing."""

import asyncio

import pytest

from tests.harness import OK, Proxy, RawUpstream, answer, holdfast, request, upstream_yaml, within
from tests.harness.upstream import after

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = "policies: [{{name: all, timeout: {{total: {0}s}}, retry: {{attempts: 2}}, breaker: {{}}}}]"


async def test_reload_under_load_fails_none(upstream: RawUpstream) -> None:
    """Twenty agents call while the policies are replaced thirty times."""
    async with holdfast(upstream, policies=RULES.format(5)) as proxy:
        upstream.then()
        upstream.otherwise = OK
        over = asyncio.Event()

        async def calls() -> int:
            done = 0
            async with await proxy.connect() as agent:
                while not over.is_set() or done < 20:
                    assert (await agent.call(request(f"/{done}"))).status == 200
                    done += 1
            return done

        working = [asyncio.create_task(calls()) for _ in range(20)]
        for turn in range(30):
            reached = len(upstream.requests)
            proxy.write_policies(RULES.format(5 + turn))
            assert proxy.app.reload()
            await upstream.seen(reached + 20)
        over.set()
        done = await within(asyncio.gather(*working))
        assert min(done) >= 20


async def test_a_running_call_keeps_its_pipeline(upstream: RawUpstream) -> None:
    """A call under way when its upstream goes away is answered by that upstream."""
    go = asyncio.Event()
    async with RawUpstream(answer(200, body=b"new")) as other, holdfast(upstream) as proxy:
        upstream.then(after(go, answer(200, body=b"old")))
        async with await proxy.connect() as agent:
            agent.send(request())
            await upstream.seen()
            move(proxy, other)
            assert (await proxy.call(request())).body == b"new"
            go.set()
            assert (await agent.answer()).body == b"old"
        assert len(upstream.requests) == 1


def move(proxy: Proxy, upstream: RawUpstream) -> None:
    """Mount another upstream in the old one's place."""
    (proxy.folder / "policies" / "00.yaml").write_text(upstream_yaml(upstream))
    assert proxy.app.reload()


async def test_connections_of_agents_outlive_a_reload(upstream: RawUpstream) -> None:
    """An agent's next request on the same connection meets the new policies."""
    async with (
        RawUpstream(answer(200, body=b"new")) as other,
        holdfast(upstream) as proxy,
        await proxy.connect() as agent,
    ):
        assert (await agent.call(request())).body == b"ok"
        move(proxy, other)
        assert (await agent.call(request())).body == b"new"


async def test_connections_to_an_upstream_outlive_a_reload(upstream: RawUpstream) -> None:
    """An upstream that did not change keeps its pool."""
    async with RawUpstream() as own, holdfast(own, policies=RULES.format(5)) as proxy:
        await proxy.call(request())
        proxy.write_policies(RULES.format(6))
        assert proxy.app.reload()
        await proxy.call(request())
        assert len(own.connections) == 1


async def test_a_pool_that_is_no_longer_used_is_closed(upstream: RawUpstream) -> None:
    """The idle connections of an upstream that was taken out end."""
    async with RawUpstream() as old, RawUpstream() as new, holdfast(old) as proxy:
        await proxy.call(request())
        move(proxy, new)
        await proxy.call(request())
        await old.closed(1)


@pytest.mark.parametrize(
    "broken", ["policies: [{name: x, retry: {atempts: 2}}]", "policies: [", "nonsense: 1", "\t"]
)
async def test_a_bad_file_changes_nothing(upstream: RawUpstream, broken: str) -> None:
    """The old policies stay; `…_last_reload_success` says 0 until a good set comes."""
    async with holdfast(upstream) as proxy:
        proxy.write_policies(broken)
        assert not proxy.app.reload()
        assert (await proxy.metrics()).sum("holdfast_config_last_reload_success") == 0
        assert (await proxy.call(request())).status == 200
        proxy.write_policies(RULES.format(5))
        assert proxy.app.reload()
        assert (await proxy.metrics()).sum("holdfast_config_last_reload_success") == 1


async def test_an_open_circuit_outlives_a_reload(upstream: RawUpstream) -> None:
    """State is kept apart from policies."""
    rules = """
policies:
  - {name: b, timeout: {total: %ds}, breaker: {consecutive: 2, open: {base: 60s}}}
"""
    async with holdfast(upstream, policies=rules % 4) as proxy:
        upstream.then(answer(500, body=b"no"), answer(500, body=b"no"))
        for _ in range(2):
            assert (await proxy.call(request("/x"))).status == 500
        assert (await proxy.call(request("/x"))).status == 503
        proxy.write_policies(rules % 5)
        assert proxy.app.reload()
        assert (await proxy.call(request("/x"))).status == 503
        assert len(upstream.requests) == 2
