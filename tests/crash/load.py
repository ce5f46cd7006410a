"""Agents that call as fast as they are answered, and remember in which order what happened."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import count
from random import Random

import msgspec

from tests.harness import Connection, Ended, RawUpstream, answer, chunked, request
from tests.harness.messages import Message
from tests.harness.upstream import UpstreamConnection

AGENTS = 16
LEAVES = 0.03  # of the calls: the agent hangs up
POLICIES = """
policies:
  - name: grave
    match: {path: /grave/*}
    risk: high
"""
KEPT = f"""{POLICIES}  - name: all
    audit: {{payload: redacted}}
"""
"""The same, and what is said is kept: records go another way to the journal."""
KINDS = {"read": "GET", "write": "POST", "grave": "GET"}
"""The first part of a path, and the method of such calls."""


class Sent(msgspec.Struct):
    """A call, as its agent saw it. `at` and `acked` are places in one order of all events."""

    number: int
    kind: str
    at: int
    id: str = ""
    acked: int = 0  # 0: no whole answer came
    seconds: float = 0.0  # on the loop's clock, when it had come

    @property
    def traced(self) -> bool:
        """Must it be in the journal, if it was answered?"""
        return self.kind != "read"


class Load:
    """All calls of all lives of a proxy. `calls` has them by number."""

    def __init__(self, chance: Random) -> None:
        self.calls: dict[int, Sent] = {}
        self._chance = chance
        self._order = count(1)
        self._numbers = count(1)
        self._answers = asyncio.Semaphore(0)

    @contextlib.asynccontextmanager
    async def on(self, address: str) -> AsyncIterator[None]:
        """Agents at work, until the proxy or the block has ended."""
        self._answers = asyncio.Semaphore(0)
        async with asyncio.TaskGroup() as group:
            agents = [group.create_task(self._agent(address)) for _ in range(AGENTS)]
            yield
            await asyncio.gather(*agents)

    async def answered(self, times: int) -> None:
        """So many answers have come since `on`."""
        for _ in range(times):
            await self._answers.acquire()

    async def _agent(self, address: str) -> None:
        """Calls, on one connection after the other, until nobody answers any more."""
        with contextlib.suppress(OSError, Ended):
            while True:
                async with await Connection.open(address) as agent:
                    agent.patience = 30.0
                    while await self._call(agent):
                        pass

    async def _call(self, agent: Connection) -> bool:
        """One. May another follow on this connection?"""
        chance = self._chance
        kind = chance.choice([*KINDS])
        call = Sent(next(self._numbers), kind, next(self._order))
        self.calls[call.number] = call
        body = b"x" * chance.randrange(1, 2000) if kind == "write" else b""
        line = f"holdfast-task: {call.number}"
        agent.send(request(f"/{kind}/{call.number}", line, method=KINDS[kind], body=body))
        if chance.random() < LEAVES:
            return False
        got = await agent.answer(KINDS[kind])
        assert got.status == 200, got
        call.id = (got.value("holdfast-call") or b"").decode()
        call.acked, call.seconds = next(self._order), asyncio.get_running_loop().time()
        self._answers.release()
        return True


async def answers(connection: UpstreamConnection, asked: Message) -> None:
    """Every third answer is a stream; each says which call it is for."""
    number = asked.target.rpartition(b"/")[2]
    if int(number) % 3:
        connection.send(answer(200, body=number))
    else:
        stream = answer(200, "Transfer-Encoding: chunked", body=None)
        connection.send(stream + chunked(b"this is for ", number))


def received(upstream: RawUpstream) -> set[int]:
    """The numbers of the calls that reached an upstream."""
    return {int(each.target.rpartition(b"/")[2]) for each in upstream.requests}
