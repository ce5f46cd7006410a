"""Agents that wait for each other through pods that do not see each other's calls (spec 4.6)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from proxy.state import waits
from tests.harness import Message, Proxy, RawUpstream, answer, breathe, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.harness.upstream import UpstreamConnection
from tests.servers import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

SOON = 20.0
"""Seconds in which what pods say to each other must have come."""
GUARD = {"name": "guard", "match": {"layer": "agent"}, "loop": {}}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A store of this test."""
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring is confirmed sooner: nothing dies here without a word."""
    monkeypatch.setattr(waits, "CONFIRMED", 0.3)


@pytest_asyncio.fixture(loop_scope="module")
async def other() -> AsyncIterator[RawUpstream]:
    """A second peer."""
    async with RawUpstream() as made:
        yield made


@contextlib.asynccontextmanager
async def pod(
    server: RedisServer, agent: str, calls: str, peer: RawUpstream
) -> AsyncIterator[Proxy]:
    """The sidecar of an agent that calls another one."""
    mounted = {calls: {"url": peer.url, "protocol": "a2a", "path": "/"}}
    policies = yaml.safe_dump({"upstreams": mounted, "policies": [GUARD]})
    async with holdfast(
        policies=policies, store=server.url, agent={"id": agent, "fleet": "f"}
    ) as proxy:
        yield proxy


def ask(*lines: str) -> bytes:
    """A message to the peer; nothing says who waits for it."""
    params = {"message": {"messageId": "m-1", "parts": [{"text": "hi"}]}}
    body = {"jsonrpc": "2.0", "id": 7, "method": "SendMessage", "params": params}
    return request(
        "/rpc", "Content-Type: application/json", "Holdfast-Workflow: w1", *lines, method="POST",
        body=json.dumps(body).encode(),
    )  # fmt: skip


class Waiting:
    """A peer that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.may = asyncio.Event()

    async def __call__(self, connection: UpstreamConnection, _: Message) -> None:
        self.asked.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SOON):
                await self.may.wait()
        connection.send(answer(200, body=b'{"jsonrpc":"2.0","id":7,"result":{"message":{}}}'))


def told(got: Message) -> dict[str, Any]:
    """What an agent that speaks JSON-RPC hears of a refusal."""
    said: dict[str, Any] = json.loads(got.body)["error"]["data"]
    return said


async def test_one_call_of_a_ring_is_stopped_and_the_other_is_answered(
    upstream: RawUpstream, other: RawUpstream, server: RedisServer
) -> None:
    """The younger one, at its own pod, with the agents that are in it."""
    bob, ann = Waiting(), Waiting()
    upstream.otherwise, other.otherwise = bob, ann
    async with (
        pod(server, "ann", "bob", upstream) as one,
        pod(server, "bob", "ann", other) as two,
    ):
        first = asyncio.ensure_future(one.call(ask()))
        await within(bob.asked.wait())
        second = asyncio.ensure_future(two.call(ask()))
        await within(ann.asked.wait())
        said = told(await within(second, SOON))
        assert (said["code"], said["policy"], said["executed"]) == ("deadlock", "guard", "unknown")
        assert said["cycle"] == ["bob", "ann", "bob"]
        assert not first.done()
        bob.may.set()
        assert (await within(first)).value("holdfast-outcome") == b"ok"
        (record,) = await two.records(1)
        assert record["code"] == "deadlock"
        metrics = await two.until_metric("holdfast_loops_total", 1, rule="deadlock")
        assert metrics.sum("holdfast_loops_total", rule="deadlock", step="refuse") == 1


async def test_other_work_is_no_ring_and_without_a_store_none_is_found(
    upstream: RawUpstream, other: RawUpstream, server: RedisServer
) -> None:
    """Calls wait as long as their peers let them."""
    bob, ann = Waiting(), Waiting()
    upstream.otherwise, other.otherwise = bob, ann
    async with (
        pod(server, "ann", "bob", upstream) as one,
        pod(server, "bob", "ann", other) as two,
    ):
        first = asyncio.ensure_future(one.call(ask()))
        apart = asyncio.ensure_future(two.call(ask("Holdfast-Task: another")))
        await within(bob.asked.wait())
        await within(ann.asked.wait())
        parts = [
            next(each for each in proxy.app._control.parts if isinstance(each, waits.Waits))
            for proxy in (one, two)
        ]

        async def told_of() -> None:
            while not all(part._where for part in parts):
                await breathe()

        await within(told_of(), SOON)
        server.stop(hard=True)
        ring = asyncio.ensure_future(two.call(ask()))
        await until_down(one, two)
        bob.may.set()
        ann.may.set()
        for call in (first, apart, ring):
            assert (await within(call)).value("holdfast-outcome") == b"ok"


async def until_down(*proxies: Proxy) -> None:
    """They know that the store is gone."""

    async def look() -> None:
        while any(proxy.app._sharing.link.up for proxy in proxies):  # type: ignore[union-attr]
            await breathe()

    await within(look(), SOON)
