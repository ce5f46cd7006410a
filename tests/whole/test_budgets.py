"""Caps hold: a thousand calls at once, cut, failing, repeated, over three budgets."""

import asyncio
import json
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.state.account import Account
from proxy.state.ledger import Ledger
from tests.harness import (
    OK,
    Ended,
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    holdfast,
    raw_call,
    request,
    within,
)
from tests.harness.loops import ONE_LOOP
from tests.harness.messages import Message
from tests.harness.process import holdfast_process
from tests.harness.upstream import never
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = 1_000
AT_ONCE = 250
_BREATH = 0.0005
"""Seconds between two looks of the thread that samples: else the loop waits for its turn each time
that it has waited for anything."""
POLICIES = """
policies:
  - name: all
    effect: read
    retry: {attempts: 3, backoff: {base: 1ms, max: 5ms}, budget: {ratio: 1, burst: 1000}}
  - {name: cheap, match: {tool: cheap}, cost: 0.001}
  - {name: dear, match: {tool: dear}, cost: 0.0173}
  - {name: told, match: {tool: told}, cost: {fixed: 0.02, from_reply: cost}}
budgets:
  - {name: agent, per: agent, hour: 2, day: 3}
  - {name: tool, per: tool, day: 2.5}
  - {name: fleet, per: fleet, day: 7}
"""


class Sampler:
    """Looks at all accounts, again and again, from a thread of its own. Not as those do who want
    to know what is spent: they have tills closed, on the loop."""

    def __init__(self, ledger: Ledger) -> None:
        self.seen = 0
        self.wrong: list[str] = []
        self._ledger = ledger
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        while not self._done.wait(_BREATH):
            for accounts in list(self._ledger._accounts.values()):
                for account in list(accounts.values()):
                    self._look(account)

    def _look(self, account: Account) -> None:
        for limit, committed in account.committed():
            self.seen += 1
            if committed > limit.micros:
                self.wrong.append(f"{account.label}: {committed} of {limit}")

    @contextmanager
    def looking(self) -> Iterator[None]:
        """While this runs."""
        self._thread.start()
        try:
            yield
        finally:
            self._done.set()
            self._thread.join()


