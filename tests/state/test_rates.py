"""Rates: what tokens cost, to the micro-dollar and without a float."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.hearing import Usage
from proxy.state.price import MOST
from proxy.state.rates import (
    SCALE,
    USUAL,
    USUAL_OF_THINKERS,
    Rates,
    Spell,
    Tariff,
    rates_of,
    usual_output,
)


def of(**dollars: str) -> Rates:
    """Without steps."""
    return rates_of({name: {0: Decimal(text)} for name, text in dollars.items()})


FULL = of(
    input="3", output="15", cache_read="0.3", cache_write="3.75", cache_write_1h="6", reasoning="20"
)


@pytest.mark.parametrize(
    ("usage", "micros"),
    [
        (Usage(), 0),
        (Usage(input=1_000_000, output=1_000_000), 18_000_000),
        (Usage(input=1), 3),
        (Usage(input=10, cache_read=10), 3),
        (Usage(input=10, cache_read=1), 28),  # 27.3
        (Usage(input=100, cache_read=50, cache_write=40, cache_write_1h=30), 263),  # 262.5
        (Usage(output=100, reasoning=40), 1_700),
    ],
)
def test_each_kind_of_token_has_its_rate(usage: Usage, micros: int) -> None:
    """Those out of a cache are part of the input, reasoning is part of the output; what comes of it
    is rounded up, once."""
    assert FULL.cost(usage) == micros


def test_what_is_not_given_is_as_dear_as_the_rest() -> None:
    """Unknown is not free."""
    rates = of(input="2", output="8")
    usage = Usage(30, 10, cache_read=10, cache_write=10, cache_write_1h=5, reasoning=10)
    assert rates.cost(usage) == 30 * 2 + 10 * 8
    assert of(input="2", cache_write="3").cache_write_1h == 3 * SCALE
    assert of(input="2").cost(Usage(output=1_000)) == 0  # embeddings write nothing


COUNT = st.integers(-5, 10**7)
DOLLARS = st.decimals(0, 1_000, places=18)


@given(
    st.lists(DOLLARS, min_size=6, max_size=6),
    st.lists(COUNT, min_size=6, max_size=6),
)
def test_it_is_exact_and_rounded_up_once(prices: list[Decimal], counts: list[int]) -> None:
    """As fractions have it; and numbers that cannot be do not make it cheaper than nothing."""
    names = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
    rates = rates_of({name: {0: price} for name, price in zip(names, prices, strict=True)})
    usage = Usage(*counts)
    hour, thought = max(0, usage.cache_write_1h), max(0, usage.reasoning)
    read, wrote = max(0, usage.cache_read), max(hour, usage.cache_write)
    parts = (
        max(0, usage.input - read - wrote), max(0, usage.output - thought), read, wrote - hour,
        hour, thought,
    )  # fmt: skip
    exact = sum(Fraction(p) * n for p, n in zip(prices, parts, strict=True))
    assert rates.cost(usage) == math.ceil(exact)


def test_more_may_be_written_than_was_told() -> None:
    """So many at least; what is reasoning of it is so already."""
    usage = Usage(output=10, reasoning=6)
    assert FULL.cost(usage, 4) == FULL.cost(usage) == 4 * 15 + 6 * 20
    assert FULL.cost(usage, 12) == 6 * 15 + 6 * 20


def test_no_answer_costs_more_than_anybody_believes() -> None:
    """However many tokens it says that it used."""
    assert FULL.cost(Usage(input=1 << 80)) == MOST
    assert FULL.most(1 << 80, 0) == MOST


STEPPED = rates_of(
    {
        "input": {0: Decimal(1), 100: Decimal(2), 1_000: Decimal(4)},
        "output": {0: Decimal(10), 100: Decimal(20)},
        "cache_read": {0: Decimal("0.5"), 1_000: Decimal(1)},
    }
)


@pytest.mark.parametrize(
    ("received", "micros"),
    [(100, 200), (101, 402), (1_000, 2_200), (1_001, 4_204)],
)
def test_steps_hold_for_all_tokens(received: int, micros: int) -> None:
    """Where more than so many come in, all of them are dearer, and so is what is written."""
    assert STEPPED.cost(Usage(received, 10)) == micros
    assert STEPPED.most(received, 10) == micros


def test_a_step_of_one_kind_leaves_the_others() -> None:
    """Each has its own."""
    assert [(start, rates.cache_read) for start, rates in STEPPED.above] == [
        (100, SCALE // 2),
        (1_000, SCALE),
    ]
    assert STEPPED.above[1][1].output == 20 * SCALE


def test_an_answer_may_cost_something_besides() -> None:
    """Whatever is in it."""
    rates = rates_of({"input": {0: Decimal(1)}}, Decimal("0.012"))
    assert rates.cost(Usage(input=5)) == 12_005
    assert rates.most(0, 100) == 12_000


def test_at_most_is_thought_of_what_is_dearer() -> None:
    """It may all be reasoning; and less than no tokens are none."""
    assert FULL.most(10, 10) == 30 + 200
    assert FULL.most(-1, -1) == 0


@pytest.mark.parametrize("text", ["-1", "NaN", "Infinity", "1000000001", "0.0000000000000000001"])
def test_what_is_no_price(text: str) -> None:
    """It is not taken for one."""
    with pytest.raises(ValueError, match=r"^expected "):
        of(input=text)


OLD, NEW, DAY, NIGHT = (Rates(input=n) for n in range(4))


@pytest.mark.parametrize(
    ("wall", "rates"),
    [
        (0.0, OLD),
        (999_999.9, OLD),
        (1_000_000.0, NEW),
        (86_400 * 20 + 3_600.0, DAY),
        (86_400 * 20 + 7_199.9, DAY),
        (86_400 * 20 + 7_200.0, NEW),
        (86_400 * 20 + 86_399.0, NIGHT),
        (86_400 * 21 + 59.0, NIGHT),
        (86_400 * 21 + 60.0, NEW),
    ],
)
def test_rates_change(wall: float, rates: Rates) -> None:
    """From a day on, and by the time of day, also over midnight. The last that holds counts."""
    tariff = Tariff(
        (
            Spell(OLD),
            Spell(NEW, since=1_000_000.0),
            Spell(DAY, since=86_400 * 20, begins=3_600, ends=7_200),
            Spell(NIGHT, since=86_400 * 20, begins=86_000, ends=60),
        )
    )
    assert tariff.at(wall) is rates


def test_where_none_holds_the_first_counts() -> None:
    """A price that will only hold is better than none."""
    assert Tariff((Spell(OLD, since=10.0), Spell(NEW, since=20.0))).at(5.0) is OLD
    assert Tariff((Spell(OLD, since=10.0),)).at(5.0) is OLD


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o-mini", USUAL),
        ("claude-sonnet-4-5", USUAL),
        ("GPT-5-mini", USUAL_OF_THINKERS),
        ("openai/o3", USUAL_OF_THINKERS),
        ("", USUAL),
    ],
)
def test_how_much_is_written_as_a_rule(model: str, tokens: int) -> None:
    """Those that reason write more."""
    assert usual_output(model) == tokens
