"""What the journal is told of budgets, beside what each call cost."""

from typing import ClassVar

import msgspec


class Lease(msgspec.Struct, frozen=True, omit_defaults=True):
    """An account may come to so much, all that was ever spent and is reserved, before there is
    another one."""

    id: str
    budget: str
    key: str
    high: int  # micro-dollars
    lower: bool = False  # it is less than was promised before
    type: ClassVar[str] = "budget.lease"


class Alert(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of a budget was spent, for which somebody wants to be told."""

    id: str
    budget: str
    key: str
    window: str
    share: int  # parts per million of the limit
    spent: int  # micro-dollars in this window
    limit: int
    type: ClassVar[str] = "budget.alert"


class Passed(msgspec.Struct, frozen=True):
    """A part of a limit that alerts are for was spent."""

    window: str
    share: int  # parts per million of the limit
    spent: int
    limit: int
    resets_at: float