class Market:
    """An upstream whose answers say what they cost; some fail, some end early, some are slow."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.slow = asyncio.Event()

    async def __call__(self, connection: UpstreamConnection, asked: Message) -> None:
        """A Step."""
        what = self._chance.random()
        cost = self._chance.randrange(1, 20_000) / 1_000_000
        body = json.dumps({"cost": cost}).encode()
        if what < 0.10:
            connection.send(answer(503, body=body))
        elif what < 0.15:
            connection.send(answer(200, "Content-Length: 900", body=None) + body)
            connection.transport.close()
        elif what < 0.20:
            connection.transport.abort()
        else:
            if what < 0.40:
                await self.slow.wait()
            connection.send(answer(200, "Content-Type: application/json", body=body))


async def one_call(address: Any, number: int, chance: random.Random) -> int:
    """The status of one call; 0 where its agent left before there was any."""
    tool = chance.choice(["cheap", "dear", "told"])
    name = chance.choice(["ann", "bob", "eve"])
    raw = request(f"/v1/{tool}", f"x-agent: {name}", method="POST", body=b'{"n": %d}' % number)
    async with await address.connect() as agent:
        agent.patience = None  # hundreds wait for each other; the test's own time limit is enough
        agent.send(raw)
        if chance.random() < 0.15:
            await asyncio.sleep(0)
            return 0
        try:
            return (await agent.answer("POST")).status
        except Ended:
            return -1


def told(folder: Path, kind: str) -> list[dict[str, Any]]:
    """The records of this type."""
    return [each for each in map(json.loads, lines(folder)) if each["type"] == kind]


@ONE_LOOP
@pytest.mark.parametrize("seed", [1, 2])
async def test_no_cap_is_passed_by_a_thousand_calls_at_once(
    upstream: RawUpstream, seed: int
) -> None:
    """At every moment; and in the end nothing is reserved, and all sums are the same to the
    micro-dollar: those of the accounts, of the agents, and of the records."""
    market, chance = Market(seed), random.Random(seed)
    upstream.otherwise = market
    identity = ["header:x-agent", "static"]
    async with holdfast(upstream, "tools", POLICIES, identity=identity) as proxy:
        ledger = proxy.app._control.ledger
        sampler, turns = Sampler(ledger), asyncio.Semaphore(AT_ONCE)

        async def taken(number: int) -> int:
            async with turns:
                if number == CALLS // 2:
                    market.slow.set()
                return await one_call(proxy, number, chance)

        with sampler.looking():
            statuses = await asyncio.gather(*(taken(number) for number in range(CALLS)))
            await within(_quiet(proxy.app._server.exchanges))
        assert await proxy.app._trail.durable()
        records = told(proxy.folder / "state", "call.finished")

        assert sampler.seen > 100
        assert sampler.wrong == []
        assert {200, 402, 0} <= set(statuses)
        accounts = {one.label: one for one in ledger.accounts()}
        assert [one.reserved for one in accounts.values() if one.reserved] == []
        assert [one.label for one in accounts.values() if one.overrun] == []
        charged = dict.fromkeys(accounts, 0)
        by_agent: dict[str, int] = {}
        for record in records:
            cost = record.get("cost_micros", 0)
            by_agent[record["agent"]] = by_agent.get(record["agent"], 0) + cost
            for label, micros in record.get("charges", {}).items():
                charged[label] += micros
        assert len(records) == CALLS
        assert charged == {label: one.spent for label, one in accounts.items()}
        assert {name: cost for name, cost in by_agent.items() if cost} == ledger.by_agent
        assert ledger.total == sum(by_agent.values()) == accounts["fleet:default"].spent


WIDE = """
policies:
  - name: all
    effect: read
    retry: {attempts: 3, backoff: {base: 1ms, max: 5ms}, budget: {ratio: 1, burst: 1000}}
  - {name: cheap, match: {tool: cheap}, cost: 0.000001}
  - {name: dear, match: {tool: dear}, cost: 0.000003}
  - {name: told, match: {tool: told}, cost: {fixed: 0.02, from_reply: cost}}
budgets:
  - {name: agent, per: agent, hour: 200, day: 300}
  - {name: fleet, per: fleet, day: 700}
