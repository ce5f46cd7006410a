"""The price list of models: what is found in it, and that what is shipped is right."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from itertools import product
from typing import Any

import genai_prices
import msgspec
import pytest
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.disk import LARGEST
from proxy.config.price_list import SHIPPED, Listed, PriceList, matches, shipped
from proxy.protocols.hearing import Usage
from proxy.state.rates import SCALE

NOON = 1_796_040_000.0  # of 2026-11-30
USAGES = [
    Usage(1_000, 500),
    Usage(150_001, 3_333, cache_read=77_777, reasoning=1_234),
    Usage(250_000, 100, cache_read=10, cache_write=200_000, cache_write_1h=150_000),
    Usage(700_001, 65_536, cache_write=1),
]


def in_library(usage: Usage) -> genai_prices.Usage:
    """As genai-prices has it."""
    return genai_prices.Usage(
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_reasoning_tokens=usage.reasoning,
    )


def sample() -> Iterator[tuple[Any, Any]]:
    """All models of the vendors that have a protocol here, and some of each other."""
    for provider in providers:
        every = 1 if provider.id in ("openai", "anthropic") else 12
        yield from ((provider, model) for model in provider.models[::every])


@pytest.mark.parametrize("wall", [1_772_000_000.0, NOON, 1_830_350_000.0])
def test_it_costs_what_the_library_says(wall: float) -> None:
    """Of each model, also cached, above its steps, before a price changed and after: the exact
    decimal number, rounded up to a micro-dollar."""
    at, listed = datetime.fromtimestamp(wall, UTC), shipped()
    priced = 0
    for (provider, model), usage in product(sample(), USAGES):
        ours = next(each for each in listed.models(provider.id) if each.id == model.id).tariff
        if ours is None:
            continue
        theirs = model.calc_price(in_library(usage), provider, genai_request_timestamp=at)
        micros = (theirs.total_price * 1_000_000).to_integral_value(ROUND_CEILING)
        assert ours.at(wall).cost(usage) == micros, (provider.id, model.id, usage)
        priced += 1
    assert priced > 1_000


def test_what_has_no_price_for_tokens_has_none_in_the_library() -> None:
    """Sound by the hour, pages, and what is listed without any price."""
    listed = shipped()
    for provider, model in sample():
        ours = next(each for each in listed.models(provider.id) if each.id == model.id)
        offers = model.prices if isinstance(model.prices, list) else [model]
        keys = {key for offer in offers for key in vars(offer.prices)}
        assert (ours.tariff is None) == (not keys & {"input_mtok", "output_mtok"}), model.id


FOUND = [
    ("gpt-4o-mini", "openai", ""),
    ("GPT-4o-mini", "openai", "http://127.0.0.1:9/v1"),
    ("gpt-4o-2024-08-06", "openai", "https://api.openai.com/v1"),
    ("gpt-5.2-20251211", "openai", ""),
    ("o3-mini-2025-01-31", "openai", ""),
    ("ft:gpt-4o-mini-2024-07-18:acme::x", "openai", ""),
    ("text-embedding-3-small", "openai", ""),
    ("claude-sonnet-4-5-20250929", "anthropic", "https://api.anthropic.com"),
    ("claude-3-5-haiku-latest", "anthropic", ""),
    ("claude-opus-4-6", "azure", "https://x.openai.azure.com/openai"),
    ("openai/gpt-4o", "openrouter", "https://openrouter.ai/api/v1"),
]


@pytest.mark.parametrize(("model", "vendor", "url"), FOUND)
def test_a_model_is_found_as_the_library_finds_it(model: str, vendor: str, url: str) -> None:
    """By its name, any of its aliases, with a date in either spelling."""
    theirs = genai_prices.calc_price(
        in_library(USAGES[0]), model, provider_id=vendor,
        genai_request_timestamp=datetime.fromtimestamp(NOON, UTC),
    )  # fmt: skip
    tariff = shipped().find(model, vendor, url)
    assert tariff is not None
    micros = (theirs.total_price * 1_000_000).to_integral_value(ROUND_CEILING)
    assert tariff.at(NOON).cost(USAGES[0]) == micros


@pytest.mark.parametrize(
    ("model", "alias"),
    [("openai/gpt-4o", "gpt-4o"), ("anthropic/claude-opus-4-5", "claude-opus-4-5")],
)
def test_a_vendor_may_stand_before_the_name(model: str, alias: str) -> None:
    """As gateways of many vendors have it, whatever protocol they speak."""
    found = shipped().find(model, "openai")
    assert found is not None
    assert found == shipped().find(alias)


@pytest.mark.parametrize("variant", ["nitro", "floor", "online", "thinking", "nitro:online"])
def test_a_variant_costs_what_its_model_does(variant: str) -> None:
    """Else any model would be free for who asks for it so. Where nobody knows who sells it, what
    stands behind the colon may be another model."""
    url = "https://openrouter.ai/api/v1"
    usual = shipped().find("openai/gpt-4o", "openai", url)
    found = shipped().find(f"openai/gpt-4o:{variant}", "openai", url)
    assert usual is not None
    assert found == usual
    assert shipped().find("openai/gpt-4o:free", "openai", url) is None
    assert shipped().find("gpt-4o:x", "openai", "http://127.0.0.1:4000") is None


def test_who_makes_such_models_is_asked_last() -> None:
    """A gateway that speaks one vendor's protocol may sell another's models."""
    assert shipped().find("claude-opus-4-5", "openai") == shipped().find("claude-opus-4-5")
    assert shipped().find("claude-opus-4-5", "http") is not None


@pytest.mark.parametrize(
    ("model", "url"),
    [
        ("my-own-model", ""),
        ("gpt-4o" + "x" * 300, ""),
        ("claude-opus-4-5", "https://api.openai.com/v1"),  # nobody sells it there
        ("", ""),
        ("whisper-1", ""),  # by the minute
    ],
)
def test_what_nobody_sells_has_no_price(model: str, url: str) -> None:
    """And one that is known by its URL sells what is in its list, and nothing else."""
    assert shipped().find(model, "openai", url) is None


@given(st.text(max_size=300), st.sampled_from(["openai", "anthropic", "http"]))
def test_no_name_that_an_agent_makes_up_is_an_error(model: str, protocol: str) -> None:
    """It has a price or none."""
    found = shipped().find(model, protocol)
    assert found is None or found.spells


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        (("=gpt",), False),
        (("=gpt-x-20",), True),
        (("^gpt-",), True),
        (("$-20",), True),
        (("*-x-",), True),
        (("~^gpt-.-\\d+$",), True),
        (("=no", "^gpt"), True),
        ((("^gpt", "$-20"),), True),
        ((("^gpt", "$-21"),), False),
        ((), False),
    ],
)
def test_patterns(pattern: Any, holds: bool) -> None:
    """One of them, or several at once."""
    assert matches(pattern, "gpt-x-20") is holds


def test_it_is_read_once_and_only_what_is_asked_for() -> None:
    """A process that asks for nobody's models holds none."""
    assert shipped() is shipped()
    listed = PriceList.read(SHIPPED)
    assert listed._models == {}
    assert listed.find("gpt-4o", "openai") is not None
    assert set(listed._models) == {"openai"}


