"""The kill switch, thrown on one pod of ten."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.fleet.callers import Agent
from tests.fleet.figures import high, show
from tests.fleet.pods import Pod, until
from tests.fleet.scenes import afloat

PODS, TRIALS = 10, 50
SCOPE = "agent:*"
WITHIN = 1.0
POLICIES = """
policies:
  - {name: all, effect: read, timeout: {total: 30s}}
"""


async def says(agent: Agent, status: int, path: str) -> float:
    """When an answer was first so, on the loop's clock."""
    async with asyncio.timeout(20.0):
        while (told := await agent.call(path)).status != status:
            await until(0.005)
    assert told.code == ("killed" if status == 403 else "")
    return told.began


async def all_say(agents: Iterable[Agent], status: int, path: str) -> float:
    """When the last of them did."""
    return max(await asyncio.gather(*(says(agent, status, path) for agent in agents)))


@pytest.mark.fleet
@pytest.mark.timeout(240)
async def test_a_kill_is_everywhere_in_a_second(tmp_path: Path) -> None:
    """Fifty times, from each pod in turn: p99 of the moment when the last one refuses."""
    engaged, lifted = [], []
    async with afloat(PODS, tmp_path, POLICIES) as (_upstream, _store, pods, agents):
        loop = asyncio.get_running_loop()
        for trial in range(TRIALS):
            thrower = pods[trial % PODS]
            began = loop.time()
            await thrower.killed(SCOPE)
            engaged.append(await all_say(agents, 403, f"/kill/{trial}") - began)
            began = loop.time()
            await pods[(trial + 3) % PODS].revived(SCOPE)
            lifted.append(await all_say(agents, 200, f"/live/{trial}") - began)
        complaints = pods.complaints
    show(
        f"a kill on one of {PODS} pods, {TRIALS} trials: seconds until all do so",
        [
            {"": name, "median": high(each, 0.5), "p99": high(each, 0.99), "max": max(each)}
            for name, each in (("refuse", engaged), ("go on", lifted))
        ],
    )
    assert complaints == []
    assert high(engaged, 0.99) < WITHIN


@pytest.mark.fleet
@pytest.mark.timeout(120)
async def test_a_kill_is_everywhere_though_nobody_is_told(tmp_path: Path) -> None:
    """It is looked for as well: what was published before a pod listened is not lost."""
    async with afloat(PODS, tmp_path, POLICIES) as (_upstream, _store, pods, agents):
        await pods[0].kill()
        await pods[1].killed(SCOPE)
        await pods[0].start()
        await all_say(agents, 403, "/late")


@pytest.mark.fleet
@pytest.mark.timeout(180)
async def test_a_kill_stays_without_its_store(tmp_path: Path) -> None:
    """Also in a pod that starts anew, and in a store that comes back with nothing: that learns of
    it from the pods, and a pod that never heard of it from the store."""
    async with afloat(PODS, tmp_path, POLICIES) as (_upstream, store, pods, agents):
        away: Pod = pods[9]
        await away.kill()
        await pods[0].killed(SCOPE)
        await all_say(agents[:9], 403, "/first")
        store.stop(hard=True)
        await in_its_journal(pods[5])
        await pods[5].kill()
        await pods[5].start()
        assert [(await one.call("/gone")).status for one in agents[:9]] == [403] * 9
        await asyncio.to_thread(store.restart, empty=True)
        await away.start()
        await all_say(agents, 403, "/back")
        await pods[9].revived(SCOPE)
        await all_say(agents, 200, "/lifted")
        complaints = pods.complaints
    assert complaints == []


@pytest.mark.fleet
@pytest.mark.timeout(120)
async def test_a_kill_that_is_thrown_without_a_store_is_told_later(tmp_path: Path) -> None:
    """On the pod at once; on all when there is a store again."""
    async with afloat(PODS, tmp_path, POLICIES) as (_upstream, store, pods, agents):
        store.stop(hard=True)
        await pods[4].killed(SCOPE)
        statuses = [(await one.call("/alone")).status for one in agents]
        assert statuses == [403 if at == 4 else 200 for at in range(PODS)]
        store.start()
        await all_say(agents, 403, "/told")


async def in_its_journal(pod: Pod) -> None:
    """It counts from the moment that it was heard; over kill -9, once it is written."""
    journal = pod.data_dir / "journal"
    while not any(b'"kill.engaged"' in path.read_bytes() for path in journal.glob("*.jsonl")):
        await until(0.02)
