"""Money: decimal US dollars on the wire, whole micro-dollars inside, never a float."""

import re
from decimal import Decimal

MICROS = 1_000_000
MOST_DOLLARS = 10**12

_PLACES = 6
_SPELLING = re.compile(r"[+-]?[0-9]{1,20}(\.[0-9]{1,20})?")


def micros_of(value: object) -> int:
    """Micro-dollars of a JSON number (`int` or `Decimal`) or a decimal string.

    Raises ValueError, saying what is allowed, for anything negative, finer than six places,
    over 10^12 dollars, or not a finite decimal number.
    """
    amount = _decimal(value)
    if amount < 0:
        raise ValueError("must not be negative")
    # Before scaling: 1e999999999 would become an integer with a billion digits.
    if amount > MOST_DOLLARS:
        raise ValueError(f"must be at most {MOST_DOLLARS}")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -_PLACES:
        raise ValueError(f"must have at most {_PLACES} decimal places")
    return int(amount * MICROS)


def dollars(micros: int) -> str:
    """Decimal text with two to six places: `12.50`, `0.000001`, `-3.00`."""
    whole, part = divmod(abs(micros), MICROS)
    places = f"{part:06d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{places}"


def shown(name: str, micros: int) -> dict[str, object]:
    """An amount as answers carry it: `{name: "12.50", name_micros: 12500000}`."""
    return {name: dollars(micros), f"{name}_micros": micros}


def _decimal(value: object) -> Decimal:
    if isinstance(value, Decimal) and value.is_finite():
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _SPELLING.fullmatch(value):
        return Decimal(value)
    raise ValueError('must be a decimal number, such as 12.50 or "12.50"')
