"""Stores to hold against each other: the one that is in this process, and real ones."""

import secrets
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from proxy.state.door import Door
from proxy.state.memory import Memory
from proxy.state.redis import RedisStore
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
    made = RedisStore(Door(hosts=(("127.0.0.1", server.port),)), secrets.token_hex(4), 5.0)
    yield made
    await made.close()