def test_the_list_that_is_shipped_is_whole() -> None:
    """And short enough to be named by a policy file."""
    listed = PriceList.read(SHIPPED)
    listed.check()
    assert SHIPPED.stat().st_size < LARGEST
    assert {"openai", "anthropic"} <= set(listed.vendors)
    assert (SHIPPED.parent / "prices.LICENSE").read_text("utf-8").startswith("The MIT License")


def list_of(**fields: Any) -> PriceList:
    """With one vendor, and what is given of its one model."""
    model = {"id": "m", "match": ["=m"], "offers": [{"input": "1"}]} | fields
    vendor = {"id": "v", "url": "https://v", "match": ["=m"], "models": [model]}
    raw = msgspec.json.encode({"source": "x", "vendors": [vendor]})
    return PriceList(msgspec.json.decode(raw, type=Listed))


def test_a_list_may_be_anybodys() -> None:
    """As long as it is of this shape."""
    listed = list_of(offers=[{"input": {"0": "1", "10": "2"}, "answer": "0.5", "since": ""}])
    listed.check()
    found = listed.find("m")
    assert found is not None
    assert found.at(0).above[0][0] == 10
    assert found.at(0).answer == 500_000 * SCALE


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"offers": [{"input": "dear"}]}, "v, m: expected US dollars, found 'dear'"),
        ({"offers": [{"input": "-1"}]}, "v, m: expected US dollars, found -1"),
        ({"offers": [{"input": {"5": "1"}}]}, "v, m: expected a price from 0 tokens on"),
        ({"offers": [{"input": {"0": "1", "-5": "1"}}]}, "expected a price from 0 tokens on"),
        ({"offers": [{"input": "1", "since": "soon"}]}, "v, m: Invalid isoformat"),
        ({"offers": [{"input": "1", "begins": "25:00"}]}, "v, m: "),
        ({"match": ["m"]}, "expected a test that begins with one of"),
        ({"match": [""]}, "expected a test that begins with one of"),
        ({"match": ["~("]}, "no regular expression: '('"),
        ({"price": 1}, "unknown field `price`"),
    ],
)
def test_what_is_wrong_with_a_list_is_told(fields: dict[str, Any], told: str) -> None:
    """With its place."""
    with pytest.raises(ValueError, match="^" if told[0] == "^" else None) as error:
        list_of(**fields).check()
    assert told in str(error.value)


def test_a_file_that_is_too_long_is_not_read(tmp_path) -> None:
    """Nor one that is not there, or no list."""
    path = tmp_path / "p.json"
    path.write_bytes(b" " * (LARGEST + 1))
    with pytest.raises(ValueError, match="longer than 1,048,576 bytes"):
        PriceList.read(path)
    path.write_bytes(b"{}")
    with pytest.raises(ValueError, match="required field"):
        PriceList.read(path)
    with pytest.raises(OSError, match="No such file"):
        PriceList.read(tmp_path / "q.json")


def test_money_has_no_float_in_it() -> None:
    """A price is text, and a number where it stands is an error."""
    with pytest.raises(ValueError, match="Expected `str"):
        list_of(offers=[{"input": 0.1}]).check()
    found = list_of(offers=[{"input": "0.1"}]).find("m")
    assert found is not None
    assert found.at(0).input == Decimal("0.1") * SCALE
