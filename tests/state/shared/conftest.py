"""Stores to hold against each other: the one that is in this process, and real ones."""

import asyncio
import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from proxy.state.endpoint import Endpoint
from proxy.state.memory import Memory
from proxy.state.redis import RedisStore
from proxy.state.shared.kills import NOTHING, Tell, TellKills, mark_of
from proxy.state.store import Near, Store
from tests.fakes import FakeClock
from tests.servers import RedisServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: Any) -> Iterator[RedisServer]:
    """One for all tests of this process; each has a fleet of its own on it."""
    made = RedisServer(tmp_path_factory.mktemp("redis"), "--save", "").start()
    yield made
    made.stop()


@pytest.fixture(params=["memory", "redis"])
async def store(request: Any) -> AsyncIterator[Store]:
    """Empty. The same must hold of both."""
    if request.param == "memory":
        yield Near(Memory(FakeClock().wall))
        return
    server = request.getfixturevalue("server")
    made = RedisStore(Endpoint(hosts=(("127.0.0.1", server.port),)), secrets.token_hex(4), 5.0)
    yield made
    await made.close()


@pytest.fixture
async def hearing(store: Store) -> AsyncIterator[Callable[[int], Awaitable[list[Any]]]]:
    """So many messages that were published, once they are here."""
    told: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()

    def heard(topic: str, said: bytes) -> None:
        if said != READY:
            told.put_nowait((topic, said))
        else:
            listens.set()

    async def first(number: int) -> list[Any]:
        async with asyncio.timeout(10.0):
            return [await told.get() for _ in range(number)]

    listens = asyncio.Event()
    listening = asyncio.create_task(store.listen(heard))
    while not listens.is_set():  # who subscribes too late hears nothing
        await _shout(store)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(listens.wait(), 0.05)
    yield first
    listening.cancel()


READY = b"who is there?"


async def _shout(store: Store) -> None:
    for words in (
        Tell("agent:ready", NOTHING, READY, 99),
        Tell("agent:ready", mark_of(READY), b"", 0),
    ):
        await store.ask(TellKills((words,)), 5.0)
