"""Payloads of the real program are erased: over its socket, under load, and however it dies (6.1).

What was asked for is recorded before anything is destroyed, what was done is recorded after.
"""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest

from proxy.cli.asking import Unanswered, tell
from proxy.journal.rows import Places
from proxy.journal.verify import verify
from tests.harness import RawUpstream, holdfast, raw_call, request, within
from tests.harness.loops import THE_LOOP
from tests.journal.stored import columns
from tests.whole.test_payloads import FULL, ended, posted, records

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

POLICIES = FULL.replace("effect: read", "effect: write")
ASKED = {"task": "t-1", "reason": "case 12"}


def at(folder: Path) -> str:
    """Where changes are made."""
    return f"unix:{folder / 'admin.sock'}"


async def erase(folder: Path, **asked: str) -> dict[str, Any]:
    """Ask for it."""
    told = await asyncio.to_thread(tell, at(folder), "/v1/erasures", asked or ASKED)
    return dict(told)


def stages(folder: Path) -> list[str]:
    """Of all erasures."""
    return [each["stage"] for each in records(folder, "erasure")]


def left(folder: Path) -> tuple[list[Any], list[Any]]:
    """Records whose payloads are there, and keys."""
    return columns(folder, "SELECT record FROM payloads"), columns(folder, "SELECT id FROM keys")


async def test_what_is_erased_is_gone_and_every_proof_holds(upstream: RawUpstream) -> None:
    """Of that task only; who asked, why, and what came of it is on record."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        folder = proxy.folder / "state"
        await proxy.call(posted(b"one"))
        await proxy.call(request("/x", "Holdfast-Task: t-2", method="POST", body=b"two"))
        told = await erase(folder)
        assert (told["what"], told["whose"], told["payloads"], told["keys"]) == (
            "task",
            "t-1",
            1,
            1,
        )
        found = await ended(proxy)
        payloads, keys = left(folder)
        assert (payloads, len(keys)) == ([found.calls[1]["id"]], 1)
        begun, done = records(folder, "erasure")
        assert (begun["stage"], begun["by"], begun["reason"]) == ("begun", "admin.sock", "case 12")
        assert (done["stage"], done["id"], done["payloads"]) == ("done", told["id"], 1)
        assert found.calls[0]["request"]["bytes"] == 3
        assert verify(folder).exit == 0


async def test_it_is_erased_while_calls_run(upstream: RawUpstream) -> None:
    """None of them fails. What had ended is gone, what ends later is kept under a new key."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        folder = proxy.folder / "state"

        async def agent() -> list[int]:
            async with await proxy.connect() as one:
                return [(await one.call(posted(b"x"), "POST")).status for _ in range(20)]

        agents = [asyncio.ensure_future(agent()) for _ in range(4)]
        told = [await erase(folder) for _ in range(3)]
        statuses = await within(asyncio.gather(*agents))
        assert statuses == [[200] * 20] * 4
        told.append(await erase(folder))
        assert sum(each["payloads"] for each in told) == 80
        await ended(proxy)
        assert left(folder) == ([], [])
        assert stages(folder) == ["begun", "done"] * 4


async def test_two_at_once_both_end(upstream: RawUpstream) -> None:
    """One has found it, the other finds nothing; both are on record."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        folder = proxy.folder / "state"
        await proxy.call(posted(b"one"))
        agent = {"agent": "local-agent", "reason": "r"}
        told = await asyncio.gather(erase(folder), erase(folder, **agent))
        assert sorted(each["payloads"] for each in told) == [0, 1]
        await ended(proxy)
        assert sorted(stages(folder)) == ["begun", "begun", "done", "done"]


async def test_a_legal_hold_forbids_it(upstream: RawUpstream) -> None:
    """Nothing is destroyed, by nobody, not by age either; it says what is in the way."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        folder = proxy.folder / "state"
        await proxy.call(posted(b"one"))
        (folder / "hold").touch()
        with pytest.raises(Unanswered, match=r"hold is there \(a legal hold\)"):
            await erase(folder)
        eraser = proxy.app._trail._eraser
        eraser._days = -2
        await asyncio.to_thread(eraser.prune)
        await ended(proxy)
        assert len(left(folder)[0]) == 1
        assert stages(folder) == []


