"""The upstreams at work, without a network. What calls see of them is in tests/whole."""

from typing import Any

import pytest
import trustme

from proxy.config.addresses import Url
from proxy.config.health import Health
from proxy.config.types import Tls, Upstream
from proxy.keep import Keep
from proxy.keys import PulseKey
from proxy.outbound import AtWork, Outbound, TraceHeaders, Trust, trust_of
from proxy.state.standing import Pulse
from proxy.units import Seconds
from proxy.wire.head import Limits
from tests.fakes import FakeClock

PLAIN = Trust(b"", None)
WITHOUT = Upstream(Url("http://h"), preserve_host=True)
PROBED = Upstream(Url("http://h:81/base"), preserve_host=True, health=Health(path="/healthz"))


class Scene:
    """What an app has of it."""

    def __init__(self) -> None:
        self.clock, self.keep = FakeClock(asleep=False), Keep()
        self.bugs: list[BaseException] = []
        self.outbound = Outbound(self.clock, Limits(), "i", self.keep, self.bugs.append)

    def use(self, trust: Trust = PLAIN, **upstreams: Upstream) -> dict[str, AtWork]:
        """Put these in force."""
        made = self.outbound.made(upstreams, dict.fromkeys(upstreams, trust))
        self.outbound.use(made)
        return made

    def pulse(self, name: str) -> Pulse:
        """What is known of one."""
        return self.keep.of(PulseKey(name), Pulse)


async def test_one_that_did_not_change_stays_as_it_is() -> None:
    """Its connections, its prober, and what that one found."""
    scene = Scene()
    before = scene.use(a=PROBED, b=WITHOUT)
    scene.pulse("a").failed(1)
    after = scene.use(a=PROBED, c=WITHOUT)
    assert after["a"] is before["a"]
    assert (scene.pulse("a").probed, scene.pulse("a").well) == (True, False)
    assert scene.outbound.at_work is after
    scene.outbound.stop()


@pytest.mark.parametrize("what", ["url", "interval", "ca"])
async def test_one_that_changed_begins_anew(what: str) -> None:
    """Whatever of it did, also what the file of its authorities holds."""
    scene = Scene()
    (before,) = scene.use(a=PROBED).values()
    scene.pulse("a").failed(1)
    health = Health(path="/healthz", interval=Seconds(1.0 if what == "interval" else 10.0))
    url = Url("http://other" if what == "url" else "http://h:81/base")
    changed = Upstream(url, preserve_host=True, health=health)
    (after,) = scene.use(Trust(b"x" if what == "ca" else b"", None), a=changed).values()
    assert after is not before
    assert before.sender.pool._retired
    assert (scene.pulse("a").probed, scene.pulse("a").well) == (True, True)
    scene.outbound.stop()


async def test_one_that_is_gone_is_asked_no_more() -> None:
    """Nor is one that is not probed any more."""
    scene = Scene()
    scene.use(a=PROBED, b=PROBED)
    scene.use(a=WITHOUT)
    assert [scene.pulse(name).probed for name in "ab"] == [False, False]


async def test_what_was_only_made_does_nothing() -> None:
    """Policies that turn out to be wrong leave everything as it is."""
    scene = Scene()
    before = scene.use(a=WITHOUT)
    scene.outbound.made({"a": PROBED}, {"a": PLAIN})
    assert scene.outbound.at_work is before
    assert not scene.pulse("a").probed
    assert scene.clock.slept == []


async def test_in_the_end_nobody_is_asked() -> None:
    """And no connection is kept."""
    scene = Scene()
    (only,) = scene.use(a=PROBED).values()
    scene.outbound.stop()
    assert (scene.outbound.at_work, scene.pulse("a").probed) == ({}, False)
    assert only.sender.pool._retired


async def test_a_probe_shares_no_connections_with_calls_and_has_a_host() -> None:
    """Agents that take all of theirs say nothing of it; and there is no agent's Host to keep."""
    scene = Scene()
    (only,) = scene.use(a=PROBED).values()
    prober = only.prober
    assert prober is not None
    assert prober._client.pool is not only.sender.pool
    written = prober._client._writer.head(prober._asked.head, b"/x", b"", expect=False)
    assert written.startswith(b"GET /base/x HTTP/1.1\r\nHost: h:81\r\n")
    scene.outbound.stop()


def test_whom_an_upstream_believes(tmp_path) -> None:
    """Nobody where there is no TLS; else the system's authorities, its own, or anybody."""
    ca = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(ca)
    assert trust_of(WITHOUT) == PLAIN
    usual, own, any_ = (
        trust_of(Upstream(Url("https://h"), tls=tls))
        for tls in (Tls(), Tls(ca=str(ca)), Tls(insecure=True))
    )
    assert (usual.ca, len(own.ca) > 0, any_.ca) == (b"", True, b"")
    hosts = [trust.tls is not None and trust.tls.check_hostname for trust in (usual, own, any_)]
    assert hosts == [True, True, False]


@pytest.mark.parametrize(
    ("protocol", "health", "method", "content"),
    [
        ("http", Health(path="/healthz"), "GET", b""),
        ("tools", Health(path="/healthz"), "GET", b""),
        ("tools", Health(tool="ping", path="/healthz"), "POST", b'{"tool":"ping","input":{}}'),
    ],
)
async def test_a_probe_is_spelled_as_the_upstream_speaks(
    protocol: Any, health: Health, method: str, content: bytes
) -> None:
    """Only protocols know how a tool is called."""
    scene = Scene()
    (only,) = scene.use(a=Upstream(Url("http://h"), protocol, health=health)).values()
    assert only.prober is not None
    asked = only.prober._asked
    assert (asked.head.method, asked.head.target) == (method, b"/healthz")
    assert asked.content == content
    scene.outbound.stop()


@pytest.mark.parametrize(
    ("tracing", "replaced"),
    [
        (TraceHeaders(), set()),
        (TraceHeaders(lambda attempt: b""), {b"traceparent", b"tracestate"}),
        (
            TraceHeaders(lambda attempt: b"", lambda upstream: upstream == "b"),
            {b"traceparent", b"tracestate", b"baggage"},
        ),
    ],
)
def test_what_of_a_trace_an_upstream_is_told_anew(
    tracing: TraceHeaders, replaced: set[bytes]
) -> None:
    """Where calls are traced: never what came; and baggage only where it may go."""
    assert tracing.replaced("a") == replaced
