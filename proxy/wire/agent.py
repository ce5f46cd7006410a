"""One agent's connection: its requests, one after the other, and the exchange that is on."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from proxy.call import Call, RequestHead, Stop, Whole
from proxy.reply import Failure, Reply
from proxy.strand import Strand
from proxy.wire.answer import Answer, leaves_open, whole_answer
from proxy.wire.body import AHEAD, Body
from proxy.wire.head import END, BadMessage, unfinished
from proxy.wire.incoming import PACE_FOR, Incoming
from proxy.wire.peer import still_there

if TYPE_CHECKING:
    from proxy.wire.server import Server

_LINGER = 2.0  # seconds in which an agent may still read an answer to a request that was not read
_PEER_SOON = 0.05  # seconds from a FIN to the second look at who sent it
_PEER_LATER = 1.0
_NOTHING = Whole(b"")
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


class AgentConnection(asyncio.Protocol):
    """One agent's connection: its requests, one after the other, and the exchange that is on.

    `_take` is what is done with bytes that come: they are a head, a body, held until the answer to
    the request before them is out, a tunnel's, or thrown away.
    """

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._take: Callable[[bytes], None] = self._take_head
        self._alarm = server.clock.alarm(self._rang)
        self._on_alarm: Callable[[], None] = self._too_slow
        self._ahead = b""  # came, and is not looked at yet
        self._partial: bytearray | None = None  # a head whose end has not come
        self._searched = 0
        self._incoming: Incoming | None = None  # the body, while more of it comes
        self._strand: Strand | None = None
        self._answer: Answer | None = None
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # until connection_made
        self._paused = False
        self._pumping = False
        self._half_closed = False
        self.busy = False
        self.gone = False
        self.head: RequestHead = None  # type: ignore[assignment]  # until a head has come
        self.body: Body | Whole = _NOTHING
        self.started = 0.0
        self.bad: BadMessage | None = None  # what was wrong with the body
        self.call: Call | None = None

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        # uvloop's transports have the methods of asyncio.Transport without being one.
        self._transport = cast("asyncio.Transport", transport)
        # Whatever the kernel does not take at once pauses the other side: memory stays bounded.
        # (Not 0: asyncio's TLS would then pause for ever.)
        self._transport.set_write_buffer_limits(high=1)
        server = self._server
        server.connections.add(self)
        if len(server.connections) > server.limits.connections:
            self._turn_away(
                BadMessage("connections", "overloaded", "too many connections are open")
            )
            return
        self._alarm.set(server.clock.now() + server.limits.header_timeout)

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        self._take(data)

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol. True keeps the sending side open."""
        if not self.busy:
            return False
        body = self.body
        if self._incoming is not None and isinstance(body, Body):
            body.fail(Failure.CANCELLED)
            self._hang_up()
            return False
        if self._answer is not None and self._answer.tunnelled and isinstance(body, Body):
            body.finish(b"", [])
            return True
        self._half_closed = True
        self._on_alarm = self._look_at_peer
        self._look_at_peer()
        self._alarm.set(self._server.clock.now() + _PEER_SOON)
        return not self.gone

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.gone = True
        self._alarm.close()
        self._server.connections.discard(self)
        if self.busy:
            if isinstance(self.body, Body):
                self.body.fail(Failure.CANCELLED)
            self._hang_up()

    def pause_writing(self) -> None:
        """Part of asyncio.Protocol."""
        if self._answer is not None:
            self._answer.pause()

    def resume_writing(self) -> None:
        """Part of asyncio.Protocol."""
        if self._answer is not None:
            self._answer.resume()

    def shut_down(self) -> None:
        """The process stops: end what runs, and leave."""
        if self.busy and self.call is not None:
            self.call.stop(Stop.DRAIN)
        if not self.gone:
            self._transport.close()

    def cancel(self) -> None:
        """Stop working on the request that is on."""
        if self._strand is not None:
            self._strand.cancel()

    def _hang_up(self) -> None:
        """The agent is gone."""
        self.gone = True
        if self._answer is not None:
            self._answer.discard()
        if self.call is not None:
            self.call.stop(Stop.AGENT_GONE)
        elif self._strand is not None:
            self._strand.cancel()

    def _look_at_peer(self) -> None:
        connection = self._transport.get_extra_info("socket")
        if connection is not None and still_there(connection):
            self._alarm.set(self._server.clock.now() + _PEER_LATER)
        else:
            self._hang_up()

    # --- heads ---

    def _take_head(self, data: bytes) -> None:
        self._ahead = self._ahead + data if self._ahead else data
        if self._pumping:
            return
        self._pumping = True  # an answer given at once must not take the next head inside this one
        while self._ahead and self._take == self._take_head and not self.gone:
            self._next_head()
        self._pumping = False

    def _next_head(self) -> None:
        data, self._ahead = self._ahead, b""
        if self._partial is not None:
            self._partial += data
            data = self._partial  # type: ignore[assignment]  # a bytearray is searched just as well
        elif data.startswith(b"\r\n"):
            data = data.lstrip(b"\r\n")  # RFC 9112 2.2: empty lines before a request line
        end = data.find(END, self._searched)
        if end < 0:
            self._hold_partial(data)
            return
        head = self._server.heads.request(bytes(data[: end + 4]))
        self._partial, self._searched = None, 0
        if isinstance(head, BadMessage):
            self._turn_away(head)
        else:
            self._begin(head, bytes(data[end + 4 :]))

    def _hold_partial(self, data: bytes) -> None:
        if not data:
            return
        if self._partial is None:
            self._partial = bytearray(data)
            self._alarm.set(self._server.clock.now() + self._server.limits.header_timeout)
        known, self._searched = self._searched, max(0, len(data) - 3)
        bad = unfinished(data, self._server.limits.head, known)
        if bad is not None:
            self._turn_away(bad)

    def _begin(self, head: RequestHead, rest: bytes) -> None:
        """A request has come, though perhaps not all of its body."""
        self.started = self._server.clock.now()
        self.head = head
        self.busy = True
        self.call = None
        self.bad = None
        self._take = self._take_ahead
        self._alarm.clear()
        length = head.length or 0
        if not head.chunked and len(rest) >= length:
            self._ahead = rest[length:]
            self.body = Whole(rest[:length] if self._ahead else rest)
        else:
            bad = self._begin_body(head, rest)
            if bad is not None:
                self._turn_away(bad)
                return
        self._strand = Strand(self._server.door.handle(self), self._ended)
        self._strand.step()

    # --- bodies ---

    def _begin_body(self, head: RequestHead, rest: bytes) -> BadMessage | None:
        server = self._server
        incoming = Incoming(head, self, server.limits.head, server.pool, self._body_over)
        self._incoming = incoming
        self.body = incoming.body
        self._take = incoming.take
        if rest:
            incoming.take(rest)
        return self.bad

    def _body_over(self) -> None:
        incoming, self._incoming = self._incoming, None
        assert incoming is not None
        self.bad = incoming.bad
        self._ahead = incoming.rest
        self._take = self._take_nothing if self.bad is not None else self._take_ahead

    def _take_ahead(self, data: bytes) -> None:
        self._ahead += data
        if len(self._ahead) > AHEAD:
            self.pause()

    def _take_nothing(self, data: bytes) -> None:
        """What comes after an answer that ended the connection."""

    def pause(self) -> None:
        """Part of Source: stop reading."""
        if not self._paused and not self.gone:
            self._paused = True
            self._transport.pause_reading()

    def resume(self) -> None:
        """Part of Source: go on reading."""
        if self._paused and not self.gone:
            self._paused = False
            self._transport.resume_reading()

    def abandon(self) -> None:
        """Part of Source: nobody wants the rest of the request."""

    def watch_body(self) -> None:
        """Somebody waits for all of the body: it must come, and not too slowly."""
        incoming = self._incoming
        if incoming is None:
            return
        if self.head.expects_continue and not incoming.begun:
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")  # RFC 9110 10.1.1
        incoming.measure()
        self._on_alarm = self._look_at_pace
        self._alarm.set(self._server.clock.now() + PACE_FOR)

    def unwatch_body(self) -> None:
        """Nobody waits for all of it any more."""
        self._alarm.clear()

    def _look_at_pace(self) -> None:
        if self._incoming is not None and self._incoming.keeps_pace():
            self._alarm.set(self._server.clock.now() + PACE_FOR)

    # --- answers ---

    def interim(self, lines: bytes) -> None:
        """Pass the head of a 1xx on, if this agent can take one."""
        if self.head.minor_version == 1 and self._answer is None:
            self._write(lines + b"\r\n")

    @property
    def keep_alive(self) -> bool:
        """May another request follow on this connection?"""
        return (
            self.head.keep_alive
            and self._incoming is None
            and self.bad is None
            and not self._server.draining
        )

    def answer(self, reply: Reply, extra: bytes) -> None:
        """Send a whole answer, `extra` lines in its head. The reply is finished before it goes."""
        self._alarm.clear()
        reply.finish()
        keep_alive = self.keep_alive and leaves_open(reply, self.head)
        self._write(whole_answer(reply, self.head, extra, keep_alive=keep_alive))
        if not keep_alive:
            self._leave()

    async def stream(self, reply: Reply, extra: bytes) -> None:
        """Send an answer as it comes. The reply is finished before its last byte goes."""
        self._alarm.clear()
        self._answer = Answer(self._transport, reply, self.head, keep_alive=self.keep_alive)
        try:
            await self._stream(self._answer, reply, extra)
        finally:
            self._answer = None

    async def _stream(self, answer: Answer, reply: Reply, extra: bytes) -> None:
        if not self.gone:
            self._write(answer.start(extra))
        if self.call is not None:
            self.call.answered = self._server.clock.now()
        if answer.tunnelled:
            self._open_tunnel(reply)
        end = await answer.flow(discard=self.gone)
        reply.finish(end)
        if self.gone:
            return
        self._write(answer.last_bytes())
        if end is not None:
            self._break_off()
        elif not answer.keep_alive or answer.tunnelled:
            self._leave()

    def _open_tunnel(self, reply: Reply) -> None:
        """From now on the agent's bytes go upstream as they are."""
        assert reply.tunnel is not None
        self.body = body = Body(self)
        early, self._ahead = self._ahead, b""
        self._take = body.feed
        reply.tunnel.join(body)
        if early:
            body.feed(early)
        self.resume()

    def _write(self, content: bytes) -> None:
        if content and not self.gone and not self._transport.is_closing():
            self._transport.write(content)

    def _leave(self) -> None:
        """The last answer on this connection is out."""
        self._take = self._take_nothing
        if self.gone:
            return
        if self._incoming is None and self.bad is None:
            self._transport.close()
            return
        # The agent still sends. Closing now would reset the connection, and lose the answer.
        self._incoming = None
        self.resume()
        if self._transport.can_write_eof() and not self._transport.is_closing():
            with contextlib.suppress(OSError):  # it may have been reset just now
                self._transport.write_eof()
        self._on_alarm = self._transport.close
        self._alarm.set(self._server.clock.now() + _LINGER)

    def _break_off(self) -> None:
        """The answer ended early, and must not look whole: HTTP/1.0 knows nothing but a reset."""
        self._take = self._take_nothing
        if self.head.minor_version == 0:
            connection = self._transport.get_extra_info("socket")
            if connection is not None and connection.family != socket.AF_UNIX:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self._transport.abort()
        else:
            self._transport.close()

    def _turn_away(self, bad: BadMessage) -> None:
        """Answer what is not a valid request, and close."""
        self.bad = bad
        reply, extra = self._server.door.turn_away(bad)
        self.busy = False
        self._write(whole_answer(reply, None, extra, keep_alive=False))
        self._leave()

    def _ended(self, error: BaseException | None) -> None:
        """The strand is over: the exchange is."""
        self.busy = False
        self._strand = None
        self.call = None
        if type(self.body) is Body:
            self.body.release()
        if self._server.draining:
            self._server.one_answered()
        if error is not None:
            reply, extra = self._server.door.failed(error)
            self._write(whole_answer(reply, None, extra, keep_alive=False))
            self._leave()
        elif self._take == self._take_ahead and not self.gone:
            self._next_request()

    def _next_request(self) -> None:
        if self._half_closed and not self._ahead:
            self._transport.close()
            return
        self._take = self._take_head
        self._on_alarm = self._too_slow
        limits = self._server.limits
        self._alarm.set(self._server.clock.now() + limits.keepalive)
        self.resume()
        if self._ahead:
            self._take_head(b"")

    # --- time ---

    def _rang(self) -> None:
        self._on_alarm()

    def _too_slow(self) -> None:
        """No whole head came in time. Silence is met with silence."""
        if self._partial is None:
            self._transport.close()
        else:
            self._turn_away(
                BadMessage("slow_head", "request_timeout", "the head did not come in time")
            )
