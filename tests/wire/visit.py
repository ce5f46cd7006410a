"""An agent at the door, without sockets and without time that passes by itself."""

from proxy.call import Call, Stop, Whole
from proxy.reply import Reply
from proxy.strand import Signal
from proxy.wire.agent import AgentConnection
from proxy.wire.body import Body, Memory
from proxy.wire.exchange import Exchange
from proxy.wire.head import BadMessage, Limits
from proxy.wire.server import Server, ServerLimits
from tests.fakes import FakeClock
from tests.wire.plug import Plug

LINES = b"HTTP/1.1 200 OK\r\n"
REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def reply_of(content: bytes = b"ok") -> Reply:
    """An answer of which everything is here."""
    lines = LINES + b"Content-Length: %d\r\n" % len(content)
    return Reply(200, lines, body=Whole(content), length=len(content))


def raw_of(content: bytes = b"ok") -> bytes:
    """The same on the wire."""
    return LINES + b"Content-Length: %d\r\n\r\n" % len(content) + content


class Desk:
    """A door: it notes who comes, and answers when it is told to."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.exchanges: list[Exchange] = []
        self.bad: list[BadMessage] = []
        self.stopped: list[Stop | None] = []
        self.replies: list[Reply | Exception] = []  # given at once
        self.next: Signal[Reply] = Signal()
        self.reads = False
        self.breaks: Exception | None = None  # when an answer is out

    async def handle(self, exchange: Exchange) -> None:
        """Part of Door."""
        self.targets.append(exchange.head.target)
        self.exchanges.append(exchange)
        call = Call(str(len(self.targets)), exchange.head, exchange.body, exchange.started)
        call.cancel = lambda: self.stopped.append(call.stopped)
        exchange.call = call
        if self.reads and isinstance(exchange.body, Body):
            exchange.watch_body()
            await exchange.body.read(1 << 20)
            exchange.unwatch_body()
        reply = self.replies.pop(0) if self.replies else await self._told()
        if isinstance(reply, Exception):
            raise reply
        if reply.whole:
            reply.finish()
            if reply.durable is not None:
                await exchange.lasts(reply.durable)
            exchange.answer(reply, b"")
        else:
            await exchange.stream(reply, b"")
        if self.breaks is not None:
            raise self.breaks

    async def _told(self) -> Reply:
        self.next = Signal()
        return await self.next

    def turn_away(self, bad: BadMessage) -> tuple[Reply, bytes]:
        """Part of Door."""
        self.bad.append(bad)
        return Reply(400, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n"), b""

    def failed(self, error: BaseException) -> tuple[Reply, bytes]:
        """Part of Door."""
        return Reply(500, b"HTTP/1.1 500 Oh\r\nX: %b\r\n" % str(error).encode()), b""


class Visit:
    """An agent at the door, with everything around it."""

    def __init__(self, plugged: object = None, connections: int = 9) -> None:
        self.clock, self.desk, self.plug = FakeClock(), Desk(), Plug(plugged)
        limits = ServerLimits(Limits(), connections, header_timeout=10.0, keepalive=60.0)
        self.server = Server(self.desk, self.clock, limits, Memory(1 << 20))
        self.connection = self.another(self.plug)

    def another(self, plug: Plug) -> AgentConnection:
        """One more agent."""
        connection = AgentConnection(self.server)
        connection.connection_made(plug)
        return connection

    @property
    def exchange(self) -> Exchange:
        """The last one."""
        return self.desk.exchanges[-1]

    def says(self, *pieces: bytes) -> None:
        """Bytes come, each piece in a read of its own."""
        for piece in pieces:
            self.connection.data_received(piece)
