"""A real OTLP/HTTP receiver: what it is posted is decoded as protobuf."""

import gzip
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.harness import Message, RawUpstream, within

KINDS = {1: "INTERNAL", 2: "SERVER", 3: "CLIENT"}


@dataclass
class Got:
    """A span, as a collector reads it."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]
    events: dict[str, dict[str, Any]]
    links: list[tuple[str, str]]
    state: str
    flags: int
    resource: dict[str, Any] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.attributes[name]

    def get(self, name: str) -> Any:
        """None: it has no such attribute."""
        return self.attributes.get(name)


class Collector(RawUpstream):
    """`spans` are those that it was posted."""

    @property
    def settings(self) -> dict[str, Any]:
        """That make a Holdfast post here."""
        return {"otlp": self.url}

    @property
    def spans(self) -> list[Got]:
        return [span for asked in self.requests for span in spans_in(asked)]

    async def holds(self, count: int) -> list[Got]:
        """So many spans, once they have come, in the order of their beginning."""

        async def look() -> list[Got]:
            posts = 1
            while len(self.spans) < count:
                await self.seen(posts)
                posts += 1
            return sorted(self.spans, key=lambda span: span.began)

        return await within(look())


def spans_in(asked: Message) -> list[Got]:
    """Those of one post."""
    assert (asked.method, asked.value("content-type")) == (b"POST", b"application/x-protobuf")
    assert asked.value("content-encoding") == b"gzip"
    read = ExportTraceServiceRequest.FromString(gzip.decompress(asked.body))
    return [
        _got(span, _plain(of.resource.attributes))
        for of in read.resource_spans
        for scope in of.scope_spans
        for span in scope.spans
    ]


def _got(span: Any, resource: dict[str, Any]) -> Got:
    return Got(
        span.name,
        KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        _plain(span.attributes),
        {event.name: _plain(event.attributes) for event in span.events},
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        span.trace_state,
        span.flags,
        resource,
    )


def _plain(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in pairs}
