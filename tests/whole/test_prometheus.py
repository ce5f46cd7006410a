"""Prometheus itself reads what a proxy shows, and follows the rules that are made of its SLOs."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiohttp
import pytest

from proxy.config.load import load_policies
from proxy.observe.slo.rules import Origin, groups
from tests.harness import OK, Proxy, RawUpstream, answer, holdfast, request
from tests.harness.agent import Connection
from tests.harness.loops import THE_LOOP
from tests.prometheus import needs_prometheus, needs_promtool, prometheus, promtool

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

SLOS = """
policies:
  - {name: no-retries, retry: {attempts: 1}}
slos:
  - {name: calls, sli: success, objective: 0.99}
"""
STARTS = 30.0
"""Seconds that Prometheus may take to start, and to scrape twice, on a busy machine."""
OPEN = "Accept: application/openmetrics-text"


def call(tool: str = "get_balance") -> bytes:
    """Of a tool."""
    body = json.dumps({"tool": tool, "input": {}}).encode()
    return request("/", "Content-Type: application/json", method="POST", body=body)


@contextlib.asynccontextmanager
async def half_good() -> AsyncIterator[tuple[Proxy, Callable[[], AsyncIterator[None]]]]:
    """A proxy, and twenty calls through it, of which every other one fails."""
    async with RawUpstream() as upstream, holdfast(upstream, "tools", SLOS) as proxy:

        async def calls() -> AsyncIterator[None]:
            for number in range(20):
                upstream.then(OK if number % 2 else answer(500, body=b"{}"))
                await proxy.call(call())
                yield
            upstream.otherwise = answer(404, body=b"{}")

        yield proxy, calls


async def page(proxy: Proxy, *lines: str) -> bytes:
    """What a scraper is told."""
    async with await Connection.open(proxy.admin) as opened:
        return (await opened.call(request("/metrics", *lines))).body


@needs_promtool
async def test_promtool_has_nothing_to_say_of_metrics() -> None:
    """Names, units and help are as the field has them."""
    async with half_good() as (proxy, calls):
        async for _ in calls():
            pass
        told = await page(proxy)
    ran = promtool("check", "metrics", given=told)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


async def test_invented_tools_are_a_short_page() -> None:
    """An agent that makes up names makes no series; test_metrics has ten thousand of them."""
    async with half_good() as (proxy, calls):
        async for _ in calls():
            pass
        before = len((await page(proxy)).splitlines())
        async with await proxy.connect() as agent:
            for number in range(2_000):
                await agent.call(call(f"made_up_{number}"), "POST")
        # A page is shown again for a second at most; the other format is made now.
        after = len((await page(proxy, OPEN)).splitlines())
    assert after < before + 200


async def ask(session: aiohttp.ClientSession, listen: str, query: str) -> float | None:
    """The one value of a query; None while there is none."""
    try:
        asked = f"http://{listen}/api/v1/query"
        async with session.get(asked, params={"query": query}) as response:
            told = await response.json()
    except aiohttp.ClientError:
        return None  # it has not started yet
    found = told.get("data", {}).get("result", [])
    return float(found[0]["value"][1]) if found else None


async def until(session: aiohttp.ClientSession, listen: str, query: str, value: float) -> None:
    """A query says about this."""
    found = None
    try:
        async with asyncio.timeout(STARTS):
            while found is None or abs(found - value) > 0.1 * value:
                found = await ask(session, listen, query)
    except TimeoutError:
        raise AssertionError(f"{query}: {found}") from None


@needs_prometheus
async def test_it_scrapes_and_burns(tmp_path: Path) -> None:
    """Counters, histograms, and the ratio and the budget that rules make of them."""
    async with half_good() as (proxy, calls):
        made = groups(load_policies(proxy.folder / "policies").slos, Origin("holdfast", "1"))
        async with (
            prometheus(tmp_path, proxy.admin, made) as listen,
            aiohttp.ClientSession() as ask_it,
        ):
            await until(ask_it, listen, 'up{job="holdfast"}', 1)
            async for _ in calls():
                pass
            await until(ask_it, listen, "sum(holdfast_calls_total)", 20)
            await until(ask_it, listen, "sum(holdfast_call_duration_seconds_count)", 20)
            await until(ask_it, listen, "slo:objective:ratio", 0.99)
            await until(ask_it, listen, "slo:sli_error:ratio_rate5m", 0.5)
            await until(ask_it, listen, "slo:current_burn_rate:ratio", 50)
            firing = 'ALERTS{alertname="SloBurn",alertstate="firing",severity="page",slo="calls"}'
            await until(ask_it, listen, firing, 1)
