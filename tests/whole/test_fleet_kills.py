"""Kills of a fleet (spec 4.4): three proxies and a real Redis between them, on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from proxy.state.shared import fleet
from tests.harness import OK, Proxy, RawUpstream, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.servers import RedisServer
from tests.whole.test_kill import kill, records, refused, revive, streams

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

POLICIES = """
policies:
  - {name: paid, match: {path: /paid}, cost: 0.30}
  - {name: guard, match: {path: /loops}, loop: {same: 3, kill: 1}}
budgets: [{name: cap, per: workflow, total: 0.50, on_exceed: abort}]
"""
SLOW = 20.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop()


class Pods:
    """Three of them."""

    def __init__(self, proxies: list[Proxy], server: RedisServer) -> None:
        self.proxies = proxies
        self.server = server

    def __iter__(self) -> Iterator[Proxy]:
        return iter(self.proxies)

    async def until(self, is_so: Callable[[Proxy], bool]) -> None:
        """It is so at all of them."""

        async def look() -> None:
            for proxy in self.proxies:
                while not is_so(proxy):
                    await proxy.metrics()

        await within(look(), SLOW)

    async def all_have(self, *scopes: str) -> None:
        """These are killed everywhere, and no others."""
        await self.until(lambda proxy: killed(proxy) == sorted(scopes))

    async def see(self, *, up: bool) -> None:
        """All know whether the store is there."""
        await self.until(lambda proxy: proxy.app.health.report()["parts"]["store"]["ok"] is up)


def killed(proxy: Proxy) -> list[str]:
    """The scopes."""
    return sorted({str(each.scope) for each in proxy.app._control.kills.items()})


@pytest_asyncio.fixture(loop_scope="module")
async def pods(
    upstream: RawUpstream, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Pods]:
    monkeypatch.setattr(fleet, "SETTLE", 0)  # a store that knows nobody waits for nobody
    upstream.otherwise = OK
    async with AsyncExitStack() as stack:
        proxies = [
            await stack.enter_async_context(holdfast(upstream, policies=POLICIES, store=server.url))
            for _ in range(3)
        ]
        made = Pods(proxies, server)
        await made.until(lambda proxy: proxy.app.health.report()["parts"]["store"]["pods"] == 3)
        yield made


async def test_killed_on_one_it_is_killed_on_all(pods: Pods, upstream: RawUpstream) -> None:
    """New calls are refused, a stream that runs ends; any pod lets it go on for all."""
    a, b, c = pods
    upstream.then(streams)
    async with await b.connect() as agent:
        agent.send(request("/", "Accept: text/event-stream"))
        await agent.until(b"data: 1\n\n")
        told = await kill(a, "agent:*")
        assert (told["pods"], told["warnings"]) == (3, [])
        rest = await agent.rest()
        assert b'"code":"killed"' in rest
        assert b"case 12" in rest
    await pods.all_have("agent:*")
    for proxy in pods:
        problem = refused(await proxy.call(request()))
        assert (problem["kill"]["reason"], problem["kill"]["by"]) == ("case 12", "admin.sock")
    status, told = await revive(c, "agent:*")
    assert (status, told["pods"], told["still_killed"], told["warnings"]) == (200, 3, [], [])
    assert told["pod"] == a_name(a)
    await pods.all_have()
    for proxy in pods:
        assert (await proxy.call(request())).status == 200
    (ended, *_) = await records(b, 3)
    assert (ended["code"], ended["outcome"]) == ("killed", "cancelled")


def a_name(proxy: Proxy) -> str:
    """As others call the pod."""
    sharing = proxy.app._sharing
    assert sharing is not None
    return f"{sharing.link.pod.name}/{sharing.link.pod.id[:6]}"


async def test_without_the_store_it_stays_as_it_was(pods: Pods) -> None:
    """Also over a restart of a pod that only heard of it. What is thrown and lifted meanwhile is
    said to count here only, and counts for all when the store is back, with nothing in it."""
    a, b, c = pods
    await kill(a, "all")
    await pods.all_have("all")
    pods.server.stop(hard=True)
    await pods.see(up=False)
    await b.restart()
    await pods.all_have("all")
    refused(await b.call(request()))
    told = await kill(c, "tool:x")
    assert (told["durable"], told["pods"]) == (True, None)
    assert "it counts on this pod, and on the others once the store is there" in told["warnings"][0]
    status, told = await revive(b, "all")
    assert (status, told["pods"]) == (200, None)
    assert "the others keep it killed until the store is there" in told["warnings"][0]
    assert [killed(proxy) for proxy in pods] == [["all"], [], ["all", "tool:x"]]
    assert (await b.call(request())).status == 200
    refused(await a.call(request()))
    pods.server.start()
    await pods.all_have("tool:x")
    assert (await a.call(request())).status == 200


async def test_who_was_away_has_lifted_what_was_lifted(pods: Pods) -> None:
    """Its journal has the kill; it is gone before the first call."""
    a, b, c = pods
    await kill(a, "all")
    await pods.all_have("all")
    await within(c.app.stop(drain=0))
    await revive(b, "all")
    c.app = await within(again(c), SLOW)
    assert killed(c) == []


async def again(proxy: Proxy) -> Any:
    """Started on the same folder."""
    from proxy.app import App
    from proxy.config.settings import load_settings

    app = await App.start(load_settings(proxy.folder / "holdfast.yaml"))
    proxy.listen, proxy.admin = app.listen, app.admin
    return app


async def test_a_pod_that_comes_new_has_it_before_its_first_call(
    pods: Pods, upstream: RawUpstream
) -> None:
    """Nothing of it was ever in its journal."""
    await kill(pods.proxies[0], "all")
    async with holdfast(upstream, store=pods.server.url) as late:
        refused(await late.call(request()))


async def test_every_way_of_killing_reaches_all(pods: Pods) -> None:
    """The signal, the file, a budget that aborts, a loop."""
    a, b, c = pods
    a.app.kill_all()
    await pods.all_have("all")
    assert (await revive(b, "all"))[0] == 200
    await pods.all_have()
    file = b.folder / "state" / "kill"
    file.write_text("tool:x # by hand\n")
    await pods.all_have("tool:x")
    file.unlink()
    status, told = await revive(c, "tool:x")
    assert (status, "another pod" in told["warnings"][0]) == (200, True)
    await pods.all_have()
    for _ in range(2):
        await c.call(request("/paid", "holdfast-workflow: w1"))
    await pods.all_have("workflow:w1")
    refused(await a.call(request("/", "holdfast-workflow: w1")))
    for _ in range(6):
        await a.call(request("/loops", "holdfast-workflow: w2"))
    await pods.all_have("workflow:w1", "workflow:w2")
    found = {kill.origin: kill.pod for kill in b.app._control.kills.items()}
    assert found == {"budget": a_name(c), "loop": a_name(a)}


async def test_thrown_at_once_on_all_one_revival_lifts_it(pods: Pods) -> None:
    """Once all know of all."""
    told = await asyncio.gather(*(kill(proxy, "all") for proxy in pods))
    assert {each["pods"] for each in told} == {3}

    def has_three(proxy: Proxy) -> bool:
        known = list(proxy.app._control.kills.throws)
        return len(known) == 1 and len(known[0].on) + len(known[0].off) == 3

    await pods.until(has_three)
    assert (await revive(pods.proxies[2], "all"))[1]["still_killed"] == []
    await pods.all_have()
