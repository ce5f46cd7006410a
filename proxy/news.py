"""News: what a person should know at once, told to whoever listens (the log, later the journal).

Kept in the `Keep` under ("news",), so that listeners outlive a reload.
"""

from collections.abc import Callable
from typing import TypeAlias

import msgspec


class CircuitChange(msgspec.Struct, frozen=True):
    """A circuit went from one state to another: closed, open or half_open."""

    upstream: str
    tool: str  # empty: the circuit of the upstream itself
    before: str
    after: str
    why: str  # consecutive | rate | slow | probe_failed | open_time_over | probes_passed
    open_for: float  # seconds; 0 unless it opened


class Escalation(msgspec.Struct, frozen=True):
    """An upstream forbids a call, and a person is to say whether it may be."""

    upstream: str
    tool: str
    agent: str
    status: int


Event: TypeAlias = CircuitChange | Escalation


class News(msgspec.Struct, weakref=True):
    """Who listens. A listener never waits and never raises."""

    listeners: list[Callable[[Event], None]] = []
    idle: bool = False  # never makes room for others in the Keep

    def tell(self, event: Event) -> None:
        """Tell every listener."""
        for listener in self.listeners:
            listener(event)
