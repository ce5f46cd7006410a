"""What policy files say of money: prices of tools and models, and budgets. Frozen data.

Where several prices are for one tool, its own name counts before any glob, a longer glob before a
shorter one, and of two that are as long the later one.
"""

from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Annotated

import msgspec
from msgspec import Meta

from proxy.config.match import Globs, Match
from proxy.config.places import Place
from proxy.config.price_list import PriceList, shipped
from proxy.stages.cost import Price, UnknownPrice
from proxy.state.caps import Cap
from proxy.state.rates import Rates, Tariff, rates_of
from proxy.units import Money, Seconds


class Zone(str):
    """A time zone by its name in the tz database."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Zone":
        """Raises ValueError, with the nearest that there is."""
        if not isinstance(text, str) or not _is_zone(text):
            from zoneinfo import available_timezones

            close = get_close_matches(str(text), available_timezones(), 1, 0.6)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ValueError(f"expected a time zone such as Europe/Madrid, found {text!r}{hint}")
        return cls(text)


def _is_zone(text: str) -> bool:
    from zoneinfo import ZoneInfo  # not before somebody names a zone: it brings a megabyte

    try:
        return bool(ZoneInfo(text).key)
    except (KeyError, ValueError, OSError):  # no such one, no such name, a folder of several
        return False


class Allocation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From what `holdfast budget suggest` proposes limits."""

    baseline: Annotated[Seconds, Meta(description="So much of the past is looked at.")] = Seconds(
        7 * 86400.0
    )
    safety: Annotated[
        float, Meta(ge=1, le=100, description="So many times what was usual is proposed.")
    ] = 3.0

    def __post_init__(self) -> None:
        """Raises ValueError for less than an hour."""
        if self.baseline < 3600:
            raise ValueError("baseline: expected at least 1h")


class Budget(msgspec.Struct, frozen=True):
    """One budget, as it is written: a cap, and the calls that it is for."""

    place: Place
    path: str  # in its document: budgets[2], or bulkheads[0].budget
    cap: Cap
    match: Match = Match()
    bulkhead: str = ""  # only calls of agents that are in this one; empty: wherever they are
    places: dict[str, Place] = {}  # of its keys, and of those of match
    allocation: Allocation | None = None

    def holds(self, facts: Mapping[str, str], domain: str) -> bool:
        """Is it for calls with these facts, of an agent in this bulkhead, its condition left
        aside?"""
        return self.bulkhead in ("", domain) and self.match.holds(facts)


class ModelPrice(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a million tokens of a model cost, in US dollars."""

    input_mtok: Annotated[Money, Meta(description="Of the request.")]
    output_mtok: Annotated[Money, Meta(description="Of the answer.")]
    cache_read_mtok: Annotated[
        Money | None, Meta(description="Of the request, out of a cache. Default: as input_mtok.")
    ] = None
    cache_write_mtok: Annotated[
        Money | None, Meta(description="Of the request, into a cache. Default: as input_mtok.")
    ] = None
    cache_write_1h_mtok: Annotated[
        Money | None,
        Meta(description="Likewise, to be kept for an hour. Default: as cache_write_mtok."),
    ] = None

    @property
    def rates(self) -> Rates:
        """What that comes to."""
        given = {name: getattr(self, f"{name}_mtok") for name in _PRICED}
        return rates_of(
            {
                name: {0: Decimal(micros).scaleb(-6)}
                for name, micros in given.items()
                if micros is not None
            }
        )


_PRICED = ("input", "output", "cache_read", "cache_write", "cache_write_1h")


class Prices(msgspec.Struct, frozen=True):
    """The price lists of all files."""

    tools: dict[str, Price] = {}  # by name or glob
    models: dict[str, ModelPrice] = {}
    unknown_price: UnknownPrice = "allow"
    table: PriceList | None = None  # of models; None: the one that is shipped

    def of_tool(self, name: str) -> Price | None:
        """What a tool costs, unless its policies say otherwise. None: nobody says."""
        found = _nearest(self.tools, name)
        return None if found is None else self.tools[found]

    def of_model(self, name: str) -> ModelPrice | None:
        """The same of a model."""
        found = _nearest(self.models, name)
        return None if found is None else self.models[found]

    def tariff(self, model: str, protocol: str, url: str) -> Tariff | None:
        """What a model costs at an upstream of that protocol and URL, where no file says it: by the
        table. None: it is not in there."""
        table = shipped() if self.table is None else self.table
        return table.find(model, protocol, url)


def _nearest(globs: Mapping[str, object], name: str) -> str | None:
    """Its own name, else the longest glob; of those as long the last."""
    if name in globs:
        return name
    holding = [glob for glob in globs if "*" in glob and Globs((glob,)).hold(name)]
    return max(reversed(holding), key=len, default=None)
