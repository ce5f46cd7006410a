"""A mirror of kind redis: a stream, of which each entry is a CloudEvent."""

import asyncio
import importlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from proxy.mirrors.event import PREFIX, Event
from proxy.mirrors.sink import PassesOn, Said
from proxy.state.endpoint import Endpoint
from proxy.state.store import Unreachable

if TYPE_CHECKING:
    from proxy.state.redis import RedisStream

AT_ONCE = 200


class ToRedis(PassesOn):
    """Part of Sink."""

    at_once = AT_ONCE

    def __init__(self, endpoint: Endpoint, key: str, most: int) -> None:
        self._made = (endpoint, key, most)
        self._stream: RedisStream | None = None

    async def take(self, events: Sequence[Event], /) -> Said:
        """Part of Sink."""
        if not self._made[0].hosts:
            return Said(0, "there is no Redis: the settings name no store, and the mirror has none")
        if self._stream is None:
            # It takes 60 ms and 7 MB, and few have one.
            redis = await asyncio.to_thread(importlib.import_module, "proxy.state.redis")
            self._stream = redis.RedisStream(*self._made)
        assert self._stream is not None
        entries = [(event.id, PREFIX + event.type, event.encoded()) for event in events]
        try:
            await self._stream.add(entries)
        except Unreachable as error:
            return Said(0, str(error))
        return Said(len(events))

    async def close(self) -> None:
        """Part of Sink."""
        if self._stream is not None:
            await self._stream.close()
