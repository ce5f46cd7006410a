"""The body of a request that did not come whole with its head."""

from collections.abc import Callable

from proxy.call import RequestHead
from proxy.reply import Failure
from proxy.wire.body import Body, Memory
from proxy.wire.ends import Source
from proxy.wire.framing import ChunkedDecoder, Decoder, LengthDecoder
from proxy.wire.head import BadMessage, Limits

PACE_FOR = 30.0
"""Seconds over which the pace of a body is measured."""

_SLOWEST = 1024  # bytes a second of a body that somebody waits for


class Incoming:
    """Takes the bytes of one body to its end, or to where it is not valid."""

    def __init__(
        self,
        head: RequestHead,
        source: Source,
        limits: Limits,
        pool: Memory,
        on_over: Callable[[], None],
    ) -> None:
        """`on_over` is called when no more of it comes, before whoever waits for it hears of it."""
        self.body = Body(source, pool)
        self._on_over = on_over
        self.bad: BadMessage | None = None
        self._decoder: Decoder = (
            ChunkedDecoder(limits) if head.chunked else LengthDecoder(head.length or 0)
        )
        self._in_time = 0
        self.begun = False

    @property
    def rest(self) -> bytes:
        """What came after it."""
        return self._decoder.rest

    def take(self, data: bytes) -> None:
        """More bytes. Whoever waits for the body may run on within this call."""
        decoder, body = self._decoder, self.body
        self.begun = True
        self._in_time += len(data)
        piece = decoder.feed(data)
        if decoder.bad is not None:
            self._refuse(decoder.bad)
        elif decoder.ended:
            self._on_over()
            body.finish(piece, decoder.trailers)
        elif piece:
            body.feed(piece)

    def measure(self) -> None:
        """Begin to measure the pace."""
        self._in_time = 0

    def keeps_pace(self) -> bool:
        """Called each `PACE_FOR`: did enough come since? If not, the body ends here."""
        if self._in_time >= _SLOWEST * PACE_FOR:
            self._in_time = 0
            return True
        detail = f"the body comes slower than {_SLOWEST} bytes a second"
        self._refuse(BadMessage("slow_body", "request_timeout", detail))
        return False

    def _refuse(self, bad: BadMessage) -> None:
        self.bad = bad
        self._on_over()
        self.body.fail(Failure.BAD_REQUEST)
