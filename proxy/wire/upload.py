"""What flows towards an upstream: a request's body or, after a 101, all that the agent sends."""

import asyncio
from collections.abc import Callable, Sequence

from proxy.call import Header, Tap
from proxy.reply import Failure
from proxy.wire.body import Body
from proxy.wire.compose import trailer_section


class Upload:
    """Passes a body on to an upstream's connection, in the framing its head announced."""

    _taps: tuple[Tap, ...] = ()

    def __init__(
        self,
        transport: asyncio.Transport,
        broke: Callable[[Failure], None],
        *,
        chunked: bool,
        tunnelled: bool = False,
    ) -> None:
        """`broke` is told when the agent's side ends early."""
        self._transport = transport
        self._body: Body | None = None
        self._broke = broke
        self._chunked = chunked
        self.tunnelled = tunnelled
        self.done = False

    def watch(self, tap: Tap) -> None:
        """Part of Tunnel."""
        self._taps += (tap,)

    def join(self, body: Body) -> None:
        """Part of Tunnel: `body` is what the agent sends."""
        self._body = body
        for tap in self._taps:
            body.watch(tap)
        body.flow(self)

    def write(self, piece: bytes) -> None:
        """Part of Sink."""
        if self._chunked:
            self._transport.writelines((b"%x\r\n" % len(piece), piece, b"\r\n"))
        else:
            self._transport.write(piece)

    def end(self, last: bytes, trailers: Sequence[Header]) -> None:
        """Part of Sink."""
        self.done = True
        if last:
            self.write(last)
        if self._chunked:
            self._transport.write(trailer_section(trailers))
        if self.tunnelled and self._transport.can_write_eof():
            self._transport.write_eof()

    def broken(self, failure: Failure) -> None:
        """Part of Sink."""
        self.done = True
        self._broke(failure)

    def pause(self) -> None:
        """The upstream cannot take more for now."""
        if self._body is not None:
            self._body.pause()

    def resume(self) -> None:
        """The upstream can take more."""
        if self._body is not None:
            self._body.resume()

    def drop(self) -> None:
        """The connection goes: what comes from now on is for somebody else, or nobody."""
        if self._body is not None and not self.done:
            self._body.detach()
            self._body.resume()