async def test_what_is_too_old_is_deleted_and_recorded(upstream: RawUpstream) -> None:
    """By the retention of the journal, whole days."""
    async with holdfast(upstream, policies=POLICIES) as proxy:
        folder = proxy.folder / "state"
        await proxy.call(posted(b"one"))
        eraser = proxy.app._trail._eraser
        eraser._days = -2
        await asyncio.to_thread(eraser.prune)
        await asyncio.to_thread(eraser.prune)  # there is nothing left, and nothing to be said
        await ended(proxy)
        assert left(folder) == ([], [])
        (told,) = records(folder, "erasure")
        assert (told["stage"], told["what"], told["payloads"]) == ("done", "age", 1)


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"subject": "ann", "reason": "r"}, "subject: nothing is kept under a subject"),
        ({"task": "a", "agent": "b", "reason": "r"}, "exactly one of task and agent"),
        ({"reason": "r"}, "exactly one of task and agent"),
        ({"task": "a"}, "reason"),
        ({"task": "a", "reason": ""}, "reason: expected a text"),
        ({"task": "a", "reason": "r", "all": "yes"}, "all"),
    ],
)
async def test_what_cannot_be_erased_is_refused(
    upstream: RawUpstream, asked: dict[str, str], why: str
) -> None:
    """With what is wrong."""
    async with holdfast(upstream) as proxy:
        with pytest.raises(Unanswered, match=why):
            await erase(proxy.folder / "state", **asked)
        assert not (proxy.folder / "state" / "payloads").exists()


async def test_agents_cannot_erase(upstream: RawUpstream) -> None:
    """They reach the admin port; the socket is its owner's alone, and read there can be all."""
    async with holdfast(upstream) as proxy:
        folder = proxy.folder / "state"
        raw = request(
            "/v1/erasures", "Connection: close", method="POST", body=b"{}", host="localhost"
        )
        told = await raw_call(proxy.admin, raw)
        assert b" 403 " in told.splitlines()[0]
        assert b"admin.sock" in told
        assert (folder / "admin.sock").stat().st_mode & 0o777 == 0o600
        across = request("/v1/erasures", "Origin: http://evil", method="POST", body=b"{}")
        told = await raw_call(
            at(folder), across.replace(b"HTTP/1.1\r\n", b"HTTP/1.1\r\nConnection: close\r\n")
        )
        assert b" 403 " in told.splitlines()[0]
        told = await raw_call(at(folder), request("/v1/journal", "Connection: close"))
        assert b" 200 " in told.splitlines()[0]


DIES = """
import asyncio, os, sys
from pathlib import Path
from proxy.clock import Clock
from proxy.config.settings import Settings
from proxy.news import News
from proxy.observe.logs import Log
from proxy.trail import Trail

async def main():
    clock = Clock()
    trail = Trail(Settings(data_dir=sys.argv[1]), clock, News(), Log(clock))
    await trail.start()
    if sys.argv[2] == "before":
        trail.side_store.destroy = lambda what, whose: os._exit(9)
    else:
        trail._eraser._ends = lambda *told, **more: os._exit(9)
    await trail.erase("task", "t-1", "a test", "it dies")

asyncio.run(main())
"""


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("held", [False, True])
async def test_a_process_that_dies_in_the_middle_is_made_up_for(
    upstream: RawUpstream, tmp_path: Path, when: str, held: bool
) -> None:
    """Before or after all was destroyed, and not recorded: the next start does it, once, before it
    serves. A hold that came meanwhile is obeyed, and it is on record that it was not done."""
    data_dir = str(tmp_path)
    async with holdfast(upstream, policies=POLICIES, data_dir=data_dir) as proxy:
        assert (await proxy.call(posted(b"one"))).status == 200
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", DIES, data_dir, when)
    assert await within(child.wait(), 20.0) == 9
    assert stages(tmp_path) == ["begun"]
    if held:
        (tmp_path / "hold").touch()
    for _ in range(2):
        async with holdfast(upstream, policies=POLICIES, data_dir=data_dir):
            pass
    begun, ends = records(tmp_path, "erasure")
    assert (ends["stage"], ends["id"]) == ("failed" if held else "done", begun["id"])
    assert (left(tmp_path) == ([], [])) is (not held or when == "after")
    assert Places(tmp_path).database.exists()
    assert verify(tmp_path).exit == 0
