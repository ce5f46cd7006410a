"""A sink: where a mirror's records go, and what it says of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from proxy.mirrors.event import Event


class Said(NamedTuple):
    """What a sink says of the events that it was given."""

    taken: int  # so many of them, from the first
    why: str = ""  # why the next one was not; empty: all were
    blames: int = 0  # so many of the next ones are to blame for it, or one of them
    gone: bool = False  # its receiver wants no more, ever
    retry_after: float = 0.0  # seconds that its receiver asks for; 0: it asks for none


class Sink(Protocol):
    """Never raises for what the network does."""

    at_once: int
    """Events that it wants at a time, at most. Of some it may take the first ones only."""
    careful: bool
    """What it is told twice has a price: where nobody knows what was told, it begins with now."""
    sure: bool
    """What it says of a record it would say again: the record is set aside at once."""

    async def take(self, events: Sequence[Event], /) -> Said:
        """Tell them, in this order."""
        ...

    async def idle(self) -> Said:
        """There is nothing new: tell what has waited for its time."""
        ...

    def dump(self) -> Any:
        """What it has summed up of the events that it took, as JSON."""
        ...

    def load(self, state: Any, /) -> None:
        """What `dump` gave; nothing is known: None."""
        ...

    async def close(self) -> None:
        """No more is told."""
        ...


class PassesOn:
    """Of a sink that passes events on as they come: nothing waits, and nothing is summed up."""

    careful = False
    sure = False

    async def idle(self) -> Said:
        """Part of Sink."""
        return Said(0)

    def dump(self) -> Any:
        """Part of Sink."""

    def load(self, state: Any, /) -> None:
        """Part of Sink."""

    async def close(self) -> None:
        """Part of Sink."""
