"""Exposition: the text that Prometheus reads.

Made in a thread, from a copy that was read on the loop bit by bit, and shown again for a while, so
that a scraper, or an agent that plays one, cannot take the loop's time. `python -m tests.bench
--only scrape` measures how long the loop stands still. What is said of the process itself comes
from a library, which costs 5 MB and 25 ms: only the admin side imports this file, and a start need
not wait for it.
"""

import asyncio
import gzip
import time
from collections.abc import Iterator

import msgspec
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder

from proxy.clock import Clock
from proxy.observe.family import Family
from proxy.observe.metrics import Metrics
from proxy.observe.text import Writer

LONGEST_KEPT = 1.0
"""Seconds that a page is shown again at most."""
_KEPT_FOR = 10  # times what it took to make, so that scraping is a tenth of a core at most
_PIECE = 0.0005
"""Seconds that reading holds the loop at once, about."""
_BREATH = 0.0002
"""Seconds between pieces of text: long enough for the loop to wake up and take its turn. A thread
that computes gives the interpreter up every 5 ms only, and so each turn would wait 5 ms."""
_OPENMETRICS = "application/openmetrics-text"


class Page(msgspec.Struct, frozen=True):
    """One text, as it was at one moment."""

    until: float  # on Clock.now; after it a new one is made
    content_type: str
    plain: bytes
    gzipped: bytes


class Exposition:
    """Makes pages. For one loop."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._pages: dict[str, Page] = {}
        self._one_at_a_time = asyncio.Lock()
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    async def page(self, accept: str) -> Page:
        """The metrics in the format that an Accept header asks for, a second old at most."""
        asked = wanted(accept)
        async with self._one_at_a_time:
            page = self._pages.get(asked)
            if page is None or self._clock.now() >= page.until:
                page = await asyncio.to_thread(self._make, asked, await self._read())
                self._pages[asked] = page
            return page

    async def _read(self) -> list[Family]:
        """On the loop, and calls go on in between."""
        families = []
        began = self._clock.now()
        for family in self._metrics.steps():
            if family is not None:
                families.append(family)
            if self._clock.now() - began > _PIECE:
                await asyncio.sleep(0)  # noqa: TID251 -- no time passes: others go first
                began = self._clock.now()
        return families

    def _make(self, asked: str, families: list[Family]) -> Page:
        began = self._clock.now()
        encode, content_type = choose_encoder(asked)
        pieces = []
        for piece in Writer(asked != "").pieces(_one_by_one(families)):
            pieces.append(piece.encode(errors="backslashreplace"))
            time.sleep(_BREATH)  # noqa: TID251 -- only this thread waits
        pieces.append(encode(self._registry))
        plain = b"".join(pieces)
        gzipped = gzip.compress(plain, compresslevel=1)
        now = self._clock.now()
        until = now + min(LONGEST_KEPT, (now - began) * _KEPT_FOR)
        return Page(until, content_type, plain, gzipped)


def _one_by_one(families: list[Family]) -> Iterator[Family]:
    """Each is let go when it was written: all at once would be a pause of milliseconds."""
    families.reverse()
    while families:
        yield families.pop()


def wanted(accept: str) -> str:
    """One of two Accept headers: the first format in `accept` that there is, else plain text.

    The library is not shown what a client wrote: it raises at a version that is not a number, and
    each version it echoes would be one more page to keep.
    """
    for item in accept.split(","):
        kind = item.partition(";")[0].strip().lower()
        if kind == _OPENMETRICS:
            return f"{_OPENMETRICS}; version=1.0.0"
        if kind == "text/plain":
            break
    return ""
