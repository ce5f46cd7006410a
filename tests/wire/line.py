"""A connection to an upstream, without sockets and without time that passes by itself."""

from typing import Any, cast

from proxy.call import Effect, RequestHead, Whole
from proxy.reply import Reply
from proxy.strand import Strand
from proxy.wire.body import Body
from proxy.wire.head import Heads, Limits
from proxy.wire.outgoing import MANY
from proxy.wire.pool import ConnectionPool
from proxy.wire.sending import Sending
from proxy.wire.upstream import UpstreamConnection
from tests.fakes import FakeClock, make_attempt, make_call
from tests.harness import answer
from tests.wire.plug import Plug
from tests.wire.test_body import Glass

HEAD = b"POST / HTTP/1.1\r\nHost: up\r\n\r\n"
OK = answer(200, body=b"ok")
LONG = answer(200, "Content-Length: 999", body=b"a")
STREAM = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)


class Shelf:
    """A pool that only notes what is given back to it, and what is lost."""

    def __init__(self) -> None:
        self.released: list[UpstreamConnection] = []
        self.losses: list[UpstreamConnection] = []
        self.opened: set[UpstreamConnection] = set()

    def release(self, connection: UpstreamConnection) -> None:
        self.released.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        self.losses.append(connection)


class Line:
    """A connection to an upstream, with everything around it."""

    def __init__(self) -> None:
        self.clock, self.pool, self.plug = FakeClock(), Shelf(), Plug()
        pool = cast("ConnectionPool", self.pool)
        self.connection = UpstreamConnection(pool, self.clock, Heads(Limits()))
        self.connection.connection_made(self.plug)
        self.interim: list[bytes] = []
        self.attempt = make_attempt()

    def ask(
        self, body: Body | Whole | None = None, *, total: float = float("inf"), **times: Any
    ) -> Sending:
        """Send a request; its body has a length unless it is still to come in chunks.

        `total` is the call's deadline, `times` are those of the attempt.
        """
        call = make_call(effect=Effect.READ, deadline=total)
        call.body = Whole(b"") if body is None else body
        chunks = body is not None
        method, upgrade = times.pop("method", "POST"), times.pop("upgrade", False)
        call.head = RequestHead(method, b"/", 1, [], {}, chunked=chunks, upgrade=upgrade)
        call.interim = self.interim.append
        self.attempt = make_attempt(call, **times)
        return self.connection.send(self.attempt, HEAD)

    def crowd(self) -> list[UpstreamConnection]:
        """So many other connections that what is written is gathered."""
        pool = cast("ConnectionPool", self.pool)
        return [UpstreamConnection(pool, self.clock, Heads(Limits())) for _ in range(MANY)]

    def comes(self, *pieces: bytes) -> None:
        """Bytes of the upstream, each piece in a read of its own."""
        for piece in pieces:
            self.connection.data_received(piece)

    def ends(self, *, reset: bool = False) -> None:
        """The upstream closes the connection, or resets it."""
        if reset:
            self.connection.connection_lost(ConnectionResetError())
        elif not self.connection.eof_received():
            self.connection.connection_lost(None)

    def reply(self, *pieces: bytes, **asked: Any) -> Reply:
        """The reply to a request that is answered by these bytes."""
        sending = self.ask(**asked)
        self.comes(*pieces)
        return told(sending)


class Waiting:
    """A call that waits for its answer."""

    def __init__(self, line: Line, body: Body | None = None, **times: Any) -> None:
        self.replies: list[Reply] = []
        self.ends: list[BaseException | None] = []
        self.sending = line.ask(body, **times)
        self.strand = Strand(self._waits(), self.ends.append)
        self.strand.step()

    async def _waits(self) -> None:
        self.replies.append(await self.sending)


def told(sending: Sending) -> Reply:
    """What it was set to."""
    replies: list[Reply] = []
    try:
        sending.__await__().send(None)
    except StopIteration as end:
        replies.append(end.value)
    assert replies, "no reply came"
    return replies[0]


def flowing(reply: Reply) -> Glass:
    """Where the rest of an answer arrives."""
    assert isinstance(reply.body, Body)
    glass = Glass()
    reply.body.flow(glass)
    return glass
