"""What holds for all tests: the machine that they run on does not matter."""

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from coverage import Coverage
from hypothesis import HealthCheck, settings

# Nothing is timed: a busy machine is slow, not wrong.
settings.register_profile(
    "house", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("house")

HERE = Path(__file__).parent
JUDGED = {HERE / room for room in ("stages", "pipeline", "protocols", "state", "journal")}
"""Where the tests of the rooms are whose every line and branch must be tested."""

FOREIGN = {"http_proxy", "https_proxy", "all_proxy", "no_proxy", "ssl_cert_file", "ssl_cert_dir"}


def pytest_configure() -> None:
    """Settings of this shell reach neither the proxy nor the clients under test."""
    for name in list(os.environ):
        ours = name.startswith("HOLDFAST_") and not name.startswith("HOLDFAST_TEST_")
        if ours or name.lower() in FOREIGN:
            del os.environ[name]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Coverage counts what the tests of a room reach of it. Others reach a line by the way, when
    threads and sockets happen to meet; and it would make them slow.
    """
    stopped: list[Coverage] = []
    if JUDGED.isdisjoint(item.path.parents):
        # A worker of xdist has two; where only the upper one is stopped, the other goes on.
        while (measuring := Coverage.current()) is not None:
            measuring.stop()
            stopped.append(measuring)
    try:
        return (yield)
    finally:
        for measuring in reversed(stopped):
            measuring.start()
