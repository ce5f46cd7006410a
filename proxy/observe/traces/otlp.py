"""Posting spans by OTLP/HTTP. Imported in the outbox's thread, and only where calls are traced: it
takes a while, and few need it (the extra `otel`).

Of OpenTelemetry it takes the resource (the SDK knows what the environment says of this process) and
the messages of the protocol. Its exporter would do the rest, but takes 100 µs to write a call's
three spans, mostly their attributes, which are the same again and again; here each is written once,
and that takes 30. And it reads all of an answer, which here may be of any size.
"""

import contextlib
import gzip
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias
from urllib.parse import urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2 as common
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2 as wire
from opentelemetry.sdk import resources

from proxy.observe.traces.names import Attributes, Kind
from proxy.observe.traces.spans import Span

TIMEOUT = 5.0
"""Seconds that one post may take, with its repetitions. No socket waits longer for a byte, and
whoever sends one now and then is hung up on."""
_FIRST_WAIT = 0.25  # seconds, then twice as long each time
_LATE = TimeoutError.__name__
_MOST_READ = 64 << 10  # bytes of an answer
_AGAIN = frozenset({429, 502, 503, 504})
"""Statuses after which OTLP has a client try again."""
Pair: TypeAlias = tuple[str, str | int | bool]
_REMEMBERED = 2048
"""Attributes with their values. When there are so many all are forgotten: most are of one call, and
those that are not come again at once."""
_KINDS = {
    Kind.INTERNAL: wire.Span.SPAN_KIND_INTERNAL,
    Kind.SERVER: wire.Span.SPAN_KIND_SERVER,
    Kind.CLIENT: wire.Span.SPAN_KIND_CLIENT,
}
_HAS_REMOTE, _REMOTE = 0x100, 0x200  # beside the flags of the trace: its parent is not ours


class Otlp:
    """Part of Export."""

    def __init__(
        self,
        url: str,
        headers: Mapping[str, str],
        ours: Mapping[str, str],
        now: Callable[[], float],
    ) -> None:
        """`url` is that of the collector's traces, `headers` are sent to it; `ours` is who we are,
        unless OTEL_RESOURCE_ATTRIBUTES or OTEL_SERVICE_NAME say otherwise."""
        parts = urlsplit(url)
        self._path = parts.path
        self._connection = _connection(parts.scheme, parts.hostname or "", parts.port)
        self._headers = {
            **headers,
            "content-type": "application/x-protobuf",
            "content-encoding": "gzip",
            "user-agent": f"holdfast/{ours['service.version']}",
        }
        self._now = now
        self._over = threading.Event()
        self._known: dict[Pair, common.KeyValue] = {}
        told = resources.Resource(dict(ours)).merge(resources.OTELResourceDetector().detect())
        self._resource = Resource(
            attributes=[_written((name, str(value))) for name, value in told.attributes.items()]
        )
        self._scope = common.InstrumentationScope(name="holdfast", version=ours["service.version"])

    def post(self, spans: Sequence[Span], /) -> str:
        """Part of Export."""
        content = gzip.compress(self._message(spans), compresslevel=1)
        began, wait, answered = self._now(), _FIRST_WAIT, ""
        while True:
            why, asked = self._in_time(content, began + TIMEOUT - self._now())
            if asked is None:  # what it answered before says more than that time was up
                return answered or why if why == _LATE else why
            answered = why
            wait = max(wait, asked)
            if self._now() + wait - began > TIMEOUT or self._over.wait(wait):
                return why
            wait *= 2

    def close(self) -> None:
        """Part of Export."""
        self._connection.close()

    def abort(self) -> None:
        """Part of Export."""
        self._over.set()
        self._hang_up()

    def _hang_up(self) -> None:
        """From any thread: who waits for the collector waits no more."""
        sock = self._connection.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _in_time(self, content: bytes, seconds: float) -> tuple[str, float | None]:
        """`_posted`, in so many seconds. When it returns nobody hangs up any more."""
        late = threading.Event()

        def end() -> None:
            late.set()
            self._hang_up()

        watch = threading.Timer(seconds, end)
        watch.daemon = True
        watch.start()
        try:
            found = self._posted(content)
        finally:
            watch.cancel()
            watch.join()
        if not late.is_set():
            return found
        self._connection.close()  # whatever it made of an answer that was cut
        return _LATE, None

    def _posted(self, content: bytes) -> tuple[str, float | None]:
        """Why it was not taken, empty if it was; and seconds after which to try again, None: not
        at all."""
        connection = self._connection
        try:
            connection.request("POST", self._path, content, self._headers)
            answer = connection.getresponse()
            answer.read(_MOST_READ)
            if not answer.isclosed():  # there is more of it
                connection.close()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return type(error).__name__, 0.0
        if 200 <= answer.status < 300:
            return "", None
        asked = answer.headers.get("retry-after", "")
        wait = float(asked[:9]) if asked.isascii() and asked.isdigit() else 0.0
        return f"status {answer.status}", wait if answer.status in _AGAIN else None

    def _message(self, spans: Sequence[Span]) -> bytes:
        scope = wire.ScopeSpans(scope=self._scope, spans=[self._span(span) for span in spans])
        of = wire.ResourceSpans(resource=self._resource, scope_spans=[scope])
        written: bytes = ExportTraceServiceRequest(resource_spans=[of]).SerializeToString()
        return written

    def _span(self, span: Span) -> wire.Span:
        trace = span.trace
        made = wire.Span(
            trace_id=bytes.fromhex(trace.id),
            span_id=bytes.fromhex(span.id),
            parent_span_id=bytes.fromhex(span.parent),
            trace_state=trace.state[1:],
            flags=int(trace.flags, 16) | _HAS_REMOTE | (_REMOTE if span.remote else 0),
            name=span.name,
            kind=_KINDS[span.kind],
            start_time_unix_nano=span.began,
            end_time_unix_nano=span.ended,
            attributes=self._pairs(span.attributes),
        )
        if span.error:
            made.status.code = wire.Status.STATUS_CODE_ERROR
        for name, attributes in span.events:
            made.events.add(
                time_unix_nano=span.ended, name=name, attributes=self._pairs(attributes)
            )
        if span.link is not None:
            link = span.link
            made.links.add(trace_id=bytes.fromhex(link.id), span_id=bytes.fromhex(link.parent))
        return made

    def _pairs(self, attributes: Attributes) -> list[common.KeyValue]:
        known, found = self._known, []
        for pair in attributes.items():  # True is 1 to a dict, but no name has both
            written = known.get(pair)
            if written is None:
                if len(known) >= _REMEMBERED:
                    known.clear()
                written = known[pair] = _written(pair)
            found.append(written)
        return found


def _written(pair: Pair) -> common.KeyValue:
    name, value = pair
    if isinstance(value, bool):
        return common.KeyValue(key=name, value=common.AnyValue(bool_value=value))
    if isinstance(value, int):
        return common.KeyValue(key=name, value=common.AnyValue(int_value=value))
    return common.KeyValue(key=name, value=common.AnyValue(string_value=value))


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
    return http.client.HTTPConnection(host, port, timeout=TIMEOUT)
