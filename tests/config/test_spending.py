"""How limits of money are written."""

import pytest

from proxy.config.money import Zone
from proxy.config.spending import Spending, cap_of, dollars, limits_of
from proxy.state.caps import Cap, Limit
from proxy.units import Money, Seconds

ONE, TWO = Money(1_000_000), Money(2_000_000)


def test_limits_in_their_order():
    """Those of the calendar, the shortest first, then any stretch of time."""
    written = Spending(total=TWO, hour=ONE, limit=ONE, window=Seconds(21600.0))

    assert limits_of(written) == (
        Limit("hour", 1_000_000),
        Limit("total", 2_000_000),
        Limit("rolling", 1_000_000, 21600),
    )


def test_nothing_may_be_spent():
    """Zero is a limit."""
    assert limits_of(Spending(day=Money(0))) == (Limit("day", 0),)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "it has no limit: give hour, day, month, total, or limit and window"),
        ({"limit": ONE}, "limit: it needs a window beside it; without an end it is total"),
        ({"hour": ONE, "window": Seconds(5.0)}, "window: it needs a limit beside it"),
        ({"limit": ONE, "window": Seconds(0.5)}, "window: expected whole seconds, from 1s to 366d"),
        ({"limit": ONE, "window": Seconds(1.5)}, "window: expected whole seconds, from 1s to 366d"),
        ({"limit": ONE, "window": Seconds(4e7)}, "window: expected whole seconds, from 1s to 366d"),
    ],
)
def test_what_is_no_limit(fields, message):
    """It begins with the key that is to be mended."""
    with pytest.raises(ValueError) as error:
        Spending(**fields)

    assert str(error.value) == message


def test_a_cap_of_it():
    """Alerts rise, each once, and none is at nothing."""
    written = Spending(
        day=ONE,
        alert_at=(0.9, 0.5, 0.9, 1e-9),
        on_exceed="approve",
        timezone=Zone("Europe/Madrid"),
        cut_streams=False,
    )

    assert cap_of(written, "a", "agent", require=True, ttl=2.0) == Cap(
        name="a",
        per="agent",
        limits=(Limit("day", 1_000_000),),
        alert_at=(1, 500_000, 900_000),
        on_exceed="approve",
        zone="Europe/Madrid",
        require=True,
        ttl=2.0,
        cut_streams=False,
    )
    assert cap_of(Spending(day=ONE), "a", "agent") == Cap("a", "agent", (Limit("day", 1_000_000),))


def test_money_is_told_in_dollars():
    """As a file has it."""
    assert [dollars(each) for each in (0, 1, 50_000, 25_000_000)] == ["0", "0.000001", "0.05", "25"]
