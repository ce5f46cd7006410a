"""What all pods counted is shown by each of them: whole proxies, a real store."""

import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Proxy, RawUpstream, answer, breathe, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.process import Process, holdfast_process
from tests.servers import RedisServer

pytestmark = pytest.mark.asyncio(loop_factories=THE_LOOP)

CALL = request("/v1/pay", method="POST", body=b"{}")
POLICIES = """
policies:
  - {name: all, cost: 0.01}
  - {name: not-this, match: {tool: wire}, deny: {reason: never}}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """It keeps nothing over a restart."""
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop(hard=True)


@pytest.fixture
async def far() -> AsyncIterator[RawUpstream]:
    """Answers, but for what is in its script."""
    async with RawUpstream() as upstream:
        upstream.otherwise = answer(200, body=b"{}")
        yield upstream


def pod(far: RawUpstream, server: RedisServer) -> contextlib.AbstractAsyncContextManager[Proxy]:
    return holdfast(far, "tools", POLICIES, store=server.url, store_timeout="1s")


async def call(process: Process) -> None:
    """One."""
    async with await process.connect() as agent:
        _ = await agent.call(CALL)


async def shown(proxy: Proxy, holds: Callable[[Any], bool]) -> Any:
    """The fleet, as this one shows it, once it is so."""

    async def look() -> Any:
        while not holds(fleet := (await proxy.change("/v1/status", None, "GET"))["fleet"]):
            await breathe()
        return fleet

    return await within(look(), 30.0)


def called(number: int, pods: int = 0) -> Callable[[Any], bool]:
    """So many calls, and so many pods live, where it matters."""
    return lambda fleet: fleet["calls"] == number and pods in {0, fleet["pods"]}


async def test_each_shows_what_all_counted(server: RedisServer, far: RawUpstream) -> None:
    """Also of one that has left since; and again when the store has forgotten all."""
    async with pod(far, server) as one:
        async with pod(far, server) as other:
            far.script.append(answer(500, body=b"{}"))
            for _ in range(3):
                await one.call(CALL)
            await other.call(CALL)
            await other.call(request("/v1/wire", method="POST", body=b"{}"))
            told = await shown(one, called(5, pods=2))
            assert (await shown(other, called(5)))["succeeded"] == 3
            assert (told["told"], told["name"]) == (2, "default")
            facts = ("succeeded", "failed", "refused", "attempts", "spent")
            assert [told[fact] for fact in facts] == [3, 1, 1, 4, "0.04"]
            assert 0 < told["p50"] <= told["p99"]
            await other.call(CALL)
        assert (await shown(one, called(6, pods=1)))["told"] == 2

        server.stop(hard=True)
        await one.call(CALL)
        server.start()
        told = await shown(one, called(4))
        assert told["told"] == 1


async def test_while_the_store_is_gone_it_is_as_it_was(
    server: RedisServer, far: RawUpstream
) -> None:
    """And says so by its time. What is counted meanwhile is told later."""
    async with pod(far, server) as one:
        await one.call(CALL)
        before = await shown(one, called(1))
        server.pause()
        await one.call(CALL)
        await within(_down(one), 10.0)
        gone = await shown(one, called(1))
        assert gone["at"] >= before["at"]
        server.resume()
        assert (await shown(one, called(2)))["at"] > gone["at"]


async def _down(proxy: Proxy) -> None:
    while proxy.app.health.store is None or proxy.app.health.store.up:
        await breathe()


async def test_a_pod_that_is_killed_counts_on_in_its_next_life(
    server: RedisServer, far: RawUpstream, tmp_path: Path
) -> None:
    """What it had told stays; its new counts come to it."""
    more = ("--store", server.url, "--data-dir", str(tmp_path / "state"))
    async with pod(far, server) as one:
        await one.call(CALL)
        async with holdfast_process(far, "tools", POLICIES, *more) as died:
            for _ in range(3):
                await call(died)
            _ = await shown(one, called(4))
            died.child.send_signal(signal.SIGKILL)
            await died.exited()
        async with holdfast_process(far, "tools", POLICIES, *more) as back:
            await call(back)
            told = await shown(one, called(5))
            assert told["told"] == 2


async def test_without_a_store_there_is_no_fleet(far: RawUpstream) -> None:
    """And nothing is counted for one."""
    async with holdfast(far, "tools", POLICIES) as alone:
        await alone.call(CALL)
        assert (await alone.change("/v1/status", None, "GET"))["fleet"] is None
        alone.app._control.sums.look()
        assert alone.app._control.sums._minutes == {}
