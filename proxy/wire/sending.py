"""One request on its way to an upstream, and its answer: from the head to the last byte of it."""

from typing import TYPE_CHECKING, cast

from proxy.attempt import Attempt
from proxy.call import Whole
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body
from proxy.wire.compose import answers_without_body
from proxy.wire.framing import ChunkedDecoder, CloseDecoder, Decoder, LengthDecoder
from proxy.wire.head import END, AnswerHead, BadMessage, unfinished
from proxy.wire.stream_times import StreamTimes
from proxy.wire.upload import Upload

if TYPE_CHECKING:
    from proxy.wire.upstream import UpstreamConnection

_INTERIMS = 100
"""1xx heads before an answer. They are written without back-pressure, so they must not be many."""


def failed(failure: Failure, detail: str) -> Reply:
    """What comes back where nothing came back."""
    return Reply(status=0, failure=failure, detail=detail)


class Sending(Signal[Reply]):
    """Set once the head of the answer is here, or how that failed; the body may still come.

    It goes through three states: it waits for a head (`is_set` is false), it reads a body
    (`_decoder` is there), it is over (its connection has let go of it).
    """

    __slots__ = (
        "_attempt",
        "_began",
        "_body",
        "_connection",
        "_decoder",
        "_held",
        "_interims",
        "_keep_alive",
        "_paused",
        "_reply",
        "_times",
        "_upload",
    )

    def __init__(self, connection: "UpstreamConnection", attempt: Attempt) -> None:
        Signal.__init__(self)
        self._connection = connection
        self._attempt = attempt
        self._began = connection.clock.now()
        self._held = b""  # the beginning of a head
        self._interims = 0  # 1xx heads that came before the answer
        self._upload: Upload | None = None
        self._decoder: Decoder | None = None
        self._body: Body | None = None

    @property
    def tunnelled(self) -> bool:
        """Do bytes go both ways, whatever they are?"""
        return self._upload is not None and self._upload.tunnelled and self._body is not None

    # --- the request ---

    def begin(self, head: bytes) -> None:
        """Write it."""
        attempt, connection = self._attempt, self._connection
        attempt.sent = True
        due = attempt.deadline
        if attempt.first_byte_by < due:
            due = attempt.first_byte_by
        connection.alarm.set(due)
        if attempt.sends is not None:
            connection.out.write_whole(head + attempt.sends.content)
            return
        call = attempt.call
        whole = call.body.whole
        if whole is not None and not call.head.chunked:
            connection.out.write_whole(head + whole)
            return
        connection.out.write(head)  # and a body that is chunked, or still comes
        self._upload = upload = Upload(
            connection.transport, self._upload_broke, chunked=call.head.chunked
        )
        if whole is None:
            upload.join(cast("Body", call.body))
        else:
            upload.end(whole, cast("Whole", call.body).trailers)

    def never_sent(self) -> None:
        """Its connection had ended before."""
        self.set(failed(Failure.CONNECT, "the connection was closed before it was used"))

    def spoken_too_soon(self) -> None:
        """Bytes came, though nothing of the request has gone out: they answer somebody else."""
        self._attempt.sent = False
        self._fail(Failure.CONNECT, "the upstream spoke before it was asked")

    def stop_upload(self) -> None:
        """The upstream cannot take more for now."""
        if self._upload is not None:
            self._upload.pause()

    def resume_upload(self) -> None:
        """The upstream can take more."""
        if self._upload is not None:
            self._upload.resume()

    def _upload_broke(self, failure: Failure) -> None:
        """The agent's body will not come whole: the upstream must not take it for whole."""
        self._fail(failure, "the request's body broke off")

    # --- the head of the answer ---

    def take(self, data: bytes) -> None:
        """Bytes have come."""
        if self._decoder is not None:
            self._take_body(data)
            return
        if self._held:
            data = self._held + data
        heads = self._connection.heads
        while not self.is_set:
            end = data.find(END) + 4
            if end < 4:
                self._hold(data)
                return
            head, data = heads.answers[data[:end]], data[end:]
            if isinstance(head, BadMessage):
                self._fail(Failure.BAD_RESPONSE, head.detail)
            elif head.status >= 200 or head.status == 101:
                self._take_answer(head, data)
            elif self._take_interim(head, data):
                return

    def _hold(self, data: bytes) -> None:
        known, self._held = len(self._held), data
        bad = unfinished(data, self._connection.heads.limits, known)
        if bad is not None:
            self._fail(Failure.BAD_RESPONSE, bad.detail)

    def _take_interim(self, head: AnswerHead, rest: bytes) -> bool:
        """Pass a 1xx on. True: nothing came after it yet."""
        self._held = b""
        self._interims += 1
        if self._interims > _INTERIMS:
            self._fail(Failure.BAD_RESPONSE, f"more than {_INTERIMS} interim answers")
        elif self._attempt.call.interim is not None:
            self._attempt.call.interim(head.lines)
        return not rest

    def _take_answer(self, head: AnswerHead, rest: bytes) -> None:
        attempt = self._attempt
        now = self._connection.clock.now()
        attempt.first_byte = now
        attempt.status = head.status
        attempt.call.waited += now - self._began
        self._keep_alive = head.keep_alive
        if head.length == len(rest) and head.bodied and attempt.call.head.method != "HEAD":
            # Nearly always: all of it came at once.
            reply = Reply(head.status, head.lines, head.fields, Whole(rest), head.length)
            self._finish(b"")
            self.set(reply)
            return
        self._connection.alarm.set(attempt.deadline)  # its first byte has come in time
        reply = Reply(head.status, head.lines, head.fields, None, head.length)
        wrong = self._frame(head)
        if wrong:
            reply = failed(Failure.BAD_RESPONSE, wrong)
            self._drop()
        elif self._decoder is None:
            reply.body = Whole(b"")
            self._finish(rest)
        else:
            self._begin_body(reply, rest)
        self.set(reply)

    def _frame(self, head: AnswerHead) -> str:
        """Choose how the end of the body is found; what is wrong, if that cannot be."""
        asked = self._attempt.call.head
        if head.status == 101:
            if not asked.upgrade:
                return "101 was not asked for"
            self._decoder = CloseDecoder()
        elif answers_without_body(asked.method, head.status):
            # What a 204 says it has may yet come, and would be read as the next answer.
            promised = head.chunked or (head.status == 204 and bool(head.length))
            self._keep_alive = self._keep_alive and not promised
        elif head.chunked:
            self._decoder = ChunkedDecoder(self._connection.heads.limits)
        elif head.length is None:
            self._decoder = CloseDecoder()
            self._keep_alive = False
        elif head.length:
            self._decoder = LengthDecoder(head.length)
        return ""

    # --- the body of the answer ---

    def _begin_body(self, reply: Reply, rest: bytes) -> None:
        decoder, connection = self._decoder, self._connection
        assert decoder is not None
        piece = decoder.feed(rest) if rest else b""
        if decoder.ended:
            reply.body = Whole(piece, decoder.trailers)
            self._finish(decoder.rest)
            return
        self._times = times = StreamTimes.of(self._attempt, reply.fields)
        self._paused = False  # whoever takes the body cannot take more
        self._reply: Reply | None = reply
        self._body = body = Body(self)
        reply.body = body
        reply.on_commit = self._committed
        if reply.status == 101:
            self._upload = Upload(
                connection.transport, self._upload_broke, chunked=False, tunnelled=True
            )
            reply.tunnel = self._upload
            connection.alarm.clear()
        if piece:
            if times is not None:
                times.hear(piece, self._now(), held=False)
            body.feed(piece)
        if decoder.bad is not None:
            self._fail(Failure.BAD_RESPONSE, decoder.bad.detail)

    def _committed(self, streams: bool) -> None:
        """The answer goes to the agent from here on: other times rule."""
        if self._body is None:
            return
        attempt, alarm = self._attempt, self._connection.alarm
        if not streams:
            alarm.set(min(attempt.deadline, attempt.call.deadline))
        elif self._times is None:
            alarm.clear()
        else:
            alarm.set(self._times.begin(self._now(), held=self._paused))

    def _take_body(self, data: bytes) -> None:
        decoder, body = self._decoder, self._body
        assert decoder is not None
        assert body is not None
        piece = decoder.feed(data)
        times = self._times
        if times is not None:
            due = times.hear(piece, self._now(), held=self._paused)
            if times.running:
                self._connection.alarm.set(due)
        if decoder.bad is not None:
            self._fail(Failure.BAD_RESPONSE, decoder.bad.detail)
        elif decoder.ended:
            self._finish(decoder.rest)
            body.finish(piece, decoder.trailers)
        elif piece:
            body.feed(piece)

    def _finish(self, rest: bytes) -> None:
        """The answer is whole: the connection is free, or it goes."""
        connection, upload = self._connection, self._upload
        self._decoder = self._body = self._reply = None
        connection.alarm.clear()
        done = upload is None or upload.done
        if self._keep_alive and done and not rest and not connection.closed:
            connection.sending = None
            connection.pool.release(connection)
        else:
            self._drop()

    # --- ends before their time ---

    def too_late(self) -> None:
        """Its time is over. Where the agent was too slow to take it, that is not the upstream's."""
        if not self.is_set:
            self._fail(Failure.TIMEOUT, "no answer came in time")
        elif self._times is not None and self._times.running:
            self._fail(*self._times.over(self._now()))
        elif self._paused:
            self._fail(Failure.CANCELLED, "the answer was not read in time")
        else:
            self._fail(Failure.TIMEOUT, "the answer stalled")

    def unawaited(self) -> None:
        """Part of Signal: the call was cancelled while it waited for the answer."""
        Signal.unawaited(self)
        self._attempt.call.waited += self._now() - self._began
        self._drop()

    def connection_ended(self, *, reset: bool) -> None:
        """The connection has. What does that mean for this answer?"""
        if not self.is_set:
            if self._held:
                self._fail(
                    Failure.TRUNCATED, "the connection was closed within the head of the answer"
                )
            else:
                self._fail(Failure.DISCONNECT, "the connection was closed before an answer came")
        elif self._decoder is not None and self._body is not None:
            if not reset and self._decoder.end_of_connection():
                self._end_with_connection(self._body)
            else:
                self._fail(Failure.TRUNCATED, "the connection was closed within the answer")

    def _end_with_connection(self, body: Body) -> None:
        """The connection's end is the body's."""
        tunnelled = self.tunnelled
        self._decoder = self._body = self._reply = None
        connection = self._connection
        connection.alarm.clear()
        body.finish(b"", [])
        self._drop_upload()
        if tunnelled:  # what the agent sent last still goes out
            connection.sending = None
            connection.transport.close()

    def _fail(self, failure: Failure, detail: str) -> None:
        body = self._body
        if body is not None and self._reply is not None:
            self._reply.detail = detail
        self._drop()
        if body is not None:
            body.fail(failure)
        elif not self.is_set:
            self._attempt.call.waited += self._now() - self._began
            self.set(failed(failure, detail))

    def _drop(self) -> None:
        """Nothing more is wanted of this connection."""
        self._decoder = self._body = self._reply = None
        self._drop_upload()
        self._connection.close()

    def _drop_upload(self) -> None:
        upload, self._upload = self._upload, None
        if upload is not None:
            upload.drop()

    def _now(self) -> float:
        return self._connection.clock.now()

    # --- part of Source: the answer's body ---

    def pause(self) -> None:
        """Part of Source: stop reading."""
        self._paused = True
        if self._connection.closed:
            return
        if self._times is not None and self._times.running:
            self._connection.alarm.set(self._times.hold())
        self._connection.transport.pause_reading()

    def resume(self) -> None:
        """Part of Source: go on reading."""
        self._paused = False
        if self._connection.closed:
            return
        if self._times is not None and self._times.running:
            self._connection.alarm.set(self._times.resume(self._now()))
        self._connection.transport.resume_reading()

    def abandon(self) -> None:
        """Part of Source: nobody wants the rest of the answer."""
        self._drop()
