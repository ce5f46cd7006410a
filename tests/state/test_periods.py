"""Hours, days and months, by the clocks of a place."""

from datetime import UTC, datetime
from math import floor, inf, nextafter
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.state.periods import ALWAYS, CALENDAR, period

# `localtime` is whatever this machine's is; `Factory` says that nobody has set one.
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
TIMES = st.floats(0, 4_102_444_800)  # 1970 to 2100


def utc(text):
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def at(zone, text, fold=0):
    """When a clock there shows it; `fold`: for the second time."""
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


@pytest.mark.parametrize(
    ("window", "start", "end"),
    [
        ("hour", "2024-02-29T13:00", "2024-02-29T14:00"),
        ("day", "2024-02-29T00:00", "2024-03-01T00:00"),
        ("month", "2024-02-01T00:00", "2024-03-01T00:00"),
    ],
)
def test_by_the_clock_of_the_world(window, start, end):
    """A leap day, and the month that it ends."""
    assert period(window, "UTC", utc("2024-02-29T13:59:59.999999")) == (utc(start), utc(end))


def test_a_year_ends():
    """With its last hour, day and month."""
    last = utc("2025-12-31T23:30")

    assert {period(window, "UTC", last)[1] for window in CALENDAR} == {utc("2026-01-01T00:00")}


def test_the_end_belongs_to_the_next():
    """To the last bit of a float before it, it is still the one before."""
    midnight = utc("2025-03-01T00:00")

    for window in CALENDAR:
        assert period(window, "UTC", nextafter(midnight, 0))[1] == midnight
        assert period(window, "UTC", midnight)[0] == midnight


@pytest.mark.parametrize(
    ("date", "hours"), [("2025-03-30", 23), ("2025-03-31", 24), ("2025-10-26", 25)]
)
def test_a_day_on_which_the_clocks_are_changed(date, hours):
    """In Madrid, by an hour."""
    start, end = period("day", "Europe/Madrid", at("Europe/Madrid", f"{date}T12:00"))

    assert (start, end - start) == (at("Europe/Madrid", f"{date}T00:00"), hours * 3600)


def test_months_have_the_hours_of_their_days():
    """March is an hour short, October an hour long."""
    march, october = (
        period("month", "Europe/Madrid", at("Europe/Madrid", f"2025-{month}-15T12:00"))
        for month in ("03", "10")
    )

    assert march[1] - march[0] == (31 * 24 - 1) * 3600
    assert october[1] - october[0] == (31 * 24 + 1) * 3600


def test_an_hour_that_the_clocks_show_twice_is_two():
    """02:30 in summer time and 02:30 in winter time, an hour later."""
    first, second = (
        period("hour", "Europe/Madrid", at("Europe/Madrid", "2025-10-26T02:30", fold))
        for fold in (0, 1)
    )

    assert (first[1], second[1] - second[0]) == (second[0], 3600)
    assert first[1] - first[0] == 3600


def test_an_hour_that_the_clocks_skip_is_none():
    """After 01:59 comes 03:00."""
    start, end = period("hour", "Europe/Madrid", at("Europe/Madrid", "2025-03-30T01:30"))

    assert end == at("Europe/Madrid", "2025-03-30T03:00")
    assert period("hour", "Europe/Madrid", end) == (end, end + 3600)
    assert end - start == 3600


def test_clocks_that_are_changed_by_half_an_hour():
    """On Lord Howe: 01:30 to 02:00 comes twice, and 02:00 to 02:30 not at all."""
    zone = "Australia/Lord_Howe"
    first = period("hour", zone, at(zone, "2025-04-06T01:45"))
    second = period("hour", zone, at(zone, "2025-04-06T01:45", fold=1))
    short = period("hour", zone, at(zone, "2025-10-05T02:45"))

    assert first[1] - first[0] == 3600
    assert second == (first[1], first[1] + 1800)
    assert short[1] - short[0] == 1800
    day = period("day", zone, first[0])
    assert day[1] - day[0] == 24.5 * 3600


def test_clocks_that_are_changed_within_an_hour():
    """In Newfoundland, until 2011, at a minute past midnight: that minute is an hour of its own,
    and so are the 59 minutes of the day before that come again."""
    zone = "America/St_Johns"
    minute = period("hour", zone, at(zone, "2010-11-07T00:00:30"))
    again = period("hour", zone, at(zone, "2010-11-06T23:30", fold=1))

    assert minute[1] - minute[0] == 60
    assert again == (minute[1], minute[1] + 59 * 60)


