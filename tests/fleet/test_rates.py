"""Ten pods, one rate, and a load that is uneven and moves."""

import asyncio
import os
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fleet.callers import Agent, Told
from tests.fleet.figures import high, show
from tests.fleet.pods import until
from tests.fleet.scenes import afloat

SEED = int(os.environ.get("FLEET_SEED", random.randrange(1_000_000)))
PODS, RATE, BURST = 10, 100, 20
SECONDS, WARM = 10.0, 2.0
OFF = 0.02  # of the rate, either way
OFFERED = 2.5  # times the rate
AGENTS = 6  # of a pod
POLICIES = f"""
policies:
  - name: all
    effect: read
    timeout: {{total: 30s}}
    rate_limit: {{rate: {RATE}/s, burst: {BURST}, per: [upstream]}}
"""


class Load:
    """Calls at moments of their own, more often at some pods; which ones changes half-way."""

    def __init__(self, agents: list[Agent]) -> None:
        """`AGENTS` of each pod."""
        self.told: list[Told] = []
        self._chance = random.Random(SEED)
        self._idle = [agents[at : at + AGENTS] for at in range(0, len(agents), AGENTS)]

    async def lasts(self, seconds: float, weights: Sequence[float]) -> None:
        """So long; a pod gets its share by its weight."""
        loop = asyncio.get_running_loop()
        due, ends = loop.time(), loop.time() + seconds
        async with asyncio.TaskGroup() as group:
            while due < ends:
                due += self._chance.expovariate(RATE * OFFERED)
                await until(max(0.0, due - loop.time()))
                (at,) = self._chance.choices(range(len(weights)), weights)
                if self._idle[at]:  # else all of its agents wait for an answer
                    group.create_task(self._one(at))

    async def _one(self, at: int) -> None:
        agent = self._idle[at].pop()
        self.told.append(await agent.call(f"/calls/{len(self.told)}"))
        self._idle[at].append(agent)


def windows(times: list[float], begins: float, ends: float) -> list[int]:
    """How many fell into each `SECONDS` between, one beginning every tenth of a second."""
    tenths = range(int((ends - begins - SECONDS) * 10) + 1)
    starts = [begins + tenth / 10 for tenth in tenths]
    return [sum(at <= time < at + SECONDS for time in times) for at in starts]


@pytest.mark.fleet
@pytest.mark.timeout(120)
async def test_a_rate_is_kept_by_a_fleet(tmp_path: Path) -> None:
    """Within 2 % over ten seconds: no less, however the load lies, and no more."""
    async with afloat(PODS, tmp_path, POLICIES, AGENTS) as (upstream, _store, _pods, agents):
        load, loop = Load(agents), asyncio.get_running_loop()
        steep = [2.0**-at for at in range(PODS)]
        began = loop.time()
        await load.lasts((WARM + SECONDS) / 2, steep)
        await load.lasts((WARM + SECONDS) / 2 + 1.0, steep[::-1])
        ends = loop.time()
    seen = windows(upstream.times, began + WARM, ends)
    whole = [sum(at <= time - began < at + 1 for time in upstream.times) for at in range(12)]
    pods_passed = [
        sum(one.status == 200 for one in load.told if one.pod == at) for at in range(PODS)
    ]
    show(
        f"a rate of {RATE}/s (FLEET_SEED={SEED})",
        [
            {
                "offered": len(load.told),
                "upstream": upstream.total,
                "10 s, least": min(seen),
                "most": max(seen),
                "p99 s": high([one.seconds for one in load.told], 0.99),
                "by second": whole,
                "by pod": pods_passed,
            }
        ],
    )
    exact = RATE * SECONDS
    assert {one.status for one in load.told} == {200, 429}
    assert {one.code for one in load.told if one.status == 429} == {"rate_limited"}
    assert exact * (1 - OFF) <= min(seen)
    assert max(seen) <= exact * (1 + OFF)


@pytest.mark.fleet
@pytest.mark.timeout(120)
async def test_a_rate_without_its_store(tmp_path: Path) -> None:
    """Each pod goes on at its part; all together never come to more than the rate and a burst."""
    async with afloat(PODS, tmp_path, POLICIES, AGENTS) as (upstream, store, _pods, agents):
        load, loop = Load(agents), asyncio.get_running_loop()
        await load.lasts(3.0, [1.0] * PODS)
        store.stop(hard=True)
        gone = loop.time()
        await load.lasts(SECONDS, [1.0] * PODS)
        ends = loop.time()
        store.start()
    since = [time for time in upstream.times if time >= gone]
    show("without its store", [{"seconds": ends - gone, "upstream": len(since)}])
    assert {one.status for one in load.told} == {200, 429}
    assert len(since) <= RATE * (ends - gone) * (1 + OFF) + BURST + RATE * 0.1
    assert len(since) >= RATE * (ends - gone) * 0.85
