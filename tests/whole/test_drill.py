"""`run --drill-speed`: a rehearsal, in which an hour of a window passes in a second."""

import json
from datetime import UTC, datetime

import pytest

from tests.harness import OK, RawUpstream, raw_call, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.process import holdfast_process
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

HOURLY = """
policies:
  - {name: p, effect: read, cost: 0.30}
  - {name: asked, match: {tool: pay}, approval: {approvers: 1, hold: 30s, expires: 1h}}
budgets: [{name: cap, per: agent, limit: 0.50, window: 1h}]
"""
PAID = request("/v1/search", method="POST")


async def test_a_budgets_window_passes_faster(upstream: RawUpstream) -> None:
    """What an hour forbids is allowed again within moments; times of records stay real, and all
    say that it is a drill."""
    upstream.otherwise = OK
    more = ("--drill-speed", "3600")
    async with holdfast_process(upstream, "tools", HOURLY, *more) as process:
        async with await process.connect() as agent:
            assert (await agent.call(PAID, "POST")).status == 200
            refused = await agent.call(PAID, "POST")
            assert refused.status == 402

            async def allowed() -> None:
                while (await agent.call(PAID, "POST")).status != 200:
                    pass

            await within(allowed())
        ready = await raw_call(process.admin, request("/readyz", "Connection: close"))
        assert b'"drill":3600' in ready.replace(b" ", b"")
        process.terminate()
        assert await process.exited() == 0
        written = [json.loads(line) for line in lines(process.folder / "state")]
    assert {line["drill"] for line in written} == {3600}
    assert {line["ts"][:4] for line in written} == {str(datetime.now(UTC).year)}
    assert any('"drill"' in line for line in process.log)


@pytest.mark.parametrize("speed", ["1", "3600"])
async def test_without_one_nothing_says_so(upstream: RawUpstream, speed: str) -> None:
    """`drill` stands nowhere; in one, `resets_at` is on the fast clock."""
    upstream.otherwise = OK
    async with holdfast_process(upstream, "tools", HOURLY, "--drill-speed", speed) as process:
        async with await process.connect() as agent:
            await agent.call(PAID, "POST")
            problem = json.loads((await agent.call(PAID, "POST")).body)
        ready = await raw_call(process.admin, request("/readyz", "Connection: close"))
        assert (b"drill" in ready) == (speed != "1")
        assert problem["resets_at"]


async def test_a_request_to_people_expires_faster(upstream: RawUpstream) -> None:
    """An hour of it is over in a second."""
    more = ("--drill-speed", "3600")
    async with (
        holdfast_process(upstream, "tools", HOURLY, *more) as process,
        await process.connect() as agent,
    ):
        answer = await within(agent.call(request("/v1/pay", method="POST"), "POST"))
        assert (answer.status, upstream.heads) == (403, [])
        assert json.loads(answer.body)["code"] == "approval_expired"
