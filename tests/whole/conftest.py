"""Fixtures of the harness, on every event loop there is."""

import pytest

from proxy.observe.traces import outbox
from tests.harness.fixtures import far, no_troubles, proxy, tools, upstream
from tests.harness.loops import Factories, factories

__all__ = ["at_once", "far", "no_troubles", "proxy", "tools", "upstream"]


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spans go out soon, and not after a second; nobody waits for long."""
    monkeypatch.setattr(outbox, "EVERY", 0.01)
    monkeypatch.setattr(outbox, "FLUSH", 0.5)
    # By its name, so that only those who use this pay for importing OpenTelemetry.
    monkeypatch.setattr("proxy.observe.traces.otlp.TIMEOUT", 0.5)


def pytest_asyncio_loop_factories() -> Factories:
    """Asked by pytest-asyncio for each test."""
    return factories()
