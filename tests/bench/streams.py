"""A thousand event streams at once: memory, and what a chunk is delayed.

The upstream writes the monotonic time into each event; the clock is the same for all processes of
a machine, so the reader knows how long the event was on its way. What is left after the delay
without a peer is taken off, is the peer's.
"""

import asyncio
import re
import statistics
import time
from dataclasses import dataclass
from typing import cast

from tests.bench.peers import Address, Peer

BATCH = 50  # streams opened at a time
OPEN_LIMIT = 30.0  # seconds until every stream has had its first event
EVENTS = b"GET /events HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n\r\n"
ASKED = b'{"model":"bench","stream":true,"messages":[{"role":"user","content":"Go on"}]}'
CHAT = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(ASKED), ASKED)
)
STAMP = re.compile(rb'"at":(\d+)')


@dataclass(frozen=True)
class Delays:
    """Streams through one peer. Times in seconds, from the sending to the reading of an event."""

    streams: int
    events: int
    p50: float
    p99: float
    rss_before_mb: float | None
    rss_mb: float | None  # with all of them open
    lost: int  # streams that ended


class Watch:
    """What all readers saw together."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self._begun = 0
        self.all_begun = asyncio.Event()
        self.measuring = False
        self.closing = False
        self.delays: list[float] = []
        self.lost = 0

    def begun(self) -> None:
        self._begun += 1
        if self._begun == self._wanted:
            self.all_begun.set()


class Reader(asyncio.Protocol):
    """One stream."""

    def __init__(self, watch: Watch, request: bytes) -> None:
        self._watch = watch
        self._request = request
        self._rest = b""
        self._has_begun = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.Transport", transport).write(self._request)

    def data_received(self, received: bytes) -> None:
        now = time.monotonic_ns()
        received = self._rest + received
        stamps = STAMP.findall(received)
        # Cut behind the last whole event, so that a stamp cut in two is read with its other half.
        self._rest = received[received.rfind(b"\n\n") + 2 :] if stamps else received
        if not stamps:
            return
        if not self._has_begun:
            self._has_begun = True
            self._watch.begun()
        if self._watch.measuring:
            self._watch.delays.extend((now - int(stamp)) / 1e9 for stamp in stamps)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._watch.closing:
            self._watch.lost += 1


def measure(peer: Peer, streams: int, seconds: float, request: bytes = EVENTS) -> Delays:
    """Open them, wait until all run, measure, close."""
    work = _measure(peer, streams, seconds, request)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(work)
    return uvloop.run(work)


async def _measure(peer: Peer, streams: int, seconds: float, request: bytes) -> Delays:
    watch = Watch(streams)
    rss_before = peer.process.rss_mb if peer.process else None
    transports = await _open(peer.listen, streams, watch, request)
    try:
        await asyncio.wait_for(watch.all_begun.wait(), OPEN_LIMIT)
        watch.measuring = True
        await asyncio.sleep(seconds)
        watch.measuring = False
        rss = peer.process.rss_mb if peer.process else None
    finally:
        watch.closing = True
        for transport in transports:
            transport.abort()
    delays = sorted(watch.delays) or [0.0]
    p99 = delays[len(delays) * 99 // 100]
    return Delays(
        streams, len(watch.delays), statistics.median(delays), p99, rss_before, rss, watch.lost
    )


async def _open(
    target: Address, streams: int, watch: Watch, request: bytes
) -> list[asyncio.Transport]:
    loop = asyncio.get_running_loop()
    transports: list[asyncio.Transport] = []
    while len(transports) < streams:
        batch = min(BATCH, streams - len(transports))
        opened = await asyncio.gather(
            *(loop.create_connection(lambda: Reader(watch, request), *target) for _ in range(batch))
        )
        transports.extend(transport for transport, _ in opened)
    return transports
