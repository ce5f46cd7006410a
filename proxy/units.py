"""Durations, sizes, rates, money and moments as people write them: `250ms`, `64KiB`, `0.05`.

In memory a duration is a float of seconds, a moment one of seconds since 1970, a size an int of
bytes and money an int of micro-dollars; the types only tell the loader and the schema how they are
spelled. A rate stays as it is written: its unit says how many there may be at once.
"""

import re
from datetime import UTC, datetime
from decimal import Decimal

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

# So many digits that no timer and no sum overflows.
DURATION_PATTERN = "^[0-9]{1,15}([.][0-9]{1,15})?(ms|s|m|h|d)$"
SIZE_PATTERN = "^[0-9]{1,15}(B|KiB|MiB|GiB)$"
RATE_PATTERN = "^[1-9][0-9]{0,8}/(s|m|h|d)$"
MONEY_PATTERN = "^([0-9]{1,10}([.][0-9]{1,6})?|[.][0-9]{1,6})$"
MOST_MONEY = 1_000_000_000
"""US dollars."""
MICROS = 1_000_000
"""Micro-dollars in a dollar."""
_SPELLING = re.compile("([0-9]+(?:[.][0-9]+)?)([A-Za-z]+)")


class Seconds(float):
    """A duration, written with its unit: ms, s, m, h or d."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Seconds":
        """Raises ValueError, with what is allowed, for anything but a duration."""
        if not isinstance(text, str) or not re.fullmatch(DURATION_PATTERN, text):
            raise ValueError(
                f"expected a duration such as 250ms, 10s, 5m, 1h or 30d, found {text!r}"
            )
        number, unit = _split(text)
        return cls(float(number) * _SECONDS[unit])


class Delay(Seconds):
    """A duration, or `p95`: one that is measured. In memory that is an infinite one."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Delay":
        """Raises ValueError, with what is allowed."""
        if text == "p95":
            return cls("inf")
        try:
            return cls(super().parse(text))
        except ValueError as error:
            raise ValueError(f"expected p95, or {str(error).removeprefix('expected ')}") from None

    @property
    def measured(self) -> bool:
        """Is it `p95`?"""
        return self == float("inf")


class Size(int):
    """A number of bytes, written with its unit: B, KiB, MiB or GiB."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Size":
        """Raises ValueError, with what is allowed, for anything but a size."""
        if not isinstance(text, str) or not re.fullmatch(SIZE_PATTERN, text):
            raise ValueError(f"expected a size such as 64KiB, 1MiB or 2GiB, found {text!r}")
        number, unit = _split(text)
        return cls(int(number) * _BYTES[unit])


class Rate(str):
    """How many in a second, minute, hour or day, written with a slash between the two."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Rate":
        """Raises ValueError, with what is allowed, for anything but a rate."""
        if not isinstance(text, str) or not re.fullmatch(RATE_PATTERN, text):
            raise ValueError(
                f"expected a rate such as 10/s, 600/m, 100/h or 1000/d, found {text!r}"
            )
        return cls(text)

    @property
    def number(self) -> int:
        """So many in one unit of time."""
        return int(self.partition("/")[0])

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return _SECONDS[self.partition("/")[2]] / self.number


class Money(int):
    """A sum of US dollars, written as a decimal number; in memory micro-dollars."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Money":
        """Exactly what is written: a text is better than a float, which is taken at its shortest
        spelling. Raises ValueError, with what is allowed, for anything else."""
        if isinstance(text, int | float) and not isinstance(text, bool):
            text = format(Decimal(repr(text)), "f")
        if isinstance(text, str) and _SMALL.fullmatch(text):
            text = format(Decimal(text), "f")
        if not isinstance(text, str) or not re.fullmatch(MONEY_PATTERN, text):
            raise ValueError(f"expected {_wanted(text)}, found {text!r}")
        if Decimal(text) > MOST_MONEY:
            raise ValueError(f"expected at most {MOST_MONEY:,} US dollars, found {text!r}")
        return cls(Decimal(text).scaleb(6))

    @property
    def dollars(self) -> str:
        """As it is written, without zeros at its end: `0.05`."""
        whole, micros = divmod(self, MICROS)
        return f"{whole}.{micros:06}".rstrip("0").rstrip(".")


_SMALL = re.compile("-?[0-9]([.][0-9]{1,16})?e-[0-9]{1,2}")
"""As Helm writes a number under 0.0001, whoever wrote it: 5e-05."""
_FINER = re.compile("[0-9]*[.][0-9]{7,}")
_NEGATIVE = re.compile("-[0-9.]+")


def _wanted(text: object) -> str:
    """What money must be, with a word on what is wrong with this."""
    if isinstance(text, str) and _FINER.fullmatch(text):
        return "US dollars with at most 6 decimal places"
    if isinstance(text, str) and _NEGATIVE.fullmatch(text):
        return "US dollars that are not negative"
    return "US dollars such as 0.05"


class Moment(float):
    """Seconds since 1970, written as RFC 3339 has it."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> "Moment":
        """With its zone. Raises ValueError, with what is allowed, for anything else."""
        try:
            found = datetime.fromisoformat(str(text))
            if found.tzinfo is None:
                raise ValueError("no zone")
            return cls(found.timestamp())
        except (ValueError, OverflowError) as error:
            raise ValueError(
                f"expected a moment such as 2027-01-31T18:00:00Z, found {str(text)[:64]!r}"
            ) from error


def in_utc(wall: float, to: str = "milliseconds") -> str:
    """A moment of the wall clock as RFC 3339 has it, exact to what `to` says."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec=to).replace("+00:00", "Z")


def is_measure(text: str) -> bool:
    """Is it a duration, a size or a rate?"""
    return bool(re.fullmatch(f"{DURATION_PATTERN}|{SIZE_PATTERN}|{RATE_PATTERN}", text))


def _split(text: str) -> tuple[str, str]:
    match = _SPELLING.fullmatch(text)
    assert match is not None  # the patterns above are narrower than this one
    return match[1], match[2]
