"""Ids of traces and spans, made many at once, as `uuids.py` does it and for the same reason."""

from collections.abc import Callable, Iterator
from itertools import chain, repeat

_AT_ONCE = 256
_ZEROS = bytes(8)
JUDGED = slice(-14, None)
"""The digits of a trace's id by which all who sample alike decide alike (level 2): 56 bits."""


def spans(randbytes: Callable[[int], bytes]) -> Iterator[str]:
    """Ids of spans, without end; none is only zeros."""
    return _ids(randbytes, 8)


def traces(randbytes: Callable[[int], bytes]) -> Iterator[str]:
    """The same of traces."""
    return _ids(randbytes, 16)


def least(ratio: float) -> str:
    """A trace is among so many (0 to 1) that are sampled if its `JUDGED` digits are at least
    these."""
    return f"{round((1 - ratio) * (1 << 56)):014x}" if ratio else "none is as great"


def _ids(randbytes: Callable[[int], bytes], length: int) -> Iterator[str]:
    drawn = (randbytes(length * _AT_ONCE) for _ in repeat(None))
    return chain.from_iterable(
        many.hex(" ", length).split() for many in drawn if _ZEROS not in many
    )
