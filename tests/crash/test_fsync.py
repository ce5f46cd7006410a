"""fsync fails below a proxy that serves: who waits for the disk gets the right answer."""

import asyncio
import json
from pathlib import Path

import pytest

from proxy.journal.records import Records
from proxy.journal.verify import verify
from tests.crash.test_full import POLICIES
from tests.harness import OK, Proxy, RawUpstream, holdfast, raw_call, request, within
from tests.journal.disks import ForgetfulDisk

CALLS = {"/read": "GET", "/lax": "GET", "/write": "POST", "/grave": "GET", "/strict": "POST"}


async def statuses(proxy: Proxy, times: int = 1) -> dict[str, set[int]]:
    """Of calls of each kind, all at once."""

    async def one(path: str, method: str) -> int:
        return (await proxy.call(request(path, method=method), method)).status

    asked = [(path, method) for path, method in CALLS.items() for _ in range(times)]
    told = await asyncio.gather(*(one(*each) for each in asked))
    found: dict[str, set[int]] = {path: set() for path in CALLS}
    for (path, _), status in zip(asked, told, strict=True):
        found[path].add(status)
    return found


async def writable(proxy: Proxy) -> bool:
    """What `/readyz` says."""
    raw = await raw_call(proxy.admin, request("/readyz", "Connection: close"))
    return bool(json.loads(raw.partition(b"\r\n\r\n")[2])["parts"]["journal"]["ok"])


def ends(data_dir: Path) -> list[dict]:
    """The records of calls, as everybody reads them."""
    told = [json.loads(line) for part in Records(data_dir).oldest_first() for line in part]
    return [record for record in told if record["type"] == "call.finished"]


@pytest.mark.parametrize("written_all_the_same", [False, True])
async def test_one_that_fails_costs_nobody_anything(written_all_the_same: bool) -> None:
    """The batch is in a new segment before anybody is answered."""
    disk = ForgetfulDisk(lambda count: False, written_all_the_same)
    async with RawUpstream() as upstream, holdfast(upstream, "http", POLICIES, disk=disk) as proxy:
        upstream.otherwise = OK
        await statuses(proxy)
        failing = disk.count + 1
        disk.fails = lambda count: count == failing
        assert await statuses(proxy, 4) == {path: {200} for path in CALLS}
        found = await proxy.metrics()
        assert found.sum("holdfast_journal_errors_total") == 1
        assert found.sum("holdfast_journal_missed_total") == 0
        assert await writable(proxy)
        await within(proxy.app.stop(drain=0))
        state = proxy.folder / "state"
        for look in (lambda: None, disk.lose_power):
            look()
            assert verify(state).exit == 0
            assert len(ends(state)) == 5 * len(CALLS)
        assert disk.touched == []


@pytest.mark.parametrize("written_all_the_same", [False, True])
async def test_while_all_fail_each_policy_has_its_way(written_all_the_same: bool) -> None:
    """Who waits is told no, soon; nobody hangs; and it goes on by itself when the disk is well."""
    disk = ForgetfulDisk(lambda count: False, written_all_the_same)
    refused = {path: {503} if path in {"/grave", "/strict"} else {200} for path in CALLS}
    async with RawUpstream() as upstream, holdfast(upstream, "http", POLICIES, disk=disk) as proxy:
        upstream.otherwise = OK
        await statuses(proxy)
        disk.fails = lambda count: True
        assert await statuses(proxy, 4) == refused
        assert await statuses(proxy, 4) == refused
        assert not await writable(proxy)
        found = await proxy.metrics()
        assert found.sum("holdfast_journal_writable") == 0
        assert found.sum("holdfast_journal_missed_total") >= 8
        disk.fails = lambda count: False
        await proxy.until_metric("holdfast_journal_writable", 1)
        assert await statuses(proxy, 4) == {path: {200} for path in CALLS}
        await within(proxy.app.stop(drain=0))
        state = proxy.folder / "state"
        for look in (lambda: None, disk.lose_power):
            look()
            assert verify(state).exit == 0
            assert len({record["id"] for record in ends(state)}) == 13 * len(CALLS)
            assert len(ends(state)) == 13 * len(CALLS)
        assert disk.touched == []
