"""What becomes of spans, whatever their collector does."""

import asyncio
import sys

import pytest

from proxy.keys import NEWS
from proxy.news import News, TracesChange
from proxy.observe.traces import otlp
from tests.collector import Collector
from tests.harness import (
    OK,
    Message,
    RawUpstream,
    UpstreamConnection,
    answer,
    holdfast,
    request,
    within,
)
from tests.harness.upstream import Step, hang_up, never, slam

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("at_once")]

PARENT = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def huge(connection: UpstreamConnection, asked: Message) -> None:
    """An answer that would not fit anywhere."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 100_000)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (answer(500, body=b"no"), "status 500"),
        (answer(400, body=b"no"), "status 400"),
        (answer(429, "Retry-After: 1000", body=b"no"), "status 429"),
        (answer(302, "Location: http://127.0.0.1:9/", body=b""), "status 302"),
        (answer(503, body=b""), "status 503"),
        (huge, None),
        (slam, "ConnectionResetError"),
        (hang_up, "RemoteDisconnected"),
        (b"nonsense\r\n\r\n", "BadStatusLine"),
    ],
    ids=["500", "400", "429", "redirect", "503", "huge", "reset", "closed", "no HTTP"],
)
async def test_whatever_the_collector_does(
    upstream: RawUpstream, step: Step, why: str | None
) -> None:
    """Calls do not notice. Spans that were not taken are counted, and it is told once."""
    told: list[TracesChange] = []
    async with Collector(step) as far, holdfast(upstream, trace=far.settings) as proxy:
        proxy.app._keep.of(NEWS, News).listeners.append(
            lambda event: told.append(event) if isinstance(event, TracesChange) else None
        )
        far.otherwise = step
        upstream.then()
        assert (await proxy.call(request("/"))).status == 200
        result = "exported" if why is None else "failed"
        await proxy.until_metric("holdfast_trace_spans_total", 3, result=result)
        far.otherwise = OK
        assert (await proxy.call(request("/"))).status == 200
        await proxy.until_metric(
            "holdfast_trace_spans_total", 6 if why is None else 3, result="exported"
        )
    states = [] if why is None else [TracesChange("failing", why), TracesChange("well")]
    assert told == states


async def test_a_collector_that_never_answers(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither calls nor the end of the process wait for it."""
    monkeypatch.setattr(otlp, "TIMEOUT", 60.0)
    async with Collector(never) as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then()
        assert (await proxy.call(request("/"))).status == 200
        await far.seen()
        for _ in range(3):
            assert (await proxy.call(request("/"))).status == 200
        await within(proxy.app.stop(drain=0))
        assert proxy.app._lookout.tracing._traces is not None
        assert proxy.app._lookout.tracing._traces._outbox.tallies.dropped == 9


async def test_what_is_there_at_the_end_goes_out(upstream: RawUpstream) -> None:
    """Without waiting for the second to pass."""
    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        upstream.then()
        await proxy.call(request("/"))
        await within(proxy.app.stop(drain=0))
        assert len(far.spans) == 3


async def test_the_collector_is_told_what_it_wants(upstream: RawUpstream) -> None:
    """Its credential stands in its head, and in no log."""
    headers = {"api-key": "hunter2"}
    async with (
        Collector() as far,
        holdfast(upstream, trace={**far.settings, "headers": headers}) as proxy,
    ):
        upstream.then()
        await proxy.call(request("/"))
        await far.holds(3)
    assert far.requests[0].value("api-key") == b"hunter2"
    assert far.requests[0].target == b"/v1/traces"


async def test_without_the_sdk_context_is_kept_in_order(
    upstream: RawUpstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The headers are as they would be; there are no spans, and a person is told why."""
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    monkeypatch.delitem(sys.modules, "proxy.observe.traces.otlp", raising=False)
    told = asyncio.Event()
    async with Collector() as far, holdfast(upstream, trace=far.settings) as proxy:
        proxy.app._keep.of(NEWS, News).listeners.append(lambda _: told.set())
        traces = proxy.app._lookout.tracing._traces
        assert traces is not None
        if traces.tracer.tells:
            await within(told.wait())
        upstream.then()
        await proxy.call(request("/", PARENT, "tracestate: a=1"))
        (record,) = await proxy.records(1)
    sent = upstream.requests[0].value("traceparent")
    assert sent is not None
    trace, span, flags = sent.decode().split("-")[1:]
    assert upstream.requests[0].value("tracestate") == f"holdfast={span},a=1".encode()
    assert (record["trace"], flags) == (trace, "01")
    assert (record.get("span"), far.requests) == (None, [])
