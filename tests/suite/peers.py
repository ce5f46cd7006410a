"""Peers on request, in a process of their own: what a test patches in its own does not reach them.

`python -m tests.suite.peers NAME` (a key of PEERS) reads orders from standard input, a line of JSON
each, and answers each with a line on standard output:

    {"listen": "127.0.0.1:0", "upstream": "http://127.0.0.1:80"}  ->  {"port": 40123}
    {"end": true}                                                 ->  {"carried": 2, "troubles": []}

`end` stops all peers. It tells how many calls they carried (a relay: connections), and what they
said that only a bug can cause. The process ends when its input does.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from tests.bench.relay import Agent
from tests.harness.loops import factories
from tests.harness.proxy import Figures, Proxy, holdfast
from tests.harness.wire import troubles

Json = dict[str, Any]


class Relay:
    """A bare relay."""

    def __init__(self, upstream: str) -> None:
        self.port = 0
        self._agents: list[Agent] = []
        host, _, port = upstream.partition("://")[2].rpartition(":")
        self._target = (host.strip("[]"), int(port))

    def agent(self) -> Agent:
        """For one more connection."""
        self._agents.append(Agent(*self._target))
        return self._agents[-1]

    def carried(self) -> int:
        return len(self._agents)

    def hang_up(self) -> None:
        for agent in self._agents:
            if agent.transport is not None:
                agent.transport.abort()


class Held:
    """A Holdfast."""

    def __init__(self, proxy: Proxy) -> None:
        self.port = int(proxy.listen.rpartition(":")[2])
        self._proxy = proxy

    def carried(self) -> int:
        """What was turned away at the door counts: it was Holdfast that answered."""
        figures = Figures(self._proxy.app.metrics.read())
        counted = ("holdfast_calls_total", "holdfast_bad_requests_total")
        return int(sum(figures.sum(name) for name in counted))


Peer = Relay | Held


@asynccontextmanager
async def relay(listen: str, upstream: str) -> AsyncIterator[Relay]:
    """Bytes from one side to the other."""
    peer = Relay(upstream)
    host, _, port = listen.rpartition(":")
    loop = asyncio.get_running_loop()
    server = await loop.create_server(peer.agent, host.strip("[]"), int(port))
    peer.port = server.sockets[0].getsockname()[1]
    try:
        yield peer
    finally:
        server.close()
        peer.hang_up()


@asynccontextmanager
async def held(
    listen: str, upstream: str, mount: Json | None = None, limits: Json | None = None
) -> AsyncIterator[Held]:
    """An `http` upstream at `/`, no policies. Nobody knows a test's own certificate."""
    tls = {"tls": {"insecure": True}} if upstream.startswith("https:") else {}
    mounted = {**tls, **(mount or {})}
    async with holdfast(upstream, mount=mounted, limits=limits or {}, listen=listen) as proxy:
        yield Held(proxy)


PEERS: dict[str, Callable[[str, str], AbstractAsyncContextManager[Peer]]] = {
    "relay": relay,
    "holdfast": held,
    # Settings that reasons.toml names: with them a test that was lost must pass.
    "preserve_host": partial(held, mount={"preserve_host": True}),
    "limits": partial(held, limits={"headers": 1000, "header_bytes": "1MiB"}),
}


async def serve(name: str) -> None:
    """Obey, until there are no more orders."""
    peers: list[Peer] = []
    async with AsyncExitStack() as stack:
        while line := await asyncio.to_thread(sys.stdin.readline):
            order: Json = json.loads(line)
            if "end" in order:
                await stack.aclose()
                answer = {"carried": sum(peer.carried() for peer in peers), "troubles": [*troubles]}
                peers.clear()
                troubles.clear()
            else:
                peer = PEERS[name](order["listen"], order["upstream"])
                peers.append(await stack.enter_async_context(peer))
                answer = {"port": peers[-1].port}
            print(json.dumps(answer), flush=True)


def main() -> None:
    loops = factories()
    with asyncio.Runner(loop_factory=loops.get("uvloop", loops["asyncio"])) as runner:
        runner.run(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
