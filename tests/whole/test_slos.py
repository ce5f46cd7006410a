"""Objectives over real sockets: what fails is counted, shown, and still known after a restart."""

import contextlib
import json
import signal
from typing import Any

import pytest

from tests.harness import (
    OK,
    Proxy,
    RawUpstream,
    answer,
    breathe,
    holdfast,
    raw_call,
    request,
    within,
)
from tests.harness.loops import THE_LOOP
from tests.harness.process import Process, holdfast_process
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

BROKEN = answer(500, body=b"{}")
POLICIES = """
policies: [{name: p, effect: read, retry: false, breaker: false}]
slos:
  - {name: works, sli: success, objective: 0.99, match: {tool: "get_*"}}
  - {name: quick, sli: latency, threshold: 60s, objective: 0.9}
  - {name: other, sli: success, objective: 0.99, match: {tool: nothing}}
"""
CALL = request("/v1/get_balance", method="POST", body=b"{}")


async def scraped(process: Process | Proxy) -> dict[str, float]:
    """The metrics of objectives, by their line. Of a process of its own as a scraper has them."""
    if isinstance(process, Proxy):
        return read(process)
    text = (await raw_call(process.admin, request("/metrics", "Connection: close"))).decode()
    found = (line.rpartition(" ") for line in text.splitlines() if line.startswith("holdfast_slo"))
    return {name: float(value) for name, _, value in found}


def read(proxy: Proxy) -> dict[str, float]:
    """The same, without the page that is shown again for a while."""
    found: dict[str, float] = {}
    for family in proxy.app.metrics.lookout():
        for row, value in family.rows.items():
            assert isinstance(value, int | float)
            labels = sorted(zip(family.metric.labels, row, strict=True))
            said = ",".join(f'{name}="{each}"' for name, each in labels)
            found[f"{family.metric.name}{{{said}}}"] = value
    return found


async def listed(process: Process, name: str = "works") -> Any:
    """An objective, as the admin side shows it."""
    asked = request("/v1/slos", "Connection: close", host="localhost")
    _, _, shown = (await raw_call(process.admin, asked)).partition(b"\r\n\r\n")
    return next(item for item in json.loads(shown)["items"] if item["slo"] == name)


async def until(process: Process | Proxy, line: str, value: float | None) -> dict[str, float]:
    """The metrics, once a line says so."""

    async def look() -> dict[str, float]:
        while (found := await scraped(process)).get(line) != value:
            await breathe()
        return found

    return await within(look())


async def calls(process: Process | Proxy, number: int) -> None:
    """So many, one after the other."""
    async with await process.connect() as agent:
        for _ in range(number):
            await agent.call(CALL, "POST")


def again(upstream: RawUpstream, dead: Process) -> contextlib.AbstractAsyncContextManager[Process]:
    """Another process on the data dir of one that has ended."""
    more = ("--data-dir", str(dead.folder / "state"))
    return holdfast_process(upstream, "tools", POLICIES, *more)


def put(proxy: Proxy, policies: str) -> None:
    """These are in force."""
    proxy.write_policies(policies)
    assert proxy.app.reload()


async def test_what_fails_is_counted_and_burns(upstream: RawUpstream) -> None:
    """Each objective by itself; nothing is said where nothing was counted."""
    async with holdfast(upstream, "tools", POLICIES) as proxy:
        upstream.otherwise = OK
        await calls(proxy, 12)
        upstream.otherwise = BROKEN
        await calls(proxy, 4)
        found = await until(proxy, 'holdfast_slo_state{slo="works",state="exhausted"}', 1)
    events = {
        (slo, good): found[f'holdfast_slo_events_total{{good="{good}",slo="{slo}"}}']
        for slo in ("works", "quick", "other")
        for good in ("true", "false", "excluded")
    }
    assert [events["works", good] for good in ("true", "false", "excluded")] == [12, 4, 0]
    assert [events["quick", good] for good in ("true", "false", "excluded")] == [12, 0, 4]
    assert [events["other", good] for good in ("true", "false", "excluded")] == [0, 0, 0]
    assert found['holdfast_slo_burn_rate{slo="works",window="5m"}'] == 25
    assert found['holdfast_slo_burn_rate{slo="works",window="30d"}'] == 25
    assert found['holdfast_slo_budget_remaining{slo="works"}'] == -24
    assert found['holdfast_slo_state{slo="quick",state="ok"}'] == 1
    assert found['holdfast_slo_state{slo="other",state="insufficient_data"}'] == 1
    assert 'holdfast_slo_budget_remaining{slo="other"}' not in found
    assert found['holdfast_slo_objective{slo="quick"}'] == 0.9


