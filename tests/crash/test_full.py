"""The disk below the data dir is full: a real one, small, while the real program runs.

A tmpfs of one MiB. Mounting needs Linux and root; elsewhere these are skipped, and the same is
tried with a disk that pretends, in `tests/journal/test_full.py` and `tests/whole/test_journal.py`.
"""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.crash.remains import Remains
from tests.harness import OK, RawUpstream, raw_call, request, within
from tests.harness.messages import Message
from tests.harness.process import Process, holdfast_process

POLICIES = """
policies:
  - name: grave
    match: {path: /grave}
    risk: high
  - name: strict
    match: {path: /strict}
    on_journal_failure: deny
  - name: lax
    match: {path: /lax}
    risk: high
    on_journal_failure: allow
"""
REFUSED = ("/grave", "/strict")  # while the disk is full
SENT = ("/read", "/write", "/lax")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A folder with a MiB behind it."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here: only Linux has a tmpfs to fill")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted, for want of root: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(place: Path) -> Path:
    """Nothing is left."""
    filler = place / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65_536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


class Caller:
    """Calls, and what all of them were told."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ids: list[str] = []

    async def call(self, path: str) -> Message:
        """One. That it is answered at all is half of what is tested."""
        method = "POST" if path in {"/write", "/strict"} else "GET"
        async with await self.process.connect() as agent:
            agent.patience = 20.0
            got = await agent.call(request(path, method=method), method)
        self.ids.append((got.value("holdfast-call") or b"").decode())
        return got

    async def statuses(self, *paths: str) -> list[int]:
        """Of one call each."""
        return [(await self.call(path)).status for path in paths]

    async def until_full(self) -> None:
        """The last block of a file takes some more; then somebody is refused."""
        while (got := await self.call("/grave")).status == 200:
            pass
        assert got.status == 503
        assert json.loads(got.body)["code"] == "journal_unavailable"


async def page(process: Process, path: str) -> tuple[int, str]:
    """Status and body of a page of the admin port."""
    raw = await raw_call(process.admin, request(path, "Connection: close"))
    head, _, body = raw.decode().partition("\r\n\r\n")
    return int(head.split(" ", 2)[1]), body


async def standing(process: Process) -> tuple[int, dict[str, Any]]:
    """What `/readyz` says of the journal."""
    status, body = await page(process, "/readyz")
    return status, json.loads(body)["parts"]["journal"]


async def metric(process: Process, row: str) -> float:
    """A row of the metrics, as it is by now."""
    _, body = await page(process, "/metrics")
    return sum(float(line.split(" ")[1]) for line in body.splitlines() if line.startswith(row))


async def until(process: Process, status: int) -> None:
    """`/readyz` says so, by itself."""

    async def look() -> None:
        while (await standing(process))[0] != status:
            pass

    await within(look(), 20.0)


async def full(caller: Caller) -> None:
    """What holds while nothing can be written: each policy's way, an alarm, and nobody hangs."""
    process = caller.process
    assert await caller.statuses(*SENT, *REFUSED) == [200, 200, 200, 503, 503]
    status, part = await standing(process)
    assert (status, part["state"]) == (503, "full")
    assert "No space left" in part["why"]
    assert await metric(process, "holdfast_journal_writable") == 0
    assert await metric(process, "holdfast_journal_missed_total") >= 2
    assert await metric(process, "holdfast_journal_errors_total") >= 1
    assert part["held"] >= len(SENT)


async def test_a_full_disk_is_told_and_survived(small: Path) -> None:
    """When there is room again all that was held is written, unaided; and it verifies."""
    flags = ("--data-dir", str(small / "state"))
    async with RawUpstream() as upstream:
        upstream.otherwise = OK
        async with holdfast_process(upstream, "http", POLICIES, *flags) as process:
            caller = Caller(process)
            assert await caller.statuses(*SENT, *REFUSED) == [200] * 5
            filler = fill(small)
            await caller.until_full()
            reached = len(upstream.requests)
            await full(caller)
            assert len(upstream.requests) == reached + len(SENT)
            filler.unlink()
            await until(process, 200)
            assert await metric(process, "holdfast_journal_writable") == 1
            assert await metric(process, "holdfast_journal_held") == 0
            assert await metric(process, "holdfast_journal_dropped_total") == 0
            assert await caller.statuses(*SENT, *REFUSED) == [200] * 5
            process.terminate()
            assert await process.exited() == 0
            assert [line for line in process.log if "Traceback" in line] == []

    remains = Remains(small / "state")
    remains.look()
    assert set(caller.ids) == set(remains.ends)
    assert remains.open == set()
    assert len(remains.told("stop")) == 1


async def test_it_starts_on_a_full_disk(small: Path) -> None:
    """After a kill: it serves what may be served, and goes on when there is room."""
    flags = ("--data-dir", str(small / "state"))
    async with RawUpstream() as upstream:
        upstream.otherwise = OK
        async with holdfast_process(upstream, "http", POLICIES, *flags) as process:
            first = Caller(process)
            assert await first.statuses(*SENT, *REFUSED) == [200] * 5
            filler = fill(small)
            await first.until_full()
            process.child.send_signal(signal.SIGKILL)
            assert await process.exited() == -signal.SIGKILL
        remains = Remains(small / "state")
        remains.look()
        async with holdfast_process(upstream, "http", POLICIES, *flags) as process:
            caller = Caller(process)
            await caller.until_full()
            await full(caller)
            filler.unlink()
            await until(process, 200)
            assert await caller.statuses(*SENT, *REFUSED) == [200] * 5
            process.terminate()
            assert await process.exited() == 0

    remains.look()
    assert set(caller.ids) <= set(remains.ends)
    assert set(first.ids[:5]) <= set(remains.ends)
    assert remains.open == set()


async def test_a_stop_on_a_full_disk_ends(small: Path) -> None:
    """It may lose what it held, and then exits 1; it never hangs, and what is there verifies."""
    flags = ("--data-dir", str(small / "state"))
    async with RawUpstream() as upstream:
        upstream.otherwise = OK
        async with holdfast_process(upstream, "http", POLICIES, *flags) as process:
            caller = Caller(process)
            fill(small)
            await caller.until_full()
            process.terminate()
            assert await process.exited() == 1
    command = (sys.executable, "-m", "proxy", "audit", "verify", str(small / "state"))
    done = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    assert await within(done.wait(), 20.0) == 0
