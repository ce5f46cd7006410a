"""The load generator for machines without wrk; it prints what load.py reads from wrk.

About half as fast as wrk, so it is a worse judge of fast peers: the report says when it was used.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from typing import cast

from tests.bench.load import BODY, COUNT, COUNTED, PATH

HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    f"Content-Length: {len(BODY)}\r\n\r\n"
).encode()
BEFORE, _, AFTER = (HEAD + COUNTED).partition(COUNT)


class Tally:
    """What all connections saw together."""

    def __init__(self, counted: bool) -> None:
        self.times: list[float] = []
        self.errors: Counter[str] = Counter()
        self.over = False
        self._counted = counted
        self._calls = int(time.time()) % 100_000 * 10_000_000  # as wrk's script has it

    def request(self) -> bytes:
        """The next one."""
        self._calls += 1
        return BEFORE + b"%012d" % self._calls + AFTER if self._counted else HEAD + BODY


class Caller(asyncio.Protocol):
    """One connection that calls again as soon as it is answered."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._transport: asyncio.Transport
        self._received = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)
        self._call()

    def _call(self) -> None:
        self._began = time.perf_counter()
        self._transport.write(self._tally.request())

    def data_received(self, received: bytes) -> None:
        self._received += received
        end = self._received.find(b"\r\n\r\n")
        if end < 0 or len(self._received) < end + 4 + self._length(end):
            return
        self._tally.times.append(time.perf_counter() - self._began)
        if not self._received.startswith(b"HTTP/1.1 2"):
            self._tally.errors["status"] += 1
        self._received = b""
        if self._tally.over:
            self._transport.close()
        else:
            self._call()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._tally.over:
            self._tally.errors["read"] += 1

    def _length(self, end: int) -> int:
        head = self._received[:end].lower()
        return int(head.partition(b"content-length:")[2].split(b"\r\n")[0] or 0)


async def load(host: str, port: int, connections: int, seconds: float, counted: bool) -> Tally:
    """Call for so many seconds; `counted`: each call has another input."""
    tally = Tally(counted)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        try:
            await loop.create_connection(lambda: Caller(tally), host, port)
        except OSError:
            tally.errors["connect"] += 1
    await asyncio.sleep(seconds)
    tally.over = True
    return tally


def main() -> None:
    host, port, connections, seconds, *counted = sys.argv[1:]
    work = load(host, int(port), int(connections), float(seconds), bool(counted))
    try:
        import uvloop
    except ImportError:
        tally = asyncio.run(work)
    else:
        tally = uvloop.run(work)
    times = sorted(tally.times) or [0.0]
    outcome = {
        "calls": len(tally.times),
        "seconds": float(seconds),
        "p50": times[len(times) // 2],
        "p99": times[len(times) * 99 // 100],
        "errors": tally.errors,
    }
    sys.stdout.write(f"BENCH {json.dumps(outcome)}\n")


if __name__ == "__main__":
    main()
