"""Ten pods, one budget, five times as many calls as it is worth; whatever is done to them.

`make fleet` does all of it; the usual run has a fleet of three, one kill and one pause. The seed is
printed; the same one (FLEET_SEED) has the same deeds, if not the same interleaving.
"""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fleet.books import Journals, ledger, told_by
from tests.fleet.callers import Crowd
from tests.fleet.counting import WELL, Counting
from tests.fleet.figures import high, show
from tests.fleet.ill_treated import DEEDS, Scene, ill_treat
from tests.fleet.pods import Pods, fleet, until
from tests.fleet.stores import Watched, single

SEED = int(os.environ.get("FLEET_SEED", random.randrange(1_000_000)))
PODS, AGENTS, CALLS, WORTH = 10, 4, 5_000, 1_000
LITTLE = 10  # of what the budget is worth may be left where nothing went wrong
PRICE = 1_000  # micro-dollars
ACCOUNT = "fleet:default"
SLOW = 0.2  # seconds that the upstream takes, so that money lasts while things go wrong
PACE = 0.06
TIMEOUT = 0.25
"""`store_timeout`: longer than a busy machine makes a call wait by itself."""


def policies(worth: int) -> str:
    """A price, and one budget for all pods that is worth so many calls."""
    return f"""
policies:
  - {{name: all, cost: 0.001, timeout: {{total: 30s}}}}
budgets:
  - {{name: fleet, per: fleet, day: {worth / 1_000:.3f}}}
"""


def found(title: str, crowd: Crowd, upstream: Counting, **more: object) -> None:
    """A row of figures."""
    seconds = [one.seconds for one in crowd.told]
    row = {
        "calls": len(crowd.told),
        "passed": len(crowd.passed),
        "upstream": upstream.total,
        **more,
        "p99 s": high(seconds, 0.99),
        "max s": max(seconds),
    }
    show(f"{title} (FLEET_SEED={SEED})", [row])


async def stopped(pods: Pods, port: int) -> int:
    """All end as they should: what the store has as spent then, in calls. Nobody holds any more."""
    assert await pods.stop() == [0] * len(pods)
    found = ledger(port)
    assert found.held == 0
    return found.spent // PRICE


@pytest.mark.fleet
@pytest.mark.timeout(180)
async def test_a_fleet_spends_its_budget_and_no_more(tmp_path: Path) -> None:
    """At most 1,000 pass, and at least 990; journals, store and upstream tell the same sum."""
    async with Counting() as upstream:
        with single(tmp_path) as store:
            async with fleet(PODS, tmp_path, store.url, upstream.url, policies(WORTH)) as pods:
                await pods.met()
                crowd = Crowd(pods, AGENTS)
                await crowd.calls(CALLS)
                complaints, kept = pods.complaints, await stopped(pods, store.port)
    journals = Journals(pods)
    written = journals.charged(ACCOUNT) // PRICE
    found("a budget, nothing goes wrong", crowd, upstream, journals=written, store=kept)
    assert complaints == []
    assert set(crowd.seen) == {"200", "402 budget_exceeded"}
    assert WORTH - LITTLE <= len(crowd.passed) <= WORTH
    assert written == kept == upstream.total == len(crowd.passed)


@pytest.mark.fleet
@pytest.mark.timeout(120)
async def test_all_pods_tell_what_the_fleet_has_spent(tmp_path: Path) -> None:
    """Whoever of them is asked, within five seconds; also one that was sent no call."""
    async with Counting() as upstream:
        with single(tmp_path) as store:
            async with fleet(3, tmp_path, store.url, upstream.url, policies(WORTH)) as pods:
                await pods.met()
                await Crowd(pods[:2], AGENTS).calls(100)
                async with asyncio.timeout(5.0):
                    while set(await told_by(pods, "fleet")) != {100 * PRICE}:
                        await until(0.1)


@pytest.mark.fleet
@pytest.mark.timeout(240)
@pytest.mark.parametrize("what", DEEDS)
async def test_no_cap_is_passed(tmp_path: Path, what: str) -> None:
    """And no call fails because of Redis: each passes, or is refused for money, or its pod died.
    What a pod that was killed may have spent counts as spent: the store may have more than was."""
    killed, frozen = what in {"pods killed", "all of it"}, what in {"store emptied", "all of it"}
    async with Counting(lambda _: (WELL, SLOW)) as upstream:
        with single(tmp_path) as store:
            async with fleet(PODS, tmp_path, store.url, upstream.url, policies(WORTH)) as pods:
                await pods.met()
                crowd, over = Crowd(pods, AGENTS), asyncio.Event()
                scene = Scene(pods, store, random.Random(SEED))
                async with asyncio.TaskGroup() as group:
                    group.create_task(ill_treat(scene, DEEDS[what], over))
                    await crowd.calls(CALLS, PACE)
                    over.set()
                await pods.met()
                complaints, kept = pods.complaints, await stopped(pods, store.port)
    journals = Journals(pods)
    written = journals.charged(ACCOUNT) // PRICE
    found(f"a budget; {what}: {dict(scene.done)}", crowd, upstream, journals=written, store=kept)
    assert complaints == []
    assert scene.done
    assert set(crowd.seen) <= {"200", "402 budget_exceeded", *(["0"] if killed else [])}
    assert max(upstream.calls.values()) == 1
    assert len(crowd.passed) <= upstream.total <= WORTH
    assert max(upstream.total, written) <= kept
    if not killed:
        assert frozen or len(crowd.passed) >= WORTH * 0.95
        assert written == kept == upstream.total


