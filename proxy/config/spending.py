"""How limits of money are written, and the cap that comes of it."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proxy.config.money import Zone
from proxy.state.caps import ALERT_AT, WHOLE, Cap, Limit
from proxy.state.periods import CALENDAR
from proxy.units import Money, Seconds

LONGEST = 366 * 86400
"""Seconds of a window: for what is longer there are months, and totals."""

FIXED = (*CALENDAR, "total")


class Spending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be spent, in US dollars."""

    hour: Annotated[Money | UnsetType, Meta(description="In an hour of the clock.")] = UNSET
    day: Annotated[Money | UnsetType, Meta(description="In a day of the calendar.")] = UNSET
    month: Annotated[Money | UnsetType, Meta(description="In a month of the calendar.")] = UNSET
    total: Annotated[Money | UnsetType, Meta(description="Ever.")] = UNSET
    limit: Annotated[
        Money | UnsetType,
        Meta(description="In any stretch of time as long as window; per request, of each."),
    ] = UNSET
    window: Annotated[Seconds | UnsetType, Meta(description="How long that is, at most 366d.")] = (
        UNSET
    )
    timezone: Annotated[Zone, Meta(description="By whose clocks hours, days and months begin.")] = (
        Zone("UTC")
    )
    alert_at: Annotated[
        tuple[Annotated[float, Meta(gt=0, le=1)], ...],
        Meta(description="People are told when so much of a limit is spent."),
    ] = tuple(each / WHOLE for each in ALERT_AT)
    on_exceed: Annotated[
        Literal["reject", "abort", "shadow", "approve"],
        Meta(
            description="Of a call that there is no room for: reject refuses it; abort kills its "
            "workflow as well; approve asks a person; shadow lets it go and counts it."
        ),
    ] = "reject"
    cut_streams: Annotated[
        bool, Meta(description="End an answer that costs more than there is room for.")
    ] = True

    def __post_init__(self) -> None:
        """Raises ValueError where there is no limit, or one of which nobody knows for how long."""
        _check_window(self.limit, self.window)
        if not limits_of(self):
            raise ValueError("it has no limit: give hour, day, month, total, or limit and window")


def _check_window(limit: Money | UnsetType, window: Seconds | UnsetType) -> None:
    if window is UNSET:
        if limit is not UNSET:
            raise ValueError("limit: it needs a window beside it; without an end it is total")
    elif limit is UNSET:
        raise ValueError("window: it needs a limit beside it")
    elif not 1 <= window <= LONGEST or window % 1:
        raise ValueError("window: expected whole seconds, from 1s to 366d")


def limits_of(written: Any) -> tuple[Limit, ...]:
    """The limits that are given, the shortest calendar window first."""
    given = [
        Limit(name, int(value)) for name in FIXED if (value := getattr(written, name)) is not UNSET
    ]
    if written.limit is not UNSET:
        lasts = written.window
        given.append(
            Limit("request", int(written.limit))
            if lasts is UNSET
            else Limit("rolling", int(written.limit), int(lasts))
        )
    return tuple(given)


def cap_of(written: Spending, name: str, per: str, **more: Any) -> Cap:
    """The cap that is written; `more` are what only budgets of a list have."""
    return Cap(
        name=name,
        per=per,
        limits=limits_of(written),
        alert_at=tuple(sorted({max(1, round(each * WHOLE)) for each in written.alert_at})),
        on_exceed=written.on_exceed,
        zone=str(written.timezone),
        cut_streams=written.cut_streams,
        **more,
    )


def dollars(micros: int) -> str:
    """To people, and as a file has it."""
    return Money(micros).dollars
