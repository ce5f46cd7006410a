"""A condition: what a source says to be so, or to be over. Alerts are made of these."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

Severity: TypeAlias = Literal["page", "ticket", "info"]
Source: TypeAlias = Literal[
    "slo", "breaker", "budget", "kill", "approval", "loop", "anomaly", "health", "journal",
    "reload", "store", "upstream", "alerts",
]  # fmt: skip


class Condition(msgspec.Struct, frozen=True):
    """Said again while it lasts, as often as the source likes: it is one alert all the same.

    Source, name, severity and `about` make it this alert and no other. So nothing that changes
    while it lasts stands in `about` (a figure, a time, an id of a call), and who says it in
    another severity says that it is over in the first.
    """

    source: Source
    name: str  # as an alert is called: SloBurn, CircuitOpen
    severity: Severity
    about: dict[str, str]  # labels: what makes it this alert and no other
    holds: bool  # is it so? False: it is over
    summary: str = ""  # one line for people
    told: dict[str, str] = {}  # annotations: figures, what to do; may change while it lasts
    group: str = ""  # alerts of one group are told together, and its page inhibits its ticket
    lasts: float = 0.0  # seconds after which it is over by itself; 0: when its source says so


LABELS = frozenset(
    {
        "agent", "agents", "budget", "bulkhead", "key", "name", "policy", "scope", "severity",
        "signal", "slo", "source", "tool", "upstream", "window",
    }
)  # fmt: skip
"""All that there are: each is one of some alert."""

Tell: TypeAlias = Callable[[Condition], None]
"""Never waits, never raises. On the loop."""
