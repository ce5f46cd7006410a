"""Calls that come in one message, and are each judged as if they came alone (spec 2.2).

A JSON-RPC batch (MCP 2025-03-26) holds several calls, of one tool or of many. Each has a pipeline
of its own, and these stand in each other: behind the gates of the first stand those of the second,
and behind those of the last one stands the upstream, to which the message goes as it came. So when
one of them says no nothing is sent, and what those before it took goes back by the same ways as
ever: a call that is refused, fails or is cancelled further in is like one whose upstream did so.

The message is sent once. It has the least time that one of its calls has, and its calls have one
reply, of which each settles its own attempt.
"""

from collections.abc import Awaitable, Sequence
from functools import partial
from typing import Any

from proxy.attempt import Attempt
from proxy.call import Batch, Call, Effect, Message
from proxy.pipeline.guard import Decides
from proxy.reply import Reply
from proxy.stage import Handler, Sender
from proxy.wire.compose import with_content

_WRITE = Effect.WRITE


class Together:
    """Takes the calls of one message through their pipelines. Called with the first of them."""

    def __init__(
        self, batch: Batch, pipelines: Sequence[Handler], send: Sender, commit: Decides
    ) -> None:
        """`pipelines`: of each call; they go on by `goes_on`. `commit` decides what the one answer
        comes to."""
        self._batch = batch
        self._pipelines = pipelines
        self._send = send
        self._commit = commit
        self._attempts: list[Attempt] = []  # of the calls so far

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The reply to all of them, at its commit."""
        self._batch.onward = self._onward
        for other in self._batch.calls[1:]:
            other.started = call.started
            other.cancel = partial(_stop, call, other)
        return self._pipelines[0](call)

    async def _onward(self, attempt: Attempt) -> Reply:
        """The gates of one call have let it come: the next one's turn, or the upstream's."""
        self._attempts.append(attempt)
        at = len(self._attempts)
        if at == len(self._batch.calls):
            return await self._sent(attempt)
        call, other = attempt.call, self._batch.calls[at]
        other.waited = 0.0
        try:
            return await self._pipelines[at](other)
        finally:
            call.waited += other.waited
            call.queued += other.queued

    async def _sent(self, last: Attempt) -> Reply:
        """The message goes; what becomes of it becomes of an attempt of each call."""
        batch, before = self._batch, self._attempts[:-1]
        content = batch.content
        last.sends = Message(with_content(batch.head, content), content, "")
        _hurry(last, before)
        first = batch.calls[0]
        first.finishes_alone = any(call.finishes_alone for call in batch.calls)
        if any(call.effect is _WRITE for call in batch.calls):
            for call in batch.calls:  # what one of them does, the message does
                call.effect = _WRITE
        for attempt in before:  # until it is known better: it may be cancelled at any time
            attempt.sent = True
        try:
            reply = await self._send(last)
            waits = self._commit(last, reply)
            if waits is not None:
                await waits
        finally:
            for attempt in before:
                attempt.sent, attempt.first_byte = last.sent, last.first_byte
        first.finishes_alone = first.finishes_alone and last.call.finishes_alone
        return reply


def goes_on(attempt: Attempt) -> Awaitable[Reply]:
    """Sends an attempt of a call that came with others: to wherever its batch has it go."""
    batch = attempt.call.batch
    assert batch is not None
    assert batch.onward is not None
    return batch.onward(attempt)


def was_decided(attempt: Attempt, reply: Reply) -> None:
    """The commit of each: what the answer comes to was decided once, for all of them."""
    attempt.result = reply.result
    attempt.status = reply.status
    attempt.failure = reply.failure
    if reply.attempt is not None:
        attempt.ended = reply.attempt.ended
    reply.attempt = attempt


def _hurry(last: Attempt, before: Sequence[Attempt]) -> None:
    """The one that is sent has the least of all their times."""
    for attempt in before:
        for name in ("deadline", "connect_by", "first_byte_by"):
            setattr(last, name, min(getattr(last, name), getattr(attempt, name)))
        for name in ("stream_idle", "stream_progress", "stream_max"):
            setattr(last, name, _least(getattr(last, name), getattr(attempt, name)))
        last.call.deadline = min(last.call.deadline, attempt.call.deadline)


def _least(one: Any, other: Any) -> Any:
    return one if other is None else other if one is None else min(one, other)


def _stop(call: Call, other: Call) -> None:
    """Who stops one of them stops all."""
    assert other.stopped is not None  # or nobody would cancel it
    call.stop(other.stopped, other.because)
