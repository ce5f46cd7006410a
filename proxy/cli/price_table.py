"""Makes a price list of models (`proxy/config/price_list.py`) of that of the library genai-prices.

What tokens cost is taken, with its steps, dates and times of day; not what is counted otherwise
(searches, minutes of sound), nor discounts that a request asks for (batches).
"""

from collections.abc import Iterator
from decimal import Decimal
from importlib.metadata import version
from itertools import product
from typing import Any

import msgspec

from proxy.config.price_list import Amount, Listed, Model, Offer, Pattern, PriceList, Vendor

_TOKENS = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "reasoning": "output_reasoning_mtok",
}
_SIGNS = {"equals": "=", "starts_with": "^", "ends_with": "$", "contains": "*", "regex": "~"}
_encode = msgspec.json.Encoder().encode


def newest() -> bytes:
    """The list of the library that is installed. Raises ImportError where there is none, ValueError
    for one that is not as it was when this was written."""
    from genai_prices.data import providers

    source = f"genai-prices {version('genai-prices')}"
    try:
        return table(providers, source)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        why = f"{source} is not of the kind that this version can read ({error})"
        raise ValueError(f"{why}: pip install 'holdfast[llm]'") from error


def table(providers: Any, source: str) -> bytes:
    """As a file has it: a line for each model, so that two of them can be compared."""
    vendors = ",\n".join(_vendor(provider) for provider in providers)
    text = f'{{"source":{_encode(source).decode()},"vendors":[\n{vendors}\n]}}\n'.encode()
    PriceList(msgspec.json.decode(text, type=Listed)).check()
    return text


def _vendor(provider: Any) -> str:
    """With its models last."""
    vendor = Vendor(
        id=provider.id,
        url=provider.api_pattern,
        match=_pattern(provider.model_match),
        called=_pattern(provider.provider_match),
        others=tuple(provider.fallback_model_providers or ()),
    )
    models = ",\n".join(_encode(_model(model)).decode() for model in provider.models)
    fields = msgspec.to_builtins(vendor)
    fields.pop("models", None)
    return f'{_encode(fields).decode()[:-1]},"models":[\n{models}\n]}}'


def _model(model: Any) -> Model:
    dated = model.prices if isinstance(model.prices, list) else None
    offers = [(None, model.prices)] if dated is None else [(d.constraint, d.prices) for d in dated]
    made = tuple(_offer(when, prices) for when, prices in offers)
    priced = any(offer.input is not None or offer.output is not None for offer in made)
    return Model(id=model.id, match=_pattern(model.match), offers=made if priced else ())


def _offer(when: Any, prices: Any) -> Offer:
    given = vars(prices)
    amounts: Any = {
        name: _amount(given[key]) for name, key in _TOKENS.items() if given.get(key) is not None
    }
    each = given.get("requests_kcount")
    answer = "0" if each is None else _text(each.scaleb(-3))
    return Offer(answer=answer, **_times(when), **amounts)


def _times(when: Any) -> dict[str, str]:
    if when is None:
        return {}
    if hasattr(when, "start_date"):
        return {"since": when.start_date.isoformat()}
    begins, ends = when.start_time, when.end_time
    if begins.utcoffset() or ends.utcoffset():
        raise ValueError(f"expected times of UTC, found {when}")
    return {
        "begins": begins.replace(tzinfo=None).isoformat("minutes"),
        "ends": ends.replace(tzinfo=None).isoformat("minutes"),
    }


def _amount(price: Any) -> Amount:
    if isinstance(price, Decimal):
        return _text(price)
    return {0: _text(price.base)} | {tier.start: _text(tier.price) for tier in price.tiers}


def _text(price: Decimal) -> str:
    text = f"{price:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _pattern(clause: Any) -> Pattern:
    """Alternatives, each a test or several that must all hold."""
    if clause is None:
        return ()
    found = (tests[0] if len(tests) == 1 else tests for tests in _alternatives(clause))
    return tuple(dict.fromkeys(found))


def _alternatives(clause: Any) -> Iterator[tuple[str, ...]]:
    if hasattr(clause, "or_"):
        for each in clause.or_:
            yield from _alternatives(each)
    elif hasattr(clause, "and_"):
        for chosen in product(*(tuple(_alternatives(each)) for each in clause.and_)):
            yield tuple(test for tests in chosen for test in tests)
    else:
        yield (_test(clause),)


def _test(clause: Any) -> str:
    """Texts are compared in lower case; a regular expression stays as it is."""
    ((name, text),) = vars(clause).items()
    return f"{_SIGNS[name]}{text if name == 'regex' else text.lower()}"
