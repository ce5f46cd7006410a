"""What is said of money."""

from typing import Any

import pytest

from proxy.clock import NEVER
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.price import Price
from proxy.state.spent_out import (
    left,
    nameless,
    one_call,
    priced,
    spent_out,
    standing,
    told_at,
    unpriced,
)

NOW = 1_767_225_600.0
HOUR, DAY, TOTAL = Limit("hour", 1_000_000), Limit("day", 2_000_000), Limit("total", 3_000_000)


def account(*limits: Limit, key: str = "ann") -> Account:
    """One with room for all that a test spends."""
    made = Account(Cap("team", "agent", limits), key, NOW)
    made.promise(1 << 60)
    return made


def spend(one: Account, micros: int) -> None:
    """Reserved and settled."""
    one.reserve(micros)
    one.settle(micros, micros, NOW)


def facts(refusal: Any) -> dict[str, Any]:
    """What only this code says."""
    return dict(refusal.facts)


def test_the_latest_of_the_full_windows_is_told() -> None:
    """For before that nothing goes."""
    one = account(HOUR, DAY)
    spend(one, 900_000)
    assert facts(spent_out(one, 200_000)) == {
        "name": "team", "window": "hour", "limit": "1.00", "spent": "0.90",
        "resets_at": "2026-01-01T01:00:00Z",
    }  # fmt: skip
    spend(one, 1_000_000)  # dearer than anybody thought
    refusal = spent_out(one, 200_000)
    assert facts(refusal)["window"] == "day"
    assert facts(refusal)["resets_at"] == "2026-01-02T00:00:00Z"
    assert refusal.scope == "agent"
    assert "for agent ann has no room for 0.20 USD: 1.90 of 2.00 USD is spent" in refusal.detail


def test_a_total_never_resets() -> None:
    """`resets_at` is null then."""
    one = account(DAY, TOTAL)
    spend(one, 3_000_000)
    assert facts(spent_out(one, 1)) | {"name": ""} == {
        "name": "", "window": "total", "limit": "3.00", "spent": "3.00", "resets_at": None,
    }  # fmt: skip


def test_what_is_reserved_is_told() -> None:
    """Else nobody would understand why there is no room."""
    one = account(HOUR, key="")
    one.reserve(950_000)
    detail = spent_out(one, 100_000).detail
    assert "for calls without agent has" in detail
    assert detail.endswith("0.00 of 1.00 USD is spent, 0.95 is reserved")


def test_a_hedge_may_be_refused_though_there_is_room() -> None:
    """Then all windows are looked at."""
    one = account(HOUR)
    spend(one, 800_000)
    assert facts(spent_out(one, 1))["window"] == "hour"


def test_one_call_by_itself() -> None:
    """It would cost too much whenever it is asked: waiting does not help."""
    refusal = one_call(Cap("one", "request", ()), 1_000_000, 400_000, 700_000)
    assert (refusal.scope, refusal.next_step) == ("request", "retry_modified")
    assert facts(refusal)["resets_at"] is None
    assert refusal.detail == "It would cost 1.10 USD; one call may cost 1.00"


@pytest.mark.parametrize(
    ("at", "text"), [(NEVER, None), (NOW, "2026-01-01T00:00:00Z"), (0.5, "1970-01-01T00:00:00Z")]
)
def test_a_moment(at: float, text: str | None) -> None:
    """As RFC 3339 has it."""
    assert told_at(at) == text


def test_what_is_left_is_that_of_the_window_that_is_on() -> None:
    """Also where nobody has called since it began."""
    one = account(HOUR, TOTAL)
    spend(one, 900_000)
    one.reserve(50_000)
    cap = one.cap
    assert left(cap, one, NOW) == "team: 0.90 of 1.00 a hour, 0.90 of 3.00 in all, 0.05 reserved"
    assert left(cap, one, NOW + 3_600).startswith("team: 0.00 of 1.00 a hour, 0.90 of 3.00")
    assert left(cap, None, NOW) == "team: nothing spent of 1.00 a hour, 3.00 in all"
    rolling = Cap("r", "fleet", (Limit("rolling", 5_000_000, 21_600),))
    assert left(rolling, None, NOW) == "r: nothing spent of 5.00 in 21600 s"


def test_prices_to_people() -> None:
    """A part of them is not known before."""
    assert priced(Price(2_000), 2_000) == "costs 0.002 USD"
    assert priced(Price(0, per_kb=5), 5) == "costs at least 0.000005 USD"
    assert priced(Price(5, known=False), 5) == "nobody says what it costs; 0.000005 USD is assumed"


def test_what_must_be_known_and_is_not() -> None:
    """Whose it is, and what it costs: somebody has to say it."""
    assert nameless(Cap("w", "workflow", ())).scope == "workflow"
    assert nameless(Cap("w", "workflow", ())).code == "denied"
    assert (unpriced("t", "p").policy, unpriced("t", "p").next_step) == ("p", "ask_owner")


ONE = Cap("one", "request", (Limit("request", 500_000),))
DAILY = Cap("daily", "agent", (Limit("day", 500_000),))


@pytest.mark.parametrize(
    ("cap", "note"),
    [(ONE, "one: at most 0.50 a call"), (DAILY, "daily: nothing spent of 0.50 a day")],
)
def test_what_would_be_said_before_anything_is_spent(cap: Cap, note: str) -> None:
    """To a call that costs more than there will ever be; and to one that does not."""
    assert standing([(cap, None)], 500_000, 0.0) == ([note], None)
    assert standing([(cap, None)], 0, 0.0) == ([note], None)
    (told,), refusal = standing([(cap, None)], 500_001, 0.0)
    assert (told, refusal and (refusal.code, refusal.policy)) == (
        note,
        ("budget_exceeded", cap.name),
    )
