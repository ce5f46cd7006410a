"""What the sandbox received, so that a test can say: it came once, it ran once."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass

KEPT = 1000
"""Calls that are remembered one by one; the counters count all."""

_LONGEST_VALUE = 200
_OF_INTEREST = frozenset({
    "content-length", "content-type", "expect", "host", "transfer-encoding", "user-agent", "via",
    "x-request-id", "traceparent", "x-stainless-retry-count", "grpc-previous-rpc-attempts",
})  # fmt: skip


@dataclass(slots=True)
class Received:
    """One request to the gateway.

    `status` is None while it is under way, and for good when no answer was made. `executed`
    counts how often the tool ran. `left` is true when the peer went away before an answer.
    """

    number: int
    at: float
    path: str
    headers: dict[str, str]
    tool: str | None = None
    idempotency_key: str | None = None
    fault: str | None = None
    executed: int = 0
    replayed: bool = False
    status: int | None = None
    left: bool = False


class Calls:
    """Counters since the last reset, and the last calls."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._waiting: list[asyncio.Future[None]] = []
        self.clear()

    def clear(self) -> None:
        """Count from nothing again."""
        self.total = 0
        self.left = 0
        self._under_way: dict[int, Received] = {}
        self.by_tool: Counter[str] = Counter()
        self.by_status: Counter[int] = Counter()
        self.executed: Counter[str] = Counter()
        self.last: deque[Received] = deque(maxlen=KEPT)
        self._changed()

    def came(self, path: str, headers: Mapping[str, str]) -> Received:
        """Note a request, before anything is known of it."""
        self.total += 1
        received = Received(self.total, self._now(), path[:_LONGEST_VALUE], _interesting(headers))
        self.last.append(received)
        self._under_way[received.number] = received
        self._changed()
        return received

    @property
    def under_way(self) -> int:
        """Requests that have come and not ended."""
        return len(self._under_way)

    def understood(self, received: Received, tool: str, key: str | None) -> None:
        """Note which tool it asks for."""
        received.tool = tool
        received.idempotency_key = key
        self.by_tool[tool] += 1
        self._changed()

    def ran(self, received: Received) -> None:
        """Note that its tool ran, once more."""
        received.executed += 1
        self.executed[received.tool or ""] += 1

    def ended(self, received: Received, status: int | None, *, left: bool = False) -> None:
        """Note its end: answered with a status, broken off by us (None), or left by the peer."""
        received.status = status
        received.left = left
        if self._under_way.get(received.number) is not received:
            return  # it came before a reset: it is not one of ours any more
        del self._under_way[received.number]
        self.left += left
        if status is not None:
            self.by_status[status] += 1
        self._changed()

    async def until(self, reached: Callable[["Calls"], bool]) -> None:
        """Wait for a state of these counters; the caller bounds the wait."""
        while not reached(self):
            change = asyncio.get_running_loop().create_future()
            self._waiting.append(change)
            await change

    def shown(self, most: int = KEPT) -> dict[str, object]:
        """As `GET /_calls` answers: the counters, and at most so many of the last calls."""
        return {
            "total": self.total,
            "under_way": self.under_way,
            "left": self.left,
            "by_tool": dict(self.by_tool),
            "by_status": {str(status): count for status, count in self.by_status.items()},
            "executed": dict(self.executed),
            "calls": [asdict(call) for call in list(self.last)[max(0, len(self.last) - most) :]],
        }

    def _changed(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)


def _interesting(headers: Mapping[str, str]) -> dict[str, str]:
    """Never credentials: what is shown here is shown to anybody."""
    return {
        name.lower(): value[:_LONGEST_VALUE]
        for name, value in headers.items()
        if name.lower() in _OF_INTEREST or name.lower().startswith(("holdfast-", "idempotency-"))
    }
