"""The upstreams at work: connections to each, and who asks whether it is well.

Over a reload those that did not change stay as they are, with their connections, their prober and
what it knows.
"""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from proxy.clock import Clock
from proxy.config.types import Upstream
from proxy.config.watch import digests
from proxy.counts import HEALTH_PROBES
from proxy.keep import Keep
from proxy.keys import PulseKey
from proxy.protocols.recognise import PROTOCOLS
from proxy.protocols.trace import BAGGAGE, TRACEPARENT, TRACESTATE
from proxy.state.standing import Pulse
from proxy.wire.client import ChoosyClient, Client, Forward, Traced
from proxy.wire.compose import RequestWriter
from proxy.wire.credentials import Credentials
from proxy.wire.head import Limits
from proxy.wire.pool import ConnectionPool, Origin
from proxy.wire.prober import Prober, question


class Trust(NamedTuple):
    """Whom an upstream's connections believe."""

    ca: bytes  # a digest of its `tls.ca`; empty without one
    tls: ssl.SSLContext | None


class TraceHeaders(NamedTuple):
    """What becomes of trace headers on their way to an upstream."""

    lines: Traced | None = None  # None: they pass untouched
    sends_baggage: Callable[[str], bool] = bool  # to whoever has a name

    def replaced(self, upstream: str) -> frozenset[bytes]:
        """Those of an agent that do not go on to this upstream."""
        if self.lines is None:
            return frozenset()
        context = frozenset({TRACEPARENT, TRACESTATE})
        return context if self.sends_baggage(upstream) else context | {BAGGAGE}


UNTRACED = TraceHeaders()


class AtWork(NamedTuple):
    """An upstream at work, and what it was made from: the same again, and it is kept."""

    upstream: Upstream
    ca: bytes
    sender: Client
    prober: Prober | None

    def retire(self) -> None:
        """It is not used from now on; calls under way go on."""
        self.sender.pool.retire()
        if self.prober is not None:
            self.prober.stop()


class Outbound:
    """All upstreams of the policies in force, by their names."""

    def __init__(
        self,
        clock: Clock,
        limits: Limits,
        instance: str,
        keep: Keep,
        bug: Callable[[BaseException], None],
        tracing: TraceHeaders = UNTRACED,
    ) -> None:
        """`instance` is this process's token in Via; `bug` hears of errors of ours."""
        self.at_work: dict[str, AtWork] = {}
        self._clock = clock
        self._limits = limits
        self._instance = instance
        self._keep = keep
        self._bug = bug
        self._tracing = tracing
        self._probes = keep.of(HEALTH_PROBES.key, HEALTH_PROBES.counts)

    def made(self, upstreams: dict[str, Upstream], trust: dict[str, Trust]) -> dict[str, AtWork]:
        """What these need: what there is already, where it is the same."""
        return {name: self._made(name, each, trust[name]) for name, each in upstreams.items()}

    def use(self, made: dict[str, AtWork]) -> None:
        """These from now on; what is not among them goes."""
        before, self.at_work = self.at_work, made
        for name, old in before.items():
            if made.get(name) is not old:
                old.retire()
        for each in made.values():
            if each.prober is not None:
                each.prober.start()

    def stop(self) -> None:
        """None from now on."""
        self.use({})

    def _made(self, name: str, upstream: Upstream, trust: Trust) -> AtWork:
        known = self.at_work.get(name)
        if known is not None and (known.upstream, known.ca) == (upstream, trust.ca):
            return known
        found = upstream.url.origin
        origin = Origin(found.host, found.port, tls=trust.tls, server_name=found.host)
        pool = ConnectionPool(
            origin, self._clock, self._limits, upstream.pool.max, float(upstream.pool.idle)
        )
        signs = self._tracing.replaced(name)
        writer = self._writer(upstream, keeps_host=upstream.preserve_host, signs=signs)
        forward = Forward(**dict.fromkeys(upstream.forward, True))
        parts = (name, writer, pool, self._clock, forward, self._tracing.lines)
        many = len(upstream.credentials)
        client = ChoosyClient(*parts, Credentials(many)) if many > 1 else Client(*parts)
        return AtWork(upstream, trust.ca, client, self._prober(name, upstream, origin))

    def _writer(
        self, upstream: Upstream, *, keeps_host: bool, signs: frozenset[bytes] = frozenset()
    ) -> RequestWriter:
        found = upstream.url.origin
        return RequestWriter(
            base=found.base.encode(),
            host=None if keeps_host else found.authority.encode(),
            instance=self._instance,
            credentials=upstream.credentials,
            signs=signs,
        )

    def _prober(self, name: str, upstream: Upstream, origin: Origin) -> Prober | None:
        health = upstream.health
        if health is None:
            return None
        pool = ConnectionPool(origin, self._clock, self._limits, most=1, idle=0.0)
        writer = self._writer(upstream, keeps_host=False)
        protocol = PROTOCOLS[upstream.protocol]
        method, path = "" if health.tool else "GET", (health.path or "").encode()
        asked = question(
            protocol.spell(health.tool or "", method, path, b""),
            interval=float(health.interval),
            timeout=float(health.timeout),
            failures=health.failures,
        )
        return Prober(
            Client(name, writer, pool, self._clock, Forward()),
            asked,
            protocol.judge,
            self._keep.of(PulseKey(name), Pulse),
            self._probes,
            self._clock,
            self._bug,
        )


def trust_of(upstream: Upstream) -> Trust:
    """Reads files: it may run in a thread."""
    if not upstream.url.origin.tls:
        return Trust(b"", None)
    ca = Path(upstream.tls.ca)
    context = ssl.create_default_context(cafile=upstream.tls.ca or None)
    context.set_alpn_protocols(["http/1.1"])
    if upstream.tls.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return Trust(digests([ca])[ca] if upstream.tls.ca else b"", context)
