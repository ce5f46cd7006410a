"""A sandbox on a port of its own, and a client at it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox, start

PATIENCE_SECONDS = 10.0


@pytest.fixture
async def played() -> AsyncIterator[Sandbox]:
    running = await start("127.0.0.1:0", seed=7)
    yield running
    await running.close()


@pytest.fixture
async def asking(played: Sandbox) -> AsyncIterator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
    async with aiohttp.ClientSession(played.url, timeout=timeout) as session:
        yield session
