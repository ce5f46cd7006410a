"""A minute of everything that can go wrong at once. Loopback only, bounded, ends by itself.

`make soak`. An upstream that fails in all the ways that the sandbox can, and one that stands in;
two hundred callers, some of whom leave; policies that change every second. What must hold is said
at the end of `test_a_minute_of_chaos`.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from tests.harness import request
from tests.harness.agent import Connection, raw_call
from tests.harness.process import Process, holdfast_process
from tests.harness.wire import Ended

pytestmark = pytest.mark.soak

SECONDS = float(os.environ.get("SOAK_SECONDS", "60"))
CALLERS = 200
LEAVES = 0.03  # of the calls: the caller hangs up
FAULTS = (
    *("status=500", "status=502", "status=503", "status=504", "status=529", "status=429"),
    *("status=404", "slow=0.2", "slow=1", "hang", "reset", "truncated", "malformed", "duplicate"),
    *("reset; executed", "hang; executed", "truncated; executed", "pass"),
)
READS = ("get_balance", "list_escrows", "get_usage_analytics", "search_services")
WRITES = ("deposit", "record_transaction", "send_message")
DENIED = "set_budget"
RATIO, PER_MINUTE, BURST = 0.2, 60.0, 50
RATE = 400  # calls a second and tool


def policies(spare: str, turn: int) -> str:
    """All sections that there are; every other second some of their numbers are others."""
    odd = turn % 2
    return f"""
upstreams:
  spare:
    {{url: '{spare}', protocol: tools, path: /spare, health: {{tool: get_balance, interval: 1s}}}}
policies:
  - name: all
    timeout: {{total: {3 + odd}s, attempt: 1s, connect: 1s, on_disconnect: cancel}}
    retry:
      attempts: {2 + odd}
      backoff: {{base: 5ms, max: 50ms}}
      throttled: {{base: 10ms, max: 100ms}}
      budget: {{ratio: {RATIO}, min_per_minute: {PER_MINUTE}, burst: {BURST}}}
    breaker:
      {{consecutive: 20, rate: 0.7, min_calls: 50, window: 5s, open: {{base: 500ms, max: 2s}}}}
    bulkhead: {{limit: {20 + 10 * odd}, queue: 16, max_wait: 300ms, adaptive: {{min: 4, max: 40}}}}
    rate_limit: {{rate: {RATE * (1 + odd)}/s, burst: {RATE}, queue: 20}}
    idempotency: {{}}
    fallback:
      - {{upstream: spare}}
      - {{cache: {{max_age: 10s}}}}
      - {{static: {{status: 503, body: {{turn: {turn}}}}}}}
  - name: reads
    match: {{tool: [{", ".join(f'"{tool}"' for tool in READS)}]}}
    effect: read
    hedge: {{after: {100 + 50 * odd}ms}}
    cache: {{stale_if_error: 5s}}
  - name: never
    match: {{tool: set_budget}}
    deny: {{reason: nobody may}}
  - name: someday
    match: {{tool: "search_*"}}
    mode: shadow
    rate_limit: {{rate: 1/s}}
    bulkhead: {{limit: 1, queue: 0}}
    timeout: {{total: 200ms, attempt: 100ms}}
bulkheads:
  - {{name: everybody, agents: ["*"], limit: {80 + 20 * odd}, queue: 40}}
"""


class Crowd:
    """The callers, and what they saw."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.seen: Counter[str] = Counter()
        self.chance = random.Random(11)
        self.until = time.monotonic() + SECONDS

    async def call(self) -> None:
        """One caller: calls until the time is over, on new connections where it must."""
        while time.monotonic() < self.until:
            with contextlib.suppress(Ended, OSError, TimeoutError):
                async with await Connection.open(self.address) as agent:
                    agent.patience = 30.0
                    while await self._one(agent) and time.monotonic() < self.until:
                        pass

    async def _one(self, agent: Connection) -> bool:
        """One call. May another follow on this connection?"""
        chance = self.chance
        agent.send(self._request())
        if chance.random() < LEAVES:
            await asyncio.sleep(chance.random() * 0.3)  # the caller's own patience
            self.seen["left"] += 1
            return False
        try:
            got = await agent.answer("POST")
        except Ended:
            self.seen["cut"] += 1
            raise
        outcome = (got.value("holdfast-outcome") or b"?").decode()
        self.seen[f"{got.status} {outcome}"] += 1
        return b"close" not in (got.value("connection") or b"").lower()

    def _request(self) -> bytes:
        chance = self.chance
        tool = chance.choice(READS if chance.random() < 0.7 else (*WRITES, DENIED))
        lines = ["Content-Type: application/json"]
        if chance.random() < 0.5:
            lines.append(f"x-sandbox-fault: {chance.choice(FAULTS)}")
        if chance.random() < 0.2:
            lines.append(f"holdfast-workflow: w{chance.randrange(5)}")
        given = {"agent_id": "local-agent", "amount": "0.01", "pad": "x" * chance.randrange(2000)}
        body = json.dumps({"tool": tool, "input": given}).encode()
        return request("/", *lines, method="POST", body=body)


