"""Pods that die, on a real store: their money is settled, or a person says that they are lost.

Each is a process that is killed, or stopped in its tracks; the rest of the fleet is one proxy in
this process. All calls of all pods come to one upstream, which counts them.
"""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from proxy.admin import pods
from proxy.state.link import ENDED
from tests.harness import Connection, Proxy, RawUpstream, holdfast, raw_call, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.process import Process, holdfast_process
from tests.servers import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

LIMIT = 100
POLICIES = """
policies: [{name: all, cost: 0.01}]
budgets: [{name: fleet, per: fleet, total: 1}]
"""
ASKED = request("/x", "Connection: close")
LONG = 40.0
"""Seconds that something may take on a machine that is busy with other tests."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RedisServer]:
    """One that forgets all when it is started anew."""
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pod that was not heard of for half a second more than it should be counts as gone: nobody
    waits for five."""
    monkeypatch.setattr(pods, "ALIVE", 1_500)


class Fleet:
    """The pod that goes on, one that will not, and where all of their calls come out."""

    def __init__(self, far: RawUpstream, rest: Proxy, lost: Process, store: RedisServer) -> None:
        self.far = far
        self.rest = rest
        self.lost = lost
        self.store = store

    @property
    def sent(self) -> int:
        """By all pods."""
        return len(self.far.requests)

    async def spends_all(self, sent: int) -> None:
        """The rest of the fleet makes calls until there were so many, of all pods; and no more than
        that go."""
        await self.spends(self.rest, sent - self.sent, LONG)
        assert self.sent == sent
        await self.spends(self.rest)
        assert self.sent == sent

    async def spends(self, pod: Proxy | Process, most: int = LIMIT, patience: float = 0.75) -> int:
        """So many calls went until none did any more for a while: what is idle elsewhere comes back
        in less, unless the machine is busy."""
        went, clock = 0, self.rest.app.clock
        last = clock.now()
        while went < most and clock.now() < last + patience:
            status = await call(pod.listen)
            assert status in (200, 402)
            if status == 200:
                went, last = went + 1, clock.now()
        return went

    async def told(self) -> Any:
        """What `/v1/pods` of the pod that goes on has."""
        door = f"unix:{self.rest.folder / 'state' / 'admin.sock'}"
        async with await Connection.open(door) as opened:
            answered = await opened.call(request("/v1/pods", "Connection: close"))
        return json.loads(answered.body)

    async def until(self, holds: Callable[[Any], bool]) -> Any:
        """It has this."""

        async def look() -> Any:
            told = await self.told()
            while not holds(told):
                told = await self.told()
            return told

        return await within(look(), LONG)

    async def missing(self) -> str:
        """The pod that is, once it is."""
        told = await self.until(lambda told: any(not each["alive"] for each in told["items"]))
        (pod,) = (each["pod"] for each in told["items"] if not each["alive"])
        return str(pod)

    async def kill(self) -> None:
        """The power went."""
        self.lost.child.kill()
        await self.lost.exited()

    async def empty(self) -> None:
        """The store is started anew, and knows nothing; the rest has come back to it."""
        self.store.stop(hard=True)
        self.store.start()
        await self.until(lambda told: told["up"] and told["waits_for"])

    async def reconcile(self, *arguments: str) -> tuple[int, Any]:
        """The exit code of the command, and its JSON."""
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "budget", "reconcile", "--json", *arguments),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await within(child.communicate(), LONG)
        assert child.returncode is not None
        return child.returncode, json.loads(out) if out else err.decode()

    async def settle(self) -> tuple[int, Any]:
        """The data dir of the one that is lost."""
        folder = self.lost.folder
        return await self.reconcile(
            str(folder / "state"), "--policies", str(folder / "policies"), "--store", self.store.url
        )

    async def accept(self) -> tuple[int, Any]:
        """It will not come back."""
        state = str(self.rest.folder / "state")
        return await self.reconcile("--accept", "--yes", "--data-dir", state)

    def types(self, *kinds: str) -> list[Any]:
        """Lines of the rest's journal."""
        files = sorted((self.rest.folder / "state" / "journal").glob("*.jsonl"))
        lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
        return [line for line in lines if line["type"] in kinds]


async def call(listen: str) -> int:
    """The status of one."""
    return int((await raw_call(listen, ASKED)).split(b" ", 2)[1])


@asynccontextmanager
async def fleet(store: RedisServer) -> AsyncIterator[Fleet]:
    """Both pods are there, and know each other."""
    async with (
        RawUpstream() as far,
        holdfast(far, "http", POLICIES, store=store.url) as rest,
        holdfast_process(far, "http", POLICIES, "--store", store.url) as lost,
    ):
        made = Fleet(far, rest, lost, store)
        await made.until(lambda told: told["grants"] and len(told["items"]) == 2)
        yield made


