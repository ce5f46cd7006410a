"""The price list of models that is shipped, and others like it.

It is made from that of the library genai-prices, and finds what that would find. It is read when a
model's price is first asked for, and of each vendor's models only when one of them is.

A vendor is known by the upstream's URL; else by what stands before the model's name
(`anthropic/claude-…`); else the protocol's own is asked, and then who makes models of such a name.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import TypeAlias

import msgspec

from proxy.config.disk import LARGEST, content
from proxy.state.rates import KINDS, Rates, Spell, Stepped, Tariff, rates_of

SHIPPED = Path(__file__).with_name("prices.json")
_LONGEST_NAME = 256
"""Letters. Longer names have no price: agents choose them, and patterns are looked for in them."""

Pattern: TypeAlias = tuple[str | tuple[str, ...], ...]
"""Texts that match: one of these, each a test, or several that must all hold. A test is what the
text is (`=`), begins with (`^`), ends with (`$`), has in it (`*`), or a regular expression that is
found in it (`~`), behind its sign; all in lower case."""

_TESTS: dict[str, Callable[[str, str], bool]] = {
    "=": str.__eq__,
    "^": str.startswith,
    "$": str.endswith,
    "*": str.__contains__,
    "~": lambda text, pattern: re.search(pattern, text) is not None,
}

Amount: TypeAlias = str | dict[int, str]
"""US dollars for a million tokens; or several, by how many tokens must come in for each: more than
the key. The least key is 0."""


class Offer(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Prices, and when they hold."""

    since: str = ""  # a date (UTC)
    begins: str = ""  # a time of each day (UTC), such as 16:30
    ends: str = ""
    answer: str = "0"  # US dollars for each answer besides
    input: Amount | None = None
    output: Amount | None = None
    cache_read: Amount | None = None
    cache_write: Amount | None = None
    cache_write_1h: Amount | None = None
    reasoning: Amount | None = None

    @property
    def spell(self) -> Spell:
        """Raises ValueError."""
        since, begins, ends = self.since, self.begins, self.ends
        return Spell(
            self._rates(),
            since=_midnight(since) if since else 0.0,
            begins=_second(begins) if begins else 0,
            ends=_second(ends) if ends else Spell(Rates()).ends,
        )

    def _rates(self) -> Rates:
        given = {name: getattr(self, name) for name in KINDS}
        steps = {name: _stepped(amount) for name, amount in given.items() if amount is not None}
        return rates_of(steps, _decimal(self.answer))


