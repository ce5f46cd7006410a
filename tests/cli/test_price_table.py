"""A price list made of the library genai-prices."""

from datetime import UTC, date, time, timedelta, timezone
from decimal import Decimal

import msgspec
import pytest
from genai_prices import types

from proxy.cli.price_table import newest, table
from proxy.config.price_list import SHIPPED, Listed, PriceList
from proxy.state.rates import SCALE

NONE = types.ClauseEquals("none")


def provider(*models: types.ModelInfo, **fields) -> types.Provider:
    return types.Provider(id="v", name="V", api_pattern="https://v", models=list(models), **fields)


def model(match, **prices) -> types.ModelInfo:
    return types.ModelInfo(id="m", match=match, prices=types.ModelPrice(**prices))


def made(*providers: types.Provider) -> PriceList:
    """What can be read of what is written."""
    listed = PriceList(msgspec.json.decode(table(list(providers), "test"), type=Listed))
    listed.check()
    return listed


def test_what_is_shipped_is_what_the_library_has():
    """Of the version that the list says it is of; .ci/prices.py makes it."""
    shipped = SHIPPED.read_bytes()
    if (
        PriceList.read(SHIPPED).source
        == PriceList(msgspec.json.decode(newest(), type=Listed)).source
    ):
        assert shipped == newest()
    else:  # somebody has a newer library than the lock
        assert b"genai-prices" in shipped


def test_every_kind_of_test_is_taken():
    """Texts in lower case, and what is nested laid flat."""
    clause = types.ClauseOr(
        or_=[
            types.ClauseStartsWith("GPT"),
            types.ClauseEndsWith("-x"),
            types.ClauseRegex(r"\D8"),
            types.ClauseAnd(
                and_=[
                    types.ClauseContains("a"),
                    types.ClauseOr(or_=[types.ClauseEquals("ab"), types.ClauseEquals("ac")]),
                ]
            ),
            types.ClauseStartsWith("gpt"),
        ]
    )
    (found,) = made(provider(model(clause, input_mtok=Decimal(1)))).models("v")
    assert found.match == ("^gpt", "$-x", r"~\D8", ("*a", "=ab"), ("*a", "=ac"))


def test_prices_are_taken_to_the_last_place():
    """With steps; and what is counted otherwise is left out."""
    steps = types.TieredPrices(base=Decimal("0.10"), tiers=[types.Tier(5, Decimal(20))])
    listed = made(
        provider(
            model(
                NONE, input_mtok=steps, output_mtok=Decimal("1.0"), requests_kcount=Decimal(12),
                output_reasoning_mtok=Decimal("0.0000000001"), web_searches_kcount=Decimal(9),
            )
        )
    )  # fmt: skip
    found = listed.find("none", "v")
    assert found is not None
    rates = found.at(0)
    assert (rates.input, rates.output, rates.answer) == (SCALE // 10, SCALE, 12_000 * SCALE)
    assert rates.reasoning == SCALE // 10**10
    assert [(start, more.input) for start, more in rates.above] == [(5, 20 * SCALE)]


def test_what_is_not_sold_by_tokens_has_no_price():
    """It is known, and unknown what it costs."""
    listed = made(provider(model(NONE, input_audio_hours=Decimal(1)), model(NONE)))
    assert [one.tariff for one in listed.models("v")] == [None, None]
    assert listed.find("none", "v") is None


def test_prices_have_their_time():
    """From a day on, or by the time of day; the last that holds counts."""
    offers = [
        types.ConditionalPrice(prices=types.ModelPrice(input_mtok=Decimal(1))),
        types.ConditionalPrice(
            types.StartDateConstraint(date(1970, 1, 3)),
            prices=types.ModelPrice(input_mtok=Decimal(2)),
        ),
        types.ConditionalPrice(
            types.TimeOfDateConstraint(time(16, 30), time(0, 30, tzinfo=UTC)),
            prices=types.ModelPrice(input_mtok=Decimal(3)),
        ),
    ]
    listed = made(provider(types.ModelInfo(id="m", match=NONE, prices=offers)))
    found = listed.find("none", "v")
    assert found is not None
    at = [found.at(wall).input // SCALE for wall in (3_600, 86_400 * 2 + 3_600, 59_400, 1_799)]
    assert at == [1, 2, 3, 3]


def test_what_cannot_be_taken_is_said():
    """A library of another kind is no traceback."""
    east = timezone(timedelta(hours=2))
    offers = [
        types.ConditionalPrice(
            types.TimeOfDateConstraint(time(1, tzinfo=east), time(2, tzinfo=east)),
            prices=types.ModelPrice(input_mtok=Decimal(3)),
        )
    ]
    with pytest.raises(ValueError, match="expected times of UTC"):
        made(provider(types.ModelInfo(id="m", match=NONE, prices=offers)))


def test_a_library_of_another_kind(monkeypatch):
    """What to do is said."""
    monkeypatch.setattr("genai_prices.data.providers", [object()])
    with pytest.raises(ValueError, match=r"genai-prices .* is not of the kind .*pip install"):
        newest()


def test_a_vendor_keeps_who_it_is():
    """Its patterns, and whose models it sells."""
    listed = made(
        provider(
            model(NONE, input_mtok=Decimal(1)),
            model_match=types.ClauseContains("X"),
            provider_match=types.ClauseEquals("VV"),
            fallback_model_providers=["w"],
        )
    )
    vendor = listed.vendors["v"]
    assert (vendor.match, vendor.called, vendor.others) == (("*x",), ("=vv",), ("w",))
    assert listed.find("unheard", "v") is None  # and w is in no list
