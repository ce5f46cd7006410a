"""What tokens of a model cost. Whole numbers only: no sum ever passes through a float.

A rate is the price of a million tokens in US dollars, times `SCALE`. A dollar for a million tokens
is a micro-dollar for one, so tokens times rates are micro-dollars times `SCALE`, exactly; they are
rounded up to a whole micro-dollar once, at the end of the sum of one answer.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Protocol, TypeAlias

import msgspec

from proxy.units import MICROS, MOST_MONEY

_PLACES = 18
SCALE: int = 10**_PLACES
"""Price lists have up to so many decimal places."""
_MOST = MOST_MONEY * MICROS * SCALE
_DAY = 86_400


class Tokens(Protocol):
    """Those of one answer, or of one that is thought of: `Usage` of the protocols. What was read of
    a cache and written to one is part of `input`, and reasoning is part of `output`."""

    @property
    def input(self) -> int:
        """All of the request's."""

    @property
    def output(self) -> int:
        """All of the answer's."""

    @property
    def cache_read(self) -> int:
        """Of the input."""

    @property
    def cache_write(self) -> int:
        """Of the input."""

    @property
    def cache_write_1h(self) -> int:
        """Of those, what is kept for an hour."""

    @property
    def reasoning(self) -> int:
        """Of the output."""


class Rates(msgspec.Struct, frozen=True):
    """Of one model. All fields count in units of `SCALE`."""

    input: int = 0
    output: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    answer: int = 0  # micro-dollars, of each answer besides
    above: "tuple[tuple[int, Rates], ...]" = ()
    """Where more tokens than so many come in, these are the rates of all of them; rising."""

    def cost(self, used: Tokens, written: int = 0) -> int:
        """Micro-dollars; of so many tokens of output at least. Numbers that cannot be (more of a
        cache than there is, less than nothing) never make it cheaper than what is plausible of
        them."""
        rates = self.where(used.input)
        hour = max(0, used.cache_write_1h)
        kept = max(hour, used.cache_write)
        read = max(0, used.cache_read)
        thought = max(0, used.reasoning)
        scaled: int = (
            max(0, used.input - read - kept) * rates.input
            + read * rates.cache_read
            + (kept - hour) * rates.cache_write
            + hour * rates.cache_write_1h
            + max(0, max(used.output, written) - thought) * rates.output
            + thought * rates.reasoning
            + rates.answer
        )
        return _rounded(scaled)

    def most(self, received: int, written: int) -> int:
        """Micro-dollars that such an answer costs at most, of so many tokens that come in, none of
        them out of a cache or into one, and so many that go out."""
        rates = self.where(received)
        dear = max(rates.output, rates.reasoning)
        scaled = max(0, received) * rates.input + max(0, written) * dear + rates.answer
        return _rounded(scaled)

    def where(self, received: int) -> "Rates":
        """Those that hold where so many tokens come in."""
        holding = self
        for start, rates in self.above:
            if received <= start:
                break
            holding = rates
        return holding


def _rounded(scaled: int) -> int:
    return -(-min(scaled, _MOST) // SCALE)


class Spell(msgspec.Struct, frozen=True):
    """When rates hold."""

    rates: Rates
    since: float = 0.0  # seconds since 1970
    begins: int = 0  # at which second of each day (UTC)
    ends: int = _DAY  # and until which; before `begins`: of the next day

    def holds(self, wall: float) -> bool:
        """When the clock shows this?"""
        second = wall % _DAY
        if self.ends < self.begins:
            return wall >= self.since and (second >= self.begins or second < self.ends)
        return wall >= self.since and self.begins <= second < self.ends


class Tariff(msgspec.Struct, frozen=True):
    """What a model costs, whenever it is asked."""

    spells: tuple[Spell, ...]  # of those that hold the last counts; where none does, the first

    def at(self, wall: float) -> Rates:
        """When the clock shows this."""
        if len(self.spells) > 1:  # rarely
            for spell in reversed(self.spells):
                if spell.holds(wall):
                    return spell.rates
        return self.spells[0].rates


Stepped: TypeAlias = Mapping[int, Decimal]
"""US dollars for a million tokens, by how many must come in for it to hold: more than the key. The
least key is 0."""
KINDS = ("input", "output", "cache_read", "cache_write", "cache_write_1h", "reasoning")
"""Of tokens: each may have a price of its own."""


def rates_of(prices: Mapping[str, Stepped], answer: Decimal = Decimal(0)) -> Rates:
    """Of what is written, by `KINDS`; `answer` in US dollars. What is not given is the input's, but
    for `cache_write_1h`: as `cache_write`, and `reasoning`: as `output`. What has neither costs
    nothing."""
    starts = sorted({start for steps in prices.values() for start in steps if start})
    above = tuple((start, _rates(prices, answer, start)) for start in starts)
    return msgspec.structs.replace(_rates(prices, answer, 0), above=above)


def _rates(prices: Mapping[str, Stepped], answer: Decimal, start: int) -> Rates:
    """Those that hold above so many tokens."""
    given = {name: _scaled(_step(prices[name], start)) for name in KINDS if name in prices}
    received, written = given.get("input", 0), given.get("output", 0)
    cached = given.get("cache_write", received)
    return Rates(
        input=received,
        output=written,
        cache_read=given.get("cache_read", received),
        cache_write=cached,
        cache_write_1h=given.get("cache_write_1h", cached),
        reasoning=given.get("reasoning", written),
        answer=_scaled(answer) * MICROS,
    )


def _step(steps: Stepped, start: int) -> Decimal:
    return steps[max(each for each in steps if each <= start)]


def _scaled(dollars: Decimal) -> int:
    """Raises ValueError for what is no price, or has more places than there are."""
    if not dollars.is_finite() or not 0 <= dollars <= MOST_MONEY:
        raise ValueError(f"expected US dollars, found {dollars}")
    exponent = dollars.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_PLACES:
        raise ValueError(f"expected at most {_PLACES} decimal places, found {dollars}")
    return int(dollars.scaleb(_PLACES))


_THINKS = ("o1", "o3", "o4", "gpt-5", "gpt-6", "deepseek-reasoner", "gemini-2.5", "gemini-3")
USUAL, USUAL_OF_THINKERS = 4_096, 16_384
"""Tokens that an answer has at most, as a rule, where the agent sets no limit."""


def usual_output(model: str) -> int:
    """Of a model: those that reason before they answer write more."""
    name = model.lower().rpartition("/")[2]
    return USUAL_OF_THINKERS if name.startswith(_THINKS) else USUAL
