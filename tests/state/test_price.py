"""Prices: what is thought before, what is true after, and what an answer tells."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.hearing import Usage
from proxy.state.price import (
    FREE,
    MOST,
    Price,
    dollars,
    is_told,
    meant,
    micros_of,
    size_of,
    so_far,
    told,
)
from proxy.state.rates import SCALE, Rates, Spell, Tariff
from tests.fakes import FakeBody, make_call
from tests.hearings import FakeHearing


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


NOW = 1_796_040_000.0
RATES = Rates(
    input=3 * SCALE, output=15 * SCALE, cache_read=SCALE // 10, reasoning=15 * SCALE,
    above=((1_000, Rates(input=6 * SCALE, output=30 * SCALE, reasoning=30 * SCALE)),),
)  # fmt: skip
MODEL = Price(tariff=Tariff((Spell(RATES), Spell(Rates(output=SCALE), since=NOW))), usual=100)


def test_a_model_is_thought_to_write_as_much_as_it_may() -> None:
    """To a request of so many tokens; and prices change with time."""
    call = make_call()
    call.tokens, call.output = 10, 20
    assert MODEL.open
    assert MODEL.estimate_of(call, 0.0) == 10 * 3 + 20 * 15
    assert MODEL.estimate_of(call, NOW) == 20
    call.tokens = 1_001
    assert MODEL.estimate_of(call, 0.0) == 1_001 * 6 + 20 * 30


@pytest.mark.parametrize(
    ("output", "cap", "tokens"),
    [
        (-1, None, 100),
        (-3, None, 300),
        (-3, 40, 40),
        (-1, 40, 40),
        (0, None, 0),
        (5_000, None, 5_000),
        (5_000, 40, 40),
        (9, 0, 0),
    ],
)
def test_how_much_of_an_answer_is_reserved(output: int, cap: int | None, tokens: int) -> None:
    """What the agent lets it have, else what is usual of each of its answers; and no more than the
    policy says."""
    call = make_call()
    call.output = output
    price = Price(tariff=MODEL.tariff, usual=100, reserve_cap=cap)
    assert price.output_of(call) == tokens


def test_nothing_is_an_estimate_of_a_model() -> None:
    """Who has nothing left cannot pay for what is free as far as is known."""
    call = make_call()
    call.tokens, call.output = 10, 0
    assert Price(tariff=Tariff((Spell(Rates()),))).estimate_of(call, 0.0) == 1


def test_a_call_is_estimated_by_its_size() -> None:
    """Where it is no model's."""
    call = make_call(body=FakeBody(b"x" * 1_025))
    assert Price(5).estimate_of(call, 0.0) == 5
    assert Price(5, per_kb=10).estimate_of(call, 0.0) == 25


def test_the_size_of_a_request() -> None:
    """Of its body, where it is here; else what its head says, if it does."""
    assert size_of(make_call(body=FakeBody(b"123"), length=9)) == 3
    assert size_of(make_call(body=FakeBody(None), length=9)) == 9
    assert size_of(make_call(body=FakeBody(None), length=None)) == 0


def test_a_condition_that_cannot_be_told_chooses_the_dearer_one() -> None:
    """Of what this call would cost; else who makes it fail would gain."""
    call = make_call()
    call.tokens, call.output = 1_000, 10
    for pair in ((MODEL, Price(3_149)), (Price(3_149), MODEL)):
        assert meant(None, *pair, call, 0.0) is MODEL
    assert meant(None, MODEL, Price(3_151), call, 0.0) == Price(3_151)
    assert meant(True, FREE, MODEL, call, 0.0) is FREE
    assert meant(False, FREE, MODEL, call, 0.0) is MODEL
    assert meant(None, Price(per_kb=5), Price(1), call, 0.0) == Price(1)  # as dear, and for sure


def heard(usage: Usage | None, written: int, *, ended: bool) -> FakeHearing:
    """So far."""
    hearing = FakeHearing(ended=ended)
    hearing.usage, hearing.written = usage, written
    return hearing


@pytest.mark.parametrize(
    ("usage", "written", "ended", "micros"),
    [
        (None, 0, False, 30),  # nothing was said: what came in is paid
        (None, 1, False, 45),  # a token begun is one
        (None, 400, True, 1_530),
        (Usage(20, 7), 0, True, 165),
        (Usage(20, 7), 4_000, True, 165),  # its own word counts, when it has ended
        (Usage(20, 1), 4_000, False, 15_060),  # what came in is told, what went out is not yet
        (Usage(20, 2_000), 400, False, 30_060),  # reasoning is not seen
        (Usage(20, 7, cache_read=20), 0, True, 107),
    ],
)
def test_what_it_costs_by_what_was_heard(
    usage: Usage | None, written: int, ended: bool, micros: int
) -> None:
    """Of a request of ten tokens."""
    assert so_far(RATES, 10, heard(usage, written, ended=ended)) == micros


def test_what_is_told_is_no_estimate() -> None:
    """It has ended, and said what it used."""
    assert is_told(heard(Usage(1), 0, ended=True))
    assert not is_told(heard(Usage(1), 0, ended=False))
    assert not is_told(heard(None, 9, ended=True))
    assert not is_told(None)


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
