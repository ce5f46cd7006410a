"""What pods share in a scenario: one server, or two behind Sentinels; and what is done to it."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.fleet.pods import until
from tests.servers import RedisServer

DURABLE = ("--appendonly", "yes", "--appendfsync", "always", "--save", "")
_NAME = "fleet"
_SENTINEL = """
sentinel monitor {name} 127.0.0.1 {port} 2
sentinel down-after-milliseconds {name} 400
sentinel failover-timeout {name} 3000
sentinel parallel-syncs {name} 1
"""


class Single(RedisServer):
    """One server, that keeps what it was told."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, *DURABLE)

    def restart(self, *, empty: bool) -> None:
        """Killed, and started again; with all that it knew, or with nothing."""
        self.stop(hard=True)
        if empty:
            shutil.rmtree(self._folder / "appendonlydir", ignore_errors=True)
        self.start()

    def flush_scripts(self) -> None:
        """It knows no script any more."""
        with redis.Redis(port=self.port) as client:
            client.script_flush()


class _Sentinel(RedisServer):
    """One of those who watch."""

    def __init__(self, folder: Path, watched: int) -> None:
        super().__init__(folder, "--sentinel")
        self._written = folder / "sentinel.conf"
        self._written.write_text(_SENTINEL.format(name=_NAME, port=watched))

    def _first(self) -> list[str]:
        return [str(self._written)]


class Watched:
    """A server, its replica, and three Sentinels that watch them."""

    def __init__(self, folder: Path) -> None:
        quick = ("--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
        self.servers = [RedisServer(folder / f"r{at}", *DURABLE, *quick) for at in range(2)]
        self.sentinels = [_Sentinel(folder / f"s{at}", self.servers[0].port) for at in range(3)]
        doors = ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels)
        self.url = f"redis+sentinel://{doors}/{_NAME}/0"

    async def start(self) -> None:
        """All know each other when this returns."""
        first, second = self.servers
        first.start()
        second.start()
        with redis.Redis(port=second.port) as client:
            client.replicaof("127.0.0.1", first.port)
        for sentinel in self.sentinels:
            sentinel.start()
        while not all(self._knows(each) for each in self.sentinels):
            await until(0.05)

    def stop(self) -> None:
        """All of them."""
        for each in (*self.sentinels, *self.servers):
            each.stop(hard=True)

    @property
    def port(self) -> int:
        """Of the server that the Sentinels name."""
        with redis.Redis(port=self.sentinels[0].port) as client:
            _, port = client.execute_command("SENTINEL", "get-master-addr-by-name", _NAME)
        return int(port)

    @property
    def first(self) -> RedisServer:
        """The server that is written to now."""
        port = self.port
        return next(each for each in self.servers if each.port == port)

    async def fail_over(self, *, hangs: bool) -> None:
        """The first one dies, or hangs and comes back as if nothing had been; the other one takes
        its place, and it that of the other."""
        for server in self.servers:
            while server.port != self.port and not self._follows(server.port):
                await until(0.05)
        failed = self.first
        if hangs:
            failed.pause()
        else:
            failed.stop(hard=True)
        while self.port == failed.port:
            await until(0.05)
        if hangs:
            failed.resume()
        else:
            failed.start()

    def _follows(self, port: int) -> bool:
        with redis.Redis(port=port) as client:
            told = client.info("replication")
        return told["role"] == "slave" and told["master_link_status"] == "up"

    @staticmethod
    def _knows(sentinel: RedisServer) -> bool:
        with redis.Redis(port=sentinel.port) as client:
            told = client.sentinel_master(_NAME)
        return told["num-other-sentinels"] == 2 and told["num-slaves"] == 1


@contextlib.contextmanager
def single(folder: Path) -> Iterator[Single]:
    """Running."""
    made = Single(folder / "redis")
    made.start()
    try:
        yield made
    finally:
        made.stop(hard=True)
