"""One agent's connection: the bytes of its requests, one after the other."""

import asyncio
import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from proxy.call import RequestHead, Whole
from proxy.wire.ahead import Ahead
from proxy.wire.answer import last_answer
from proxy.wire.body import AHEAD
from proxy.wire.exchange import Exchange
from proxy.wire.head import END, BadMessage
from proxy.wire.incoming import Incoming
from proxy.wire.outgoing import Outgoing
from proxy.wire.vigil import Vigil

if TYPE_CHECKING:
    from proxy.wire.server import Server


_AT_ONCE = 64
"""Requests of one connection that may be answered in one turn of the loop: what is refused at once
must not keep others waiting, however much of it comes."""


class Expects(enum.Enum):
    """What the next bytes are."""

    HEAD = enum.auto()
    BODY = enum.auto()
    NEXT = enum.auto()  # the next request: held until the answer to this one is out
    TUNNEL = enum.auto()
    NOTHING = enum.auto()  # the last answer is out: they are thrown away


_HEAD, _NEXT = Expects.HEAD, Expects.NEXT  # looking into an enum costs more than the question


class AgentConnection(asyncio.Protocol):
    """Reads requests, and lets one exchange at a time answer."""

    transport: asyncio.Transport
    write: Callable[[bytes], None]
    write_whole: Callable[[bytes], None]
    _out: Outgoing

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._expects = _HEAD
        self._tunnel: Callable[[bytes], None] | None = None
        self._vigil = Vigil(self, server.clock)
        self._ahead = Ahead(server.limits.head)
        self._incoming: Incoming | None = None  # the body, while more of it comes
        self._exchange: Exchange | None = None  # the one that is on
        self._begun = False  # a part of the next head has come
        self._paused = False
        self._pumping = False
        self._half_closed = False
        self._lost = False
        self.stuffed = False  # the agent does not read: nothing more can be written for now

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self.transport = cast("asyncio.Transport", transport)
        # Whatever the kernel does not take at once pauses the other side: memory stays bounded.
        # (Not 0: asyncio's TLS would then pause for ever.)
        self.transport.set_write_buffer_limits(high=1)
        self._out = out = Outgoing(self.transport, self._server.clock, self._server.exchanges)
        self.write, self.write_whole = out.write, out.write_whole
        server = self._server
        server.connections.add(self)
        if len(server.connections) > server.limits.connections:
            self._turn_away(
                BadMessage("connections", "overloaded", "too many connections are open")
            )
            return
        self._vigil.for_head(server.limits.header_timeout)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        expects = self._expects
        if expects is _HEAD:
            ahead = self._ahead
            if ahead.held or ahead.skipped or self.stuffed:
                self._take_head(data)
            else:
                self._take_request(data)
        elif expects is _NEXT:
            self._keep(data)
        elif expects is Expects.BODY and self._incoming is not None:
            self._incoming.take(data)
        elif expects is Expects.TUNNEL and self._tunnel is not None:
            self._tunnel(data)

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol. True keeps the sending side open."""
        exchange = self._exchange
        if exchange is None and self._ahead.held and not self._begun:
            self._half_closed = True  # what it sent before is still to be answered
            return True
        if exchange is None:
            self.close()
            return False
        if self._incoming is not None:
            exchange.agent_left()
            return False
        if exchange.half_closed():
            return True
        self._half_closed = True
        self._vigil.look_at_peer()
        return not exchange.gone

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self._lost = self._out.lost = True
        self._vigil.close()
        self._server.connections.discard(self)
        if self._exchange is not None:
            self._exchange.agent_left()

    def pause_writing(self) -> None:
        """Part of asyncio.Protocol."""
        self.stuffed = True
        if self._exchange is not None:
            self._exchange.pause()

    def resume_writing(self) -> None:
        """Part of asyncio.Protocol."""
        self.stuffed = False
        if self._exchange is not None:
            self._exchange.resume()
        elif self._expects is _HEAD:
            self.resume()
            self._take_head(b"")

    def close(self) -> None:
        """Let the agent go, with all that was answered; for ever it need not wait to read that."""
        self._vigil.for_flush()
        self._out.close()

    def left(self) -> None:
        """Part of Watched."""
        if self._exchange is not None:
            self._exchange.agent_left()
        self.close()

    def too_slow(self) -> None:
        """Part of Watched. Silence is met with silence."""
        if self._exchange is not None:
            return
        if not self._begun:
            self.close()
        else:
            self._turn_away(
                BadMessage("slow_head", "request_timeout", "the head did not come in time")
            )

    # --- heads ---

    def _take_request(self, data: bytes) -> None:
        """The short way: nearly always all of a request comes in one piece, and nothing else."""
        end = data.find(END) + 4
        if end >= 4:
            head = self._server.heads.requests[data[:end]]
            size = len(data) - end
            if type(head) is RequestHead and (head.length or 0) == size and not head.chunked:
                self._expects = _NEXT
                self._start(Exchange(self, head, Whole(data[end:]), self._server.clock.now()))
                return
        self._take_head(data)

    def _take_head(self, data: bytes) -> None:
        self._keep(data)
        self._take_heads()

    def _take_heads(self) -> None:
        """Answer what has come, one after the other; not too many before others have their turn."""
        if self._pumping:
            return
        self._pumping = True  # an answer given at once must not take the next head inside this one
        left = _AT_ONCE
        while left and self._may_take_head() and self._next_head():
            left -= 1
        self._pumping = False
        if not left:
            self._server.clock.soon(self._take_heads)

    def _may_take_head(self) -> bool:
        """None before the agent has read the answer to the one before."""
        return (
            bool(self._ahead.held) and self._expects is _HEAD and not (self._lost or self.stuffed)
        )

    def _next_head(self) -> bool:
        """True: there was one."""
        block = self._ahead.head()
        if block is None:
            self._wait_for_head()
            return False
        self._begun = False
        head = self._server.heads.requests[block] if isinstance(block, bytes) else block
        if isinstance(head, BadMessage):
            self._turn_away(head)
        else:
            self._begin(head)
        return True

    def _wait_for_head(self) -> None:
        if self._half_closed:
            self.close()
            return
        self.resume()  # a head may be larger than what is kept for later
        if self._ahead.held and not self._begun:
            self._begun = True
            self._vigil.for_head(self._server.limits.header_timeout)

    def _begin(self, head: RequestHead) -> None:
        """A request has come, though perhaps not all of its body."""
        server, ahead, length = self._server, self._ahead, head.length or 0
        if not head.chunked and len(ahead.held) >= length:
            self._expects = _NEXT
            self._start(Exchange(self, head, Whole(ahead.take(length)), server.clock.now()))
            return
        self.resume()  # from here on the body says how much it can take
        incoming = Incoming(head, self, server.limits.head, server.pool, self._body_over)
        exchange = Exchange(self, head, incoming.body, server.clock.now())
        self._begin_body(incoming, exchange, ahead.all())
        if exchange.bad is not None:
            self._turn_away(exchange.bad)
        else:
            self._start(exchange)

    def _start(self, exchange: Exchange) -> None:
        server = self._server
        self._exchange = exchange
        server.exchanges.add(exchange)
        if self._half_closed:
            self._vigil.for_peer()
        exchange.begin(server.door.handle)

    # --- bodies ---

    def _begin_body(self, incoming: Incoming, exchange: Exchange, rest: bytes) -> None:
        self._incoming = incoming
        self._exchange = exchange
        self._expects = Expects.BODY
        if rest:
            incoming.take(rest)

    def _body_over(self) -> None:
        incoming, self._incoming = self._incoming, None
        exchange = self._exchange
        if incoming is None or exchange is None:
            return  # the answer was out before, and the rest is thrown away
        exchange.bad = incoming.bad
        self._ahead.add(incoming.rest)
        self._expects = Expects.NOTHING if exchange.bad is not None else _NEXT

    def _keep(self, data: bytes) -> None:
        """For later; if it is much, no more is read."""
        self._ahead.add(data)
        if len(self._ahead.held) > AHEAD:
            self.pause()

    def pause(self) -> None:
        """Part of Source: stop reading."""
        if not self._paused and not self._lost:
            self._paused = True
            self.transport.pause_reading()
            if self._exchange is not None:
                self._vigil.for_fin()

    def resume(self) -> None:
        """Part of Source: go on reading."""
        if self._paused and not self._lost:
            self._paused = False
            self._vigil.reads_again()
            self.transport.resume_reading()

    def abandon(self) -> None:
        """Part of Source: nobody wants the rest of the request."""

    def watch_body(self) -> None:
        """Part of Line."""
        incoming, exchange = self._incoming, self._exchange
        if incoming is None or exchange is None:
            return
        if exchange.head.expects_continue and not incoming.begun:
            self.write(b"HTTP/1.1 100 Continue\r\n\r\n")  # RFC 9110 10.1.1
        self._vigil.for_pace(incoming)

    def unwatch(self) -> None:
        """Part of Line."""
        if self._vigil.question is not None and not self._lost:
            self._vigil.rest()
            if self._half_closed:
                self._vigil.for_peer()
            elif self._paused:
                self._vigil.for_fin()

    # --- answers ---

    def tunnel(self, take: Callable[[bytes], None]) -> None:
        """Part of Line."""
        early = self._ahead.all()
        self._expects = Expects.TUNNEL
        self._tunnel = take
        if early:
            take(early)
        self.resume()
        if self._half_closed and self._exchange is not None:
            self._exchange.half_closed()

    def may_stay(self, exchange: Exchange) -> bool:
        """Part of Line."""
        return (
            exchange.head.keep_alive
            and self._incoming is None
            and exchange.bad is None
            and not self._server.draining
        )

    def leave(self) -> None:
        """Part of Line."""
        exchange = self._exchange
        self._expects = Expects.NOTHING
        if self._lost:
            return
        if self._incoming is None and exchange is not None and exchange.bad is None:
            self._vigil.for_flush()
            self._out.close()
            return
        self._incoming = None
        self.resume()
        self._out.half_close()
        self._vigil.for_linger()

    def break_off(self) -> None:
        """Part of Line. HTTP/1.0 knows nothing but a reset."""
        self._expects = Expects.NOTHING
        if self._lost:
            return
        exchange = self._exchange
        if exchange is None or exchange.head.minor_version == 1:
            self._vigil.for_flush()
            self._out.close()
        else:
            self._out.reset()

    def _turn_away(self, bad: BadMessage) -> None:
        """Answer what is not a valid request, and close."""
        reply, extra = self._server.door.turn_away(bad)
        self.write(last_answer(reply, extra))
        self._exchange = None  # what still comes is thrown away
        self.leave()

    def over(self, exchange: Exchange, error: BaseException | None) -> None:
        """Part of Line."""
        server = self._server
        server.exchanges.discard(exchange)
        if server.draining:
            server.one_answered()
        if error is not None:
            self._broke(exchange, error)
        self._exchange = None
        if self._expects is _NEXT and error is None and not self._lost:
            self._next_request()

    def _broke(self, exchange: Exchange, error: BaseException) -> None:
        """A bug. If an answer has begun, another one must not follow within it."""
        reply, extra = self._server.door.failed(error)
        if exchange.answered:
            self.break_off()
        else:
            self.write(last_answer(reply, extra))
            self.leave()

    def _next_request(self) -> None:
        if self._half_closed and not self._ahead.held:
            self.close()
            return
        self._expects = _HEAD
        self._vigil.for_head(self._server.limits.keepalive)
        if self._paused and len(self._ahead.held) <= AHEAD:
            self.resume()
        if self._ahead.held:
            self._take_head(b"")
