"""Mirrors (spec 5.6, 4.4, 4.1): records leave, to a real receiver and to the sandbox gateway."""

import asyncio
import base64
import hmac
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from proxy.lab.sandbox.gateway import Sandbox, start
from tests.harness import Proxy, RawUpstream, answer, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.messages import Message
from tests.harness.upstream import never

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

AGENT = "local-agent"
LONG = 50.0
"""Seconds: much goes over a connection of its own, also on a busy machine."""
GATEWAY = """
mirrors:
  - {name: ledger, kind: gateway, upstream: gateway, begins: oldest}
policies:
  - {name: all, cost: 0.01}
  - {name: reads, match: {tool: "get_*"}, effect: read, cost: 0}
"""


@pytest_asyncio.fixture(loop_scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    """A gateway with state."""
    made = await start("127.0.0.1:0")
    yield made
    await made.close()


async def call(proxy: Proxy, tool: str, given: dict[str, Any], **lines: str) -> Message:
    """An agent's call."""
    body = json.dumps({"tool": tool, "input": given}).encode()
    heads = [f"Holdfast-{name}: {value}" for name, value in lines.items()]
    heads += ["Content-Type: application/json", "Connection: close"]
    return await proxy.call(request("/", *heads, method="POST", body=body), "POST")


async def until(done: Callable[[], bool]) -> None:
    """It is looked at again and again."""

    async def look() -> None:
        while not done():
            await asyncio.to_thread(lambda: None)

    await within(look(), LONG)


def types_of(entries: Any) -> list[str]:
    return [entry.subject for entry in entries]


async def records_of(proxy: Proxy) -> list[Any]:
    """All of the journal."""
    assert await proxy.app._trail.durable()
    return [
        json.loads(line)
        for path in sorted((proxy.folder / "state" / "journal").glob("*.jsonl"))
        for line in path.read_text().splitlines()
    ]


async def test_the_gateway_hears_of_what_was_done_through_it(sandbox: Sandbox) -> None:
    """Its ledger has what calls cost, its audit trail what they changed, and its events what was
    decided. None of this is a call in our own journal, though the gateway is the agents' too."""
    async with holdfast(sandbox.url, "tools", policies=GATEWAY) as proxy:
        assert (await call(proxy, "get_balance", {"agent_id": AGENT})).status == 200
        assert (await call(proxy, "deposit", {"agent_id": AGENT, "amount": 1})).status == 200
        # It is published as well, though nobody asks the gateway for a reload.
        proxy.write_policies(GATEWAY + "# again\n  - {name: more, timeout: {total: 9s}}\n")
        assert proxy.app.reload()
        mirror = proxy.app._lookout.mirroring._working["ledger"].mirror
        last = (await records_of(proxy))[-1]["seq"]
        await until(lambda: mirror.cursor.seq >= last)
        ends = [each for each in await records_of(proxy) if each["type"] == "call.finished"]

    charges = [each for each in sandbox.state.transactions if each.kind == "charge"]
    assert [(each.agent_id, each.amount_micros) for each in charges] == [(AGENT, 10_000)]
    [entry] = [entry for entry in sandbox.state.audit if entry.subject == "deposit"]
    assert entry.agent_id == AGENT
    assert isinstance(entry.content, dict)
    assert entry.content["specversion"] == "1.0"
    assert entry.content["data"]["id"] == ends[1]["id"]
    assert "policy.loaded" in types_of(sandbox.state.audit)
    assert "holdfast.policy.loaded" in types_of(sandbox.state.events)
    assert [each["tool"] for each in ends] == ["get_balance", "deposit"]
    seen = sandbox.calls.shown()
    ours = [each for each in seen["calls"] if "holdfast-mirror" in each["headers"]]  # type: ignore[attr-defined]
    assert {each["headers"]["holdfast-mirror"] for each in ours} == {"ledger"}
    assert len(ours) == seen["total"] - 2  # type: ignore[operator]
    assert all(each["idempotency_key"] for each in ours)


async def test_sums_of_a_minute_are_submitted(sandbox: Sandbox) -> None:
    """For each agent, when the minute is over."""
    async with holdfast(sandbox.url, "tools", policies=GATEWAY) as proxy:
        for _ in range(3):
            assert (await call(proxy, "get_balance", {"agent_id": AGENT})).status == 200
        assert (await call(proxy, "deposit", {"agent_id": AGENT, "amount": -1})).status == 400
        mirror = proxy.app._lookout.mirroring._working["ledger"].mirror
        last = (await records_of(proxy))[-1]["seq"]
        await until(lambda: mirror.cursor.seq >= last)
        sink = mirror._sink
        late = sink._wall  # type: ignore[attr-defined]
        sink._wall = lambda: late() + 120.0  # type: ignore[attr-defined]
        await until(lambda: bool(sandbox.state.metrics))

    figures = [entry.content["metrics"] for entry in sandbox.state.metrics]  # type: ignore[index]
    assert {entry.agent_id for entry in sandbox.state.metrics} == {AGENT}
    assert sum(each["calls"] for each in figures) == 4  # of one minute, or two
    assert sum(each["failed"] for each in figures) == 1
    assert sum(each["cost_micros"] for each in figures) == 10_000


@pytest.mark.parametrize("budget", [25_000_000, None])
async def test_who_is_killed_cannot_spend_at_the_gateway_either(
    sandbox: Sandbox, budget: int | None
) -> None:
    """Its budget is nothing until all kills of it are revived, and then what it was; also where
    the process began anew in between."""
    wallet = sandbox.state.wallets[AGENT]
    wallet.budget_micros = budget
    async with holdfast(sandbox.url, "tools", policies=GATEWAY) as proxy:
        for scope in (f"agent:{AGENT}", "agent:local-*"):
            await proxy.change("/v1/kills", {"scope": scope, "reason": "case 12"})
        assert (await call(proxy, "get_balance", {"agent_id": AGENT})).status == 403
        await until(lambda: wallet.budget_micros == 0)
        await proxy.restart()
        await revived(proxy, f"agent:{AGENT}")
        held = proxy.app._lookout.mirroring._working["ledger"].budgets
        assert held is not None
        await until(lambda: held._seen.agents.keys() == {AGENT})
        assert wallet.budget_micros == 0
        await revived(proxy, "agent:local-*")
        await until(lambda: wallet.budget_micros == budget)
        await until(lambda: not held.held)


async def test_a_workflow_without_money_lets_go_of_what_it_holds(sandbox: Sandbox) -> None:
    """Escrows that say whose they are; those of others stay, and so does one that says nothing."""
    policies = (
        GATEWAY
        + """
budgets:
  - {name: agent, per: agent, day: 100}
  - {name: workflow, per: workflow, total: 0.035, on_exceed: abort}
"""
    )
    async with holdfast(sandbox.url, "tools", policies=policies) as proxy:
        for workflow, said in (("w-1", "w-1"), ("w-1", ""), ("w-2", "w-2"), ("w-1", "w-1")):
            given = {
                "payer_agent_id": AGENT,
                "payee_agent_id": "seller-01",
                "amount": 10,
                "metadata": {"workflow_id": said},
            }
            made = await call(proxy, "create_escrow", given, workflow=workflow)
            assert made.status == 200, made.body
        assert (await call(proxy, "deposit", {}, workflow="w-1")).status == 402
        await until(lambda: "holdfast.workflow.released" in types_of(sandbox.state.events))

    states = [each.status for each in sandbox.state.escrows.values()]
    assert states == ["cancelled", "pending", "pending", "cancelled"]
    [told] = [
        each.content
        for each in sandbox.state.events
        if each.subject == "holdfast.workflow.released"
    ]
    assert isinstance(told, dict)
    assert (told["workflow"], told["created"]) == ("w-1", 3)
    assert len(told["cancelled"]) == 2


async def revived(proxy: Proxy, scope: str) -> None:
    """By a person."""
    target = f"/v1/kills/{quote(scope, safe='')}?reason=done"
    await proxy.change(target, {}, "DELETE")


SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()


def siem(url: str, **more: Any) -> str:
    """The mirror to a receiver of this machine."""
    told = {"name": "siem", "kind": "webhook", "url": url, "allow_private": True}
    told |= {"begins": "oldest", **more}
    return f"mirrors: [{json.dumps(told)}]\n"


def told_to(far: RawUpstream) -> list[dict[str, Any]]:
    """All events, as they came."""
    return [event for each in far.requests for event in json.loads(each.body)]


async def test_a_receiver_gets_every_record_signed_and_in_order(far: RawUpstream) -> None:
    """Over failures and a restart: some may come twice, none not at all."""
    async with (
        RawUpstream() as receiver,
        holdfast(far, "tools", policies=siem(receiver.url, secret=SECRET)) as proxy,
    ):
        receiver.then(answer(503), answer(200))
        for number in range(5):
            assert (await call(proxy, f"get_{number}", {})).status == 200
        await until(lambda: "holdfast.call.finished" in [e["type"] for e in told_to(receiver)])
        await proxy.restart()
        assert (await call(proxy, "get_more", {})).status == 200
        journal = await records_of(proxy)
        seqs = {each["seq"] for each in journal}
        await until(lambda: seqs <= {e["data"]["seq"] for e in told_to(receiver)})
        events = told_to(receiver)
        first = receiver.requests[0]

    assert {e["id"]: e["data"] for e in events if e["data"]["seq"] in seqs} == {
        f"{each['id']}/{each['type']}/{each['seq']}": each for each in journal
    }
    lines = {name: first.value(f"webhook-{name}") for name in ("id", "timestamp", "signature")}
    signed = b"%s.%s.%s" % (lines["id"], lines["timestamp"], first.body)  # type: ignore[str-bytes-safe]
    expected = base64.b64encode(hmac.digest(b"k" * 32, signed, "sha256"))
    assert lines["signature"] == b"v1," + expected
    assert first.value("content-type") == b"application/cloudevents-batch+json"


async def test_a_receiver_of_this_machine_must_be_allowed(far: RawUpstream) -> None:
    """Else nothing is sent, which the log and metrics say; calls do not notice."""
    async with (
        RawUpstream() as receiver,
        holdfast(far, "tools", policies=siem(receiver.url, allow_private=False)) as proxy,
    ):
        assert (await call(proxy, "get_it", {})).status == 200
        mirror = proxy.app._lookout.mirroring._working["siem"].mirror
        figures = await proxy.until_metric("holdfast_mirror_failures_total", 1, mirror="siem")
        assert "nothing was sent" in mirror.trouble
        assert figures.sum("holdfast_mirror_lag_records", mirror="siem") >= 1
        assert receiver.heads == []


async def test_a_mirror_comes_and_goes_with_the_policies(far: RawUpstream) -> None:
    """One that is removed and added again goes on where it was; one that does not change is left
    alone, and one that moves is told of."""
    async with (
        RawUpstream() as receiver,
        holdfast(far, "tools", policies=siem(receiver.url)) as proxy,
    ):
        mirroring = proxy.app._lookout.mirroring
        assert (await call(proxy, "get_1", {})).status == 200
        await until(lambda: len(told_to(receiver)) > 0)
        mirror = mirroring._working["siem"].mirror
        proxy.write_policies(siem(receiver.url) + "# the same\n")
        assert proxy.app.reload()
        proxy.write_policies("policies: []\n")
        assert proxy.app.reload()
        await until(lambda: not mirroring._working)
        assert mirror._sink._post is not None  # type: ignore[attr-defined]
        assert (await call(proxy, "get_2", {})).status == 200
        proxy.write_policies(siem(f"{receiver.url}/moved"))
        assert proxy.app.reload()
        journal = await records_of(proxy)
        finished = [e["seq"] for e in journal if e["type"] == "call.finished"]
        await until(lambda: set(finished) <= {e["data"]["seq"] for e in told_to(receiver)})

    assert receiver.requests[-1].start.startswith(b"POST /moved ")


async def test_a_receiver_that_hangs_holds_up_nobody(far: RawUpstream) -> None:
    """Calls go on, the journal is written, and the end comes in time."""
    async with (
        RawUpstream(never) as receiver,
        holdfast(far, "tools", policies=siem(receiver.url)) as proxy,
    ):
        await within(receiver.seen())
        for _ in range(50):
            assert (await call(proxy, "get_it", {})).status == 200
        assert len(await proxy.records(50)) == 50
        mirror = proxy.app._lookout.mirroring._working["siem"].mirror
        assert mirror.lag >= 50
