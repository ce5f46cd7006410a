"""What a death may take, exactly: the disk is held, and what is in its files is looked at."""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proxy.journal.verify import verify
from tests.crash.remains import Remains
from tests.harness import OK, Proxy, RawUpstream, chunked, holdfast, request, within
from tests.harness.messages import Message, answer
from tests.harness.upstream import UpstreamConnection
from tests.journal.disks import QuickDisk


class HeldDisk(QuickDisk):
    """Stops where it is told to, in a segment, until it is let go."""

    def __init__(self, where: str) -> None:
        super().__init__()
        self.where = where
        self.syncs = 0
        """Of segments."""
        self.arrived = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._segments: set[int] = set()

    def hold(self) -> None:
        """The next one does not come back."""
        self._free.clear()

    def let_go(self) -> None:
        """All goes on."""
        self._free.set()

    @contextlib.contextmanager
    def let_go_at_last(self) -> Iterator[None]:
        """So that a test that fails does not wait for it."""
        try:
            yield
        finally:
            self.let_go()

    def open(self, path: Path, flags: int, mode: int = 0o600) -> int:
        """Snapshots and checkpoints are written when it is their time: they are not held."""
        file = super().open(path, flags, mode)
        (self._segments.add if path.suffix == ".jsonl" else self._segments.discard)(file)
        return file

    def write(self, file: int, content: Any) -> int:  # type: ignore[override]
        """Nothing of it is in the file while it is held."""
        self._stop("write", file)
        return super().write(file, content)

    def sync(self, file: int) -> None:  # type: ignore[override]
        """All of it is in the file, as long as the power does not fail."""
        self._stop("sync", file)
        self.syncs += file in self._segments
        super().sync(file)

    def _stop(self, here: str, file: int) -> None:
        if here == self.where and file in self._segments and not self._free.is_set():
            self.arrived.set()
            assert self._free.wait(30)


async def held(disk: HeldDisk) -> None:
    """The journal's thread waits for the disk."""
    assert await asyncio.to_thread(disk.arrived.wait, 30)


def left_by(proxy: Proxy, folder: Path) -> Remains:
    """What would be left if it died now."""
    shutil.copytree(
        proxy.folder / "state", folder, ignore=shutil.ignore_patterns("*.tmp", "*.sock")
    )
    remains = Remains(folder)
    remains.look()
    return remains


def tasks(remains: Remains) -> list[str]:
    """Of the calls that have ended, in their order."""
    return [record["task"] for record in remains.told("call.finished")]


@pytest.mark.parametrize(("where", "stays"), [("write", ["1"]), ("sync", ["1", "2"])])
async def test_only_the_batch_under_way_and_the_next_are_lost(
    tmp_path: Path, where: str, stays: list[str]
) -> None:
    """Reads do not wait. Whatever the disk does not take comes with one batch when it does."""
    disk = HeldDisk(where)
    async with RawUpstream() as upstream, holdfast(upstream, disk=disk) as proxy:
        upstream.otherwise = OK

        async def read(task: str) -> None:
            assert (await proxy.call(request("/x", f"holdfast-task: {task}"))).status == 200

        await read("1")
        assert await within(proxy.app._trail.durable())
        with disk.let_go_at_last():
            disk.hold()
            await read("2")
            await held(disk)
            for task in "345":
                await read(task)
            died = left_by(proxy, tmp_path / "died")
            written = disk.syncs
        assert await within(proxy.app._trail.durable())
        assert disk.syncs == written + 2  # the one that was held, and one for all the others
        lived = left_by(proxy, tmp_path / "lived")

    assert tasks(died) == stays
    assert tasks(lived) == [*"12345"]


async def test_a_write_is_not_sent_while_its_intent_is_not_in_the_file(tmp_path: Path) -> None:
    """It could die now, and nobody would know of the call."""
    disk = HeldDisk("sync")
    async with RawUpstream() as upstream, holdfast(upstream, disk=disk) as proxy:
        upstream.otherwise = OK
        async with await proxy.connect() as agent:
            with disk.let_go_at_last():
                disk.hold()
                agent.send(request("/x", method="POST", body=b"x"))
                await held(disk)
                assert (upstream.heads, agent.waiting) == ([], b"")
            assert (await agent.answer()).status == 200
        remains = left_by(proxy, tmp_path / "lived")

    assert set(remains.intents) == set(remains.ends)
    assert len(remains.ends) == len(upstream.requests) == 1


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_to_a_write_has_no_end_before_its_record(
    tmp_path: Path, streamed: bool
) -> None:
    """If it dies there, the agent knows nothing that the journal does not."""
    disk = HeldDisk("write")

    async def answers(connection: UpstreamConnection, asked: Message) -> None:
        disk.hold()  # what is written next is the record
        if streamed:
            connection.send(answer(200, "Transfer-Encoding: chunked", body=None))
            connection.send(chunked(b"hello"))
        else:
            connection.send(OK)

    async with RawUpstream(answers) as upstream, holdfast(upstream, disk=disk) as proxy:
        async with await proxy.connect() as agent:
            with disk.let_go_at_last():
                agent.send(request("/x", method="POST", body=b"x"))
                await held(disk)
                assert not agent.waiting.endswith((b"ok", b"0\r\n\r\n"))
                died = left_by(proxy, tmp_path / "died")
            assert (await agent.answer()).body in {b"ok", b"hello"}
        lived = left_by(proxy, tmp_path / "lived")

    assert (len(died.open), died.ends) == (1, {})
    assert set(lived.ends) == died.open
    assert verify(tmp_path / "lived").exit == 0
