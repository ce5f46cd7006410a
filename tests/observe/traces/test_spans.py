"""The spans of a call: who stands below whom, and when."""

from proxy.observe.traces.names import Kind
from proxy.observe.traces.spans import spans_of
from proxy.protocols.protocol import Described
from proxy.protocols.trace import Trace
from tests.observe.records import record
from tests.observe.traces.traced import CALL, PARENT, REQUEST, TRACE, finished, sent

START = 1_700_000_000 * 1_000_000_000


def test_they_stand_below_each_other() -> None:
    """Request, call, sendings; times are nanoseconds since 1970."""
    spans = list(spans_of(finished(sent(), sent(span="f" * 16, began=1.5, ended=2.25))))
    assert [(span.kind, span.id, span.parent) for span in spans] == [
        (Kind.SERVER, REQUEST, PARENT),
        (Kind.INTERNAL, CALL, REQUEST),
        (Kind.CLIENT, "e" * 16, CALL),
        (Kind.CLIENT, "f" * 16, CALL),
    ]
    milliseconds = [
        (round((span.began - START) / 1e6), round((span.ended - START) / 1e6)) for span in spans
    ]
    assert milliseconds == [(500, 2500), (500, 2500), (1000, 2000), (1500, 2250)]
    assert [span.remote for span in spans] == [True, False, False, False]
    assert {span.trace.id for span in spans} == {TRACE}


def test_one_request_of_several_calls_is_told_once() -> None:
    """The others stand below it."""
    (call,) = spans_of(finished(above=False))
    assert (call.id, call.parent) == (CALL, REQUEST)


def test_a_clock_that_went_back_ends_nothing_before_it_began() -> None:
    """An attempt that was never begun, for one, has not ended either."""
    (*_, last) = spans_of(finished(sent(began=2.0, ended=1.0)))
    assert last.ended == last.began


def test_the_context_of_a_message_is_a_link() -> None:
    """Where that of its request is another one; else it is the parent already."""
    inner = Trace("1" * 32, "2" * 16, "01", True)
    _, call = spans_of(finished(said=Described(trace=inner)))
    assert call.link is inner
    outer = Trace(TRACE, PARENT, "01", True)
    _, call = spans_of(finished(said=Described(trace=outer)))
    assert call.link is None


def test_events_stand_at_the_call() -> None:
    """What happened to it on its way."""
    request, call, _ = spans_of(finished(sent(), record=record(tier=2)))
    assert (request.events, call.events) == ((), (("holdfast.cached", {}),))
