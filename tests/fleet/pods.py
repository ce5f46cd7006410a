"""A fleet of real processes: each a `holdfast run` with a data dir of its own, and many lives."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.harness import Connection, raw_call, request, within
from tests.harness.process import Process

STARTING = 60.0
"""Seconds; ten start at once on two cores."""
_QUICK = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""They all import the same, and it is compiled once."""
UPSTREAM = """
upstreams:
  gateway: {{url: '{url}', protocol: http, path: /}}
"""


class Pod:
    """One data dir, one process after the other. `up` says whether one is there."""

    def __init__(self, number: int, folder: Path, settings: Path) -> None:
        self.number = number
        self.folder = folder / f"p{number}"
        self.folder.mkdir()
        self.up = asyncio.Event()
        self.lives = 0
        self.log: list[str] = []
        """Of the lives that are over."""
        self._settings = settings
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """That which runs now."""
        assert self._process is not None
        return self._process

    @property
    def data_dir(self) -> Path:
        return self.folder / "state"

    async def start(self) -> None:
        """Ready when this returns."""
        self.lives += 1
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "proxy", "run", "--config", str(self._settings)),
            *("--data-dir", str(self.data_dir), "--ready-file", str(self.folder / "ready.json")),
            stderr=asyncio.subprocess.PIPE,
            env=_QUICK,
        )
        self._process = Process(child, self.folder)
        await within(self._process.ready(), STARTING)
        self.up.set()

    async def kill(self) -> None:
        """As if the power went, but for the disk."""
        await self._ends(signal.SIGKILL)

    async def stop(self) -> int:
        """In order; its exit code."""
        return await self._ends(signal.SIGTERM)

    async def _ends(self, by: signal.Signals) -> int:
        self.up.clear()
        process, self._process = self._process, None
        if process is None:
            return 0
        with contextlib.suppress(ProcessLookupError):
            process.child.send_signal(by)
        async with asyncio.timeout(STARTING):
            code = await process.child.wait()
        await process.exited()
        self.log += process.log
        return code

    @property
    def complaints(self) -> list[str]:
        """Lines of its log that no run should have."""
        log = [*self.log, *(self._process.log if self._process else [])]
        return [line for line in log if "Traceback" in line or '"level":"error"' in line]

    async def asked(self, target: str, method: str = "GET", body: Any = None) -> Any:
        """What its admin side says, at the socket where changes are made."""
        lines = ("Content-Type: application/json", "Connection: close")
        sent = b"" if body is None else json.dumps(body).encode()
        async with await Connection.open(f"unix:{self.data_dir / 'admin.sock'}") as door:
            door.patience = 20.0
            told = await door.call(request(target, *lines, method=method, body=sent))
        assert told.status == 200, (self.number, target, told.raw)
        return json.loads(told.body)

    async def killed(self, scope: str) -> Any:
        """The switch is thrown here."""
        return await self.asked("/v1/kills", "POST", {"scope": scope, "reason": "a trial"})

    async def revived(self, scope: str) -> Any:
        """And lifted here."""
        return await self.asked(f"/v1/kills/{quote(scope, safe='')}?reason=over", "DELETE")

    async def metrics(self) -> dict[str, float]:
        """Each row of its page, by its text."""
        raw = await raw_call(self.process.admin, request("/metrics", "Connection: close"))
        rows = (line.rpartition(" ") for line in raw.decode().splitlines())
        return {name: float(value) for name, _, value in rows if name.startswith("holdfast")}

    async def store(self) -> dict[str, Any]:
        """What it says of the store, whether it is ready or not."""
        raw = await raw_call(self.process.admin, request("/readyz", "Connection: close"))
        told: dict[str, Any] = json.loads(raw.partition(b"\r\n\r\n")[2])["parts"]["store"]
        return told


class Pods(list[Pod]):
    """All of a fleet."""

    async def start(self) -> None:
        """All at once."""
        await asyncio.gather(*(pod.start() for pod in self))

    async def stop(self) -> list[int]:
        """In order, all at once; their exit codes."""
        return await asyncio.gather(*(pod.stop() for pod in self))

    @property
    def complaints(self) -> list[str]:
        """Of all."""
        return [line for pod in self for line in pod.complaints]

    async def met(self) -> None:
        """All of them know of all, and the store grants."""
        async with asyncio.timeout(STARTING):
            for pod in self:
                while not _met(await pod.store(), len(self)):
                    await until(0.05)


def _met(told: dict[str, Any], number: int) -> bool:
    return told["grants"] is True and told["pods"] == number


async def until(seconds: float) -> None:
    """So much later, in real time: what others do takes some."""
    await asyncio.sleep(seconds)


@contextlib.asynccontextmanager
async def fleet(
    number: int, folder: Path, store: str, upstream: str, policies: str, **settings: Any
) -> AsyncIterator[Pods]:
    """So many pods, ready. `store` is the URL of what they share. All end here, whatever comes."""
    (folder / "policies").mkdir()
    (folder / "policies" / "10.yaml").write_text(UPSTREAM.format(url=upstream) + policies)
    written = {
        "listen": "127.0.0.1:0",
        "admin": "127.0.0.1:0",
        "policies": str(folder / "policies"),
        "store": store,
        "drain": "5s",
        **settings,
    }
    (folder / "holdfast.yaml").write_text(json.dumps(written))
    pods = Pods(Pod(at, folder, folder / "holdfast.yaml") for at in range(number))
    try:
        await pods.start()
        yield pods
    finally:
        await asyncio.gather(*(pod.kill() for pod in pods))


def row(rows: dict[str, float], name: str, **labels: str) -> float:
    """The sum of the rows of a metric that carry these labels."""
    wanted = [f'{label}="{value}"' for label, value in labels.items()]
    return sum(
        value
        for text, value in rows.items()
        if re.split(r"[{ ]", text)[0] == name and all(each in text for each in wanted)
    )
