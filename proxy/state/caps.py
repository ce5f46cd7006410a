"""What may be spent, by whom and in which time: a cap, as the ledger is given it.

Money is in micro-dollars. What a policy file calls a budget, and what a bulkhead says of its own,
are both one of these.
"""

import msgspec

WHOLE = 1_000_000
"""Shares of a limit are whole numbers: so many parts are all of it."""
ALERT_AT = (750_000, 900_000)
"""Where nothing else is said: at three quarters of a limit, and at nine tenths."""
NOBODY = "none"
"""To people, the key of calls that do not say whose they are."""


class Limit(msgspec.Struct, frozen=True):
    """So much in one window of time."""

    window: str  # request, hour, day, month, total or rolling
    micros: int
    seconds: int = 0  # how long it is; only of a rolling one


class Cap(msgspec.Struct, frozen=True):
    """The limits that one budget sets, for each value of what it counts by."""

    name: str  # no other cap is called so; that of a bulkhead: bulkhead/NAME
    per: str  # request, agent, workflow, task, tool, model, upstream, bulkhead or fleet
    limits: tuple[Limit, ...]
    alert_at: tuple[int, ...] = ALERT_AT  # shares of a limit (`WHOLE`), rising
    on_exceed: str = "reject"  # or abort, shadow, approve
    zone: str = "UTC"  # in which hours, days and months begin
    require: bool = False  # a call without what `per` names is refused; else it counts as `none`
    ttl: float = 0.0  # seconds without a call, after which a key is forgotten; 0: never
    cut_streams: bool = True  # one that outgrows what was reserved is ended
