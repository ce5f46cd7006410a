"""Objectives of a fleet: whole proxies and a real store; each says how all of them stand."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import OK, Proxy, RawUpstream, answer, breathe, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.servers import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

CALL = request("/v1/pay", method="POST", body=b"{}")
POLICIES = """
policies: [{name: p, effect: read, retry: false, breaker: false}]
slos: [{name: works, sli: success, objective: 0.95}]
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop(hard=True)


async def until(proxy: Proxy, good: int, bad: int) -> None:
    """As it stands, so many were counted."""

    async def look() -> None:
        entry = proxy.app._lookout.objectives.slos.entries["works"]
        while entry.standing is None or (entry.standing.sums.good, entry.standing.sums.bad) != (
            *(good, bad),
        ):
            await breathe()

    await within(look(), 15.0)


async def test_a_pod_that_is_well_knows_of_one_that_is_not(
    server: RedisServer, upstream: RawUpstream
) -> None:
    """Half of the fleet's calls fail, all of them at one pod. Counters are of each alone."""
    upstream.otherwise = OK
    async with (
        holdfast(upstream, "tools", POLICIES, store=server.url) as well,
        holdfast(upstream, "tools", POLICIES, store=server.url) as ill,
    ):
        for _ in range(12):
            await well.call(CALL, "POST")
        upstream.otherwise = answer(500, body=b"{}")
        for _ in range(12):
            await ill.call(CALL, "POST")
        await until(well, 12, 12)
        await until(ill, 12, 12)
        assert well.app._lookout.objectives.slos.exhausted == {"works"}
        rows = {family.metric.name: family.rows for family in well.app.metrics.lookout()}
        assert rows["holdfast_slo_events_total"]["works", "false"] == 0
        assert rows["holdfast_slo_budget_remaining"]["works",] == -9
