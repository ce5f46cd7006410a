"""Hours, days and months of a calendar, as the clocks of a place show them.

Nothing counts down to them: which one it is now is worked out from the time whenever it is asked.

**An hour** ends when the minutes are full, or when the clocks are changed: the hour that they show
twice in autumn is two hours. **A day**, and a month, begins at the first moment that its date, or a
later one, is shown. So it has 23 or 25 hours where the clocks are changed, begins at 01:00 where
they skip midnight, and is none at all where a whole day is skipped. Where they go back over
midnight, the day that has begun goes on: money that was spent in it is not forgotten.
"""

from calendar import timegm
from datetime import date, datetime, timedelta
from math import floor, inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

CALENDAR = ("hour", "day", "month")
"""Windows that begin and end by the calendar."""
ALWAYS = (0.0, inf)
"""The one period of what is counted in total."""

_HOUR = 3600


def period(window: str, zone: str, at: float) -> tuple[float, float]:
    """The start and the end of the hour, day or month of a zone in which `at` is, in seconds of
    the epoch; the end is no part of it. Of `total` it is `ALWAYS`.

    Raises ValueError for another window, and zoneinfo's own errors for a zone that is none.
    """
    if window == "total":
        return ALWAYS
    if window not in CALENDAR:
        raise ValueError(f"no window of the calendar: {window}")
    from zoneinfo import ZoneInfo  # it brings a megabyte, which nobody without budgets needs

    place = ZoneInfo(zone)
    # All clocks are changed at whole seconds; what is less would only be rounded.
    moment = floor(at)
    if window == "hour":
        return _hour(place, moment)
    following = _next_day if window == "day" else _next_month
    shown = _shown(place, moment).date()
    first = shown if window == "day" else shown.replace(day=1)
    begin, end = _begin(place, first), _begin(place, following(first))
    while end <= moment:  # the clocks have gone back over midnight: its date was shown before
        first = following(first)
        begin, end = end, _begin(place, following(first))
    return float(begin), float(end)


def _hour(place: "ZoneInfo", at: int) -> tuple[float, float]:
    offset = _offset(place, at)
    begin = at - (at + offset) % _HOUR
    end = begin + _HOUR
    if _offset(place, begin) != offset:
        begin = _change(place, begin, at)
    if _offset(place, end - 1) != offset:
        end = _change(place, at, end - 1)
    return float(begin), float(end)


def _begin(place: "ZoneInfo", first: date) -> int:
    """The first moment that this date, or a later one, is shown."""
    midnight = datetime(first.year, first.month, first.day, tzinfo=place)
    wall = timegm(midnight.timetuple())
    at = floor(midnight.timestamp())
    if at + _offset(place, at) == wall:
        return at
    # No clock ever shows it. These are what it would be by the time before, and after the change.
    return _change(place, floor(midnight.replace(fold=1).timestamp()), at)


def _change(place: "ZoneInfo", before: int, after: int) -> int:
    """When the clocks are changed between the two."""
    old = _offset(place, before)
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(place, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _shown(place: "ZoneInfo", at: int) -> datetime:
    return datetime.fromtimestamp(at, place)


def _offset(place: "ZoneInfo", at: int) -> int:
    """Seconds that its clocks are ahead of UTC."""
    return timegm(_shown(place, at).timetuple()) - at


def _next_day(first: date) -> date:
    return first + timedelta(days=1)


def _next_month(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1)
