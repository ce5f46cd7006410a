"""Traces of a process: what metrics and people are told of them."""

import asyncio

from proxy.news import Event, News, TracesChange
from proxy.observe.traces.outbox import Missing
from proxy.observe.traces.traces import METRICS, Collector, Traces
from tests.fakes import FakeClock
from tests.harness.wire import within
from tests.observe.traces.test_outbox import CALL, FakeExport

NOBODY = Collector("http://127.0.0.1:9/v1/traces", {}, {"service.version": "1"})


async def test_what_became_of_spans_is_counted() -> None:
    """By result, and how many calls wait."""
    export = FakeExport("status 500")
    traces = Traces(FakeClock(), News(), 1.0, NOBODY, lambda: export)
    traces._outbox.put(CALL)
    assert [family.metric for family in traces.families()] == list(METRICS)
    assert list(traces.families())[1].rows == {(): 1}
    traces.start()
    await within(traces.stop())
    spans, waiting = traces.families()
    assert spans.rows == {("exported",): 0, ("failed",): 3, ("dropped",): 0}
    assert waiting.rows == {(): 0}


async def test_people_hear_how_it_goes() -> None:
    """On the loop. Without an exporter calls are noted no longer."""
    told: list[Event] = []
    heard = asyncio.Event()
    news = News(listeners=[told.append, lambda _: heard.set()])

    def connect() -> FakeExport:
        raise Missing("no module opentelemetry")

    traces = Traces(FakeClock(), news, 1.0, NOBODY, connect)
    traces.start()
    await within(heard.wait())
    assert told == [TracesChange("missing", "no module opentelemetry")]
    assert [TracesChange(state).grave for state in ("missing", "failing", "well")] == [True] * 2 + [
        False
    ]
    assert not traces.tracer.tells
    await within(traces.stop())
