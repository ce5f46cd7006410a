"""Posting spans by OTLP. What a collector may do to it: tests/whole/test_traces_collector.py."""

import asyncio

import pytest

from proxy.observe.traces import otlp
from proxy.observe.traces.otlp import Otlp
from proxy.observe.traces.spans import spans_of
from proxy.protocols.protocol import Described
from proxy.protocols.trace import Trace
from tests.collector import Collector
from tests.fakes import FakeClock
from tests.harness import OK, Message, UpstreamConnection, answer, breathe, within
from tests.harness.upstream import Step, never
from tests.observe.records import record
from tests.observe.traces.traced import CALL, PARENT, REQUEST, TRACE, finished, sent

OURS = {"service.name": "holdfast", "service.version": "1"}


def made(far: Collector, path: str = "/v1/traces", clock: FakeClock | None = None) -> Otlp:
    """What posts to this collector."""
    now = (clock or FakeClock()).now
    return Otlp(f"{far.url}{path}", {"api-key": "k"}, OURS, now)


async def test_a_collector_reads_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, kinds, times, status, events, links, and who we are."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
    inner = Trace("1" * 32, "2" * 16, "01", True)
    failed = record(decision="refuse", outcome="refused", code="denied", policy="p", status=403)
    told = finished(
        sent(error="503", status=503, again=1), said=Described(trace=inner), record=failed
    )
    told.trace.state = ",a=1"
    async with Collector() as far:
        export = made(far)
        assert await within(asyncio.to_thread(export.post, list(spans_of(told)))) == ""
        request, call, sending = far.spans
        export.close()
    assert (request.trace, request.id, request.parent) == (TRACE, REQUEST, PARENT)
    assert (request.kind, call.kind, sending.kind) == ("SERVER", "INTERNAL", "CLIENT")
    assert [span.failed for span in (request, call, sending)] == [False, True, True]
    assert (call.id, call.links) == (CALL, [("1" * 32, "2" * 16)])
    assert call.events == {"holdfast.refused": {"holdfast.code": "denied", "holdfast.policy": "p"}}
    assert (sending["http.request.resend_count"], sending["error.type"]) == (1, "503")
    assert request.resource == {**OURS, "deployment.environment.name": "test"}
    assert (request.state, request.flags, call.flags) == ("a=1", 0x301, 0x101)
    assert far.requests[0].value("api-key") == b"k"


async def test_who_we_are_may_be_said_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """As all that OpenTelemetry knows of takes it."""
    monkeypatch.setenv("OTEL_SERVICE_NAME", "till")
    async with Collector() as far:
        export = made(far)
        await within(asyncio.to_thread(export.post, list(spans_of(finished()))))
        export.close()
    assert far.spans[0].resource["service.name"] == "till"


async def test_a_collector_that_is_busy_is_asked_again() -> None:
    """As often as there is time for; on the same connection, if that is kept."""
    async with Collector(answer(503, body=b"no"), answer(429, "Retry-After: 0", body=b"")) as far:
        export = made(far)
        assert await within(asyncio.to_thread(export.post, list(spans_of(finished())))) == ""
        export.close()
    assert (len(far.requests), len(far.connections)) == (3, 1)


async def test_it_is_busy_and_then_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Then it is told what it answered."""
    monkeypatch.setattr(otlp, "TIMEOUT", 0.5)
    async with Collector(answer(503, body=b"no"), never) as far:
        export = made(far)
        said = await within(asyncio.to_thread(export.post, list(spans_of(finished()))))
        export.close()
    assert (said, len(far.requests)) == ("status 503", 2)


async def test_a_connection_that_was_closed_meanwhile_is_made_anew() -> None:
    """The collector may close one that is idle."""
    async with Collector(answer(200, "Connection: close", body=b""), OK) as far:
        export = made(far)
        for _ in range(2):
            assert await within(asyncio.to_thread(export.post, list(spans_of(finished())))) == ""
        export.close()
    assert len(far.connections) == 2


async def test_nobody_waits_when_it_is_over() -> None:
    """Neither for an answer nor for the time until the next try."""
    async with Collector(never) as far:
        export = made(far)
        post = asyncio.create_task(asyncio.to_thread(export.post, list(spans_of(finished()))))
        await far.seen()
        export.abort()
        assert await within(post)
        export.close()
    assert len(far.requests) == 1


async def babbles(connection: UpstreamConnection, asked: Message) -> None:
    """Something comes again and again, and never an answer."""
    while not connection.ended.is_set():
        connection.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await breathe()


async def drips(connection: UpstreamConnection, asked: Message) -> None:
    """An answer that has no end."""
    connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nx")
    await connection.ended.wait()


async def stammers(connection: UpstreamConnection, asked: Message) -> None:
    """A head that has no end; where it is cut it reads as a whole one."""
    connection.send(b"HTTP/1.1 200 OK\r\nX: y\r\n")
    await connection.ended.wait()


@pytest.mark.parametrize("step", [babbles, drips, stammers])
async def test_who_answers_without_end_is_hung_up_on(
    step: Step, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No byte is late, and yet a post ends in time; the next one goes by a new connection."""
    async with Collector(step) as far:
        export = made(far)  # whose socket waits as long as ever
        monkeypatch.setattr(otlp, "TIMEOUT", 0.1)
        why = await within(asyncio.to_thread(export.post, list(spans_of(finished()))))
        assert why == "TimeoutError"
        monkeypatch.undo()
        assert await within(asyncio.to_thread(export.post, list(spans_of(finished())))) == ""
        export.close()
    assert len(far.connections) == 2


async def test_many_attributes_are_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents make up names of tools; what is written of them stays bounded."""
    monkeypatch.setattr(otlp, "_REMEMBERED", 16)
    async with Collector() as far:
        export = made(far)
        for number in range(10):
            told = finished(record=record(f"t{number}", id=f"c-{number}"))
            await within(asyncio.to_thread(export.post, list(spans_of(told))))
        assert len(export._known) <= 16
        export.close()
    tools = [span.get("gen_ai.tool.name") for span in far.spans]
    assert [tool for tool in tools if tool] == [f"t{number}" for number in range(10)]


def test_a_collector_with_tls_is_one() -> None:
    """Its certificate is checked."""
    export = Otlp("https://127.0.0.1:9/v1/traces", {}, OURS, FakeClock().now)
    assert isinstance(export._connection, otlp.http.client.HTTPSConnection)
    export.abort()
