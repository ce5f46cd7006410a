"""Circuits of ten pods: who opens them, how soon all know, and who tries again."""

import asyncio
import itertools
from pathlib import Path

import pytest

from tests.fleet.callers import Agent, Told, agents_of
from tests.fleet.counting import ILL, WELL, Counting
from tests.fleet.figures import show
from tests.fleet.pods import fleet, until
from tests.fleet.stores import single

PODS, QUORUM = 10, 3  # 30 % of them
TRIALS = 5
WITHIN = 2.0
OPEN, PROBE = 3.0, 1.0  # seconds
PATIENT = "2s"  # of who asks for a probe: a busy machine is no store that is gone
DECIDED = {"ill": (ILL, 0.0), "bad": (ILL, PROBE), "try": (WELL, PROBE), "well": (WELL, 0.0)}
POLICIES = f"""
policies:
  - name: all
    effect: read
    timeout: {{total: 30s}}
    breaker: {{consecutive: 5, probes: 2, keys: [tool], open: {{base: {OPEN:.0f}s, jitter: 0}}}}
"""


def decides(path: str) -> tuple[bytes, float]:
    """The query says it: whether it fails, and whether it takes its time."""
    return DECIDED[path.partition("?")[2]]


async def opens(agent: Agent, tool: str) -> None:
    """Failures, until the pod does not send any more."""
    async with asyncio.timeout(20.0):
        while (await agent.call(f"/{tool}?ill")).code != "circuit_open":
            pass


async def refuses(agent: Agent, tool: str) -> float:
    """When it first did: it has seen good answers only."""
    async with asyncio.timeout(20.0):
        while (told := await agent.call(f"/{tool}?well")).code != "circuit_open":
            assert told.status == 200, told
            await until(0.01)
    return told.began


@pytest.mark.fleet
@pytest.mark.timeout(180)
async def test_a_circuit_that_a_quorum_opened_is_open_everywhere(tmp_path: Path) -> None:
    """In two seconds; and two pods of ten open it for themselves only."""
    took = []
    async with Counting(decides) as upstream:
        with single(tmp_path) as store:
            async with (
                fleet(PODS, tmp_path, store.url, upstream.url, POLICIES) as pods,
                agents_of(pods) as agents,
            ):
                await pods.met()
                loop = asyncio.get_running_loop()
                for trial in range(TRIALS):
                    tool = f"tool{trial}"
                    for agent in agents[: QUORUM - 1]:
                        await opens(agent, tool)
                    await until(WITHIN)
                    others = [await one.call(f"/{tool}?well") for one in agents[QUORUM:]]
                    assert {one.status for one in others} == {200}
                    await opens(agents[0], tool)
                    await opens(agents[1], tool)
                    began = loop.time()
                    await opens(agents[2], tool)
                    seen = await asyncio.gather(*(refuses(one, tool) for one in agents[QUORUM:]))
                    took.append(max(seen) - began)
    show(
        "a circuit opened by three of ten", [{"trials": TRIALS, "all know, s, at most": max(took)}]
    )
    assert max(took) < WITHIN


@pytest.mark.fleet
@pytest.mark.timeout(120)
async def test_a_fleet_has_one_probe(tmp_path: Path) -> None:
    """When the time is over all pods call at once, and the upstream gets one call. It fails: all
    wait again. Two in a row are answered well: the circuit is closed everywhere."""
    async with Counting(decides) as upstream:
        with single(tmp_path) as store:
            async with (
                fleet(
                    PODS, tmp_path, store.url, upstream.url, POLICIES, store_timeout=PATIENT
                ) as pods,
                agents_of(pods, 2) as agents,
            ):
                await pods.met()
                for agent in agents[: QUORUM * 2 : 2]:
                    await opens(agent, "tool")
                await asyncio.gather(*(refuses(one, "tool") for one in agents[QUORUM * 2 :]))
                upstream.forget()
                over = asyncio.Event()
                told = await asyncio.gather(*(_tries(one, "bad", over) for one in agents))
                failed = upstream.total
                upstream.forget()
                told += await asyncio.gather(*(_tries(one, "try", None) for one in agents))
    gaps = [later - one for one, later in itertools.pairwise(upstream.times[:3])]
    show(
        "probes of a fleet",
        [{"calls": sum(map(len, told)), "first, failed": failed, "then, s apart": gaps}],
    )
    assert failed == 1
    assert min(gaps) >= PROBE  # each was answered before the next was sent, and the third is none


async def _tries(agent: Agent, kind: str, over: asyncio.Event | None) -> list[Told]:
    """Calls while its circuit is open; until one is sent, or, where there is an `over`, some time
    after one was that anybody made."""
    told: list[Told] = []
    async with asyncio.timeout(40.0):
        while over is None or not over.is_set():
            one = await agent.call(f"/tool?{kind}")
            told.append(one)
            if one.code != "circuit_open":
                break
            await until(0.02)
    if over is not None and told[-1].code != "circuit_open":
        await until(OPEN / 2)
        over.set()
    return told
