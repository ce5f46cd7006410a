"""Agents: bounded, each with one connection to one pod, and what each call was told."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import NamedTuple

from tests.fleet.pods import Pod, until
from tests.harness import Connection, Ended, request

PATIENCE = 30.0


class Told(NamedTuple):
    """A call, as its agent saw it. `status` 0: no answer came, for the pod died."""

    path: str
    pod: int
    status: int
    code: str  # of a refusal
    began: float  # on the loop's clock
    seconds: float


class Agent:
    """At one pod, in all of its lives."""

    def __init__(self, pod: Pod, name: str = "") -> None:
        self.pod = pod
        self._lines = (f"x-agent: {name}",) if name else ()
        self._connection: Connection | None = None

    async def call(self, path: str, method: str = "GET") -> Told:
        """One. Waits for the pod to be there."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            connection = await self._connected()
            began = loop.time()
            got = await connection.call(request(path, *self._lines, method=method), method)
        except (Ended, OSError):
            await self.close()
            return Told(path, self.pod.number, 0, "", began, loop.time() - began)
        if b"close" in (got.value("connection") or b"").lower():
            await self.close()
        code = ""
        if got.status >= 400 and got.body.startswith(b"{"):
            code = json.loads(got.body).get("code", "")
        return Told(path, self.pod.number, got.status, code, began, loop.time() - began)

    async def _connected(self) -> Connection:
        if self._connection is not None and self._connection.ended.is_set():
            await self.close()
        if self._connection is None:
            await self.pod.up.wait()
            self._connection = await Connection.open(self.pod.process.listen)
            self._connection.patience = PATIENCE
        return self._connection

    async def close(self) -> None:
        """It may call again; on another connection."""
        if self._connection is not None:
            async with self._connection:
                self._connection = None


@contextlib.asynccontextmanager
async def agents_of(pods: Iterable[Pod], each: int = 1) -> AsyncIterator[list[Agent]]:
    """So many at each pod, one pod after the other."""
    agents = [Agent(pod) for pod in pods for _ in range(each)]
    try:
        yield agents
    finally:
        for agent in agents:
            await agent.close()


class Crowd:
    """All of the agents of a scenario, and all that they were told."""

    def __init__(self, pods: Iterable[Pod], each: int) -> None:
        """So many at each pod."""
        self.agents = [Agent(pod) for pod in pods for _ in range(each)]
        self.told: list[Told] = []

    async def calls(self, number: int, pace: float = 0.0) -> None:
        """So many in all, each of a path of its own; every third one writes. `pace`: seconds from
        one call of an agent to its next, at least."""
        numbers = iter(range(number))
        async with asyncio.TaskGroup() as group:
            for agent in self.agents:
                group.create_task(self._works(agent, numbers, pace))

    async def _works(self, agent: Agent, numbers: Iterator[int], pace: float) -> None:
        loop = asyncio.get_running_loop()
        try:
            for number in numbers:
                due = loop.time() + pace
                method = "GET" if number % 3 else "POST"
                self.told.append(await agent.call(f"/calls/{number}", method))
                if pace:
                    await until(max(0.0, due - loop.time()))
        finally:
            await agent.close()

    @property
    def seen(self) -> Counter[str]:
        """How often each kind of answer came."""
        return Counter(f"{one.status} {one.code}".strip() for one in self.told)

    @property
    def passed(self) -> list[Told]:
        """Those that were answered well."""
        return [one for one in self.told if one.status == 200]
