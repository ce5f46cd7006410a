"""Sets of burns: those of the book, those for other windows, and those for low objectives."""

import pytest

from proxy.observe.slo.burns import lowered, most, outage, shown, told, usual, windows
from tests.observe.slo.objectives import DAY, objective

FACTORS = {30: [14.4, 6, 3, 1], 28: [13.44, 5.6, 2.8, 0.933333], 90: [43.2, 18, 9, 3]}


@pytest.mark.parametrize(("days", "factors"), FACTORS.items())
def test_factors_follow_the_window(days: int, factors: list[float]) -> None:
    """The share of the budget stays: 2, 5, 10 and 10 %."""
    burns = usual(0.99, days * DAY, 10)
    assert [burn.factor for burn in burns] == factors
    assert [(burn.long, burn.short, burn.severity) for burn in burns] == [
        (3600, 300, "page"),
        (21_600, 1800, "page"),
        (DAY, 7200, "ticket"),
        (3 * DAY, 21_600, "ticket"),
    ]
    assert {(burn.min_events, burn.min_bad) for burn in burns} == {(10, 2)}


def test_a_week_has_no_alert_for_a_budget_that_lasts() -> None:
    """The shares of its tickets would be burns of 0.7 and 0.23."""
    assert [burn.factor for burn in usual(0.99, 7 * DAY, 10)] == [3.36, 1.4, 0.9, 0.9]


def test_windows_longer_than_its_own_are_left_out() -> None:
    """An hour has one burn, and a minute none but the rule for outages."""
    assert [burn.long for burn in usual(0.99, 3600.0, 10)] == [3600]
    assert usual(0.99, 60.0, 10) == ()


@pytest.mark.parametrize(
    ("share", "factors"),
    [
        (0.96, [14.4, 4.8, 3, 1]),
        (0.95, [14.4, 4.8, 3, 1]),
        (0.9, [9, 4.8, 3, 1]),
        (0.5, [1.8, 1.8, 1.8, 1]),
    ],
)
def test_low_objectives_have_shorter_windows(share: float, factors: list[float]) -> None:
    """And no factor that 90 % bad events do not reach."""
    burns = usual(share, 30 * DAY, 10)
    assert [burn.factor for burn in burns] == factors
    assert [(burn.long, burn.short) for burn in burns[:2]] == [(1800, 120), (10_800, 900)]
    assert all(burn.fires_at(share) <= 0.9 + 1e-6 for burn in burns)


@pytest.mark.parametrize("share", [0.001, 0.1, 0.3, 0.5, 0.8, 0.93, 0.97, 0.99, 0.9999])
@pytest.mark.parametrize("days", [0.01, 1, 7, 30, 365])
def test_whatever_is_asked_can_fire(share: float, days: float) -> None:
    """Every burn of a set, and the rule that always is."""
    for burn in (*usual(share, days * DAY, 1), outage(share, 1)):
        assert burn.factor > 0
        assert burn.fires_at(share) < 1 or share < 0.01


def test_half_of_all_events_bad_is_an_outage() -> None:
    """Unless the objective allows as many."""
    for share in (0.5, 0.9, 0.999):
        assert outage(share, 7).fires_at(share) == pytest.approx(0.5)
    assert outage(0.3, 7).fires_at(0.3) == pytest.approx(0.7)
    burn = outage(0.99, 7)
    assert (burn.long, burn.short, burn.severity, burn.min_events) == (300, 300, "page", 7)
    assert burn.outage


@pytest.mark.parametrize(
    ("share", "days", "cannot"),
    [
        (0.99, 30, False),
        (0.94, 30, False),
        (0.93, 30, True),
        (0.9, 30, True),
        (0.97, 90, True),
        (0.9, 0.01, False),
    ],
)
def test_it_is_known_which_of_the_usual_set_cannot_fire(
    share: float, days: float, cannot: bool
) -> None:
    """14.4 needs an objective over 0.9306."""
    assert lowered(share, days * DAY) is cannot


def test_how_windows_and_burns_are_written() -> None:
    """As in a file."""
    assert [told(each) for each in (45, 90, 300, 5400, 7200, DAY, 3 * DAY)] == [
        *("45s", "90s", "5m", "90m", "2h", "1d", "3d")
    ]
    assert [most(share) for share in (0.9, 0.99, 0.95)] == [9, 90, 18]
    assert list(shown(usual(0.99, 30 * DAY, 10)))[:1] == ["14.4 over 1h and 5m (page)"]
    assert windows(objective()) == (300, 1800, 3600, 7200, 21_600, DAY, 3 * DAY, 30 * DAY)
