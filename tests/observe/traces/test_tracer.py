"""What goes upstream of a trace, and what is noted of a call for its spans."""

from typing import Any

import pytest

from proxy.call import Batch, Call
from proxy.observe.traces.finished import Finished, Where
from proxy.observe.traces.tracer import Tracer
from proxy.pipeline.ending import record_of
from proxy.protocols.trace import Trace
from proxy.reply import Failure, Reply, Result
from tests.fakes import EPOCH, FakeClock, make_attempt, make_call, make_reply
from tests.pipeline.called import NOW, called

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


class Scene:
    """A tracer, and what it put into its outbox."""

    def __init__(self, sample: float = 1.0) -> None:
        self.put: list[Finished] = []
        self.tracer = Tracer(FakeClock(at=NOW), sample, self.put.append)
        self.tracer.places = {"gateway": Where("http://up.test", "up.test", 80, "/g")}

    def ends(self, call: Call, reply: Reply) -> Finished:
        """What is noted of it at its end; its record knows its span."""
        assert self.tracer.of(call).sampled
        record = record_of(call, reply, NOW)
        self.tracer.keep(call, reply, record)
        noted = self.put[-1]
        assert (noted.record, record.span, record.trace) == (record, noted.span, noted.trace.id)
        return noted


def came(fields: dict[bytes, bytes], **changes: Any) -> Call:
    """A call with these headers."""
    return make_call(fields, **changes)


def told(lines: bytes) -> tuple[str, str, str, str]:
    """Trace, span, flags and the state of others, as lines say it."""
    parent, state = lines.decode().removesuffix("\r\n").split("\r\n")
    _, trace, span, flags = parent.removeprefix("traceparent: ").split("-")
    own, _, others = state.removeprefix("tracestate: ").partition(",")
    assert own == f"holdfast={span}"
    return trace, span, flags, others


def test_who_called_has_begun_the_trace() -> None:
    """Its id, flags and state go on; each sending has its own span."""
    scene, call = Scene(0.0), came({b"traceparent": PARENT, b"tracestate": b"a=1, b=2"})
    first, second = make_attempt(call), make_attempt(call)
    seen = [told(scene.tracer.lines(each)) for each in (first, second)]
    assert [(trace, flags, others) for trace, _, flags, others in seen] == [
        (TRACE, "01", "a=1,b=2")
    ] * 2
    assert [first.span, second.span] == [span for _, span, _, _ in seen]
    assert len({first.span, second.span, SPAN}) == 3


@pytest.mark.parametrize(
    "fields",
    [{}, {b"traceparent": b"no", b"tracestate": b"a=1"}, {b"tracestate": b"a=1"}],
)
def test_else_it_begins_here(fields: dict[bytes, bytes]) -> None:
    """With no state, and sampled as chance has it."""
    for sample, flags in ((1.0, "01"), (0.0, "00")):
        scene, call = Scene(sample), came(fields)
        attempt = make_attempt(call)
        trace, span, written, others = told(scene.tracer.lines(attempt))
        assert (call.trace.id, call.trace.parent) == (trace, "")
        assert (written, others, attempt.span) == (flags, "", span if sample else "")
        assert scene.tracer.of(call) is call.trace


def test_the_context_of_a_message_is_taken_where_there_is_no_other() -> None:
    """It was read before; the state of the request is not its."""
    scene, call = (
        Scene(0.0),
        came({b"tracestate": b"a=1"}, trace=Trace("1" * 32, "2" * 16, "01", True)),
    )
    assert told(scene.tracer.lines(make_attempt(call)))[::2] == ("1" * 32, "01")
    assert call.trace.state == ""


def test_a_trace_that_was_read_is_not_read_again() -> None:
    """What its head said is known when its tool is."""
    scene = Scene()
    read = Trace(TRACE, SPAN, "01", True)
    call = came({b"traceparent": PARENT, b"tracestate": b"a=1"}, trace=read)
    assert scene.tracer.of(call) is read
    assert (read.begun, read.state) == (True, ",a=1")


def test_calls_of_one_message_have_one_trace() -> None:
    """Whichever of them is sent first. Their request is told once, and so is the sending."""
    scene = Scene()
    first, second = (called(Result.SUCCESS, id=f"c-{n}") for n in (1, 2))
    batch = Batch(first.head, b"", (first, second))
    first.batch = second.batch = batch
    scene.tracer.lines(second.attempts[0])
    noted = [scene.ends(call, make_reply(200)) for call in (first, second)]
    assert first.trace is second.trace
    assert [each.above for each in noted] == [True, False]
    assert noted[0].request == noted[1].request
    assert [len(each.sent) for each in noted] == [0, 1]


def test_what_is_noted_of_a_call() -> None:
    """Where it went, how often, and when; its path says no more than its tool does."""
    scene = Scene()
    call = called(Result.FAILURE, Result.SUCCESS, path="/orders/123456", protocol="http")
    spans = [told(scene.tracer.lines(attempt))[1] for attempt in call.attempts]
    call.attempts[0].status = 503
    noted = scene.ends(call, make_reply(200))
    assert (noted.path, noted.where.route, noted.method) == ("/orders/{id}", "/g", "POST")
    assert (noted.began, noted.ended, noted.offset) == (call.started, NOW, EPOCH)
    assert [(one.span, one.status, one.error, one.again) for one in noted.sent] == [
        (spans[0], 503, "503", 0),
        (spans[1], 200, "", 1),
    ]
    assert [one.ended for one in noted.sent] == [1001.0, 1002.0]


def test_an_attempt_that_went_nowhere_has_no_span() -> None:
    """A gate said no. One that found no connection has a span, though no upstream saw it."""
    scene, call = Scene(), called(None, Result.FAILURE)
    call.attempts[1].sent, call.attempts[1].failure = False, Failure.CONNECT
    call.attempts[1].status = 0
    (one,) = scene.ends(call, make_reply(Failure.CONNECT)).sent
    assert (one.error, one.status, len(one.span)) == ("connect", 0, 16)


def test_an_attempt_that_was_cancelled() -> None:
    """It has not ended by itself: it ends with its call."""
    scene, call = Scene(), called(Result.SUCCESS)
    call.attempts[0].result = call.attempts[0].ended = None
    call.attempts[0].status = 0
    (one,) = scene.ends(call, make_reply(Failure.CANCELLED)).sent
    assert (one.error, one.ended) == ("cancelled", NOW)


def test_the_sending_of_a_stream_ends_with_it() -> None:
    """And fails if it breaks off, though its head was good."""
    scene, call = Scene(), called(Result.SUCCESS, answered=1001.5)
    reply = make_reply(200)
    reply.attempt, reply.failure = call.attempts[0], Failure.TRUNCATED
    (one,) = scene.ends(call, reply).sent
    assert (one.ended, one.error, one.status) == (NOW, "truncated", 200)


def test_without_an_exporter_nothing_is_noted() -> None:
    """Nor does a record name a span that nobody keeps."""
    scene, call = Scene(), called(Result.SUCCESS)
    scene.tracer.tells = False
    scene.tracer.of(call)
    record = record_of(call, make_reply(200), NOW)
    scene.tracer.keep(call, make_reply(200), record)
    assert (scene.put, record.span, record.trace) == ([], "", call.trace.id)


def test_a_call_that_came_to_no_upstream() -> None:
    """It was refused before anybody knew what it is for."""
    scene, call = Scene(), make_call(upstream="", path="", protocol="")
    noted = scene.ends(call, make_reply(200))
    assert (noted.path, noted.where.url, noted.sent) == ("", "", ())