"""


@ONE_LOOP
async def test_what_calls_take_of_tills_adds_up(upstream: RawUpstream) -> None:
    """Where limits are far, beside calls that fail, are cut, are repeated, or tell what they
    cost; a look now and then changes nothing."""
    market, chance = Market(3), random.Random(3)
    market.slow.set()
    upstream.otherwise = market
    identity = ["header:x-agent", "static"]
    async with holdfast(upstream, "tools", WIDE, identity=identity) as proxy:
        ledger, sampler = proxy.app._control.ledger, Sampler(proxy.app._control.ledger)
        taken, turns = 0, asyncio.Semaphore(50)

        async def called(number: int) -> None:
            nonlocal taken
            async with turns:
                await one_call(proxy, number, chance)
                taken += bool(ledger.tills)
                if number % 100 == 0:
                    assert sum(ledger.by_agent.values()) == ledger.total

        with sampler.looking():
            await asyncio.gather(*(called(number) for number in range(400)))
            await within(_quiet(proxy.app._server.exchanges))
        assert await proxy.app._trail.durable()
        records = told(proxy.folder / "state", "call.finished")
        assert taken > 200
        assert sampler.wrong == []
        assert (len(records), ledger.under_way.calls) == (400, {})
        charged: Counter[str] = Counter()
        for record in records:
            charged.update(record.get("charges", {}))
        accounts = {one.label: one for one in ledger.accounts()}
        assert charged == {label: one.spent for label, one in accounts.items()}
        assert [one.reserved for one in accounts.values() if one.reserved] == []
        assert ledger.total == charged["fleet:default"]


async def _quiet(exchanges: set[Any]) -> None:
    while exchanges:
        await breathe()


TIGHT = """
policies: [{name: p, effect: read, cost: 0.30}]
budgets: [{name: cap, per: agent, day: 1.00}]
"""


async def life(upstream: RawUpstream, folder: Path, *, open_call: bool = False) -> int:
    """A process that takes one call, and is killed: the status of the answer; 0 where none came."""
    data_dir = str(folder / "state")
    async with (
        holdfast_process(upstream, "tools", TIGHT, "--data-dir", data_dir) as process,
        await process.connect() as agent,
    ):
        agent.send(request("/v1/search", method="POST"))
        status = 0
        if open_call:
            await upstream.began(1)
        else:
            status = (await agent.answer("POST")).status
        process.child.send_signal(signal.SIGKILL)
        assert await process.exited() == -signal.SIGKILL
    return status


@ONE_LOOP
async def test_what_was_spent_survives_kill_9(upstream: RawUpstream, tmp_path: Path) -> None:
    """Three of them fit into a dollar, however often the process dies the moment an answer is
    here: reads, whose records nobody waits for."""
    upstream.otherwise = OK
    assert [await life(upstream, tmp_path) for _ in range(4)] == [200, 200, 200, 402]


@ONE_LOOP
async def test_a_call_that_is_open_at_a_crash_counts_as_spent(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """It was sent, and nobody knows what became of it."""

    async def never(connection: UpstreamConnection, asked: Message) -> None:
        await asyncio.Event().wait()

    upstream.otherwise = never
    for _ in range(2):
        assert await life(upstream, tmp_path, open_call=True) == 0
        upstream.heads.clear()
    upstream.otherwise = OK
    assert [await life(upstream, tmp_path) for _ in range(2)] == [200, 402]


async def test_the_refusal_and_the_price_are_told(upstream: RawUpstream) -> None:
    """What an answer cost stands in its head; a refusal says what is full."""
    async with holdfast(upstream, "tools", TIGHT) as proxy:
        first = await proxy.call(request("/v1/search", method="POST"), "POST")
        assert first.value("holdfast-cost") == b"0.300000"
        for _ in range(2):
            await proxy.call(request("/v1/search", method="POST"), "POST")
        refused = await proxy.call(request("/v1/search", method="POST"), "POST")
        assert refused.status == 402
        problem = json.loads(refused.body)
        assert (problem["limit"], problem["spent"], problem["scope"]) == ("1.00", "0.90", "agent")
        assert refused.value("x-should-retry") == b"false"
        assert refused.value("holdfast-cost") is None


async def test_a_budget_that_aborts_kills_the_workflow(upstream: RawUpstream) -> None:
    """Nothing of it goes any more; other workflows do."""
    upstream.otherwise = OK
    text = TIGHT.replace("per: agent, day: 1.00", "per: workflow, total: 0.50, on_exceed: abort")
    async with holdfast(upstream, "tools", text) as proxy:
        codes = []
        for workflow in ("w1", "w1", "w1", "w2"):
            raw = request("/v1/search", f"holdfast-workflow: {workflow}", method="POST")
            codes.append((await proxy.call(raw, "POST")).value("holdfast-reason"))
        assert codes == [None, b"budget_exceeded", b"killed", None]
        (kill,) = proxy.app._control.kills.items()
        assert (str(kill.scope), kill.by, kill.origin) == ("workflow:w1", "budget cap", "budget")


SIZED = """
policies:
  - name: p
    effect: idempotent
    cost: {per_kb: 0.001}
    retry: {attempts: 2, replay: 1MiB, backoff: {base: 1ms, max: 1ms}, budget: {ratio: 1, burst: 9}}