class Model(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one costs; of offers that hold the last counts. None: it is not sold by tokens."""

    id: str
    match: Pattern
    offers: tuple[Offer, ...]

    @property
    def tariff(self) -> Tariff | None:
        """Raises ValueError."""
        return Tariff(tuple(offer.spell for offer in self.offers)) if self.offers else None


class Vendor(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Who sells models."""

    id: str
    url: str  # a regular expression of where it is, from its beginning
    match: Pattern = ()  # the models that it makes
    called: Pattern = ()  # itself
    others: tuple[str, ...] = ()  # vendors whose models it sells at their price
    models: msgspec.Raw = msgspec.Raw(b"[]")


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole list, as its file has it."""

    source: str
    vendors: tuple[Vendor, ...]


class PriceList:
    """Finds what a model costs."""

    def __init__(self, listed: Listed) -> None:
        self.source = listed.source
        self.vendors = {vendor.id: vendor for vendor in listed.vendors}
        self._models: dict[str, tuple[Model, ...]] = {}  # of those who were asked

    @classmethod
    def read(cls, path: Path) -> "PriceList":
        """Raises OSError, and ValueError with what is wrong."""
        raw = content(path)
        if len(raw) > LARGEST:
            raise ValueError(f"longer than {LARGEST:,} bytes")
        return cls(_decode(raw))

    def check(self) -> None:
        """Reads all of it. Raises ValueError with what is wrong, and where."""
        for vendor in self.vendors.values():
            patterns = [f"~{vendor.url}", *_tests(vendor.match), *_tests(vendor.called)]
            patterns += [test for model in self.models(vendor.id) for test in _tests(model.match)]
            for test in patterns:
                _check(test)
            for model in self.models(vendor.id):
                try:
                    _ = model.tariff
                except ValueError as error:
                    raise ValueError(f"{vendor.id}, {model.id}: {error}") from error

    def models(self, vendor: str) -> tuple[Model, ...]:
        """Those of a vendor; what counts is the first that matches. Raises ValueError."""
        found = self._models.get(vendor)
        if found is None:
            found = self._models[vendor] = _decode_models(self.vendors[vendor].models)
        return found

    def find(self, model: str, protocol: str = "", url: str = "") -> Tariff | None:
        """What it costs at an upstream of that protocol and URL; None: the list does not say."""
        name = model.lower()
        if len(name) > _LONGEST_NAME:
            return None
        for vendor, called in self._asked(name, protocol, url):
            found = self._of(vendor, called) or self._of(vendor, _dashed(called))
            if found is not None:
                return found.tariff
        return None

    def _asked(self, name: str, protocol: str, url: str) -> Iterator[tuple[Vendor, str]]:
        """Who may know it, and as what."""
        vendors = self.vendors.values()
        here = next((each for each in vendors if url and re.match(each.url, url)), None)
        if here is not None:  # nobody else's prices count there
            yield here, name
            base, *variants = name.split(":")
            if variants and _FREE not in variants:  # the same model, by a faster way, say
                yield here, base
            return
        before, _, rest = name.partition("/")
        if rest and (named := self._named(before)) is not None:
            yield named, rest
        if protocol in self.vendors:
            yield self.vendors[protocol], name
        maker = next((each for each in vendors if matches(each.match, name)), None)
        if maker is not None:
            yield maker, name

    def _named(self, name: str) -> Vendor | None:
        called = (each for each in self.vendors.values() if matches(each.called, name))
        return self.vendors.get(name) or next(called, None)

    def _of(self, vendor: Vendor, name: str) -> Model | None:
        """Its own, or of those whose models it sells."""
        for each in (vendor.id, *vendor.others):
            models = self.models(each) if each in self.vendors else ()
            found = next((model for model in models if matches(model.match, name)), None)
            if found is not None:
                return found
        return None


@cache
def shipped() -> PriceList:
    """The one that comes with Holdfast."""
    return PriceList.read(SHIPPED)


def matches(pattern: Pattern, text: str) -> bool:
    """Does it hold for a text in lower case?"""
    return any(
        _holds(each, text) if isinstance(each, str) else all(_holds(test, text) for test in each)
        for each in pattern
    )


def _holds(test: str, text: str) -> bool:
    return _TESTS[test[0]](text, test[1:])


def _tests(pattern: Pattern) -> Iterator[str]:
    for each in pattern:
        yield from (each,) if isinstance(each, str) else each


def _check(test: str) -> None:
    if test[:1] not in _TESTS:
        raise ValueError(f"expected a test that begins with one of {' '.join(_TESTS)}: {test!r}")
    if test[0] == "~":
        try:
            re.compile(test[1:])
        except re.error as error:
            raise ValueError(f"no regular expression: {test[1:]!r}: {error}") from error


_FREE = "free"
"""A variant of a model that costs nothing, and has its own place in lists, if any."""
_COMPACT = re.compile(r"-(20\d\d)(\d\d)(\d\d)(?=[-:]|$)")


def _dashed(name: str) -> str:
    """With a date at its end as most lists have it: some callers leave the dashes out."""
    return _COMPACT.sub(_dash, name)


def _dash(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    try:
        return f"-{date(int(year), int(month), int(day))}"
    except ValueError:
        return found[0]


def _stepped(amount: Amount) -> Stepped:
    steps = {0: amount} if isinstance(amount, str) else amount
    if 0 not in steps or min(steps) < 0:
        raise ValueError("expected a price from 0 tokens on")
    return {start: _decimal(dollars) for start, dollars in steps.items()}


def _decimal(dollars: str) -> Decimal:
    try:
        return Decimal(dollars)
    except InvalidOperation:
        raise ValueError(f"expected US dollars, found {dollars!r}") from None


def _midnight(day: str) -> float:
    return datetime.combine(date.fromisoformat(day), time(), UTC).timestamp()


def _second(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60 + at.second


_decode = msgspec.json.Decoder(Listed).decode
_decode_models = msgspec.json.Decoder(tuple[Model, ...]).decode
