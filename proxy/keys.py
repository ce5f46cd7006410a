"""The keys of the `Keep`: all that outlives a reload, kind by kind, and whose each of it is.

A key is flat and all of it is text, so that a store can have it as one line. Its type says what its
names mean; `kind` is part of it because tuples with the same names are the same. What a shadow
counts or takes lies under the same key with `shadow` set: never where the enforced one looks.
"""

from typing import NamedTuple, TypeAlias, TypeVar


class CircuitKey(NamedTuple):
    """A circuit: of a tool, or where none is named the upstream's own."""

    bulkhead: str
    upstream: str
    tool: str
    kind: str = "circuit"
    shadow: str = ""


class QuietKey(NamedTuple):
    """Until when a tool is left alone."""

    bulkhead: str
    upstream: str
    tool: str
    kind: str = "cooldown"
    shadow: str = ""


class LatencyKey(NamedTuple):
    """How long a tool takes."""

    bulkhead: str
    upstream: str
    tool: str
    kind: str = "latency"
    shadow: str = ""


class InFlightKey(NamedTuple):
    """How many calls of a tool are on their way."""

    bulkhead: str
    upstream: str
    tool: str
    kind: str = "inflight"
    shadow: str = ""


class QueuedKey(NamedTuple):
    """How many attempts at a tool stand in queues of ours."""

    bulkhead: str
    upstream: str
    tool: str
    kind: str = "queued"
    shadow: str = ""


class PermitsKey(NamedTuple):
    """Permits of a policy, or of a bulkhead. From `upstream` on as `Per` has it: whose they are."""

    bulkhead: str
    policy: str
    upstream: str
    tool: str
    agent: str
    workflow: str
    model: str
    per: str
    kind: str = "permits"  # or bulkhead_permits
    shadow: str = ""


class CellsKey(NamedTuple):
    """All that calls under one limit of a policy have used up of it."""

    bulkhead: str
    policy: str
    kind: str  # rate_limit | token_limit; of a whole fleet: fleet_rate_limit | fleet_token_limit
    shadow: str = ""


class AllowanceKey(NamedTuple):
    """How often calls to an upstream may be repeated."""

    bulkhead: str
    upstream: str
    kind: str = "retry_budget"
    shadow: str = ""


class StandingKey(NamedTuple):
    """What share of its calls an upstream may have."""

    bulkhead: str
    upstream: str
    breaks: str  # `breaks`: an open circuit counts; else empty
    kind: str = "standing"
    shadow: str = ""


class PulseKey(NamedTuple):
    """What probes say of an upstream."""

    upstream: str
    kind: str = "pulse"
    shadow: str = ""


class CountsKey(NamedTuple):
    """What was counted under the name of a metric."""

    metric: str
    kind: str = "counts"
    shadow: str = ""


class SoleKey(NamedTuple):
    """What a process has one of."""

    kind: str
    shadow: str = ""


ALERTS = SoleKey("alerts")
"""What people are called for."""
CHAINS = SoleKey("chains")
"""Which calls wait for agents."""
CIRCUITS = SoleKey("circuits")
"""The circuits that pods share, where there is a store."""
DESK = SoleKey("desk")
"""What waits for people."""
ELSEWHERE = SoleKey("elsewhere")
"""What waits for people at other pods."""
KILLS = SoleKey("kills")
"""What is killed."""
LEDGER = SoleKey("ledger")
"""All accounts of all budgets."""
LINK = SoleKey("link")
"""The link to the store that pods share, where there is one."""
LOOPS = SoleKey("loops")
"""What agents did a moment ago."""
NEWS = SoleKey("news")
"""Who listens to the news."""
RATES = SoleKey("rates")
"""What is to be said of rates that pods share."""
SHELF = SoleKey("shelf")
"""Answers that are kept."""
SUMS = SoleKey("sums")
"""What all pods counted, where there is a store."""

Key: TypeAlias = (
    CircuitKey
    | QuietKey
    | LatencyKey
    | InFlightKey
    | QueuedKey
    | PermitsKey
    | CellsKey
    | AllowanceKey
    | StandingKey
    | PulseKey
    | CountsKey
    | SoleKey
)
Names = TypeVar("Names", bound=Key)


def shadowed(key: Names) -> Names:
    """Where a shadow has what is enforced under this key."""
    # Made for each call in the shadow of some policies, so without `_replace`: that costs thrice.
    made: Names = tuple.__new__(type(key), (*key[:-1], "shadow"))
    return made