def test_zones_with_half_hours():
    """Days and hours of Kolkata begin half an hour off those of UTC; Nepal's a quarter."""
    assert period("hour", "Asia/Kolkata", utc("2025-01-01T00:00"))[0] == utc("2024-12-31T23:30")
    assert period("day", "Asia/Kolkata", utc("2025-01-01T00:00"))[0] == utc("2024-12-31T18:30")
    assert period("day", "Asia/Kathmandu", utc("2025-01-01T00:00"))[0] == utc("2024-12-31T18:15")


def test_a_midnight_that_does_not_exist():
    """In Santiago the first Sunday of September begins at 01:00; in Toronto of 1919, where the
    clocks went from 23:30 to 00:30, a day began at 00:30."""
    start, end = period("day", "America/Santiago", at("America/Santiago", "2025-09-07T12:00"))
    assert (start, end - start) == (at("America/Santiago", "2025-09-07T01:00"), 23 * 3600)
    before = period("day", "America/Santiago", start - 1)
    assert before[1] == start

    start, end = period("day", "America/Toronto", at("America/Toronto", "1919-03-31T12:00"))
    assert (start, end - start) == (at("America/Toronto", "1919-03-31T00:30"), 23.5 * 3600)


def test_clocks_that_go_back_over_midnight():
    """In Newfoundland, at 00:01: the day that has begun goes on, though for an hour they show the
    date of the one before again."""
    zone = "America/St_Johns"
    again = at(zone, "2010-11-06T23:30", fold=1)
    start, end = period("day", zone, again)

    assert start == at(zone, "2010-11-07T00:00")
    assert (start, end) == period("day", zone, at(zone, "2010-11-07T12:00"))
    assert period("day", zone, start - 1)[1] == start


def test_a_day_that_was_skipped():
    """Samoa had no 30 December 2011: the 29th ends where the 31st begins."""
    zone = "Pacific/Apia"
    end = period("day", zone, at(zone, "2011-12-29T12:00"))[1]

    assert period("day", zone, end) == (end, at(zone, "2012-01-01T00:00"))
    assert end == at(zone, "2011-12-31T00:00")


def test_in_total_there_is_one_period():
    """From the beginning of time on."""
    assert period("total", "UTC", utc("2025-01-01T00:00")) == ALWAYS == (0.0, inf)


@pytest.mark.parametrize("window", ["rolling", "request", "week"])
def test_other_windows_have_no_calendar(window):
    """Whoever asks is mistaken."""
    with pytest.raises(ValueError, match=f"no window of the calendar: {window}"):
        period(window, "UTC", 0.0)


@given(st.sampled_from(CALENDAR), st.sampled_from(ZONES), TIMES)
@example("day", "America/St_Johns", at("America/St_Johns", "2010-11-06T23:30", 1))
@example("day", "Pacific/Kwajalein", at("Pacific/Kwajalein", "1993-08-20T12:00"))
@example("month", "Africa/Monrovia", utc("1972-01-07T00:44:30"))
def test_periods_tile_time(window, zone, moment):
    """No moment is in two, and none is in none, whatever a zone's clocks do."""
    start, end = period(window, zone, moment)

    assert start <= moment < end
    assert period(window, zone, start) == (start, end)
    assert period(window, zone, nextafter(end, 0)) == (start, end)
    assert period(window, zone, end)[0] == end
    assert period(window, zone, nextafter(start, -inf))[1] == start


@given(st.sampled_from(ZONES), TIMES)
def test_an_hour_shows_one_hour(zone, moment):
    """All of it has the same date and hour on the clock, and none is longer than one."""
    start, end = period("hour", zone, moment)
    place = ZoneInfo(zone)
    shown = [datetime.fromtimestamp(floor(each), place) for each in (start, moment, end - 1)]

    assert len({(each.date(), each.hour, each.utcoffset()) for each in shown}) == 1
    assert end - start <= 3600


@given(st.sampled_from(ZONES), TIMES)
def test_days_and_months_begin_with_their_date(zone, moment):
    """What is shown at the start is shown there for the first time, and a second ago was not."""
    for window in ("day", "month"):
        start, _ = period(window, zone, moment)
        now, before = (
            datetime.fromtimestamp(each, ZoneInfo(zone)).date() for each in (start, start - 1)
        )
        assert before < now
        assert window == "day" or before.month != now.month
