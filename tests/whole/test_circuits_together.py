"""What fails for some pods of a fleet is open for all of them: whole proxies, a real store."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import pytest_asyncio

from tests.harness import Message, Proxy, RawUpstream, answer, breathe, holdfast, request, within
from tests.harness.loops import THE_LOOP
from tests.servers import RedisServer

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

CALL = request(
    "/",
    "Content-Type: application/json",
    method="POST",
    body=json.dumps({"tool": "get_balance", "input": {}}).encode(),
)


@pytest.fixture
def server(tmp_path: Any) -> Iterator[RedisServer]:
    """Empty; it may be stopped."""
    made = RedisServer(tmp_path, "--save", "").start()
    yield made
    made.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def far() -> AsyncIterator[RawUpstream]:
    """Fails until it is told otherwise."""
    async with RawUpstream() as upstream:
        upstream.otherwise = answer(500, body=b"{}")
        yield upstream


@contextlib.asynccontextmanager
async def pods(
    server: RedisServer, far: RawUpstream, count: int, base: str
) -> AsyncIterator[list[Proxy]]:
    """So many, each with a data dir of its own."""
    policies = (
        "policies:\n"
        "  - {name: all, breaker: {consecutive: 2, keys: [tool], "
        f"open: {{base: {base}, jitter: 0}}}}}}\n"
    )
    async with contextlib.AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(
                holdfast(far, "tools", policies=policies, store=server.url, store_timeout="1s")
            )
            for _ in range(count)
        ]


async def until(proxy: Proxy, status: int) -> Message:
    """The first answer with it."""

    async def look() -> Message:
        while (got := await proxy.call(CALL)).status != status:
            await breathe()
        return got

    return await within(look(), 20.0)


async def circuit(proxy: Proxy) -> Any:
    """As the admin side shows it."""
    (found,) = (await proxy.change("/v1/breakers", None, "GET"))["items"]
    return found


async def opened(proxies: list[Proxy]) -> None:
    """Two have found that it fails, and all have heard of it."""
    for proxy in proxies[2:]:
        await proxy.call(CALL)
    for proxy in proxies[:2]:
        await until(proxy, 503)

    async def heard() -> None:
        while not all([(await circuit(proxy))["fleet"] for proxy in proxies]):
            await breathe()

    await within(heard(), 20.0)


async def test_it_is_open_for_all(server: RedisServer, far: RawUpstream) -> None:
    """Also for a pod that comes later, at its first call; and while the store is gone."""
    async with pods(server, far, 3, "60s") as proxies:
        await opened(proxies)
        asked = len(far.requests)
        refused = await proxies[2].call(CALL)
        assert refused.status == 503
        assert json.loads(refused.body)["code"] == "circuit_open"
        async with pods(server, far, 1, "60s") as (late,):
            assert (await late.call(CALL)).status == 503
        server.stop(hard=True)
        assert (await proxies[2].call(CALL)).status == 503
        assert len(far.requests) == asked
        assert await proxies[2].app._trail.durable()
        why = [
            line["why"]
            for path in (proxies[2].folder / "state" / "journal").glob("*.jsonl")
            for line in map(json.loads, path.read_text().splitlines())
            if line["type"] == "breaker.changed"
        ]
        assert why == ["fleet"]


async def test_it_closes_for_all(server: RedisServer, far: RawUpstream) -> None:
    """When calls of whichever pods have found that it is well."""
    async with pods(server, far, 3, "200ms") as proxies:
        await opened(proxies)
        far.otherwise = answer(200, body=b"{}")
        await until(proxies[0], 200)
        await until(proxies[0], 200)

        async def closed() -> None:
            while any([(await circuit(proxy))["fleet"] for proxy in proxies]):
                await breathe()

        await within(closed(), 20.0)
        assert (await proxies[2].call(CALL)).status == 200
