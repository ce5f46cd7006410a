"""A call, from the head that came to the last byte that went. The story; the rest is detail.

What is this call, and may it be read at all? Which pipeline is its tool's? The pipeline decides
whether and how it goes, and comes back with a reply at its commit. The answer streams to the agent;
when its outcome is known the reply is *finished*: gates settle and the record is made; when that is
durable, where it must be, the last byte goes.
"""

import asyncio
import itertools
from functools import partial

from proxy.call import Call
from proxy.clock import Clock
from proxy.pipeline.ending import Ending, Traces, Watcher
from proxy.pipeline.mount import Mount, Unread
from proxy.pipeline.reading import Reader
from proxy.pipeline.table import Table
from proxy.pipeline.told import (
    in_our_words,
    last_words,
    lines_of,
    lines_of_no_call,
    refusal_of,
    stopped,
)
from proxy.protocols.http import problem
from proxy.protocols.identity import Identity, came_back
from proxy.refusal import Refusal
from proxy.reply import Executed, Failure, Reply, Result, refused, refusing
from proxy.stage import Handler
from proxy.wire.exchange import Exchange
from proxy.wire.head import BadMessage

_BUG = Refusal("internal_error", "Holdfast failed on this call", executed=Executed.UNKNOWN)
_NO_ROUTE = Refusal("no_route", "no upstream is mounted at this path")
_LOOP = Refusal("proxy_loop", "the call has passed this proxy before; an upstream points back here")

_NOT_THE_AGENTS = frozenset({"overloaded", "killed"})
"""Why a body was not read, where nothing is wrong with the request."""


class Gateway:
    """Takes each request through its call."""

    def __init__(
        self,
        table: Table,
        clock: Clock,
        identity: Identity,
        instance: str,
        watcher: Watcher,
        traces: Traces | None = None,
    ) -> None:
        """`instance` is this process's token in Via and in the ids of calls."""
        self.table = table
        self._clock = clock
        self._identity = identity
        self._token = f"holdfast-{instance}".encode()
        self._ids = map(f"{instance}-{{:x}}".format, itertools.count(1))
        self._watcher = watcher
        self._ending = Ending(clock, watcher, traces)
        self._reader = Reader(clock)
        self._enter = self._mount if identity.static else self._mount_of_known

    async def handle(self, exchange: Exchange) -> None:
        """One call, from start to finish."""
        call = self._open(exchange)
        try:
            mount = self._enter(call)
            if type(mount) is Refusal:
                reply = refused(mount)
            else:
                content: bytes | Unread | Refusal | None = mount.at_hand(call)
                if type(content) is Unread:
                    content = await self._reader.read(exchange, call, mount)
                reply = await self._pipeline(exchange, call, mount, content)(call)
        except asyncio.CancelledError:  # Call.stop says why
            reply = stopped(call)
        except Exception as bug:  # it costs this call, and is recorded like any other end
            self._watcher.bug(bug, call.id)
            reply = Reply(status=0, refusal=_BUG, result=Result.FAILURE)
        answer = self._answer(exchange, call, reply)
        try:
            if answer.whole:
                lines = lines_of(call, answer)
                answer.finish()
                if answer.durable is not None:
                    await exchange.lasts(answer.durable)
                exchange.answer(answer, lines)
            else:
                call.answered = self._clock.now()
                for each in (call,) if call.batch is None else call.batch.calls:
                    if each.taking is not None:
                        each.taking.answers(answer)
                words = partial(last_words, call, answer)
                await exchange.stream(answer, lines_of(call, answer), words)
        finally:
            answer.close()

    def _open(self, exchange: Exchange) -> Call:
        """Its place in the world; positions, not names: it is made for every call."""
        head, identity = exchange.head, self._identity
        call = Call(
            next(self._ids),
            head,
            exchange.body,
            exchange.started,
            head.target,
            exchange.interim,
            exchange.cancel,
            identity.agent,
            identity.fleet,
        )
        exchange.call = call
        if head.signs or not identity.static:
            identity.name(call)
        return call

    def _mount(self, call: Call) -> Mount | Refusal:
        """The upstream that it is for; its table is kept for all of the call."""
        table = self.table
        call.rule = table.rule  # until its pipeline says more
        mount = table.mount(call.target)
        if mount is None:
            return _NO_ROUTE
        if call.head.signs and came_back(call.head, self._token):
            return _LOOP
        mount.enter(call)
        return mount

    def _mount_of_known(self, call: Call) -> Mount | Refusal:
        """The same, if anybody knows whose call it is."""
        mount = self._mount(call)
        return mount if call.agent else self._identity.nobody

    def _pipeline(
        self, exchange: Exchange, call: Call, mount: Mount, content: bytes | Refusal | None
    ) -> Handler:
        """The pipeline of its tool, or what says no where it cannot be told which one that is."""
        if exchange.body.whole is None:
            call.fetch = partial(self._reader.fetch, exchange, call)
        if type(content) is Refusal:
            call.protocol = mount.protocol.name  # it is told so as who speaks that understands it
            found: Handler | Refusal = content
        else:
            found = mount.recognise(call, content)
        if type(found) is not Refusal:
            return found
        if exchange.bad is None and found.code not in _NOT_THE_AGENTS:
            self._watcher.bad_request(found.code)
        return partial(refusing, found)

    def _answer(self, exchange: Exchange, call: Call, reply: Reply) -> Reply:
        """What the agent gets; where nothing came, it is made in the words of the protocol."""
        bad = exchange.bad
        if reply.refusal is None and reply.failure is None and bad is None:  # nearly always
            reply.finishers.append((self._ending.settle, call))
            return reply
        if bad is not None:
            self._watcher.bad_request(bad.reason)
            if reply.failure is Failure.BAD_REQUEST:
                reply.refusal = Refusal(bad.code, bad.detail, executed=reply.executed)
        refusal = refusal_of(call, reply, self._clock.now)
        if refusal is not None:
            if refusal.policy and refusal.code == "ambiguous_call":  # found by who reads arguments
                self._watcher.bad_request(refusal.code)
            reply = in_our_words(call, reply, refusal)
        reply.finishers.append((self._ending.settle, call))
        return reply

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
        return problem(refusal, call_id, 0, b""), lines_of_no_call(call_id, refusal)
