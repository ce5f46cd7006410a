"""An answer on its way to the agent, in the agent's framing."""

import asyncio
from collections.abc import Sequence

from proxy.call import Header, RequestHead
from proxy.protocols.sse import END as _END
from proxy.protocols.sse import at_an_end, holds_events
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body
from proxy.wire.compose import answers_without_body, trailer_section

_SMALL = 16 << 10
"""Below so many bytes one joined write is cheaper than several."""


def framing_lines(reply: Reply, head: RequestHead, *, keep_alive: bool) -> bytes:
    """The lines that say how the body is framed and what becomes of the connection."""
    if reply.tunnel is not None:
        return b"Connection: Upgrade\r\nUpgrade: " + reply.fields.get(b"upgrade", b"") + b"\r\n"
    chunked = b"Transfer-Encoding: chunked\r\n" if is_chunked(reply, head) else b""
    if not keep_alive:
        return chunked + b"Connection: close\r\n"
    return chunked if head.minor_version else chunked + b"Connection: keep-alive\r\n"


def is_chunked(reply: Reply, head: RequestHead) -> bool:
    """Does the agent get chunks? Whatever has no length does, if the agent knows them."""
    return (
        reply.length is None
        and head.minor_version == 1
        and reply.tunnel is None
        and not answers_without_body(head.method, reply.status)
    )


def leaves_open(reply: Reply, head: RequestHead) -> bool:
    """Can the agent tell where the answer ends without the connection ending?"""
    return (
        head.minor_version == 1
        or reply.length is not None
        or answers_without_body(head.method, reply.status)
    )


def whole_answer(reply: Reply, head: RequestHead, extra: bytes, *, stays: bool) -> bytes:
    """An answer of which everything is here; `stays`: the connection stays open after it."""
    body = reply.body
    content = b"" if body is None else body.whole or b""
    bodiless = answers_without_body(head.method, reply.status)
    if stays and reply.length is not None and head.minor_version and not bodiless:
        return b"%b%b\r\n%b" % (reply.lines, extra, content)  # by far the most
    if bodiless:
        content = b""
    elif is_chunked(reply, head):
        size = b"%x\r\n%b\r\n" % (len(content), content) if content else b""
        content = size + trailer_section([] if body is None else body.trailers)
    framing = framing_lines(reply, head, keep_alive=stays)
    return b"%b%b%b\r\n%b" % (reply.lines, framing, extra, content)


def last_answer(reply: Reply, extra: bytes) -> bytes:
    """The same, where no request could be read: the connection ends with it."""
    content = b"" if reply.body is None else reply.body.whole or b""
    return b"%bConnection: close\r\n%b\r\n%b" % (reply.lines, extra, content)


class Answer:
    """A body that flows to the agent. Its last bytes are held until the reply is finished."""

    def __init__(
        self, transport: asyncio.Transport, reply: Reply, head: RequestHead, *, keep_alive: bool
    ) -> None:
        assert isinstance(reply.body, Body)
        self._transport = transport
        self._reply = reply
        self._body = reply.body
        self._head = head
        self._chunked = is_chunked(reply, head)
        self._discards = False
        # How what was written ends, of a stream of events in chunks; None: of another body.
        self._ends = b"" if self._chunked and holds_events(reply.fields) else None
        self._last = b""
        self._trailers: Sequence[Header] = []
        self._ended: Signal[Failure | None] = Signal()
        self.tunnelled = reply.tunnel is not None
        self.keep_alive = keep_alive and leaves_open(reply, head)

    def start(self, extra: bytes) -> bytes:
        """The head."""
        framing = framing_lines(self._reply, self._head, keep_alive=self.keep_alive)
        return b"%b%b%b\r\n" % (self._reply.lines, framing, extra)

    async def flow(self, *, discard: bool, hold: bool = False) -> Failure | None:
        """Pass the body on until it ends; why it ended early, if it did.

        `discard`: the agent is gone, and the body is read only to know how it ends. `hold`: it has
        not read what was written before.
        """
        self._discards = discard
        self._body.flow(self)
        if hold:
            self._body.pause()
        return await self._ended

    def discard(self) -> None:
        """The agent has left: read on, only to know how it ends."""
        self._discards = True
        self._body.resume()

    def last_bytes(self) -> bytes:
        """What was held, and the end of the framing if the body is whole."""
        last = self.framed(self._last) if self._last else b""
        if self._chunked and self._body.failure is None:
            last += trailer_section(self._trailers)
        return last

    def pause(self) -> None:
        """The agent cannot take more for now."""
        self._body.pause()

    def resume(self) -> None:
        """The agent can take more."""
        self._body.resume()

    def write(self, piece: bytes) -> None:
        """Part of Sink."""
        if self._discards or self._transport.is_closing():
            return
        if self._ends is not None:
            self._ends = (self._ends + piece)[-_END:] if len(piece) < _END else piece[-_END:]
        if not self._chunked:
            self._transport.write(piece)
        elif len(piece) < _SMALL:
            self._transport.write(self.framed(piece))
        else:
            self._transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))

    def end(self, last: bytes, trailers: Sequence[Header]) -> None:
        """Part of Sink."""
        self._last = last
        self._trailers = trailers
        self._ended.set(None)

    def broken(self, failure: Failure) -> None:
        """Part of Sink."""
        self._ended.set(failure)

    @property
    def takes_event(self) -> bool:
        """Does it stand where an event of ours can follow? Then one that has begun is not mixed up
        with it."""
        return self._ends is not None and at_an_end(self._ends)

    def framed(self, piece: bytes) -> bytes:
        """A piece as it is written."""
        return b"%x\r\n%b\r\n" % (len(piece), piece) if self._chunked else piece
