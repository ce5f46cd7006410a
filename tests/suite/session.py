"""pytest for aiohttp's tests: each server that a test puts up gets a peer in front of it.

The peer listens where the test asked for it; the server gets another port, which only the peer
knows. Holdfast meets a server with TLS as an upstream with TLS. Agents have no TLS with it: there a
terminator with the server's own certificate stands in front.

It is run as a file, so that this repository's `proxy` does not hide the proxy.py that tests import.
"""

import json
import socket
import subprocess
import sys
from asyncio.base_events import BaseEventLoop, Server
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]

plainly = BaseEventLoop.create_server


def pytest_addoption(parser: pytest.Parser) -> None:
    """Asked by pytest."""
    parser.addoption("--peer", default="direct", help="a key of peers.PEERS, or `direct`")
    parser.addoption("--outcomes", type=Path, default=Path("outcomes.json"))


def pytest_configure(config: pytest.Config) -> None:
    """Asked by pytest."""
    path: Path = config.getoption("outcomes")
    name: str = config.getoption("peer")
    yard = None if name == "direct" else Yard(name, path.with_suffix(".log"))
    config.pluginmanager.register(Outcomes(path, yard))
    if yard is not None:
        BaseEventLoop.create_server = yard.create_server()


class Fronted(Server):
    """A server behind a peer. It says of itself that it is where the peer is."""

    front: socket.socket
    terminator: Server | None = None

    @property
    def sockets(self) -> tuple[Any, ...]:
        return (self.front,)

    def close(self) -> None:
        super().close()
        if self.terminator is not None:
            self.terminator.close()
        self.front.close()


class Yard:
    """The process that peers run in."""

    def __init__(self, name: str, log: Path) -> None:
        self._passes_tls = name == "relay"
        self._servers = 0
        self._log = log
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.suite.peers", name],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def end(self) -> Json:
        """Stop what runs for a test."""
        servers, self._servers = self._servers, 0
        return {"servers": servers, **self._order(end=True)}

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def create_server(self) -> Any:
        """What takes the place of the loop's own."""

        async def create_server(
            loop: BaseEventLoop, factory: Any, host: Any = None, port: Any = None, **more: Any
        ) -> Server:
            front = more.pop("sock", None)
            if front is None and not isinstance(host, str):  # on all interfaces: its own affair
                return await plainly(loop, factory, host, port, **more)
            return await self._put_up(loop, factory, front or bound(host, port), **more)

        return create_server

    async def _put_up(
        self, loop: BaseEventLoop, factory: Any, front: socket.socket, ssl: Any = None, **more: Any
    ) -> Server:
        """The server, and its peer at the address of `front`, which is bound and never listens."""
        host = front.getsockname()[0]
        server = await plainly(loop, factory, host, 0, ssl=ssl, **more)
        upstream = f"{'https' if ssl else 'http'}://{place(server.sockets[0])}"
        self._servers += 1
        server.__class__ = Fronted
        server.front = front
        if ssl is None or self._passes_tls:
            self._order(listen=place(front), upstream=upstream)
        else:
            anywhere = place(front).rpartition(":")[0] + ":0"
            peer = self._order(listen=anywhere, upstream=upstream)
            server.terminator = await terminator(loop, front, ssl, peer["port"])
        return server

    def _order(self, **order: Any) -> Json:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(order), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peers have ended: {self._log.read_text()[-2000:]}")
        answer: Json = json.loads(line)
        return answer


async def terminator(loop: BaseEventLoop, front: socket.socket, ssl: Any, port: int) -> Server:
    """TLS off, and on to the peer at that port."""
    from tests.bench.relay import Agent  # not on the path before main

    host = front.getsockname()[0]
    return await plainly(loop, lambda: Agent(host, port), sock=front, ssl=ssl)


def bound(host: str, port: int) -> socket.socket:
    """Linux lets a listener in beside a socket that only holds the address."""
    front = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    front.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    front.bind((host, port))
    return front


def place(listener: Any) -> str:
    """Its address as it is written in a URL."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Outcomes:
    """What came of each test, written down when all have run."""

    def __init__(self, path: Path, yard: Yard | None) -> None:
        self._path = path
        self._yard = yard
        self._tests: dict[str, Json] = {}

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Asked by pytest before each test."""
        self._tests[nodeid] = {"outcome": "passed", "said": ""}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> None:
        """Asked by pytest after it. Some tests leave it to the client to end their server."""
        if self._yard is not None:
            self._tests[item.nodeid] |= self._yard.end()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Asked by pytest for the set-up, the test itself and the teardown."""
        test = self._tests[report.nodeid]
        if not report.passed and test["outcome"] != "failed":
            test["outcome"] = report.outcome
            test["said"] = said(report)

    def pytest_sessionfinish(self) -> None:
        """Asked by pytest at the end."""
        if self._yard is not None:
            self._yard.close()
        self._path.write_text(json.dumps(self._tests, indent=1))


def said(report: pytest.TestReport) -> str:
    """Why, in a line."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash else report.longrepr).strip().partition("\n")[0][:160]


if __name__ == "__main__":
    sys.path.append(str(ROOT))
    sys.exit(pytest.main(sys.argv[1:], plugins=[sys.modules["__main__"]]))
