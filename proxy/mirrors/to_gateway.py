"""A mirror of kind gateway: records become calls of the tool gateway's own tools.

One after the other, as the gateway has no batches; so what is told is chosen (`gateway_table.py`).
Each call has the same idempotency key however often it is tried.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from proxy.journal.entries import FINISHED
from proxy.mirrors.event import Event
from proxy.mirrors.gateway_calls import GatewayCalls, Result
from proxy.mirrors.gateway_escrows import Escrows
from proxy.mirrors.gateway_seen import Seen
from proxy.mirrors.gateway_sums import Sums, minute_of
from proxy.mirrors.gateway_table import Called, called, steps
from proxy.mirrors.sink import Said
from proxy.units import in_utc

LATE = 5.0
"""Seconds after a minute in which records of it may still come."""


class ToGateway:
    """Part of Sink."""

    at_once = 1
    careful = True  # money that is booked twice is worse than an audit trail with a gap
    sure = True

    def __init__(self, gateway: GatewayCalls, wall: Callable[[], float]) -> None:
        self._gateway = gateway
        self._wall = wall
        self._sums = Sums()
        self._escrows = Escrows(gateway)
        self.seen = Seen()
        """The agents that it saw."""
        self._refused = ""
        """Why sums were not taken; empty: they were."""
        self._source = ""

    async def take(self, events: Sequence[Event], /) -> Said:
        """Part of Sink. What it remembers changes when all is told, in one step."""
        event = events[0]
        found = called(event)
        self._source = event.source
        if event.type == FINISHED and self._sums.minute not in ("", minute_of(event.ts)):
            failed = await self._tell_sums()
            if failed is not None:
                return _failed(failed)
        blamed: Result | None = None
        for step in steps(event, found):
            result = await self._gateway.call(*step)
            if not (result.taken or result.blames):
                return _failed(result)
            if not result.taken:
                blamed = blamed or result  # the others may do
        if workflow := self._escrows.concerns(event, found):
            left = await self._escrows.release(event, found, workflow)
            if left is not None:
                return _failed(left)
        self._remember(event, found)
        return Said(1) if blamed is None else Said(0, blamed.why, 1)

    def _remember(self, event: Event, found: Called) -> None:
        self._escrows.saw(event, found)
        if event.type == FINISHED:
            self._sums.add(event, found)
            self.seen.add(found.agent, found.fleet)

    async def idle(self) -> Said:
        """Part of Sink: the sums of a minute that is over."""
        if refused := self._refused:
            self._refused = ""
            return Said(0, refused, 1)
        if not self._sums.minute or minute_of(in_utc(self._wall() - LATE)) <= self._sums.minute:
            return Said(0)
        failed = await self._tell_sums()
        return Said(0) if failed is None else _failed(failed)

    async def _tell_sums(self) -> Result | None:
        """None: all are told, or the gateway does not want them."""
        for agent, step in self._sums.steps(self._source):
            result = await self._gateway.call(*step)
            if not (result.taken or result.blames):
                return result
            if not result.taken:
                self._refused = result.why
            self._sums.told(agent)
        return None

    def dump(self) -> Any:
        """Part of Sink."""
        parts = self._parts()
        return {name: part.dump() for name, part in parts} | {"source": self._source}

    def load(self, state: Any, /) -> None:
        """Part of Sink."""
        for name, part in self._parts() if isinstance(state, dict) else ():
            part.load(state[name])
            self._source = str(state["source"])

    async def close(self) -> None:
        """Part of Sink."""

    def _parts(self) -> "Iterator[tuple[str, Sums | Escrows | Seen]]":
        yield "sums", self._sums
        yield "escrows", self._escrows
        yield "seen", self.seen


def _failed(result: Result) -> Said:
    """Something is wrong with the gateway: it is tried again."""
    return Said(0, result.why, retry_after=result.answer.retry_after)
