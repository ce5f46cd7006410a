"""Traces of one process: the tracer and its outbox, and what is told of them."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import msgspec

from proxy.clock import Clock
from proxy.news import News, TracesChange
from proxy.observe.catalogue import Kind, Metric
from proxy.observe.family import Family
from proxy.observe.traces.outbox import Export, Missing, Outbox
from proxy.observe.traces.tracer import Tracer

SPANS = Metric(
    Kind.COUNTER, "holdfast_trace_spans_total", ("result",), "What became of spans of calls."
)
WAITING = Metric(Kind.GAUGE, "holdfast_trace_waiting", (), "Calls whose spans wait to go out.")
METRICS = (SPANS, WAITING)
"""Those of traces, where calls are traced."""


class Collector(msgspec.Struct, frozen=True):
    """Who takes spans, and who we are to him."""

    url: str  # that of its traces
    headers: Mapping[str, str] = {}
    ours: Mapping[str, str] = {}  # service.name and so on


class Traces:
    """`start`, `stop`; calls go by the `tracer`."""

    def __init__(
        self,
        clock: Clock,
        news: News,
        sample: float,
        collector: Collector,
        connect: Callable[[], Export] | None = None,
    ) -> None:
        """`sample` of the traces that begin here, 0 to 1, are kept."""
        self._news = news
        self._loop: asyncio.AbstractEventLoop | None = None
        connect = partial(_by_otlp, collector, clock) if connect is None else connect
        self._outbox = Outbox(connect, self._on_loop)
        self.tracer = Tracer(clock, sample, self._outbox.put)

    def start(self) -> None:
        """On the loop."""
        self._loop = asyncio.get_running_loop()
        self._outbox.start()

    async def stop(self) -> None:
        """Post what is there."""
        await self._outbox.stop()

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        tallies = self._outbox.tallies
        yield Family(
            SPANS,
            {(result,): getattr(tallies, result) for result in ("exported", "failed", "dropped")},
        )
        yield Family(WAITING, {(): self._outbox.waiting})

    def _on_loop(self, state: str, why: str) -> None:
        """From the outbox's thread."""
        assert self._loop is not None  # it has started
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody listens
            self._loop.call_soon_threadsafe(self._heard, state, why)

    def _heard(self, state: str, why: str) -> None:
        self.tracer.tells = state != "missing"
        self._news.tell(TracesChange(state, why))


def _by_otlp(collector: Collector, clock: Clock) -> Export:
    """Takes a while: it imports the SDK. Raises Missing."""
    try:
        from proxy.observe.traces.otlp import Otlp
    except ImportError as error:
        why = f"no module {error.name}: no span goes out; install holdfast[otel]"
        raise Missing(why) from error
    return Otlp(collector.url, collector.headers, collector.ours, clock.now)
