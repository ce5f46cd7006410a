"""News: what a person should know at once, told to whoever listens (the log, later the journal).

Kept in the `Keep` under ("news",), so that listeners outlive a reload.
"""

from collections.abc import Callable

import msgspec


class CircuitChange(msgspec.Struct, frozen=True):
    """A circuit went from one state to another: closed, open or half_open."""

    upstream: str
    tool: str  # empty: the circuit of the upstream itself
    before: str
    after: str
    why: str  # consecutive | rate | slow | probe_failed | open_time_over | probes_passed
    open_for: float  # seconds; 0 unless it opened


class News(msgspec.Struct, weakref=True):
    """Who listens. A listener never waits and never raises."""

    listeners: list[Callable[[CircuitChange], None]] = []
    idle: bool = False  # never makes room for others in the Keep

    def tell(self, change: CircuitChange) -> None:
        """Tell every listener."""
        for listener in self.listeners:
            listener(change)
