"""A mirror of kind webhook: batches of CloudEvents, signed as Standard Webhooks has it."""

import asyncio
from collections.abc import Callable, Sequence
from hashlib import sha256

from proxy.mirrors.event import BATCH, Event
from proxy.mirrors.sink import PassesOn, Said
from proxy.posts import Answer, Headers, Post
from proxy.protocols.standard_webhooks import headers

AT_ONCE = 100
SMALL = 1 << 18
"""Bytes that are hashed in no time; more of them would hold up the loop."""
BLAMES = frozenset({400, 409, 413, 422})
"""What is said of what was sent, and not of who sent it, when, or where."""
GONE = 410


class ToWebhook(PassesOn):
    """Part of Sink."""

    at_once = AT_ONCE

    def __init__(
        self,
        post: Post,
        url: str,
        keys: Sequence[bytes],
        wall: Callable[[], float],
        *,
        private: bool,
    ) -> None:
        self._post = post
        self._url = url
        self._keys = keys
        self._wall = wall
        self._private = private

    async def take(self, events: Sequence[Event], /) -> Said:
        """Part of Sink: all of them in one post, or none. The same events have the same id."""
        small = sum(len(event.line) for event in events) <= SMALL
        made = self._made(events) if small else await asyncio.to_thread(self._made, events)
        answer = await self._post(
            self._url, made[0], (("Content-Type", BATCH), *made[1]), private=self._private
        )
        return said_of(answer, len(events))

    def _made(self, events: Sequence[Event]) -> tuple[bytes, Headers]:
        content = b"[" + b",".join(event.encoded() for event in events) + b"]"
        name = f"msg_{sha256(content).hexdigest()[:32]}"
        return content, headers(self._keys, name, self._wall(), content)


def said_of(answer: Answer, count: int) -> Said:
    """Of so many events that were sent together."""
    if answer.taken:
        return Said(count)
    return Said(
        0,
        answer.why,
        blames=count if answer.status in BLAMES else 0,
        gone=answer.status == GONE,
        retry_after=answer.retry_after,
    )
