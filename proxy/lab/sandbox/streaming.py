"""A stream of events on a socket, with what a script does to it (in_stream.py)."""

import zlib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from aiohttp import web

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.faults import Fault
from proxy.lab.sandbox.said import Event, Stream

PASSES = Fault("pass")
_GZIP = 16 + zlib.MAX_WBITS
_HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache"}


class Writer:
    """Writes streams. `wait` takes seconds, None: until the sandbox closes."""

    def __init__(self, wait: Callable[[float | None], Awaitable[None]]) -> None:
        self._wait = wait

    async def write(
        self,
        request: web.Request,
        stream: Stream,
        fault: Fault = PASSES,
        errors: Mapping[str, GatewayError] | None = None,
    ) -> web.StreamResponse:
        """All of it, or what the fault leaves. The peer may go away meanwhile."""
        compressed = fault.in_stream.gzip
        coding = {"Content-Encoding": "gzip"} if compressed else {}
        response = web.StreamResponse(headers={**_HEADERS, **stream.headers, **coding})
        await response.prepare(request)
        press = zlib.compressobj(wbits=_GZIP) if compressed else None
        for event in _left(stream, fault, errors or {}):
            if fault.in_stream.delay_seconds:
                await self._wait(fault.in_stream.delay_seconds)
            await response.write(_pressed(press, event.encoded()))
        if fault.kind == "stall" or (stream.stays and fault.kind != "cut"):
            await self._wait(None)
        if fault.kind in ("cut", "stall"):
            assert request.transport is not None  # a peer that left has cancelled this
            request.transport.close()  # what was written goes out, and no end of the body
        elif press is not None:
            await response.write(press.flush())
        return response


def _pressed(press: "zlib._Compress | None", written: bytes) -> bytes:
    if press is None:
        return written
    return press.compress(written) + press.flush(zlib.Z_SYNC_FLUSH)


def _left(stream: Stream, fault: Fault, errors: Mapping[str, GatewayError]) -> Iterator[Event]:
    """The events that go out."""
    wished = fault.in_stream
    events = _without_end(stream, fault) if fault.kind == "no_end" else stream.all()
    if wished.event_bytes:
        events = _padded(events, wished.event_bytes)
    if fault.kind == "pass" or fault.kind == "no_end" or wished.after is None:
        yield from events
        return
    for place, event in enumerate(events):
        if place != wished.after:
            yield event
        elif fault.kind == "garble":
            yield Event(event.data[: len(event.data) // 2], event.kind, event.key)
        else:
            break
    if wished.error is not None:
        yield stream.error(errors[wished.error])


def _without_end(stream: Stream, fault: Fault) -> Iterator[Event]:
    if fault.in_stream.after is None:
        return iter(tuple(stream.events))
    events = tuple(stream.all())
    return iter(events[: -fault.in_stream.after])


def _padded(events: Iterable[Event], length: int) -> Iterator[Event]:
    """White space after the first brace makes JSON longer and leaves it what it is."""
    to_pad = True
    for event in events:
        if to_pad and event.says and event.data[:1] == b"{":
            to_pad = False
            spaces = b" " * max(0, length - len(event.data))
            yield Event(b"{" + spaces + event.data[1:], event.kind, event.key, says=True)
        else:
            yield event