async def test_a_dead_process_left_its_counts(upstream: RawUpstream) -> None:
    """Killed at once, it is counted again what its journal has; asked to end, what its snapshot
    has; and nothing twice. The state is there before anybody is served."""
    bad = 'holdfast_slo_events_total{good="false",slo="works"}'
    upstream.otherwise = BROKEN
    async with holdfast_process(upstream, "tools", POLICIES) as first:
        await calls(first, 11)
        state = first.folder / "state"

        async def written() -> None:
            while sum(b"call.finished" in line for line in lines(state)) < 11:
                await breathe()

        await within(written())
        first.child.send_signal(signal.SIGKILL)
        await within(first.child.wait())
        async with again(upstream, first) as second:
            assert (await listed(second))["bad"] == 11
            found = await scraped(second)
            assert found[bad] == 0  # a counter is of its own process
            assert found['holdfast_slo_state{slo="works",state="exhausted"}'] == 1
            await calls(second, 2)
            second.terminate()
            assert await second.exited() == 0
        async with again(upstream, first) as third:
            assert (await listed(third))["bad"] == 13


async def test_policies_may_change(upstream: RawUpstream) -> None:
    """Another share keeps what was counted, another match begins anew; what is taken out costs
    calls nothing, and is found again when it is back."""
    upstream.otherwise = OK
    good = 'holdfast_slo_events_total{good="true",slo="works"}'
    async with holdfast(upstream, "tools", POLICIES) as proxy:
        await calls(proxy, 3)
        put(proxy, POLICIES.replace("0.99", "0.95"))
        assert (await until(proxy, good, 3))['holdfast_slo_objective{slo="works"}'] == 0.95
        put(proxy, "policies: [{name: p, effect: read}]")
        await until(proxy, good, None)
        assert proxy.app._lookout.objectives.slos not in proxy.app._recorders
        await calls(proxy, 1)
        put(proxy, POLICIES)
        await until(proxy, good, 3)
        put(proxy, POLICIES.replace("get_*", "*"))
        await until(proxy, good, 0)


async def test_in_a_drill_windows_pass_faster(upstream: RawUpstream) -> None:
    """What burned five minutes ago burns no more; the budget of a month is still used up."""
    upstream.otherwise = BROKEN
    rate = 'holdfast_slo_burn_rate{slo="works",window="%s"}'
    async with holdfast_process(upstream, "tools", POLICIES, "--drill-speed", "120") as process:
        await calls(process, 12)
        await until(process, rate % "5m", 100.0)
        await until(process, 'holdfast_slo_state{slo="works",state="exhausted"}', 1)
        found = await until(process, rate % "5m", None)
        assert found[rate % "30d"] == 100
        assert found['holdfast_slo_state{slo="works",state="exhausted"}'] == 1


async def test_who_looks_back_farther_than_the_journal_goes_is_told(upstream: RawUpstream) -> None:
    """Where both are known: policies and settings."""
    policies = POLICIES.replace("objective: 0.9}", "objective: 0.95, window: 366d}")
    async with holdfast(upstream, "tools", policies) as proxy:
        warned = [str(problem) for problem in proxy.app._warned]
    (found,) = (each for each in warned if "longer than the journal is kept" in each)
    assert "slos.quick.window: its window of 366d" in found


async def test_it_burns_and_is_over(upstream: RawUpstream) -> None:
    """Ten minutes in which three of ten fail, after a good time; ten minutes later it is as it was,
    though the budget is less."""
    policies = """
policies: [{name: p, effect: read, retry: false, breaker: false}]
slos:
  - name: works
    sli: success
    objective: 0.9
    alerts: [{burn: 2, long: 10m, short: 10m}]
"""
    state = 'holdfast_slo_state{slo="works",state="%s"}'
    async with holdfast_process(upstream, "tools", policies, "--drill-speed", "150") as process:
        upstream.otherwise = OK
        await calls(process, 60)
        await until(process, state % "ok", 1)
        await until(process, 'holdfast_slo_burn_rate{slo="works",window="10m"}', None)
        await calls(process, 7)
        upstream.otherwise = BROKEN
        await calls(process, 3)
        found = await until(process, state % "burning", 1)
        assert found['holdfast_slo_budget_remaining{slo="works"}'] == pytest.approx(1 - 30 / 70)
        found = await until(process, state % "ok", 1)
        assert found['holdfast_slo_budget_remaining{slo="works"}'] == pytest.approx(1 - 30 / 70)
