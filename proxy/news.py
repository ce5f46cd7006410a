"""News: what a person should know at once, told to whoever listens (the log, later the journal).

Kept in the `Keep` under ("news",), so that listeners outlive a reload.
"""

from collections.abc import Callable
from typing import ClassVar, TypeAlias

import msgspec


class CircuitChange(msgspec.Struct, frozen=True):
    """A circuit went from one state to another: closed, open or half_open."""

    word: ClassVar[str] = "circuit"

    upstream: str
    tool: str  # empty: the circuit of the upstream itself
    before: str
    after: str
    why: str  # consecutive | rate | slow | probe_failed | open_time_over | probes_passed
    open_for: float  # seconds; 0 unless it opened

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return self.after == "open"


class TrafficChange(msgspec.Struct, frozen=True):
    """An upstream that has backups lost its calls to them, or gets some or all of them back."""

    word: ClassVar[str] = "traffic"

    upstream: str
    backups: tuple[str, ...]
    percent: int  # of its calls that go to it from now on
    why: str  # probes | circuit | well
    bulkhead: str = ""  # whose calls; empty: those of agents that are in none

    @property
    def grave(self) -> bool:
        """Should somebody look at it soon?"""
        return not self.percent


class Escalation(msgspec.Struct, frozen=True):
    """An upstream forbids a call, and a person is to say whether it may be."""

    upstream: str
    tool: str
    agent: str
    status: int


Change: TypeAlias = CircuitChange | TrafficChange
Event: TypeAlias = Change | Escalation


class News(msgspec.Struct, weakref=True):
    """Who listens. A listener never waits and never raises."""

    listeners: list[Callable[[Event], None]] = []
    idle: bool = False  # never makes room for others in the Keep

    def tell(self, event: Event) -> None:
        """Tell every listener."""
        for listener in self.listeners:
            listener(event)
