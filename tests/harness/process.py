"""`holdfast run` as a process, for what can only be seen from outside: signals and memory."""

import asyncio
import contextlib
import json
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from tests.harness.agent import Connection
from tests.harness.upstream import RawUpstream
from tests.harness.wire import within

STARTING = 20.0
"""Seconds a process may take to be ready on a machine that is busy with other tests."""


class Process:
    """A running `holdfast run`."""

    def __init__(self, child: asyncio.subprocess.Process, folder: Path) -> None:
        self.child = child
        self.folder = folder
        self.log: list[str] = []
        self.listen = ""
        self.admin = ""
        self._reading: asyncio.Task[None] | None = None
        self._more = asyncio.Event()

    async def ready(self) -> None:
        """Read the log up to its `ready` event, then the addresses from the ready file."""
        assert self.child.stderr is not None
        while line := (await self.child.stderr.readline()).decode():
            self.log.append(line)
            if '"ready"' in line:
                break
        else:
            raise AssertionError("holdfast ended before it was ready:\n" + "".join(self.log))
        addresses = json.loads((self.folder / "ready.json").read_text())
        self.listen, self.admin = addresses["listen"], addresses["admin"]
        self._reading = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        assert self.child.stderr is not None
        async for line in self.child.stderr:
            self.log.append(line.decode())
            self._more.set()

    async def said(self, words: str, times: int = 1) -> None:
        """Wait until the log has so many lines with these words."""
        while sum(words in line for line in self.log) < times:
            self._more.clear()
            await within(self._more.wait(), STARTING)

    async def connect(self) -> Connection:
        """A new connection of an agent."""
        return await Connection.open(self.listen)

    def terminate(self) -> None:
        """What Kubernetes sends first."""
        self.child.send_signal(signal.SIGTERM)

    async def exited(self) -> int:
        """Its exit code, once it has ended by itself."""
        code = await within(self.child.wait())
        if self._reading is not None:
            await within(self._reading)
        return code

    @property
    def resident(self) -> int:
        """Bytes of memory that it holds now."""
        status = Path(f"/proc/{self.child.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024


@contextlib.asynccontextmanager
async def holdfast_process(
    upstream: RawUpstream | str, protocol: str = "http", policies: str = "", *more: str
) -> AsyncIterator[Process]:
    """`holdfast run` in front of an upstream, ready; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "policies").mkdir()
        if policies:
            (folder / "policies" / "10.yaml").write_text(policies)
        url = upstream if isinstance(upstream, str) else upstream.url
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "run", "--listen", "127.0.0.1:0"),
            *("--admin", "127.0.0.1:0", "--policies", str(folder / "policies")),
            *("--data-dir", str(folder / "state"), "--ready-file", str(folder / "ready.json")),
            *("--upstream", url, "--protocol", protocol, *more),
            stderr=asyncio.subprocess.PIPE,
        )
        async with started(child, folder) as process:
            yield process


@contextlib.asynccontextmanager
async def started(child: asyncio.subprocess.Process, folder: Path) -> AsyncIterator[Process]:
    """A `holdfast run` that says in this folder when it is ready; killed at the end likewise."""
    process = Process(child, folder)
    try:
        await within(process.ready(), STARTING)
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await process.exited()