budgets: [{name: cap, per: agent, day: 10.00}]
"""


async def test_an_upload_that_is_sent_twice_leaves_nothing_reserved(upstream: RawUpstream) -> None:
    """The first sending is over when the rest of the body flows, for the second one."""

    async def hangs_up(connection: UpstreamConnection, asked: Message) -> None:
        upstream.on_head = None
        connection.transport.abort()

    upstream.then()
    upstream.on_head = hangs_up
    async with holdfast(upstream, "http", SIZED) as proxy, await proxy.connect() as agent:
        agent.send(request("/big", "Transfer-Encoding: chunked", method="PUT"))
        agent.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        await upstream.began(2)
        for _ in range(200):
            agent.send(b"400\r\n" + b"x" * 1024 + b"\r\n")
        agent.send(b"0\r\n\r\n")
        assert (await agent.answer("PUT")).status == 200
        await within(_quiet(proxy.app._server.exchanges))
        (account,) = proxy.app._control.ledger.accounts()
        assert account.reserved == 0
        assert 202_000 <= account.spent <= 204_000


@ONE_LOOP
async def test_what_a_stream_came_to_survives_kill_9(upstream: RawUpstream, tmp_path: Path) -> None:
    """Though nothing but its beginning was known when it was sent."""

    async def flows(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for _ in range(40):
            connection.send(b"data: " + b"x" * 99_992 + b"\n\n")
        await connection.ended.wait()

    async def promised() -> None:
        while not any(lease["high"] >= 3_900_000 for lease in told(state, "budget.lease")):
            await breathe()

    upstream.otherwise, state = flows, tmp_path / "state"
    data_dir = ("--data-dir", str(state))
    async with (
        holdfast_process(upstream, "http", SIZED, *data_dir) as process,
        await process.connect() as agent,
    ):
        agent.send(request("/big"))
        await agent.counted(4_000_000)
        await within(promised())
        process.child.send_signal(signal.SIGKILL)
        assert await process.exited() == -signal.SIGKILL
    async with holdfast_process(upstream, "http", SIZED, *data_dir) as process:
        asked = request("/v1/budgets", "Connection: close", host="localhost")
        raw = await raw_call(process.admin, asked)
    (item,) = json.loads(raw.partition(b"\r\n\r\n")[2])["items"]
    assert 3.9 <= float(item["windows"][0]["spent"]) <= 4.2


async def test_a_call_that_takes_long_is_known_to_be_open(upstream: RawUpstream) -> None:
    """A read that has reserved money has an intent soon, though nothing else is noted; a quick one
    has none, for its record tells all."""
    goes = asyncio.Event()

    async def waits(connection: UpstreamConnection, asked: Message) -> None:
        await goes.wait()
        connection.send(OK)

    upstream.otherwise = waits
    async with holdfast(upstream, "tools", TIGHT) as proxy, await proxy.connect() as agent:
        agent.send(request("/v1/search", method="POST"))

        async def written() -> dict[str, Any]:
            while True:
                told = [json.loads(line) for line in lines(proxy.folder / "state")]
                found = [each for each in told if each["type"] == "call.intent"]
                if found:
                    return found[0]
                await breathe()

        intent = await within(written())
        assert intent["reserved_micros"] == 300_000
        assert intent["charges"] == {"cap:local-agent": 300_000}
        goes.set()
        assert (await agent.answer("POST")).status == 200
        await agent.call(request("/v1/search", method="POST"), "POST")
        assert await proxy.app._trail.durable()
        told = [json.loads(line) for line in lines(proxy.folder / "state")]
        kinds = [each["type"] for each in told if each["type"].startswith("call.")]
        assert kinds.count("call.finished") == 2
        assert kinds.index("call.intent") < kinds.index("call.finished")


async def test_both_ways_of_a_tunnel_cost(upstream: RawUpstream) -> None:
    """An agent that upgrades its connection sends nothing for nothing."""

    async def switches(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(SWITCHED + b"y" * 10_240)
        await connection.exactly(20_480)
        connection.close()

    upstream.otherwise = switches
    async with holdfast(upstream, "http", SIZED) as proxy, await proxy.connect() as agent:
        agent.send(request("/ws", "Upgrade: x", "Connection: Upgrade"))
        await agent.until(b"y" * 10_240)
        agent.send(b"z" * 20_480)
        await agent.rest()
        await within(_quiet(proxy.app._server.exchanges))
        (account,) = proxy.app._control.ledger.accounts()
        assert (account.spent, account.reserved) == (30_000, 0)


SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"


async def test_a_hedge_is_in_the_price_that_is_told(upstream: RawUpstream) -> None:
    """Both sendings cost, whichever answers."""
    upstream.then(never, OK)
    text = TIGHT.replace("cost:", "hedge: {after: 10ms, max: 1}, cost:")
    async with holdfast(upstream, "tools", text) as proxy:
        got = await proxy.call(request("/v1/search", method="POST"), "POST")
        assert got.value("holdfast-cost") == b"0.600000"
        assert proxy.app._control.ledger.total == 600_000
