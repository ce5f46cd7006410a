"""An objective: what a policy file says of an SLO, read and judged. Frozen data."""

from collections.abc import Mapping
from typing import Literal, Protocol, TypeAlias

import msgspec

Sli: TypeAlias = Literal["success", "latency", "cost"]
Per: TypeAlias = Literal["call", "task"]
Severity: TypeAlias = Literal["page", "ticket"]

FACTS = (
    "upstream", "protocol", "layer", "tool", "agent", "fleet", "workflow", "model", "method",
)  # fmt: skip
"""What of a record an objective may ask for. They are fields of the record, of the same names."""


class Matching(Protocol):
    """For which calls it is (`proxy/config/match.py`)."""

    @property
    def keys(self) -> frozenset[str]:
        """The facts that it asks for."""
        ...

    def holds(self, facts: Mapping[str, str], /) -> bool:
        """Is it for a call with these?"""
        ...


class Burn(msgspec.Struct, frozen=True):
    """An alert: the budget burns more than `factor` times as fast as it may, in both windows.

    Windows are seconds. The long one says that it matters, the short one that it goes on.
    """

    factor: float
    long: float
    short: float
    severity: Severity
    min_events: int = 1  # in the long window; with fewer nothing is said
    min_bad: int = 1
    outage: bool = False  # the rule of all: it fires at its share of bad events, others beyond

    def fires_at(self, objective: float) -> float:
        """The share of bad events from which on it fires; from 1 on it never does."""
        return self.factor * (1 - objective)


class Objective(msgspec.Struct, frozen=True):
    """An SLO. Times are seconds."""

    name: str
    sli: Sli
    per: Per
    objective: float  # the share that is to be good, between 0 and 1
    window: float
    match: Matching
    burns: tuple[Burn, ...]
    most_us: int = 0  # latency: longer is bad
    most_micros: int = 0  # cost: more is bad
    terminal: tuple[str, ...] = ()  # tools (globs) whose success ends a task
    idle: float = 600.0  # after which a task is abandoned
    min_events: int = 1  # with fewer in its window nothing is said of it
    freeze_canary: bool = False  # when its budget is used up; the next ones too
    require_approval: bool = False
    notify: bool = False
    tighten: tuple[str, ...] = ()  # policies that are in force only then
    place: str = ""  # the file and line where it stands
