"""From nothing to the first answered call, and the memory of a Holdfast that has nothing to do."""

import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection

from tests.bench.load import BODY, PATH
from tests.bench.peers import Address, Peer, Yard

SETTLE = 0.5  # seconds of idleness before memory is read


@dataclass(frozen=True)
class Start:
    """Medians, in seconds from the spawning of the process; memory in 10^6 bytes."""

    ready: float
    first_answer: float
    slowest_ready: float
    idle_rss_mb: float | None


def measure(yard: Yard, times: int) -> Start:
    """Start Holdfast so many times; the first one may have had to read cold files."""
    ready, first, rss = [], [], []
    for _ in range(times):
        with ExitStack() as stack:
            inner = yard.beside(stack)
            began = time.perf_counter()
            peer = inner.holdfast()
            ready.append(time.perf_counter() - began)
            rss.append(_idle(peer))
            paused = time.perf_counter()
            check(peer.listen)
            first.append(ready[-1] + time.perf_counter() - paused)
    known = [value for value in rss if value is not None]
    return Start(
        statistics.median(ready),
        statistics.median(first),
        max(ready),
        statistics.median(known) if known else None,
    )


def _idle(peer: Peer) -> float | None:
    time.sleep(SETTLE)
    return peer.process.rss_mb if peer.process else None


def check(target: Address) -> None:
    """One call must be answered with 200 and the upstream's body; raises ValueError if not."""
    connection = HTTPConnection(*target, timeout=10)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST", PATH, BODY, headers)
        answer = connection.getresponse()
        body = answer.read()
    except OSError as error:
        raise ValueError(f"the first call failed ({error})") from error
    finally:
        connection.close()
    if answer.status != 200 or b'"balance"' not in body:
        raise ValueError(f"the first call was answered {answer.status}: {body[:200]!r}")