@pytest.mark.fleet
@pytest.mark.timeout(240)
@pytest.mark.parametrize("hangs", [False, True], ids=["dies", "hangs"])
async def test_no_cap_is_passed_by_a_failover(tmp_path: Path, hangs: bool) -> None:
    """The first server dies, or hangs and comes back believing that it is the first still. How long
    nothing new is granted is up to the Sentinels; the table shows it."""
    watched = Watched(tmp_path)
    try:
        await watched.start()
        async with (
            Counting(lambda _: (WELL, SLOW)) as upstream,
            fleet(PODS, tmp_path, watched.url, upstream.url, policies(WORTH)) as pods,
        ):
            await pods.met()
            crowd = Crowd(pods, AGENTS)
            async with asyncio.TaskGroup() as group:
                calling = group.create_task(crowd.calls(CALLS, PACE))
                await _some(upstream, WORTH // 5)
                await watched.fail_over(hangs=hangs)
                await calling
            await pods.met()
            complaints, kept = pods.complaints, await stopped(pods, watched.port)
    finally:
        watched.stop()
    written = Journals(pods).charged(ACCOUNT) // PRICE
    found("a budget; the store fails over", crowd, upstream, journals=written, store=kept)
    assert complaints == []
    assert set(crowd.seen) <= {"200", "402 budget_exceeded"}
    assert len(crowd.passed) <= WORTH
    assert written == kept == upstream.total == len(crowd.passed)


@pytest.mark.fleet
@pytest.mark.timeout(180)
async def test_what_a_black_hole_adds(tmp_path: Path) -> None:
    """Redis takes all and answers nothing, near the limit, where single units are asked for: a call
    waits for `store_timeout`, twice at most, and that once in five seconds on a pod."""
    lasts = 12.0
    async with Counting() as upstream:
        with single(tmp_path) as store:
            told = policies(WORTH)
            async with fleet(
                PODS, tmp_path, store.url, upstream.url, told, store_timeout=f"{TIMEOUT}s"
            ) as pods:
                await pods.met()
                before = Crowd(pods, AGENTS)
                await before.calls(WORTH - 3 * PODS, PACE)
                during = Crowd(pods, AGENTS)
                store.pause()
                await during.calls(int(lasts / PACE) * PODS * AGENTS, PACE)
                store.resume()
    waited = [one for one in during.told if one.seconds >= TIMEOUT * 0.8]
    moments = max(_moments([one.began for one in waited if one.pod == at]) for at in range(PODS))
    found("before the black hole", before, upstream)
    found("a black hole", during, upstream, waited=len(waited), moments=moments)
    assert set(during.seen) <= {"200", "402 budget_exceeded"}
    assert max(one.seconds for one in during.told) <= 2 * TIMEOUT + 0.2
    assert moments <= 1 + lasts / 5
    assert upstream.total <= WORTH


def _moments(times: list[float]) -> int:
    """Calls that wait at once wait for one answer: so many answers were waited for."""
    found, last = 0, -1e9
    for time in sorted(times):
        if time > last + 2 * TIMEOUT:
            found, last = found + 1, time
    return found


async def _some(upstream: Counting, number: int) -> None:
    while upstream.total < number:
        await until(0.01)


async def _soon(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30.0):
        while not holds():
            await until(0.01)


@pytest.mark.timeout(120)
async def test_three_pods_one_kill_and_one_pause(tmp_path: Path) -> None:
    """In the usual run: never over the cap, and no call fails because of Redis."""
    calls, worth, number = 600, 120, 3
    async with Counting(lambda _: (WELL, 0.03)) as upstream:
        with single(tmp_path) as store:
            async with fleet(number, tmp_path, store.url, upstream.url, policies(worth)) as pods:
                await pods.met()
                crowd = Crowd(pods, AGENTS)
                async with asyncio.TaskGroup() as group:
                    calling = group.create_task(crowd.calls(calls, 0.02))
                    await _soon(lambda: upstream.total >= worth // 4)
                    store.pause()
                    at = len(crowd.told)
                    await _soon(lambda: len(crowd.told) >= at + calls // 10)
                    await pods[0].kill()
                    await pods[0].start()
                    store.resume()
                    await calling
                await pods.met()
                complaints, kept = pods.complaints, await stopped(pods, store.port)
    written = Journals(pods).charged(ACCOUNT) // PRICE
    assert complaints == []
    assert set(crowd.seen) <= {"200", "402 budget_exceeded", "0"}
    assert len(crowd.passed) <= upstream.total <= min(kept, worth)
    assert written <= kept
    assert upstream.total >= worth // 2
