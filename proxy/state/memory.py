"""A store's memory, in this process: values under keys that end, a clock, and who listens."""

import asyncio
import secrets
from collections.abc import Callable
from typing import Any

Listener = Callable[[str, bytes], None]


class Memory:
    """What verbs change. It can be emptied, restarted and broken, as a server can."""

    def __init__(self, wall: Callable[[], float]) -> None:
        """`wall`: seconds since 1970, on the store's own clock."""
        self._wall = wall
        self._kept: dict[str, Any] = {}
        self._until: dict[str, int] = {}
        self._listeners: dict[Listener, asyncio.Future[None]] = {}
        self.run = secrets.token_hex(20)
        """Which life of the server this is: it changes with each restart and each failover."""
        self.broken = ""
        """Why nobody gets an answer; empty: everybody does."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self._wall() * 1000)

    def of(self, key: str, make: Callable[[], Any]) -> Any:
        """What is under a key; made, if there is nothing. What has ended is gone."""
        if self._until.get(key, 1 << 62) <= self.now():
            self.drop(key)
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def seen(self, key: str) -> Any:
        """What is under a key, or None."""
        if self._until.get(key, 1 << 62) <= self.now():
            self.drop(key)
        return self._kept.get(key)

    def put(self, key: str, value: Any) -> None:
        """In the place of what was there."""
        self._kept[key] = value

    def drop(self, key: str) -> None:
        """Nothing is under it."""
        self._kept.pop(key, None)
        self._until.pop(key, None)

    def ends(self, key: str, after: int) -> None:
        """It is gone in so many milliseconds, if nobody says so again."""
        self._until[key] = self.now() + after

    def left(self, key: str) -> int:
        """Milliseconds until it is gone; 0: it is not there, or nobody said."""
        return max(0, self._until.get(key, 0) - self.now())

    def publish(self, topic: str, said: bytes) -> None:
        """Everybody who listens is told."""
        for heard in tuple(self._listeners):
            heard(topic, said)

    async def heard_by(self, heard: Listener) -> None:
        """Until it breaks or restarts."""
        ended = self._listeners[heard] = asyncio.get_running_loop().create_future()
        try:
            await ended
        finally:
            self._listeners.pop(heard, None)

    def breaks(self, why: str) -> None:
        """From now on nobody gets an answer."""
        self.broken = why
        for ended in self._listeners.values():
            if not ended.done():
                ended.set_result(None)

    def heals(self) -> None:
        """It answers again, and knows all that it knew."""
        self.broken = ""

    def restarts(self, *, empty: bool) -> None:
        """Another life; with nothing left of the one before, or all of it."""
        self.breaks("it was restarted")
        self.broken = ""
        self.run = secrets.token_hex(20)
        if empty:
            self._kept.clear()
            self._until.clear()
