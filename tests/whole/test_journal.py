"""The journal of the real program: what happened is there afterwards, however it ended (6.1)."""

import asyncio
import errno
import json
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

import msgspec
import pytest

from proxy.cli.asking import ask
from proxy.clock import Clock
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from proxy.journal.verify import verify
from tests.harness import OK, RawUpstream, holdfast, raw_call, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.process import holdfast_process
from tests.journal.disks import FailingDisk
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)


class Intent(msgspec.Struct, frozen=True):
    """What is written before a call is sent."""

    id: str
    agent: str
    upstream: str
    tool: str
    type: ClassVar[str] = "call.intent"


def records(data_dir: Path, *kinds: str) -> list[dict[str, Any]]:
    """Those of some types."""
    told = [json.loads(line) for line in lines(data_dir)]
    return [each for each in told if each["type"] in kinds]


async def test_what_happened_is_there_after_the_end(upstream: RawUpstream, tmp_path: Path) -> None:
    """Start, policies, each call, stop; and all of it holds, by the public key alone."""
    upstream.otherwise = OK
    async with holdfast_process(upstream, "http", "", "--data-dir", str(tmp_path)) as process:
        async with await process.connect() as agent:
            for number in range(20):
                assert (await agent.call(request(f"/{number}"))).status == 200
        process.terminate()
        assert await process.exited() == 0

    calls = records(tmp_path, "call.finished")
    assert [(each["outcome"], each["status"]) for each in calls] == [("ok", 200)] * 20
    beside = records(tmp_path, "start", "policy.loaded", "stop")
    assert [each["type"] for each in beside] == ["start", "policy.loaded", "stop"]
    assert beside[2]["reason"] == "it was asked to"
    assert beside[1]["policy_version"] == calls[0]["policy_version"]
    (tmp_path / "keys" / "journal.skey").unlink()
    assert verify(tmp_path).exit == 0


async def test_a_second_process_is_told_who_has_the_folder(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """It exits 1, and the first one serves on."""
    async with holdfast_process(upstream, "http", "", "--data-dir", str(tmp_path)) as process:
        second = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "run", "--data-dir", str(tmp_path)),
            *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--upstream", upstream.url),
            stderr=asyncio.subprocess.PIPE,
        )
        _, told = await within(second.communicate(), 20.0)
        assert second.returncode == 1
        assert f"in use by process {process.child.pid} on" in told.decode()
        async with await process.connect() as agent:
            assert (await agent.call(request("/x"))).status == 200


async def test_a_call_that_was_cut_off_gets_its_end(upstream: RawUpstream, tmp_path: Path) -> None:
    """Also where the process that should write it is killed; the next one starts unaided."""
    journal = Journal(tmp_path, Terms(), Clock())
    journal.open()
    await journal.start()
    journal.note(Intent("cut-off", "ann", "default", "deposit"))
    await journal.stop()
    flags = ("http", "", "--data-dir", str(tmp_path))
    async with holdfast_process(upstream, *flags) as process:
        process.child.send_signal(signal.SIGKILL)
        assert await process.exited() == -signal.SIGKILL
    async with holdfast_process(upstream, *flags) as process:
        process.terminate()
        assert await process.exited() == 0

    (end,) = records(tmp_path, "call.finished")
    assert (end["id"], end["outcome"], end["tool"]) == ("cut-off", "unknown", "deposit")
    assert verify(tmp_path).exit == 0


async def test_a_write_that_was_answered_is_on_record(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """Its intent and its end, though the process is killed the moment the answer is here."""
    upstream.otherwise = OK
    for number in range(3):
        async with holdfast_process(upstream, "http", "", "--data-dir", str(tmp_path)) as process:
            async with await process.connect() as agent:
                answer = await agent.call(request(f"/{number}", method="POST"))
                process.child.send_signal(signal.SIGKILL)
            assert answer.status == 200
            assert await process.exited() == -signal.SIGKILL

    told = [(each["type"], each.get("status")) for each in records(tmp_path, *_OF_CALLS)]
    assert told == [("call.intent", None), ("call.finished", 200)] * 3
    assert verify(tmp_path).exit == 0


_OF_CALLS = ("call.intent", "call.finished")


async def ready(admin: str) -> tuple[bool, dict[str, Any]]:
    """Is it, and what `/readyz` says of the journal."""
    raw = await raw_call(admin, request("/readyz", "Connection: close"))
    head, _, body = raw.partition(b"\r\n\r\n")
    part: dict[str, Any] = json.loads(body)["parts"]["journal"]
    return b" 200 " in head.splitlines()[0], part


async def test_a_full_disk_shows_and_calls_go_on(upstream: RawUpstream) -> None:
    """Not ready, and why; the records are held, and written when there is room again."""
    disk = FailingDisk()
    async with holdfast(upstream, disk=disk) as proxy:
        assert (await ready(proxy.admin))[0]
        disk.fails["write"] = OSError(errno.ENOSPC, "No space left on device")
        assert (await proxy.call(request("/x"))).status == 200
        await proxy.app._trail.journal.durable()
        well, part = await ready(proxy.admin)
        assert (well, part["state"]) == (False, "full")
        assert "No space left" in part["why"]
        found = await proxy.metrics()
        assert found.sum("holdfast_journal_writable") == 0
        assert found.sum("holdfast_journal_held") >= 1
        assert (await asyncio.to_thread(ask, proxy.admin, "/v1/journal"))["held"] >= 1
        disk.fails.clear()
        await proxy.until_metric("holdfast_journal_writable", 1)
        assert (await ready(proxy.admin))[0]
        await within(proxy.app.stop(drain=0))
        assert len(records(proxy.folder / "state", "call.finished")) == 1


async def test_what_does_not_hold_is_told_and_served_on(
    upstream: RawUpstream, tmp_path: Path
) -> None:
    """Somebody changed a byte while nobody wrote."""
    journal = Journal(tmp_path, Terms(), Clock())
    journal.open()
    await journal.start()
    await journal.stop()
    segment = tmp_path / "journal" / "00000001.jsonl"
    segment.write_bytes(segment.read_bytes().replace(b'"start"', b'"stort"'))
    async with holdfast(upstream, data_dir=str(tmp_path)) as proxy:
        well, part = await ready(proxy.admin)
        assert well
        assert "00000001.jsonl" in part["tampered"]
        assert (await proxy.metrics()).sum("holdfast_journal_tampered") == 1
        assert (await proxy.call(request("/x"))).status == 200


@pytest.mark.parametrize("sync", ["group", "each", "async"])
async def test_every_way_to_be_durable(upstream: RawUpstream, sync: str) -> None:
    """Each keeps all of it when the process ends in order."""
    async with holdfast(upstream, audit={"sync": sync}) as proxy:
        assert (await proxy.call(request("/x"))).status == 200
        assert (await ready(proxy.admin))[1]["sync"] == sync
        await within(proxy.app.stop(drain=0))
        assert len(records(proxy.folder / "state", "call.finished")) == 1
        assert verify(proxy.folder / "state").exit == 0
