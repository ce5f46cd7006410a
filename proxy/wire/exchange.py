"""An exchange: one request of an agent, and its answer. What the gateway sees of the wire."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

import msgspec

from proxy.call import Call, RequestHead, Stop, Whole
from proxy.reply import Failure, Reply
from proxy.strand import Strand
from proxy.wire.answer import Answer, leaves_open, whole_answer
from proxy.wire.body import Body
from proxy.wire.head import BadMessage


class Line(Protocol):
    """What an exchange needs of the connection that it is on."""

    transport: asyncio.Transport
    stuffed: bool
    write: Callable[[bytes], None]
    """Send bytes, if anybody is still there."""
    write_whole: Callable[[bytes], None]
    """The same for a whole answer, which may go out together with others."""

    def tunnel(self, take: Callable[[bytes], None], /) -> None:
        """From now on all bytes that come go there."""

    def leave(self) -> None:
        """The last answer on this connection is out."""

    def break_off(self) -> None:
        """The answer ended early, and must not look whole."""

    def watch_body(self) -> None:
        """Somebody waits for all of the body: it must come, and not too slowly."""

    def unwatch(self) -> None:
        """Nobody waits for anything of the agent any more."""

    def over(self, exchange: "Exchange", error: BaseException | None, /) -> None:
        """The exchange is over; with an error, if there was a bug."""

    def may_stay(self, exchange: "Exchange", /) -> bool:
        """May another request follow on this connection?"""


class Exchange(msgspec.Struct, eq=False):
    """From the head of a request to the last byte of its answer, or to where either broke off."""

    line: Line
    head: RequestHead
    body: Body | Whole
    started: float  # on Clock.now
    bad: BadMessage | None = None  # what was wrong with the body
    call: Call | None = None
    gone: bool = False  # the agent is
    answered: bool = False  # the head of an answer is out
    strand: Strand | None = None
    flowing: Answer | None = None  # an answer that is on its way
    settled: bool = False  # its outcome is known, and what was answered goes out

    def begin(self, handle: Callable[["Exchange"], Coroutine[Any, Any, None]]) -> None:
        """Start working on it."""
        self.strand = strand = Strand(handle(self), self._ended)
        strand.step()

    # --- what the connection tells ---

    def agent_left(self) -> None:
        """The reason is known before anything breaks."""
        if self.gone:
            return
        self.gone = True
        if self.flowing is not None:
            self.flowing.discard()
        if self.call is not None:
            self.call.stop(Stop.AGENT_GONE)
        else:
            self.cancel()
        if isinstance(self.body, Body):
            self.body.fail(Failure.CANCELLED)

    def half_closed(self) -> bool:
        """The agent sends no more; in a tunnel that is passed on."""
        if self.flowing is None or not self.flowing.tunnelled:
            return False
        if isinstance(self.body, Body):
            self.body.finish(b"", [])
        return True

    def shut_down(self) -> None:
        """The process stops."""
        if self.call is not None:
            self.call.stop(Stop.DRAIN)
        else:
            self.cancel()

    def pause(self) -> None:
        """The agent cannot take more for now."""
        if self.flowing is not None:
            self.flowing.pause()

    def resume(self) -> None:
        """The agent can take more."""
        if self.flowing is not None:
            self.flowing.resume()

    # --- what the gateway does ---

    def cancel(self) -> None:
        """Stop working on it."""
        if self.strand is not None:
            self.strand.cancel()

    def interim(self, lines: bytes) -> None:
        """Pass the head of a 1xx on, if this agent can take one, and reads."""
        if self.head.minor_version == 1 and not self.answered and not self.line.stuffed:
            self.line.write(lines + b"\r\n")

    def watch_body(self) -> None:
        """Somebody waits for all of the body: it must come, and not too slowly."""
        self.line.watch_body()

    def unwatch_body(self) -> None:
        """Nobody waits for all of it any more."""
        self.line.unwatch()

    def answer(self, reply: Reply, extra: bytes) -> None:
        """Send a whole answer, `extra` lines in its head. Its reply is finished."""
        line = self.line
        line.unwatch()
        if self.gone:
            return
        self.answered = True
        stays = line.may_stay(self) and leaves_open(reply, self.head)
        line.write_whole(whole_answer(reply, self.head, extra, stays=stays))
        if not stays:
            line.leave()

    async def lasts(self, durable: Awaitable[Any]) -> None:
        """Wait for the record of an answer that has not ended. Its call has run: whatever comes of
        the waiting, and though the process ends, what was answered goes out."""
        self.settled = True
        if self.gone:
            return
        self.line.unwatch()
        with contextlib.suppress(asyncio.CancelledError):
            await durable

    async def stream(
        self, reply: Reply, extra: bytes, last_words: Callable[[], bytes] = bytes
    ) -> None:
        """Send an answer as it comes. The reply is finished before its last byte goes, and what
        must be durable by then is. `last_words`: an event for the agent, where it is broken off."""
        line = self.line
        line.unwatch()
        if type(self.body) is Body:
            self.body.forget()  # the stream may go on for an hour, and others need the memory
            if self.call is not None:
                self.call.forget_body()
        answer = Answer(line.transport, reply, self.head, keep_alive=line.may_stay(self))
        self.flowing = answer
        if not self.gone:
            self.answered = True
            line.write(answer.start(extra))
        if reply.tunnel is not None:
            self._open_tunnel(reply)
        try:
            end = await answer.flow(discard=self.gone, hold=line.stuffed)
        except asyncio.CancelledError:
            self._break_off(answer, last_words())
            raise
        finally:
            self.flowing = None
        reply.finish(end)
        if reply.durable is not None:
            await self.lasts(reply.durable)
        if self.gone:
            return
        line.write(answer.last_bytes())
        if end is not None:
            self._break_off(answer, last_words())
        elif not answer.keep_alive or answer.tunnelled:
            line.leave()

    def _open_tunnel(self, reply: Reply) -> None:
        """From now on the agent's bytes go upstream as they are."""
        assert reply.tunnel is not None
        body = Body(self.line)  # type: ignore[arg-type]  # a line is a source as well
        self.body = body
        reply.tunnel.join(body)
        self.line.tunnel(body.feed)

    def _break_off(self, answer: Answer, event: bytes) -> None:
        if self.gone:
            return
        if event and answer.takes_event:
            self.line.write(answer.framed(event))
        self.line.break_off()

    def _ended(self, error: BaseException | None) -> None:
        self.strand = None
        if self.call is not None:
            self.call.forget()
            self.call = None
        if type(self.body) is Body:
            self.body.release()
        self.line.over(self, error)
