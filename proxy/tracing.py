"""Traces, where the settings name a collector: who we are to it, and where upstreams are."""

from collections.abc import Iterator

from proxy import __version__
from proxy.clock import Clock
from proxy.config.loaded import Loaded
from proxy.config.settings import Settings
from proxy.config.types import Upstream
from proxy.keep import Keep
from proxy.keys import NEWS
from proxy.news import News
from proxy.observe.family import Family
from proxy.observe.traces.finished import Where
from proxy.observe.traces.tracer import Tracer
from proxy.observe.traces.traces import Collector, Traces


class Tracing:
    """`obey` for each set of policies; `begin`; `stop`. Without a collector nothing of it is."""

    def __init__(self, settings: Settings, clock: Clock, keep: Keep) -> None:
        self._traces = _traces(settings, clock, keep.of(NEWS, News))

    @property
    def tracer(self) -> Tracer | None:
        """Traces calls; None: they are not traced."""
        return None if self._traces is None else self._traces.tracer

    def begin(self) -> None:
        """On the loop: spans go out from now on."""
        if self._traces is not None:
            self._traces.start()

    def obey(self, loaded: Loaded) -> None:
        """These policies are in force."""
        if self._traces is not None:
            places = {name: _where(each) for name, each in loaded.upstreams.items()}
            self._traces.tracer.places = places

    def families(self) -> Iterator[Family]:
        """What metrics say of it."""
        if self._traces is not None:
            yield from self._traces.families()

    async def stop(self) -> None:
        """What waits is posted, for a moment at most."""
        if self._traces is not None:
            await self._traces.stop()


def _traces(settings: Settings, clock: Clock, news: News) -> Traces | None:
    trace = settings.trace
    if not trace.on:
        return None
    headers = {name: secret.revealed for name, secret in trace.headers.items()}
    ours = {
        "service.name": "holdfast",
        "service.namespace": settings.agent.fleet,
        "service.instance.id": clock.uuid(),
        "service.version": __version__,
    }
    return Traces(clock, news, trace.sample, Collector(trace.otlp.traces, headers, ours))


def _where(upstream: Upstream) -> Where:
    origin = upstream.url.origin
    url = f"{'https' if origin.tls else 'http'}://{origin.authority}{origin.base}"
    return Where(url, origin.host, origin.port, upstream.path or "/")
