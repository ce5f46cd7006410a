"""One browser for each test module, on the event loop that `holdfast run` takes here."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio

from tests.dashboard.browser import chromium
from tests.harness.fixtures import no_troubles
from tests.harness.loops import THE_LOOP, Factories, factories

__all__ = ["no_troubles"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Any]:
    """Chromium, with no page yet."""
    async with chromium() as started:
        yield started


def pytest_asyncio_loop_factories() -> Factories:
    """Asked by pytest-asyncio for each test. What differs between loops is tested elsewhere."""
    return {name: made for name, made in factories().items() if name in THE_LOOP}
