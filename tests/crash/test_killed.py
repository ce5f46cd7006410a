"""kill -9 of the whole proxy under load, again and again, at moments that nobody chose.

`make crash` does it 200 times (CRASH_KILLS), the usual run ten times. The seed is printed; the same
one (CRASH_SEED) has the same calls, if not the same interleaving.

What is exact is said without a clock. The promise of 10 ms cannot be: on a busy machine a thread
may wait longer than that for its turn. So what a loaded proxy may lose is bounded in two ways.
Nothing that was answered before an answered write was even sent is lost, because they are in one
file and in one order. And nothing is lost that was answered seconds before the end.
`test_batch.py` has the exact bound.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.load import KEPT, POLICIES, Load, Sent, answers, received
from tests.crash.remains import Remains
from tests.harness import RawUpstream
from tests.harness.process import holdfast_process

KILLS = int(os.environ.get("CRASH_KILLS", "200"))
SEED = int(os.environ.get("CRASH_SEED", random.randrange(1_000_000)))
SETTINGS = "audit: {segment: 64KiB, checkpoint: {records: 100, every: 1s}}\n"
MOST_SECONDS = 2.0  # a batch is ready within 10 ms, where there is nothing else to do
MOST_CALLS = 300  # of one life
MOST_DELAY = 0.03  # after the last of them, until it is killed


class Lives:
    """One data dir, one proxy after the other."""

    def __init__(self, folder: Path, upstream: RawUpstream, policies: str) -> None:
        self.chance = random.Random(SEED)
        self.load = Load(self.chance)
        self.remains = Remains(folder / "state")
        self.lost: list[Sent] = []
        self._upstream = upstream
        self._policies = policies
        self._settings = folder / "holdfast.yaml"
        self._settings.write_text(SETTINGS)

    async def one(self) -> None:
        """It starts unaided, works, is killed, and left what it must."""
        async with self._started() as process:
            loop = asyncio.get_running_loop()
            killed = loop.create_future()

            def kill() -> None:
                killed.set_result(loop.time())
                process.child.send_signal(signal.SIGKILL)

            already = len(self.load.calls)
            async with self.load.on(process.listen):
                await self.load.answered(self.chance.randrange(1, MOST_CALLS))
                loop.call_later(self.chance.uniform(0, MOST_DELAY), kill)
                at = await killed
            assert await process.exited() == -signal.SIGKILL
        self.remains.look()
        self._compare([call for number, call in self.load.calls.items() if number > already], at)

    async def last(self) -> None:
        """It starts once more, and is stopped in order."""
        async with self._started() as process:
            process.terminate()
            assert await process.exited() == 0
        self.remains.look()

    def _started(self):
        more = ("--data-dir", str(self.remains.data_dir), "--config", str(self._settings))
        return holdfast_process(self._upstream, "http", self._policies, *more)

    def _compare(self, calls: list[Sent], killed: float) -> None:
        """What the agents of this life know, with what is left of it."""
        acked = [call for call in calls if call.acked]
        missing = [call for call in acked if call.id not in self.remains.ends]
        assert [call for call in missing if call.traced] == []
        traced = [call for call in acked if call.traced]
        assert [call for call in traced if call.id not in self.remains.intents] == []
        surely = max((call.at for call in traced), default=0)
        assert [call for call in missing if call.acked < surely] == []
        assert [call for call in missing if call.seconds < killed - MOST_SECONDS] == []
        self.lost += missing


async def killed(times: int, folder: Path, policies: str = POLICIES) -> None:
    """So many lives, and one to end with."""
    sys.stdout.write(f"CRASH_SEED={SEED}\n")
    async with RawUpstream() as upstream:
        upstream.otherwise = answers
        lives = Lives(folder, upstream, policies)
        for _ in range(times):
            await lives.one()
        await lives.last()
        reached = received(upstream)
    in_the_end(lives, reached)
    sys.stdout.write(
        f"{times} kills, {len(lives.load.calls)} calls, {len(lives.remains.records)} records, "
        f"{len(lives.remains.unknown)} unknown, {len(lives.lost)} reads lost\n"
    )


def in_the_end(lives: Lives, reached: set[int]) -> None:
    """What agents sent, what the upstream got and what is written down tell one story."""
    calls, remains = lives.load.calls, lives.remains
    with_intent = {int(intent["task"]) for intent in remains.intents.values()}
    assert {number for number in reached if calls[number].traced} <= with_intent
    assert remains.open == set()
    ends = remains.ends.values()
    assert {end["id"] for end in ends if end["outcome"] == "unknown"} == remains.unknown
    assert {int(end["task"]) for end in ends} <= set(calls)
    assert {int(end["task"]) for end in ends if end["executed"] == "yes"} <= reached
    assert {int(intent["task"]) for intent in remains.told("call.intent")} <= {
        number for number, call in calls.items() if call.traced
    }
    told = {call.number: call.id for call in calls.values() if call.acked}
    assert all(told.get(int(end["task"]), end["id"]) == end["id"] for end in ends)
    starts, stops = remains.told("start"), remains.told("stop")
    assert (len(stops), stops[0]["seq"] > starts[-1]["seq"]) == (1, True)
    command = (sys.executable, "-m", "proxy", "audit", "verify", str(remains.data_dir), "--json")
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (said.returncode, json.loads(said.stdout)["exit"]) == (0, 0)


async def test_no_acknowledged_call_is_lost_however_it_is_killed(tmp_path: Path) -> None:
    """Ten times, in the usual run."""
    await killed(10, tmp_path)


async def test_nor_where_its_payload_is_kept(tmp_path: Path) -> None:
    """Its record waits for what takes secrets out of its bodies, and its answer for its record."""
    await killed(5, tmp_path, KEPT)


@pytest.mark.crash
@pytest.mark.timeout(KILLS * 10 + 60)
async def test_nor_if_it_is_killed_two_hundred_times(tmp_path: Path) -> None:
    """`make crash`."""
    await killed(KILLS, tmp_path)
