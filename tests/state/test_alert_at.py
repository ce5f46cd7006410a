"""When an alert is due."""

from proxy.state.alert_at import next_alert, rearm
from proxy.state.allotment import ENDLESS, allotted
from proxy.state.caps import Cap, Limit

LIMIT = Limit("rolling", 1_001, 600)
CAP = Cap("fleet", "fleet", (LIMIT,), alert_at=(500_000, 900_000))


def test_shares_are_rounded_up() -> None:
    """Before so much is spent nobody is told; after the last one nobody is any more."""
    one = allotted(LIMIT, "UTC")
    assert next_alert(CAP, one) == 501
    one.alerted = 1
    assert next_alert(CAP, one) == 901
    one.alerted = 2
    assert next_alert(CAP, one) == ENDLESS


def test_it_is_raised_again_when_half_was_not_spent_since() -> None:
    """By all pods together; and fewer alerts may be wanted than were raised."""
    one = allotted(LIMIT, "UTC")
    one.enter(1_700_000_000.0)
    one.alerted = 5
    one.spend(200)
    one.others = 51
    rearm(CAP, one)
    assert one.alerted == 1
    one.others = 50
    rearm(CAP, one)
    assert one.alerted == 0
