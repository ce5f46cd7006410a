"""How long the loop stands still while metrics are scraped.

python -m tests.bench.scrape SAMPLES SCRAPES prints, as JSON, what a process has found that has so
many samples to show and does nothing else: each turn of its loop is timed, at rest and during each
scrape. A neighbour on the core makes turns long as well, so the figure is the median over scrapes
of the longest turn in each: what Holdfast itself does is in every one of them.
"""

import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.bench.process import Cores, module, pinned

SAMPLES = (5_000, 50_000)
SCRAPES = 25
OPEN = "application/openmetrics-text"
_TOOLS = 20
_REST = 0.2


@dataclass
class Pauses:
    """Seconds."""

    samples: int  # lines of the page that are one
    page: float  # from asking to having it, the median
    longest: float  # turn of the loop during a scrape, the median over scrapes
    worst: float  # the longest of all
    at_rest: float  # the longest in as long a time without a scrape, likewise the median


def measure(samples: int, scrapes: int, cores: Cores) -> Pauses:
    """In a process of its own, on the core of a peer."""
    with pinned(cores.peer):
        ended = subprocess.run(
            module("scrape", str(samples), str(scrapes)), capture_output=True, check=True
        )
    return Pauses(**json.loads(ended.stdout))


def filled(samples: int) -> Any:
    """Metrics of so many samples, about: calls to twenty tools of as many upstreams as it takes."""
    from tests.observe.records import metrics, record

    found = metrics()
    found.name_tools([f"tool-{tool}" for tool in range(_TOOLS)])
    rows = max(1, round(samples / _SAMPLES_OF_A_ROW / _TOOLS))
    for upstream in range(rows):
        for tool in range(_TOOLS):
            for agent in range(5):
                facts = {"agent": f"agent-{agent}", "upstream": f"upstream-{upstream}"}
                spent = {"cost_micros": 5, "tokens": {"input": 3, "output": 4}}
                found.note(
                    record(f"tool-{tool}", duration_us=1_000 * (agent + 1), **facts, **spent)
                )
    return found


_SAMPLES_OF_A_ROW = 87  # three histograms, a few counters, and five agents' tokens and money


class Turns:
    """The longest turn of the loop since somebody asked."""

    def __init__(self) -> None:
        self._longest = 0.0

    async def run(self) -> None:
        """Until cancelled: the loop turns as fast as it can."""
        last = time.process_time()
        while True:
            await asyncio.sleep(0)
            now = time.process_time()
            self._longest = max(self._longest, now - last)
            last = now

    async def during(self, work: Callable[[], Awaitable[Any]]) -> tuple[float, float]:
        """How long the work took, and the longest turn in it."""
        self._longest = 0.0
        began = time.perf_counter()
        await work()
        return time.perf_counter() - began, self._longest


async def pauses(samples: int, scrapes: int) -> Pauses:
    from proxy.clock import Clock
    from proxy.observe.exposition import Exposition

    exposition = Exposition(filled(samples), Clock())
    page = await exposition.page(OPEN)
    lines = sum(not line.startswith(b"#") for line in page.plain.splitlines())
    gc.collect()
    gc.freeze()  # as the command does when it has started
    turns = Turns()
    turning = asyncio.create_task(turns.run())
    rested, scraped = [], []
    for _ in range(scrapes):
        rested.append(await turns.during(lambda: asyncio.sleep(_REST)))
        exposition._pages.clear()
        scraped.append(await turns.during(lambda: exposition.page(OPEN)))
    turning.cancel()
    longest = [turn for _, turn in scraped]
    return Pauses(
        lines,
        statistics.median(took for took, _ in scraped),
        statistics.median(longest),
        max(longest),
        statistics.median(turn for _, turn in rested),
    )


if __name__ == "__main__":
    found = asyncio.run(pauses(int(sys.argv[1]), int(sys.argv[2])))
    sys.stdout.write(json.dumps(found.__dict__))
