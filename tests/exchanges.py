"""An exchange without sockets: one request of an agent, and what it is answered."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from proxy.call import Call, RequestHead, Whole
from proxy.reply import Failure, Reply
from proxy.strand import Signal
from proxy.wire.body import Body
from proxy.wire.head import BadMessage


class FakeExchange:
    """What the gateway sees of an agent's connection. `answered` and `streamed` are its answers."""

    def __init__(
        self,
        method: str = "POST",
        target: str = "/v1/search",
        fields: dict[bytes, bytes] | None = None,
        body: Body | Whole | None = None,
        *,
        length: int | None = None,
    ) -> None:
        fields = fields or {}
        headers = [(name, name, value) for name, value in fields.items()]
        self.head = RequestHead(method, target.encode(), 1, headers, fields, length=length)
        self.body: Any = Whole(b"") if body is None else body
        self.started = 1000.0
        self.bad: BadMessage | None = None
        self.call: Call | None = None
        self.watched: list[str] = []
        self.answered: list[tuple[Reply, bytes]] = []
        self.streamed: list[tuple[Reply, bytes]] = []
        self.over: Signal[Failure | None] = Signal()
        self.cancel: Callable[[], None] = lambda: None

    def interim(self, lines: bytes) -> None:
        """Nobody asks for it here."""

    def watch_body(self) -> None:
        """Note that somebody waits."""
        self.watched.append("watched")

    def unwatch_body(self) -> None:
        """And that nobody does."""
        self.watched.append("unwatched")

    def answer(self, reply: Reply, extra: bytes) -> None:
        """As the real one: it was finished before."""
        assert reply.finished
        self.answered.append((reply, extra))

    async def lasts(self, durable: Awaitable[Any]) -> None:
        """As the real one."""
        self.watched.append("waits")
        with contextlib.suppress(asyncio.CancelledError):
            await durable

    async def stream(
        self, reply: Reply, extra: bytes, last_words: Callable[[], bytes] = bytes
    ) -> None:
        """Until `over` is set, with how it ended."""
        self.streamed.append((reply, extra))
        reply.finish(await self.over)
        if reply.durable is not None:
            await self.lasts(reply.durable)
