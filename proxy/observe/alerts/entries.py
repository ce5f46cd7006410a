"""What the journal says of alerts. All records of one episode have its id."""

from typing import ClassVar

import msgspec


class Fired(msgspec.Struct, frozen=True, omit_defaults=True):
    """An alert fires."""

    id: str  # of the episode
    fingerprint: str
    source: str
    name: str
    severity: str
    about: dict[str, str]
    starts: str  # RFC 3339
    summary: str = ""
    told: dict[str, str] = {}
    group: str = ""
    until: str = ""  # RFC 3339: over by then, unless its source says it again
    type: ClassVar[str] = "alert.firing"


class SloFired(Fired, frozen=True, omit_defaults=True):
    """The budget of an SLO burns, or is used up."""

    type: ClassVar[str] = "slo.alert"


class Resolved(msgspec.Struct, frozen=True, omit_defaults=True):
    """It is over."""

    id: str
    fingerprint: str
    source: str
    name: str
    severity: str
    about: dict[str, str]
    starts: str
    ends: str
    type: ClassVar[str] = "alert.resolved"


class SloResolved(Resolved, frozen=True, omit_defaults=True):
    """Likewise, of an SLO."""

    type: ClassVar[str] = "slo.resolved"


class Notified(msgspec.Struct, frozen=True, omit_defaults=True):
    """A receiver is told."""

    id: str  # of the notice
    receiver: str
    firing: tuple[str, ...] = ()  # ids of episodes
    resolved: tuple[str, ...] = ()
    type: ClassVar[str] = "alert.notified"


class Acknowledged(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody sees to it."""

    id: str
    by: str
    at: str
    reason: str = ""
    type: ClassVar[str] = "alert.acknowledged"


class Escalated(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step of its ladder did something; or, without `act`, it was done."""

    id: str
    ladder: str
    step: int  # 1: the first
    after_ms: int  # of which it had climbed
    act: str = ""  # notify | tighten | open_breaker | kill | call
    what: str = ""
    result: str = ""  # done | begun | why it could not be done
    undone: bool = False  # it is taken back: its alert is over
    type: ClassVar[str] = "alert.escalated"


TYPES = frozenset(
    each.type
    for each in (Fired, SloFired, Resolved, SloResolved, Notified, Acknowledged, Escalated)
)
