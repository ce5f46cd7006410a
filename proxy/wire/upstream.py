"""One connection to an upstream, and the exchange that is on it."""

import asyncio
from typing import TYPE_CHECKING, cast

from proxy.attempt import Attempt
from proxy.call import Call, Whole
from proxy.clock import NEVER, Clock
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body
from proxy.wire.compose import answers_without_body
from proxy.wire.framing import ChunkedDecoder, CloseDecoder, Decoder, LengthDecoder
from proxy.wire.head import END, AnswerHead, BadMessage, Heads, unfinished
from proxy.wire.tunnel import Upload

if TYPE_CHECKING:
    from proxy.wire.pool import ConnectionPool


_INTERIMS = 100
"""1xx heads before an answer. They are written without back-pressure, so they must not be many."""


def failed(failure: Failure, detail: str) -> Reply:
    """What comes back where nothing came back."""
    return Reply(status=0, failure=failure, detail=detail)


class UpstreamConnection(asyncio.Protocol):
    """Sends one request at a time and reads its answer.

    There is no resending here, hidden or open: a kept-alive connection that its upstream closes
    just as a request is written is a `disconnect`, and whoever sent it decides.
    """

    def __init__(self, pool: "ConnectionPool", clock: Clock, heads: Heads) -> None:
        self._pool = pool
        self._clock = clock
        self._heads = heads
        self._alarm = clock.alarm(self._too_late)
        self._transport: asyncio.Transport = None  # type: ignore[assignment]  # until connection_made
        self._attempt: Attempt | None = None  # the exchange that is on
        self._answered: Signal[Reply] | None = None  # until the head of the answer has come
        self._decoder: Decoder | None = None  # from the head of the answer to its end
        self._body: Body | None = None
        self._upload: Upload | None = None
        self._held = b""  # the beginning of a head
        self._stream_idle: float | None = None
        self._interims = 0  # 1xx heads that came before the answer
        self._reusable = True
        self.idle_since = 0.0
        self.closed = False

    # --- the connection ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Part of asyncio.Protocol."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Part of asyncio.Protocol."""
        self.closed = True
        self._alarm.close()
        self._pool.lost(self)
        self._over(reset=exc is not None)

    def eof_received(self) -> bool:
        """Part of asyncio.Protocol."""
        if isinstance(self._upload, Upload) and self._upload.tunnelled and self._body is not None:
            self._end_body()
            return True
        self.closed = True
        self._pool.lost(self)
        self._over(reset=False)
        return False

    def pause_writing(self) -> None:
        """Part of asyncio.Protocol."""
        if self._upload is not None:
            self._upload.pause()

    def resume_writing(self) -> None:
        """Part of asyncio.Protocol."""
        if self._upload is not None:
            self._upload.resume()

    def close(self) -> None:
        """Let it go, now."""
        self.closed = True
        self._alarm.close()
        self._pool.lost(self)
        self._drop_upload()
        self._transport.abort()

    # --- the request ---

    def send(self, attempt: Attempt, head: bytes) -> "Signal[Reply]":
        """Send a request. The reply comes with the head of the answer, or says how that failed."""
        signal: Signal[Reply] = Signal()
        if self.closed or self._transport.is_closing():
            signal.set(failed(Failure.CONNECT, "the connection was closed before it was used"))
            return signal
        self._attempt = attempt
        self._interims = 0
        self._answered = signal
        attempt.sent = True
        due = min(attempt.deadline, attempt.first_byte_by)
        self._alarm.set(due)
        call = attempt.call
        whole = call.body.whole
        if whole is not None and not call.head.chunked:
            self._transport.write(head + whole)
        else:
            self._transport.write(head)
            self._send_body(call)
        return signal

    def _send_body(self, call: Call) -> None:
        """A body that is chunked, or still comes."""
        self._upload = upload = Upload(
            self._transport, self._upload_broke, chunked=call.head.chunked
        )
        body = call.body
        if isinstance(body, Body):
            upload.join(body)
        else:
            upload.end(body.whole or b"", cast("Whole", body).trailers)

    def _upload_broke(self, failure: Failure) -> None:
        """The agent's body will not come whole: the upstream must not take it for whole."""
        self._fail(failure, "the request's body broke off")

    # --- the answer ---

    def data_received(self, data: bytes) -> None:
        """Part of asyncio.Protocol."""
        if self._decoder is not None:
            self._take_body(data)
        elif self._answered is not None:
            self._take_head(self._held + data if self._held else data)
        else:
            self.close()  # nobody asked: whatever it is, it answers no request of ours

    def _take_head(self, data: bytes) -> None:
        while self._answered is not None:
            end = data.find(END)
            if end < 0:
                known, self._held = len(self._held), data
                bad = unfinished(data, self._heads.limits, known)
                if bad is not None:
                    self._fail(Failure.BAD_RESPONSE, bad.detail)
                return
            self._held = b""
            head = self._heads.answer(data[: end + 4])
            if isinstance(head, BadMessage):
                self._fail(Failure.BAD_RESPONSE, head.detail)
                return
            data = data[end + 4 :]
            if head.status >= 200 or head.status == 101:
                self._take_answer(head, data)
                return
            self._take_interim(head)
            if not data:
                return

    def _take_interim(self, head: AnswerHead) -> None:
        self._interims += 1
        if self._interims > _INTERIMS:
            self._fail(Failure.BAD_RESPONSE, f"more than {_INTERIMS} interim answers")
        elif self._attempt is not None and self._attempt.call.interim is not None:
            self._attempt.call.interim(head.lines)

    def _take_answer(self, head: AnswerHead, rest: bytes) -> None:
        attempt, signal = self._attempt, self._answered
        assert attempt is not None
        assert signal is not None
        self._answered = None
        attempt.first_byte = self._clock.now()
        attempt.status = head.status
        reply = Reply(
            status=head.status,
            lines=head.lines,
            fields=head.fields,
            length=head.length,
        )
        self._reusable = head.keep_alive
        if head.length == len(rest) and head.status != 101:
            reply.body = Whole(rest)  # nearly always: all of it came at once
            self._exchange_over(b"")
            signal.set(reply)
            return
        wrong = self._frame(head, attempt)
        if wrong:
            reply = failed(Failure.BAD_RESPONSE, wrong)
            self.close()
        elif self._decoder is None:
            reply.body = Whole(b"")
            self._exchange_over(rest)
        else:
            self._begin_answer_body(reply, rest)
        signal.set(reply)

    def _frame(self, head: AnswerHead, attempt: Attempt) -> str:
        """Choose how the end of the body is found; what is wrong, if that cannot be."""
        if head.status == 101:
            if not attempt.call.head.upgrade:
                return "101 was not asked for"
            self._decoder = CloseDecoder()
        elif answers_without_body(attempt.call.head.method, head.status):
            self._reusable = self._reusable and not head.chunked
        elif head.chunked:
            self._decoder = ChunkedDecoder(self._heads.limits)
        elif head.length is None:
            self._decoder = CloseDecoder()
            self._reusable = False
        elif head.length:
            self._decoder = LengthDecoder(head.length)
        return ""

    def _begin_answer_body(self, reply: Reply, rest: bytes) -> None:
        decoder = self._decoder
        assert decoder is not None
        piece = decoder.feed(rest) if rest else b""
        if decoder.ended:
            reply.body = Whole(piece, decoder.trailers)
            self._exchange_over(decoder.rest)
            return
        self._body = body = Body(self)
        reply.body = body
        if reply.status == 101:
            self._upload = Upload(
                self._transport, self._upload_broke, chunked=False, tunnelled=True
            )
            reply.tunnel = self._upload
            self._alarm.clear()
        if piece:
            body.feed(piece)
        if decoder.bad is not None:
            self._fail(Failure.BAD_RESPONSE, decoder.bad.detail)

    def committed(self, stream_idle: float | None, deadline: float) -> None:
        """The answer goes to the agent from here on: other times rule."""
        if self._body is None:
            return
        self._stream_idle = stream_idle
        due = NEVER if stream_idle is None else self._clock.now() + stream_idle
        self._alarm.set(min(due, deadline))

    def _take_body(self, data: bytes) -> None:
        decoder, body = self._decoder, self._body
        assert decoder is not None
        assert body is not None
        if self._stream_idle is not None:
            self._alarm.set(self._clock.now() + self._stream_idle)
        piece = decoder.feed(data)
        if decoder.bad is not None:
            self._fail(Failure.BAD_RESPONSE, decoder.bad.detail)
        elif decoder.ended:
            self._body = None
            self._exchange_over(decoder.rest)
            body.finish(piece, decoder.trailers)
        elif piece:
            body.feed(piece)

    def _end_body(self) -> None:
        """The connection's end is the body's."""
        decoder, body = self._decoder, self._body
        assert decoder is not None
        assert body is not None
        self._decoder = self._body = None
        self._alarm.clear()
        tunnelled = self._upload is not None and self._upload.tunnelled
        body.finish(b"", [])
        if tunnelled:  # what the agent sent last still goes out
            self._drop_upload()
            self._transport.close()

    def _exchange_over(self, rest: bytes) -> None:
        """The answer is whole: the connection is free, or it goes."""
        self._decoder = None
        self._attempt = None
        self._alarm.clear()
        self._stream_idle = None
        if self._upload is not None and self._upload.done:
            self._upload = None
        if self._reusable and self._upload is None and not rest and not self.closed:
            self._pool.release(self)
        else:
            self.close()

    # --- ends before their time ---

    def _too_late(self) -> None:
        self._fail(
            Failure.TIMEOUT,
            "no answer came in time" if self._answered is not None else "the answer stalled",
        )

    def _over(self, *, reset: bool) -> None:
        """The connection has ended. What does that mean for the exchange?"""
        decoder = self._decoder
        if self._answered is not None:
            if self._held:
                self._fail(
                    Failure.TRUNCATED, "the connection was closed within the head of the answer"
                )
            else:
                self._fail(Failure.DISCONNECT, "the connection was closed before an answer came")
        elif decoder is not None and self._body is not None:
            if not reset and decoder.end_of_connection():
                self._end_body()
            else:
                self._fail(Failure.TRUNCATED, "the connection was closed within the answer")

    def _fail(self, failure: Failure, detail: str) -> None:
        signal, body = self._answered, self._body
        self._answered = self._body = self._decoder = None
        self.close()
        if signal is not None:
            signal.set(failed(failure, detail))
        elif body is not None:
            body.fail(failure)

    def _drop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.drop()

    # --- part of Source: the answer's body ---

    def pause(self) -> None:
        """Part of Source: stop reading."""
        if not self.closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        """Part of Source: go on reading."""
        if not self.closed:
            self._transport.resume_reading()

    def abandon(self) -> None:
        """Part of Source: nobody wants the rest of the answer."""
        self._body = self._decoder = None
        self.close()
