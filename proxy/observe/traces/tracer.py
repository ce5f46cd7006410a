"""The tracer: what goes upstream of a trace, and what is noted of a call for its spans.

Whether a call is sampled is decided once, where its trace begins: who called has said it, or chance
does here. A call that is not costs two ids and two header lines; its spans are never made.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice, repeat

from msgspec.structs import force_setattr

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.clock import Clock
from proxy.observe.traces.finished import NOWHERE, Finished, Sent, Where
from proxy.protocols.http import folded
from proxy.protocols.recognise import HTTP, PROTOCOLS
from proxy.protocols.trace import TRACEPARENT, TRACESTATE, Trace, kept_state, lines_of, parsed
from proxy.protocols.trace_ids import JUDGED, least, spans, traces
from proxy.record import Record
from proxy.reply import Reply, Result

_AT_ONCE = 64
_FAILED = 400  # a status from which on a sending has failed, whoever is to blame


class Tracer:
    """`lines` for each sending; `of` and then `keep` at the end of each call."""

    def __init__(self, clock: Clock, sample: float, put: Callable[[Finished], None]) -> None:
        """`put` takes what the spans of a sampled call are made from; never waits, never raises."""
        self._clock = clock
        self._put = put
        self._spans = spans(clock.randbytes)
        self._beginnings = beginnings(traces(clock.randbytes), self._spans, least(sample))
        self.tells = True
        """Are there spans? Else trace headers alone are kept in order."""
        self.places: Mapping[str, Where] = {}
        """Upstreams by name, of the policies in force."""

    def of(self, call: Call) -> Trace:
        """The trace of the call; it begins here, unless who called has begun it."""
        trace: Trace | None = call.trace
        return trace if trace is not None and trace.begun else self._begun(call, trace)

    def lines(self, attempt: Attempt) -> bytes:
        """The header lines of this sending, which has its own span."""
        call = attempt.call
        trace: Trace | None = call.trace
        if trace is None and not call.head.signs and call.batch is None:  # nearly always
            trace, span, lines = next(self._beginnings)
            call.trace = trace
        else:
            if trace is None or not trace.begun:
                trace = self._begun(call, trace)
            span = next(self._spans)
            lines = lines_of(trace, span)
        if trace.sampled:
            attempt.span = span
        return lines

    def keep(self, call: Call, reply: Reply, record: Record) -> None:
        """A sampled call has ended; the record, which nobody has seen yet, learns its span."""
        if not self.tells:
            return
        trace, now = self.of(call), self._clock.now()
        above = not trace.request
        if above:
            trace.request = next(self._spans)
        span = next(self._spans)
        force_setattr(record, "span", span)
        where = self.places.get(call.upstream, NOWHERE)
        path = folded(call.path) if call.path else ""
        described = PROTOCOLS.get(record.protocol, HTTP).describe(call)
        self._put(
            Finished(
                record, trace, trace.request, above, span,
                call.started, now, self._clock.wall() - now,
                call.head.method, path, where, described,
                call.stream, self._sent(call, reply, now),
            )
        )  # fmt: skip

    def _begun(self, call: Call, trace: Trace | None) -> Trace:
        if call.head.signs:
            trace = _came_with(call.head.fields, trace)
        if trace is None:
            trace, _, _ = next(self._beginnings)
        trace.begun = True
        call.trace = trace
        if call.batch is not None:  # they came in one request
            for other in call.batch.calls:
                other.trace = trace
        return trace

    def _sent(self, call: Call, reply: Reply, now: float) -> tuple[Sent, ...]:
        """Those of its attempts that came as far as an upstream, or tried to. Of calls that came in
        one message the last one's was sent for all."""
        sent = [each for each in call.attempts if _came(each, call)]
        return tuple(self._one(attempt, reply, number, now) for number, attempt in enumerate(sent))

    def _one(self, attempt: Attempt, reply: Reply, number: int, now: float) -> Sent:
        last = attempt is reply.attempt
        streamed = last and attempt.call.answered is not None
        return Sent(
            attempt.span or next(self._spans),
            attempt.started,
            now if streamed or attempt.ended is None else attempt.ended,
            attempt.upstream,
            self.places.get(attempt.upstream, NOWHERE),
            attempt.status,
            _error(attempt, reply if last else None),
            number,
            attempt.hedge,
        )


def beginnings(
    names: Iterator[str], spans: Iterator[str], least: str
) -> Iterator[tuple[Trace, str, bytes]]:
    """Traces that begin here, without end; of each the span of its first sending, and its lines.

    Made many at once: between the reads and writes of a server each of them would take twice the
    time.
    """
    return chain.from_iterable(
        [_beginning(name, span, least) for name, span in islice(zip(names, spans), _AT_ONCE)]  # noqa: B905 -- neither ends
        for _ in repeat(None)
    )


def _beginning(name: str, span: str, least: str) -> tuple[Trace, str, bytes]:
    sampled = name[JUDGED] >= least
    trace = Trace(name, "", "01" if sampled else "00", sampled, begun=True)
    return trace, span, lines_of(trace, span)


def _came_with(fields: dict[bytes, bytes], trace: Trace | None) -> Trace | None:
    """What a head says, with what others noted; `trace`: what was read already."""
    if TRACEPARENT not in fields:
        return trace
    trace = trace or parsed(fields[TRACEPARENT])
    if trace is not None and TRACESTATE in fields:
        trace.state = kept_state(fields[TRACESTATE])
    return trace


def _came(attempt: Attempt, call: Call) -> bool:
    if attempt.span:
        return True
    return call.batch is None and (attempt.sent or attempt.result is not None)


def _error(attempt: Attempt, reply: Reply | None) -> str:
    """How it failed, in a word; a failure of its body is told by the reply that it is in."""
    failure = attempt.failure or (None if reply is None else reply.failure)
    if failure is not None:
        return failure
    if attempt.status >= _FAILED:
        return str(attempt.status)
    result = attempt.result or Result.CANCELLED  # as records have it
    return "" if result is Result.SUCCESS else str(result)
