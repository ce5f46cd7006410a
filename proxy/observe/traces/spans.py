"""The spans of a call, made from what was noted of it at its end."""

from collections.abc import Iterator

import msgspec

from proxy.observe.traces.finished import Finished
from proxy.observe.traces.names import (
    Attributes,
    Kind,
    Named,
    events_of,
    of_call,
    of_request,
    of_sending,
)
from proxy.protocols.trace import Trace

_NS = 1_000_000_000


class Span(msgspec.Struct, frozen=True, gc=False):
    """One span, complete. Times are nanoseconds since 1970."""

    trace: Trace
    id: str
    parent: str  # empty: the trace begins with it
    remote: bool  # its parent is another process's
    name: str
    kind: Kind
    began: int
    ended: int
    attributes: Attributes
    error: str = ""
    events: tuple[tuple[str, Attributes], ...] = ()  # all at its end
    link: Trace | None = None  # another trace that it belongs to as well


def spans_of(told: Finished) -> Iterator[Span]:
    """From the request inwards; each stands behind its parent."""
    trace, said = told.trace, told.said.trace
    began, ended = _at(told, told.began), _at(told, told.ended)
    if told.above:
        request = of_request(told)
        yield _span(told, request, told.request, trace.parent, began, ended, remote=True)
    also = said if said is not None and said.parent != trace.parent else None
    call = _span(told, of_call(told), told.span, told.request, began, ended)
    yield msgspec.structs.replace(call, events=tuple(events_of(told.record)), link=also)
    for sent in told.sent:
        named, times = of_sending(told, sent), (_at(told, sent.began), _at(told, sent.ended))
        yield _span(told, named, sent.span, told.span, *times)


def _span(
    told: Finished,
    named: Named,
    span: str,
    parent: str,
    began: int,
    ended: int,
    *,
    remote: bool = False,
) -> Span:
    name, kind, attributes, error = named
    return Span(
        told.trace, span, parent, remote, name, kind, began, max(began, ended), attributes, error
    )


def _at(told: Finished, moment: float) -> int:
    return int((moment + told.offset) * _NS)
