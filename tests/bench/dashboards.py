"""What ten open dashboards cost a proxy: the same Holdfast with and without, loaded in turn.

python -m tests.bench.dashboards HOST PORT COUNT asks what so many pages ask, until it is ended.
Each has the view of tools open, and the stream of calls as well, which no page has at the same
time: `tests/dashboard/test_asks.py` holds it against the page itself. A browser would take the core
that the load needs.
"""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace

import aiohttp

from tests.bench.calls import CONNECTIONS, Plan
from tests.bench.load import Load, Outcome
from tests.bench.peers import SHIPPED, Address, Peer, Yard
from tests.bench.process import ROOT, Process, module

QUICK = Plan(rounds=3, seconds=2, warm_up=1)
USUAL = Plan(rounds=9, seconds=3, warm_up=2)
NAMES = ("unopened", "opened")
PAGES = 10
STREAM = "/v1/events?calls=sample"
ASKED = (
    ("/v1/overview", 2.0),
    ("/v1/tools?limit=1000", 2.0),
    ("/v1/breakers?limit=1000", 5.0),
)
"""Paths, and seconds from one question to its next."""
HEADERS = {"Cache-Control": "max-age=1"}


@dataclass(frozen=True)
class Opened:
    """Memory of one process, in 10^6 bytes: under load, without pages and then with them."""

    before_mb: float | None
    after_mb: float | None

    @property
    def growth_mb(self) -> float | None:
        if self.before_mb is None or self.after_mb is None:
            return None
        return self.after_mb - self.before_mb


def both(yard: Yard) -> list[Peer]:
    """One process under two names: what two of them differ by is more than what pages cost."""
    peer = yard.holdfast_of(ROOT, NAMES[0], SHIPPED)
    host, port = peer.listen
    return [peer, replace(peer, name=NAMES[1], listen=(host, port))]


class Looking(Load):
    """A load; pages are open as long as it runs, where the peer is called by its second name."""

    def watch(self, yard: Yard, peer: Peer) -> None:
        """At this one from now on."""
        self._yard = yard
        self._looked_at = peer

    def run(self, target: Address, connections: int, seconds: int) -> Outcome:
        """As Load."""
        with contextlib.ExitStack() as stack:
            if target is self._looked_at.listen:  # it is equal to the other's
                stack.enter_context(pages(self._yard, self._looked_at))
            return super().run(target, connections, seconds)


@contextlib.contextmanager
def pages(yard: Yard, peer: Peer) -> Iterator[None]:
    """Open until this is left."""
    assert peer.admin is not None
    host, port = peer.admin
    command = module("dashboards", host, str(port), str(PAGES))
    log = yard.folder / f"pages-{peer.name}.log"
    with Process(command, yard.cores.load, log) as process:
        process.says("open")
        yield
        if process.ended:
            raise ValueError(f"the pages ended: {process.last_words()}")


def memory(yard: Yard, load: Load, plan: Plan) -> Opened:
    """Of one of its own, that no page was ever open at. What any load fills is filled before."""
    with contextlib.ExitStack() as stack:
        peer = yard.beside(stack).holdfast_of(ROOT, "remembered", SHIPPED)
        assert peer.process is not None
        for _ in range(2):
            load.run(peer.listen, CONNECTIONS[-1], plan.seconds * 2)
        before = peer.process.rss_mb
        with pages(yard, peer):
            load.run(peer.listen, CONNECTIONS[-1], plan.seconds * 2)
            after = peer.process.rss_mb
    return Opened(before, after)


class Page:
    """One that is open: what it asks again and again, as api.js does, and what it listens to."""

    def __init__(self, session: aiohttp.ClientSession, phase: float) -> None:
        """`phase`: of 1; pages are not opened all in one moment."""
        self._session = session
        self._phase = phase
        self._tags: dict[str, str] = {}

    async def open(self) -> list[asyncio.Task[None]]:
        """Its first look. What goes on from then on."""
        for path, _ in ASKED:
            await self._ask(path)
        stream = await self._session.get(STREAM)
        assert stream.status == 200, f"{STREAM}: {stream.status}"
        goes_on = [self._again(path, every) for path, every in ASKED]
        return [asyncio.create_task(each) for each in (*goes_on, _read(stream))]

    async def _again(self, path: str, every: float) -> None:
        await asyncio.sleep(every * self._phase)
        while True:
            await self._ask(path)
            await asyncio.sleep(every)

    async def _ask(self, path: str) -> None:
        """An answer that is the same comes once."""
        tag = self._tags.get(path, "")
        headers = {**HEADERS, **({"If-None-Match": tag} if tag else {})}
        async with self._session.get(path, headers=headers) as answer:
            await answer.read()
            assert answer.status in {200, 304}, f"{path}: {answer.status}"
            self._tags[path] = answer.headers.get("ETag", "")


async def _read(stream: aiohttp.ClientResponse) -> None:
    async for _ in stream.content.iter_any():
        pass
    raise ConnectionError(f"{STREAM} ended")


async def look(host: str, port: str, count: int) -> None:
    """So many pages, for ever."""
    wait = aiohttp.ClientTimeout(total=None)
    many = aiohttp.TCPConnector(limit=0)
    url = f"http://{host}:{port}"
    async with aiohttp.ClientSession(url, timeout=wait, connector=many) as session:
        opened = [await Page(session, number / count).open() for number in range(count)]
        print("open", flush=True)
        await asyncio.gather(*(task for page in opened for task in page))


if __name__ == "__main__":
    asyncio.run(look(sys.argv[1], sys.argv[2], int(sys.argv[3])))
