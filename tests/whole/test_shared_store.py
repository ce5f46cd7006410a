"""Pods with one real store: they find each other, and go on when it does not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from proxy.app import App
from proxy.config.store_url import StoreUrl
from tests.servers import RedisServer
from tests.test_app import settings

Start = Callable[..., Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """It keeps nothing over a restart."""
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop(hard=True)


@pytest.fixture
async def pod(tmp_path: Path, server: RedisServer) -> AsyncIterator[Start]:
    """Starts pods, and stops those that are left."""
    made: list[App] = []

    async def start(name: str, **changes: Any) -> App:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        given = settings(folder)
        store = StoreUrl.parse(server.url)
        made.append(await App.start(msgspec.structs.replace(given, store=store, **changes)))
        return made[-1]

    yield start
    for app in made:
        await app.stop(drain=0)


async def until(holds: Callable[[], bool]) -> None:
    """Until it does; the store and other pods tell nobody."""
    while not holds():
        await asyncio.get_running_loop().run_in_executor(None, lambda: None)


def store(app: App) -> dict[str, Any]:
    """What it says of its store."""
    told: dict[str, Any] = app.health.report()["parts"]["store"]
    return told


async def test_pods_find_each_other(pod: Start) -> None:
    """And one that leaves is missed by nobody."""
    first, second = await pod("a"), await pod("b")
    assert store(second)["grants"]
    await until(lambda: store(first)["pods"] == 2)

    await second.stop(drain=0)
    await until(lambda: store(first)["pods"] == 1)
    assert store(first)["grants"]


async def test_pods_go_on_without_it(pod: Start, server: RedisServer) -> None:
    """Ready while it hangs, while it is gone, and when it has forgotten all."""
    first, second = await pod("a"), await pod("b", readiness=("store",))
    assert second.health.ready
    server.pause()
    await until(lambda: not store(first)["ok"] and not store(second)["ok"])
    assert "in time" in store(first)["why"]
    assert first.health.ready
    assert not second.health.ready
    server.resume()
    await until(lambda: store(first)["grants"] and store(second)["grants"])

    server.stop(hard=True)
    await until(lambda: not store(first)["ok"])
    server.start()
    await until(lambda: store(first)["grants"] and store(second)["grants"])
    await until(lambda: store(first)["pods"] == 2)


async def test_without_tokens_nothing_of_others_is_shown(pod: Start) -> None:
    """Health and metrics are; they need none."""
    app = await pod("a")
    url = f"http://{app.admin}"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/v1/status") as answer:
            assert answer.status == 403
            assert "store is memory" in await answer.text()
        async with session.get(f"{url}/metrics") as answer:
            assert "holdfast_store_up 1.0" in await answer.text()
        async with session.get(f"{url}/readyz") as answer:
            assert (await answer.json())["parts"]["store"]["pods"] == 1
