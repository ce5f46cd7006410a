"""pytest for llmock's tests: each server that a test starts gets a Holdfast in front of it.

It is run as a file, by the Python that llmock is installed for. llmock's tests are a package
`tests` as well, so what is needed of this one is loaded by its path.
"""

import importlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

HELD = Path(__file__).with_name("held.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Asked by pytest."""
    parser.addoption("--protocol", default="", help="of Holdfast; none: no Holdfast")
    parser.addoption("--outcomes", type=Path, default=Path("outcomes.json"))


def pytest_configure(config: pytest.Config) -> None:
    """Asked by pytest."""
    outcomes = Outcomes(config.getoption("outcomes"))
    if config.pluginmanager.has_plugin("outcomes"):
        return  # pytest in pytest: one of the tests
    config.pluginmanager.register(outcomes, "outcomes")
    protocol: str = config.getoption("protocol")
    if protocol:
        put_before(protocol, outcomes)


class Outcomes:
    """What came of each test, written down when all have run."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.passed: dict[str, bool] = {}
        self.servers = 0
        self.said: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Asked by pytest for the set-up, the test itself and the teardown."""
        self.passed[report.nodeid] = self.passed.get(report.nodeid, True) and report.passed

    def pytest_sessionfinish(self) -> None:
        """Asked by pytest at the end."""
        found = {"passed": self.passed, "servers": self.servers, "said": self.said}
        self._path.write_text(json.dumps(found, indent=1))


def put_before(protocol: str, outcomes: Outcomes) -> None:
    """Have llmock's servers say of themselves that they are where a Holdfast is."""
    kind: Any = importlib.import_module("llmock.testing").LLMockServer
    held_of: dict[Any, Any] = {}
    start, stop = kind.start, kind.stop
    Held = load().Held  # noqa: N806 -- a class

    def started(server: Any) -> Any:
        start(server)
        held = held_of[server] = Held(server.url, protocol)
        server._port = int(held.url.rpartition(":")[2])
        outcomes.servers += 1
        return server

    def stopped(server: Any) -> None:
        held = held_of.pop(server, None)
        if held is not None:
            with held:
                pass
            outcomes.said += held.said
        stop(server)

    kind.start, kind.stop = started, stopped


def load() -> Any:
    """held.py."""
    spec = importlib.util.spec_from_file_location("held", HELD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["held"] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(pytest.main(sys.argv[1:], plugins=[sys.modules["__main__"]]))
