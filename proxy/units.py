"""Durations and sizes as people write them: `250ms`, `10s`, `64KiB`.

In memory a duration is a float of seconds and a size an int of bytes; the types only tell the
loader and the schema how they are spelled.
"""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

# So many digits that no timer and no sum overflows.
DURATION_PATTERN = "^[0-9]{1,15}([.][0-9]{1,15})?(ms|s|m|h|d)$"
SIZE_PATTERN = "^[0-9]{1,15}(B|KiB|MiB|GiB)$"
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


def _split(text: str) -> tuple[str, str]:
    match = _SPELLING.fullmatch(text)
    assert match is not None  # the patterns above are narrower than this one
    return match[1], match[2]
