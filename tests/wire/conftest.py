"""Fixtures of the harness, on every event loop there is."""

from tests.harness.fixtures import far, no_troubles, proxy, tools, upstream
from tests.harness.loops import Factories, factories
from tests.wire.guarded import guarded

__all__ = ["far", "guarded", "no_troubles", "proxy", "tools", "upstream"]


def pytest_asyncio_loop_factories() -> Factories:
    """Asked by pytest-asyncio for each test."""
    return factories()