@contextlib.asynccontextmanager
async def sandbox() -> AsyncIterator[str]:
    """The URL of a sandbox gateway in a process of its own."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "proxy", "sandbox", "--listen", "127.0.0.1:0"),
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    line = (await child.stdout.readline()).decode()
    try:
        yield line.split()[-1]
    finally:
        child.send_signal(signal.SIGTERM)
        await child.wait()


async def figures(process: Process) -> dict[str, float]:
    """Each row of the metrics page, by its text."""
    page = (await raw_call(process.admin, request("/metrics", "Connection: close"))).decode()
    rows = (line.rpartition(" ") for line in page.splitlines() if line.startswith("holdfast"))
    return {name: float(value) for name, _, value in rows}


def total(rows: dict[str, float], name: str, **labels: str) -> float:
    """The sum of the rows of a metric that carry these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        value
        for row, value in rows.items()
        if re.split(r"[{ ]", row)[0] == name and all(each in row for each in wanted)
    )


async def received(url: str) -> int:
    """How many calls a sandbox was sent."""
    raw = await raw_call(
        url.removeprefix("http://"), request("/_calls?last=0", "Connection: close")
    )
    return int(json.loads(raw.partition(b"\r\n\r\n")[2])["total"])


async def change_policies(process: Process, spare: str, until: float) -> int:
    """Others every second; the number of changes."""
    turn = 0
    while time.monotonic() < until:
        await asyncio.sleep(1.0)  # the pace of the soak itself
        turn += 1
        # Not written in place: read half-way it would be a set without any policy, nor a timeout.
        written = process.folder / "10.yaml"
        written.write_text(policies(spare, turn))
        written.replace(process.folder / "policies" / "10.yaml")
        process.child.send_signal(signal.SIGHUP)
    return turn


async def memory(process: Process, until: float) -> list[int]:
    """Resident bytes, once a second."""
    found = []
    while time.monotonic() < until:
        await asyncio.sleep(1.0)
        found.append(process.resident)
    return found


async def recovered(process: Process) -> dict[str, float]:
    """Good calls to every tool until each circuit is closed and nothing is under way."""
    end = time.monotonic() + 30.0
    while True:
        for tool in (*READS, *WRITES):
            body = json.dumps({"tool": tool, "input": {"agent_id": "local-agent"}}).encode()
            for path in ("/", "/spare/"):
                async with await Connection.open(process.listen) as agent:
                    agent.patience = 10.0
                    call = request(path, "x-sandbox-fault: pass", method="POST", body=body)
                    await agent.call(call, "POST")
        rows = await figures(process)
        unwell = total(rows, "holdfast_breaker_state", state="open") + total(
            rows, "holdfast_breaker_state", state="half_open"
        )
        if not unwell and not total(rows, "holdfast_inflight"):
            return rows
        told = ('state="open"', 'state="half_open"', "holdfast_inflight")
        assert time.monotonic() < end, [
            row for row, n in rows.items() if n and any(word in row for word in told)
        ]
        await asyncio.sleep(0.2)  # circuits take real time to recover


@pytest.mark.timeout(SECONDS + 120)
async def test_a_minute_of_chaos() -> None:
    """No exception in the log; every permit, probe and call is given back; memory is flat; and no
    upstream is sent more than what the policies allow."""
    async with (
        sandbox() as gateway,
        sandbox() as spare,
        holdfast_process(gateway, "tools", policies(spare, 0)) as process,
    ):
        crowd = Crowd(process.listen)
        async with asyncio.TaskGroup() as group:
            changing = group.create_task(change_policies(process, spare, crowd.until))
            watching = group.create_task(memory(process, crowd.until))
            for _ in range(CALLERS):
                group.create_task(crowd.call())
        rows = await recovered(process)
        sent = await received(gateway) + await received(spare)
        report = {"seen": dict(crowd.seen), "reloads": changing.result(), "sent": sent}
        resident = watching.result()

    calls = total(rows, "holdfast_calls_total")
    attempts = total(rows, "holdfast_attempts_total")
    repeated = total(rows, "holdfast_retries_total", decision="sent")
    hedged = sum(
        total(rows, "holdfast_hedges_total", result=result) for result in ("won", "lost", "failed")
    )
    originals = attempts - repeated - hedged
    report |= {"calls": calls, "attempts": attempts, "repeated": repeated, "hedged": hedged}
    report["shed"] = total(rows, "holdfast_bulkhead_shed_total")
    report |= {"resident MiB": [size >> 20 for size in resident[:: max(1, len(resident) // 12)]]}
    sys.stdout.write(json.dumps(report, indent=1) + "\n")

    assert not [line for line in process.log if '"error"' in line or "Traceback" in line]
    assert sum(crowd.seen.values()) > 10 * SECONDS
    assert calls >= sum(crowd.seen.values()) - crowd.seen["left"]
    for given_back in ("inflight", "queued", "bulkhead_inflight"):
        assert total(rows, f"holdfast_{given_back}") == 0
    assert total(rows, "holdfast_bulkhead_limit") > 0
    assert sent <= attempts + total(rows, "holdfast_health_probes_total")
    assert not [row for row in rows if f'tool="{DENIED}"' in row and "attempts_total" in row]
    assert total(rows, "holdfast_refusals_total", code="denied", enforced="true") > 0
    assert total(rows, "holdfast_refusals_total", policy="someday", enforced="false") > 0
    # Two upstreams, each with a budget of its own.
    assert repeated + hedged <= RATIO * originals + 2 * (BURST + PER_MINUTE * (SECONDS + 60) / 60)
    assert attempts <= 2 * 4 * calls
    half = resident[len(resident) // 3]
    assert max(resident[len(resident) // 3 :]) <= half * 1.25 + (8 << 20)
