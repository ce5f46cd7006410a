"""A call, from the head that came to the last byte that went. The story; the rest is detail.

What is this call, and may it be read at all? Which pipeline is its tool's? The pipeline decides
whether and how it goes, and comes back with a reply at its commit. The answer streams to the agent;
when its outcome is known the reply is *finished*: gates settle and the record is made; then the
last byte goes.
"""

import asyncio
import itertools

from proxy.call import Call
from proxy.clock import Clock
from proxy.pipeline.account import Last, Watcher, lines_of, refusal_of, sent
from proxy.pipeline.compile import Pipeline
from proxy.pipeline.reading import Reader
from proxy.pipeline.table import Table
from proxy.protocols.identity import Identity, came_back, complete
from proxy.protocols.protocol import Reads
from proxy.protocols.recognise import HTTP
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result
from proxy.wire.exchange import Exchange
from proxy.wire.head import BadMessage

_BUG = Refusal("internal_error", "Holdfast failed on this call", executed=Executed.UNKNOWN)


class Gateway:
    """Takes each request through its call."""

    def __init__(
        self, table: Table, clock: Clock, identity: Identity, instance: str, watcher: Watcher
    ) -> None:
        """`instance` is this process's token in Via and in the ids of calls."""
        self.table = table
        self._clock = clock
        self._identity = identity
        self._token = f"holdfast-{instance}".encode()
        self._ids = map(f"{instance}-{{:x}}".format, itertools.count(1))
        self._watcher = watcher
        self._reader = Reader(clock)

    async def handle(self, exchange: Exchange) -> None:
        """One call, from start to finish."""
        call = self._open(exchange)
        pipeline: Pipeline | None = None
        try:
            recognised = await self._recognised(exchange, call)
            if isinstance(recognised, Refusal):
                reply = Reply(status=0, refusal=recognised, executed=Executed.NO)
            else:
                pipeline = recognised
                call.flight = self._watcher.began(call.upstream, call.tool)
                reply = await pipeline(call)
        except asyncio.CancelledError:  # Call.stop says why
            executed = Executed.UNKNOWN if call.sent else Executed.NO
            reply = Reply(
                status=0, failure=Failure.CANCELLED, result=Result.CANCELLED, executed=executed
            )
        except Exception as bug:  # it costs this call, and is recorded like any other end
            self._watcher.bug(bug)
            reply = Reply(status=0, refusal=_BUG)
        answer, lines = self._told(exchange, call, reply, pipeline)
        try:
            if answer.whole:
                exchange.answer(answer, lines)
            else:
                await exchange.stream(answer, lines)
        finally:
            answer.close()

    def _open(self, exchange: Exchange) -> Call:
        head = exchange.head
        call = Call(
            id=next(self._ids),
            head=head,
            body=exchange.body,
            started=exchange.started,
            target=head.target,
            interim=exchange.interim,
            cancel=exchange.cancel,
        )
        exchange.call = call
        self._identity.name(call)
        return call

    async def _recognised(self, exchange: Exchange, call: Call) -> Pipeline | Refusal:
        """The pipeline for this call, or why it is refused before any policy is asked."""
        table = self.table  # a call keeps the table that it began with
        mount = table.mount(call.target)
        if mount is None:
            return Refusal("no_route", "no upstream is mounted at this path")
        if b"via" in call.head.fields and came_back(call.head, self._token):
            return Refusal(
                "proxy_loop", "the call has passed this proxy before; an upstream points back here"
            )
        call.upstream = mount.name
        if mount.prefix:
            call.target = mount.stripped(call.target)
        reads = mount.protocol.reads(call.head)
        content = exchange.body.whole if reads is not Reads.NOTHING else None
        if reads is not Reads.NOTHING and (
            content is None or len(content) > mount.rules.body_buffer
        ):
            read = await self._reader.read(exchange, call, mount, reads)
            if isinstance(read, Refusal):
                return self._bad(read)
            content = read
        refusal = mount.protocol.recognise(call, content, mount.rules)
        if refusal is not None:
            return self._bad(refusal)
        if call.workflow or b"traceparent" in call.head.fields:
            complete(call)
        return table.pipeline(call, mount)

    def _bad(self, refusal: Refusal) -> Refusal:
        self._watcher.bad_request(refusal.code)
        return refusal

    def _told(
        self, exchange: Exchange, call: Call, reply: Reply, pipeline: Pipeline | None
    ) -> tuple[Reply, bytes]:
        """The answer, where it is ours in the words of the protocol, and what is said about it."""
        bad = exchange.bad
        if reply.failure is Failure.BAD_REQUEST and bad is not None:
            reply.refusal = Refusal(bad.code, bad.detail, executed=reply.executed)
        refusal = refusal_of(call, reply, self._clock.now())
        answer = reply
        if refusal is not None:
            reply.finish()
            reply.close()
            accept = call.head.fields.get(b"accept", b"")
            answer = HTTP.refuse(refusal, call.id, sent(call), accept)
            answer.failure, answer.result = reply.failure, reply.result
        answer.finishers.append(Last(self._clock, self._watcher, call, pipeline, refusal))
        return answer, lines_of(call, answer, pipeline, refusal)

    def turn_away(self, bad: BadMessage) -> tuple[Reply, bytes]:
        """Part of Door: what is not even a request."""
        self._watcher.bad_request(bad.reason)
        return self._ours(Refusal(bad.code, bad.detail))

    def failed(self, error: BaseException) -> tuple[Reply, bytes]:
        """Part of Door: a bug."""
        self._watcher.bug(error)
        return self._ours(_BUG)

    def _ours(self, refusal: Refusal) -> tuple[Reply, bytes]:
        call_id = next(self._ids)
        lines = (
            b"holdfast-call: %b\r\nholdfast-origin: holdfast\r\n"
            b"holdfast-outcome: refused\r\nholdfast-reason: %b\r\n"
        )
        return HTTP.refuse(refusal, call_id, 0, b""), lines % (
            call_id.encode(),
            refusal.code.encode(),
        )
