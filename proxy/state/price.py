"""What a sending costs: what is thought before, and what is true after.

Amounts are whole micro-dollars. What is read of an answer is a decimal number of dollars, rounded
up: a part of a micro-dollar is one.

A model is paid by tokens. Before, they are an estimate: those of the request by its length, those
of the answer as many as it may have. After, its answer says what it used; where it does not, or is
cut short before it does, it is what was heard of it.
"""

import math
from collections.abc import Callable
from decimal import Decimal
from typing import Protocol

import msgspec

from proxy.call import Call, tokens_of
from proxy.refusal import Refusal
from proxy.state.rates import Rates, Tariff, Tokens
from proxy.units import MICROS, MOST_MONEY

_KIB = 1024
_BYTES_PER_TOKEN = 4  # of text that is written; a rule of thumb, as that of requests
MOST = MOST_MONEY * MICROS
"""What one sending costs at most. A reply that says more is not believed."""


class Heard(Protocol):
    """What was heard of an answer: a `Hearing` of the protocols."""

    @property
    def usage(self) -> Tokens | None:
        """What it says that it used, so far."""

    @property
    def written(self) -> int:
        """Bytes of text that it has said."""

    @property
    def ended(self) -> bool:
        """Has it come to its end? Then it has said all that it will."""


class Price(msgspec.Struct, frozen=True):
    """Of one sending."""

    fixed: int = 0
    per_kb: int = 0  # of each KiB begun, of request and answer together
    from_reply: str = ""  # where the answer says the price, which takes the place of `fixed`
    known: bool = True  # False: nobody says what it costs; `fixed` is what is assumed
    tariff: Tariff | None = None  # of a model, in the place of all the rest
    usual: int = 0  # tokens of an answer that the agent sets no limit to
    reserve_cap: int | None = None  # of an answer, for so many at most is reserved before

    @property
    def open(self) -> bool:
        """May it turn out to be more than was thought?"""
        return bool(self.per_kb or self.from_reply or self.tariff)

    def estimate(self, sent: int) -> int:
        """Before: of a request of so many bytes. Where it is open, one at least: who has nothing
        left cannot pay for an unknown price."""
        if not self.open:
            return self.fixed
        return max(1, self.fixed + self.sized(sent))

    def estimate_of(self, call: Call, wall: float) -> int:
        """The same of a call, when the clock shows this."""
        if not self.open:
            return self.fixed
        if self.tariff is None:
            return self.estimate(size_of(call))
        return max(1, self.tariff.at(wall).most(tokens_of(call), self.output_of(call)))

    def output_of(self, call: Call) -> int:
        """For how many tokens of its answer, or answers, something is reserved."""
        most = self.most_of(call)
        return most if self.reserve_cap is None else min(most, self.reserve_cap)

    def most_of(self, call: Call) -> int:
        """How many tokens its answer may have, as far as that is known."""
        return self.usual * -call.output if call.output < 0 else call.output

    def sized(self, size: int) -> int:
        """What so many bytes cost beside the fixed price."""
        return -(-size // _KIB) * self.per_kb if self.per_kb else 0

    def truth(self, size: int, told: int | None) -> int:
        """After: so many bytes passed, and this the answer told."""
        return (self.fixed if told is None else told) + self.sized(size)


FREE = Price()


def size_of(call: Call) -> int:
    """Of its request, in bytes, as far as that is known before it is sent."""
    whole = call.body.whole
    return call.head.length or 0 if whole is None else len(whole)


def so_far(rates: Rates, received: int, heard: Heard) -> int:
    """What an answer to a request of so many tokens costs by what was heard of it yet. Before its
    end it may have said less than it has written: some tell at the beginning what came in, and what
    went out at the end."""
    usage, ended = heard.usage, heard.ended
    written = -(-heard.written // _BYTES_PER_TOKEN)
    if usage is None:
        return rates.most(received, written)
    return rates.cost(usage, 0 if ended else written)


def is_told(heard: Heard | None) -> bool:
    """Is that what the answer says itself, to the token?"""
    return heard is not None and heard.ended and heard.usage is not None


def meant(
    holds: bool | Refusal | None, price: Price, otherwise: Price, call: Call, wall: float
) -> Price:
    """The one of two that a condition chooses for a call. Where it cannot be told, the dearer one:
    who makes a condition fail gains nothing."""
    if type(holds) is bool:
        return price if holds else otherwise
    return max(
        (price, otherwise),
        key=lambda each: (each.estimate_of(call, wall), each.fixed, each.per_kb),
    )


def told(content: bytes, pointer: str) -> int | None:
    """What an answer says it costs: a number, or a text of one, at a JSON pointer (RFC 6901) or at
    a member of that name. None: nothing that can be believed."""
    try:
        value = _decode(content)
        for name in pointer.split("/")[1:] if pointer.startswith("/") else [pointer]:
            value = _member(value, name.replace("~1", "/").replace("~0", "~"))
        return micros_of(value)
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError):
        return None


def micros_of(value: object) -> int:
    """Of dollars. Raises ValueError, ArithmeticError for what is no amount of money."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise ValueError("no number")
    dollars = Decimal(value.strip() if isinstance(value, str) else value)
    if not dollars.is_finite() or not 0 <= dollars <= MOST_MONEY:
        raise ValueError("no amount of money")
    return math.ceil(dollars * MICROS)


def dollars(micros: int) -> str:
    """As people read it: no more places than it has, and two at least."""
    whole, rest = divmod(abs(micros), MICROS)
    sign = "-" if micros < 0 else ""
    places = f"{rest:06}".rstrip("0").ljust(2, "0")
    return f"{sign}{whole}.{places}"


def _member(value: object, name: str) -> object:
    if isinstance(value, list):
        if not name.isdecimal():
            raise LookupError(name)
        return value[int(name)]
    return value[name]  # type: ignore[index]  # what has no members raises


_decode: Callable[[bytes], object] = msgspec.json.Decoder(float_hook=Decimal).decode
