"""Behaviour on a running proxy: an agent that fares ill is seen by who asks."""

import json

import pytest

from tests.harness import RawUpstream, answer, holdfast, raw_call, request
from tests.harness.loops import THE_LOOP

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

WATCHED = "behaviour: {min_calls: 5}\npolicies: [{name: p, effect: read}]"
LIST = request("/v1/agents", "Connection: close", host="localhost")


async def test_an_agent_whose_calls_fail_is_critical(upstream: RawUpstream) -> None:
    """`/v1/agents` and metrics say so; where nobody watches they say nothing of it."""
    upstream.otherwise = answer(500, body=b"no")
    async with holdfast(upstream, "tools", WATCHED) as proxy:
        for _ in range(6):
            assert (await proxy.call(request("/v1/search", method="POST"), "POST")).status == 500
        found = await proxy.until_metric("holdfast_agent_health", 1, state="critical")
        assert found.sum("holdfast_agent_health", state="healthy") == 0
        listed = await raw_call(proxy.admin, LIST)
        (agent,) = json.loads(listed.partition(b"\r\n\r\n")[2])["items"]
        assert (agent["health"], agent["errors"]) == ("critical", 1.0)


async def test_where_nobody_watches_nothing_is_said(upstream: RawUpstream) -> None:
    """And no call pays for it."""
    async with holdfast(upstream, "tools", "policies: [{name: p, effect: read}]") as proxy:
        assert b"health" not in await raw_call(proxy.admin, LIST)