def spent(told: Any) -> int:
    """Calls, of what was settled of the budget."""
    (item,) = told["items"]
    return round(float(item["spent"]) * LIMIT)


async def test_what_a_killed_pod_held_is_free_when_its_data_dir_was_settled(
    store: RedisServer,
) -> None:
    """The rest of the fleet may spend what is left, to the last cent, and no more."""
    async with fleet(store) as pods:
        assert await pods.spends(pods.lost, 7) == 7
        await pods.kill()
        before = await pods.spends(pods.rest)
        assert before < LIMIT - 7
        await pods.missing()
        state = str(pods.rest.folder / "state")
        code, told = await pods.reconcile("--data-dir", state)
        assert (code, [each["life"] for each in told["items"]]) == (3, [1])

        code, told = await pods.settle()

        assert (code, told["waits_for"], told["life"]) == (0, [], 2)
        assert spent(told) >= 7
        assert told["items"][0]["back"] > "0"
        await pods.spends_all(LIMIT - (spent(told) - 7))
        code, told = await pods.reconcile("--data-dir", state)
        assert (code, told["items"]) == (0, [])
        verified = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "audit", "verify", str(pods.lost.folder / "state")),
            stdout=asyncio.subprocess.DEVNULL,
        )
        assert await within(verified.wait(), LONG) == 0


async def test_a_running_proxy_is_not_settled(store: RedisServer) -> None:
    """It does so itself when it is stopped."""
    async with fleet(store) as pods:
        code, told = await pods.settle()
        assert (code, "stop it, and it gives back what it holds" in told) == (1, True)


async def frozen(pods: Fleet) -> None:
    """The store was emptied while a pod is dead: nothing new is granted."""
    assert await pods.spends(pods.lost, 7) == 7
    assert await pods.spends(pods.rest, 1) == 1
    await pods.until(lambda told: len(told["items"]) == 2)
    await pods.kill()
    await pods.empty()
    held = await pods.spends(pods.rest)
    assert held < LIMIT - 8
    # A pod that is asked too soon waits for itself as well.
    await pods.until(lambda told: (told["grants"], len(told["waits_for"])) == (False, 1))


async def test_an_emptied_store_goes_on_when_the_data_dir_was_settled(store: RedisServer) -> None:
    """All is known again."""
    async with fleet(store) as pods:
        await frozen(pods)

        code, told = await pods.settle()

        assert (code, told["grants"]) == (0, True)
        await pods.until(lambda told: bool(told["grants"]))
        await pods.spends_all(LIMIT - (spent(told) - 7))


async def test_an_emptied_store_goes_on_when_a_person_says_so(store: RedisServer) -> None:
    """What the lost pod spent is known to nobody then; should its data dir be found, it is told,
    and counts."""
    async with fleet(store) as pods:
        await frozen(pods)

        code, told = await pods.accept()

        assert (code, [each["waits_for"] for each in told["items"]]) == (0, [[]])
        (line,) = pods.types("budget.accepted")
        assert (line["by"], line["life"]) == ("admin.sock", 1)
        assert line["pod"] == told["items"][0]["pod"]
        await pods.until(lambda told: bool(told["grants"]))
        assert await pods.spends(pods.rest, 3) == 3
        code, told = await pods.settle()
        assert code == 0
        await pods.spends_all(LIMIT - (spent(told) - 7))


async def shows(process: Process) -> Any:
    """What its readiness says of the store."""
    async with await Connection.open(process.admin) as opened:
        told = await opened.call(request("/readyz", "Connection: close"))
    return json.loads(told.body)["parts"]["store"]


async def test_one_that_comes_back_after_it_was_given_up(store: RedisServer) -> None:
    """It spends what it held at most, which counts as spent; it says what is wrong. In its next
    life it is as good as any, and what it did not spend is not lost for ever."""
    async with fleet(store) as pods:
        assert await pods.spends(pods.lost, 7) == 7
        pods.lost.child.send_signal(signal.SIGSTOP)
        before = await pods.spends(pods.rest)
        pod = await pods.missing()
        code, told = await pods.accept()
        assert (code, told["items"][0]["pod"]) == (0, pod)
        assert before + await pods.spends(pods.rest) < LIMIT - 7

        pods.lost.child.send_signal(signal.SIGCONT)

        async def told_so() -> None:
            while (await shows(pods.lost))["why"] != ENDED:
                pass

        await within(told_so(), LONG)
        assert not (await shows(pods.lost))["grants"]
        assert any('"state":"ended"' in line for line in pods.lost.log)
        await pods.spends(pods.lost)
        await pods.spends(pods.rest)
        assert pods.sent <= LIMIT
        assert [each["pod"] for each in (await pods.told())["items"]] != [pod]

        pods.lost.terminate()
        assert await pods.lost.exited() == 0
        code, told = await pods.settle()
        assert code == 0
        await pods.spends(pods.rest)
        assert pods.sent <= LIMIT
