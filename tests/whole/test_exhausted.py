"""What follows while an error budget is used up, over real sockets."""

import json
from typing import Any

import pytest

from proxy.observe.slo import on_exhausted
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
from tests.journal.written import lines
from tests.whole.test_tasks import owner

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

BROKEN = answer(500, body=b"{}")
POLICIES = """
policies:
  - {name: p, effect: read, retry: false, breaker: false}
  - {name: closed, match: {tool: get_x}, deny: true}
slos:
  - name: works
    sli: success
    objective: 0.9
    match: {tool: get_x}
    on_exhausted: [notify, freeze_canary, {tighten: closed}]
"""
ASKS = POLICIES.replace("{tighten: closed}", "require_approval").replace("deny: true", "cost: 1")


async def call(proxy: Proxy, tool: str = "get_x") -> int:
    """What one comes to."""
    return (await proxy.call(request(f"/v1/{tool}", method="POST", body=b"{}"), "POST")).status


async def use_up(proxy: Proxy, upstream: RawUpstream) -> None:
    """The budget, by calls that fail; until that is seen."""
    upstream.otherwise = BROKEN
    for _ in range(12):
        await call(proxy)
    upstream.otherwise = OK
    await until(proxy, frozenset({"works"}))


async def until(proxy: Proxy, in_force: frozenset[str]) -> None:
    """What follows from these budgets is in force."""

    async def look() -> None:
        while proxy.app._lookout.objectives.acts.in_force != in_force:
            await breathe()

    await within(look())


def versions(proxy: Proxy) -> list[tuple[str, int, str]]:
    """What came into force, as the journal has it: version, policies, and who asked for it."""
    entries = map(json.loads, lines(proxy.folder / "state"))
    loaded = [each for each in entries if each["type"] == "policy.loaded"]
    return [(each["policy_version"], each["policies"], each.get("by", "")) for each in loaded]


async def shown(proxy: Proxy, path: str) -> Any:
    """What the admin side shows."""
    raw = request(path, "Connection: close")
    told = await within(raw_call(owner(proxy.folder), raw))
    return json.loads(told.partition(b"\r\n\r\n")[2])


async def test_a_policy_is_in_force_only_while_a_budget_is_used_up(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a version of its own, is written down, is explained; a restart knows it at once, and
    who takes the objective out ends it."""
    monkeypatch.setattr(on_exhausted, "HELD", 1e9)
    async with holdfast(upstream, "tools", POLICIES) as proxy:
        before = proxy.app._gateway.table.version
        upstream.otherwise = OK
        assert await call(proxy) == 200
        await use_up(proxy, upstream)
        assert await call(proxy) == 403
        assert await call(proxy, "other") == 200
        version = proxy.app._gateway.table.version
        assert (len(version), version != before) == (12, True)
        told = await shown(proxy, "/v1/policies/explain?tool=get_x")
        assert told["policy_version"] == version
        assert [each["name"] for each in told["policies"]] == ["p", "closed"]
        assert any(
            "closed is in force, for the error budget of works" in w for w in told["warnings"]
        )
        assert (await shown(proxy, "/v1/status"))["policies"]["version"] == version
        (slo,) = (await shown(proxy, "/v1/slos"))["items"]
        assert (slo["slo"], slo["state"]) == ("works", "exhausted")
        assert slo["on_exhausted"] == {
            "does": ["freeze_canary", "notify", "tighten: closed"], "in_force": True,
        }  # fmt: skip
        await proxy.restart()
        assert proxy.app._gateway.table.version == version
        assert await call(proxy) == 403
        ended = await proxy.records(15)
        assert ended[-1]["policy_version"] == version
        assert versions(proxy) == [
            (before, 1, ""), (version, 2, "on_exhausted"), (version, 2, ""),
        ]  # fmt: skip
        proxy.write_policies(POLICIES.partition("slos:")[0].replace("deny: true", "deny: false"))
        assert proxy.app.reload()
        assert await call(proxy) == 200


async def test_what_waits_for_a_quiet_time_ends_after_it(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then what was in force before is, under its own version."""
    monkeypatch.setattr(on_exhausted, "HELD", 0.5)
    text = POLICIES.replace("objective: 0.9", "objective: 0.5").replace(
        "{tool: get_x}, deny", "{tool: x}, deny"
    )
    async with holdfast(upstream, "tools", text) as proxy:
        before = proxy.app._gateway.table.version
        await use_up(proxy, upstream)
        assert proxy.app._gateway.table.version != before
        assert await call(proxy, "x") == 403
        assert [await call(proxy) for _ in range(13)] == [200] * 13
        await until(proxy, frozenset())
        assert proxy.app._gateway.table.version == before
        assert await call(proxy, "x") == 200


async def test_people_are_asked_while_it_is_used_up(upstream: RawUpstream) -> None:
    """For the calls of the objective, whatever their risk; others go."""
    async with holdfast(upstream, "tools", ASKS) as proxy:
        await use_up(proxy, upstream)
        again = request("/v1/get_x", "Prefer: respond-async", method="POST", body=b"{}")
        told = await proxy.call(again, "POST")
        assert told.status == 202
        assert json.loads(told.body)["policy"] == "slo/works"
        assert await call(proxy, "other") == 200
        told = await shown(proxy, "/v1/policies/explain?tool=get_x")
        assert told["sections"]["approval"]["approvers"]["policy"] == "slo/works"
        assert told["sections"]["approval"]["approvers"]["from"].endswith("10.yaml:6")
        assert (await shown(proxy, "/v1/policies"))["items"][-1]["name"] == "slo/works"
