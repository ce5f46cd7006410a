"""A large body through a peer: how fast, and what memory it takes."""

import json
import socket
import statistics
import time
from dataclasses import dataclass

from tests.bench.peers import Address, Peer

PIECE = bytes(256 * 1024)
TIME_LIMIT = 60.0  # seconds for one send or receive


@dataclass(frozen=True)
class Upload:
    """Sizes in 10^6 bytes, seconds for the whole body."""

    size_mb: int
    seconds: float  # the median
    mb_per_second: float
    rss_growth_mb: float | None  # the highest point, over the memory before


def measure(peer: Peer, size_mb: int, times: int) -> Upload:
    """Send it a few times over; raises OSError or ValueError where it did not arrive whole."""
    before = peer.process.rss_mb if peer.process else None
    if peer.process:
        peer.process.forget_peak()
    seconds = statistics.median(_send(peer.listen, size_mb * 1_000_000) for _ in range(times))
    peak = peer.process.peak_rss_mb if peer.process else None
    growth = peak - before if peak is not None and before is not None else None
    return Upload(size_mb, seconds, size_mb / seconds, growth)


def _send(target: Address, size: int) -> float:
    """Seconds from the first byte of the request to the last of the answer."""
    with socket.create_connection(target, TIME_LIMIT) as wire:
        began = time.perf_counter()
        head = f"POST /upload HTTP/1.1\r\nHost: bench\r\nContent-Length: {size}\r\n\r\n"
        wire.sendall(head.encode())
        left = size
        while left:
            piece = PIECE if left >= len(PIECE) else PIECE[:left]
            wire.sendall(piece)
            left -= len(piece)
        received = _answer(wire)
        took = time.perf_counter() - began
    if received != size:
        raise ValueError(f"{received} of {size} bytes arrived")
    return took


def _answer(wire: socket.socket) -> int:
    """The number in `{"bytes": n}`."""
    answer = b""
    while not answer.endswith(b"}"):
        more = wire.recv(65536)
        if not more:
            raise ValueError(f"the answer ended early: {answer[-200:]!r}")
        answer += more
    status, _, rest = answer.partition(b"\r\n")
    if b" 200 " not in status:
        raise ValueError(f"answered {status.decode(errors='replace')}")
    counted: int = json.loads(rest.rpartition(b"\r\n\r\n")[2])["bytes"]
    return counted
