"""Alerts on a real proxy, told to a receiver that listens on a socket."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.harness import Proxy, RawUpstream, answer, holdfast, request, within
from tests.harness.loops import THE_LOOP

pytestmark = pytest.mark.asyncio(loop_factories=THE_LOOP)

FAILS = answer(500, body=b"no")
POLICIES = """
policies:
  - {name: usual, breaker: {consecutive: 2, open: {base: 300ms, jitter: 0}}}
alerts:
  receivers: [{name: ops, kind: webhook, url: "{url}/hook", allow_private: true}]
  routes: [{to: [ops]}]
  resolve_after: 0s
  runbook: https://wiki.example/{name}
  escalation:
    - name: hold
      match: {source: kill}
      steps:
        - open_breaker: [gateway]
          call: [{upstream: gateway, tool: create_dispute, arguments: {of: "{scope}"}}]
"""


@pytest.fixture
async def upstream() -> AsyncIterator[RawUpstream]:
    """Whom agents call."""
    async with RawUpstream() as made:
        yield made


@pytest.fixture
async def ear() -> AsyncIterator[RawUpstream]:
    """Who is told."""
    async with RawUpstream() as upstream:
        yield upstream


def policies(ear: RawUpstream) -> str:
    return POLICIES.replace("{url}", ear.url)


async def told(ear: RawUpstream, number: int) -> Any:
    """What the receiver was told, notice by notice."""
    message = await ear.seen(number)
    return json.loads(message.body)


def lines_of(proxy: Proxy) -> list[Any]:
    """The journal's, of alerts."""
    folder = proxy.folder / "state" / "journal"
    paths = sorted(folder.glob("*.jsonl"))
    lines = [line for path in paths for line in path.read_text().splitlines()]
    return [each for each in map(json.loads, lines) if each["type"].startswith("alert.")]


async def test_a_breaker_opens_and_closes(upstream: RawUpstream, ear: RawUpstream) -> None:
    """Who is told hears it once, and then that it is over, with the same fingerprint."""
    async with holdfast(upstream, policies=policies(ear)) as proxy:
        upstream.then(FAILS, FAILS)
        for _ in range(2):
            await proxy.call(request("/x"))
        first = await told(ear, 1)
        assert (first["status"], first["alerts"][0]["labels"]["alertname"]) == (
            "firing",
            "CircuitOpen",
        )
        while len(ear.requests) < 2:  # probes pass, and it closes
            await proxy.call(request("/x"))
        last = await told(ear, 2)
        (fired,), (over,) = first["alerts"], last["alerts"]
        assert (last["status"], over["status"]) == ("resolved", "resolved")
        assert over["fingerprint"] == fired["fingerprint"]
        assert over["startsAt"] == fired["startsAt"]
        assert over["annotations"]["runbook_url"] == "https://wiki.example/CircuitOpen"
        assert len(ear.requests) == 2
        figures = await proxy.metrics()
        assert figures.sum("holdfast_alerts_total", source="breaker") == 1
        assert figures.sum("holdfast_alerts_firing") == 0
        await within(proxy.app.stop(drain=0))
        assert [line["type"] for line in lines_of(proxy)] == [
            "alert.firing", "alert.notified", "alert.notified", "alert.resolved",
        ]  # fmt: skip


async def test_a_restart_in_the_middle(upstream: RawUpstream, ear: RawUpstream) -> None:
    """Nobody is told again, who saw to it still does, and the end of it has the id that it had."""
    async with holdfast(upstream, policies=policies(ear)) as proxy:
        await proxy.change("/v1/kills", {"scope": "agent:bob", "reason": "it loops"})
        first = await told(ear, 1)
        assert first["alerts"][0]["labels"]["scope"] == "agent:bob"
        [item] = (await shown(proxy))["items"]
        await proxy.change(f"/v1/alerts/{item['id']}/ack", {"reason": "case 12"})
        await within(proxy.restart())
        [again] = (await shown(proxy))["items"]
        assert (again["id"], again["acknowledged_by"]) == (item["id"], "admin.sock")
        assert again["told"] == ["ops"]
        await proxy.change("/v1/kills/agent:bob?reason=fixed", None, method="DELETE")
        last = await told(ear, 2)
        assert last["status"] == "resolved"
        assert last["alerts"][0]["fingerprint"] == first["alerts"][0]["fingerprint"]
        assert last["alerts"][0]["startsAt"] == first["alerts"][0]["startsAt"]
        assert len(ear.requests) == 2


async def test_a_ladder_is_climbed_and_left(upstream: RawUpstream, ear: RawUpstream) -> None:
    """A circuit is held open as long as the alert fires, and the gateway is told once."""
    async with holdfast(upstream, policies=policies(ear)) as proxy:
        assert (await proxy.call(request("/x"))).status == 200
        await proxy.change("/v1/kills", {"scope": "agent:bob", "reason": "it loops"})
        called = await upstream.seen(2)
        assert json.loads(called.body) == {
            "tool": "create_dispute",
            "input": {"of": "agent:bob"},
        }
        assert called.value("idempotency-key")
        while (refused := await proxy.call(request("/x"))).status == 200:
            pass
        assert json.loads(refused.body)["code"] == "circuit_open"
        await proxy.change("/v1/kills/agent:bob?reason=fixed", None, method="DELETE")
        while (await proxy.call(request("/x"))).status != 200:
            pass
        await within(proxy.app.stop(drain=0))
        acts = [
            (line["act"], line["what"], line.get("result", "undone"))
            for line in lines_of(proxy)
            if line["type"] == "alert.escalated" and "act" in line
        ]
        assert acts == [
            ("open_breaker", "gateway", "done"),
            ("call", "gateway/create_dispute", "begun"),
            ("call", "gateway/create_dispute", "done"),
            ("open_breaker", "gateway", "undone"),
        ]


async def test_a_reload_that_fails_is_an_alert(upstream: RawUpstream, ear: RawUpstream) -> None:
    """Until one comes into force."""
    async with holdfast(upstream, policies=policies(ear)) as proxy:
        proxy.write_policies("nonsense: 1")
        assert not proxy.app.reload()
        assert (await told(ear, 1))["alerts"][0]["labels"]["alertname"] == "ReloadFailed"
        proxy.write_policies(policies(ear) + "\n# mended\n")
        assert proxy.app.reload()
        assert (await told(ear, 2))["status"] == "resolved"


async def shown(proxy: Proxy) -> Any:
    """`GET /v1/alerts`."""
    return await proxy.change("/v1/alerts?state=firing", None, method="GET")


async def test_a_policy_is_in_force_while_an_alert_fires(
    upstream: RawUpstream, ear: RawUpstream
) -> None:
    """That a step of its ladder names; before and after it is not."""
    text = """
policies: [{name: closed, deny: {reason: "something is wrong"}}]
alerts:
  resolve_after: 0s
  escalation: [{name: usual, match: {source: kill}, steps: [{tighten: [closed]}]}]
"""
    async with holdfast(upstream, policies=text) as proxy:
        assert (await proxy.call(request("/x"))).status == 200
        await proxy.change("/v1/kills", {"scope": "agent:bob", "reason": "it loops"})
        while (await proxy.call(request("/x"))).status == 200:
            pass
        await within(proxy.restart())
        assert (await proxy.call(request("/x"))).status == 403
        await proxy.change("/v1/kills/agent:bob?reason=fixed", None, method="DELETE")
        while (await proxy.call(request("/x"))).status != 200:
            pass
