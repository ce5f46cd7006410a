"""Prices: what is thought before, what is true after, and what an answer tells."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.price import FREE, MOST, Price, dollars, micros_of, told


def test_a_fixed_price_is_known_before() -> None:
    """Whatever the size, and whatever an answer tells is not asked for."""
    price = Price(2_000)
    assert not price.open
    assert (price.estimate(0), price.estimate(1 << 30), price.truth(1 << 30, None)) == (2_000,) * 3


def test_each_kib_begun_costs() -> None:
    """Of what is sent and what comes back together."""
    price = Price(10, per_kb=3)
    assert price.open
    assert [price.sized(size) for size in (0, 1, 1_024, 1_025)] == [0, 3, 3, 6]
    assert (price.estimate(1_025), price.truth(2_048, None)) == (16, 16)


def test_an_unknown_price_is_at_least_one() -> None:
    """Who has nothing left cannot pay for it; what it was in truth may be nothing."""
    price = Price(from_reply="cost")
    assert price.estimate(0) == 1
    assert (price.truth(0, 0), price.truth(0, 5), price.truth(0, None)) == (0, 5, 0)
    assert Price(10, from_reply="cost").truth(0, 0) == 0  # an explicit zero stays zero
    assert FREE.estimate(10) == 0


@pytest.mark.parametrize(
    ("content", "pointer", "micros"),
    [
        (b'{"cost": 0.002}', "cost", 2_000),
        (b'{"cost": "0.002"}', "cost", 2_000),
        (b'{"cost": " 1 "}', "cost", 1_000_000),
        (b'{"cost": 3}', "cost", 3_000_000),
        (b'{"cost": 0}', "cost", 0),
        (b'{"cost": -0.0}', "cost", 0),
        (b'{"cost": 0.0000001}', "cost", 1),  # a part of a micro-dollar is one
        (b'{"cost": 0.1}', "/cost", 100_000),
        (b'{"a": [1, {"b/c": {"~": "2"}}]}', "/a/1/b~1c/~0", 2_000_000),
        (b'{"a/b": 1}', "a/b", 1_000_000),  # no pointer: a member of that name
        (b"0.5", "", None),
        (b'{"cost": -1}', "cost", None),
        (b'{"cost": true}', "cost", None),
        (b'{"cost": null}', "cost", None),
        (b'{"cost": "NaN"}', "cost", None),
        (b'{"cost": "Infinity"}', "cost", None),
        (b'{"cost": "cheap"}', "cost", None),
        (b'{"cost": 1e10}', "cost", None),  # nobody believes that
        (b'{"cost": {"usd": 1}}', "cost", None),
        (b'{"cost": 1', "cost", None),
        (b'{"price": 1}', "cost", None),
        (b"[1]", "/-", None),
        (b"[1]", "/1", None),
        (b"[1]", "/-1", None),
        (b"[1]", "/¹", None),
        (b"[1, 2]", "/1", 2_000_000),
        (b'"cost"', "cost", None),
        (b"[" * 100_000, "cost", None),
        (b'{"cost": ' + b"9" * 5_000 + b"}", "cost", None),
        (b'{"cost": 1e999999999999}', "cost", None),
        (b"", "cost", None),
    ],
)  # fmt: skip
def test_what_an_answer_tells(content: bytes, pointer: str, micros: int | None) -> None:
    """A number that is an amount of money, or nothing at all; it never raises."""
    assert told(content, pointer) == micros


@given(st.integers(0, MOST))
def test_what_is_written_is_read_again(micros: int) -> None:
    """To the micro-dollar, with two places at least and no zeros behind them."""
    text = dollars(micros)
    assert micros_of(text) == micros
    assert micros_of(Decimal(text)) == micros
    whole, places = text.split(".")
    assert len(places) == 2 or not places.endswith("0")
    assert whole.isdecimal()


def test_what_is_owed_has_a_sign() -> None:
    """A budget that is overdrawn has less than nothing left."""
    assert (dollars(-1_500_000), dollars(0)) == ("-1.50", "0.00")
