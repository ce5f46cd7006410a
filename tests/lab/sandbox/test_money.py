"""proxy/lab/sandbox/money.py"""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.lab.sandbox.money import MICROS, MOST_DOLLARS, dollars, micros_of, shown


@pytest.mark.parametrize(
    ("value", "micros"),
    [
        (0, 0),
        (12, 12_000_000),
        (Decimal("0.1"), 100_000),
        (Decimal("1e3"), 1_000_000_000),
        ("12.50", 12_500_000),
        ("0.000001", 1),
        (10**12, 10**18),
    ],
)
def test_amounts_become_exact_micros(value: object, micros: int) -> None:
    """Numbers and decimal strings are taken exactly."""
    assert micros_of(value) == micros


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (-1, "negative"),
        ("-0.01", "negative"),
        ("0.0000001", "6 decimal places"),
        (Decimal("1e-999999999"), "6 decimal places"),
        (Decimal("1e999999999"), "at most"),
        (10**12 + 1, "at most"),
        (Decimal("NaN"), "decimal number"),
        (Decimal("Infinity"), "decimal number"),
        ("NaN", "decimal number"),
        ("1e3", "decimal number"),
        ("", "decimal number"),
        ("\u0661", "decimal number"),
        (True, "decimal number"),
        (1.5, "decimal number"),
        (None, "decimal number"),
    ],
)
def test_what_is_not_money_is_refused(value: object, said: str) -> None:
    """Negative, too fine, too large, not finite, not decimal, or a float: each says why."""
    with pytest.raises(ValueError, match=said):
        micros_of(value)


@given(st.integers(min_value=0, max_value=MOST_DOLLARS * MICROS))
def test_text_and_micros_are_the_same_amount(micros: int) -> None:
    """What is shown reads back as what it was."""
    assert micros_of(dollars(micros)) == micros


@pytest.mark.parametrize(
    ("micros", "text"), [(0, "0.00"), (12_500_000, "12.50"), (1, "0.000001"), (-3_000_000, "-3.00")]
)
def test_dollars_have_two_to_six_places(micros: int, text: str) -> None:
    """Cents are always shown, finer places where they are needed."""
    assert dollars(micros) == text


def test_shown_gives_text_and_integer() -> None:
    """An amount goes out twice: for people, and exact."""
    assert shown("cost", 2_100) == {"cost": "0.0021", "cost_micros": 2_100}
