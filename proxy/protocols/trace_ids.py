"""Ids of traces and spans, made many at once, as `uuids.py` does it and for the same reason."""

from collections.abc import Callable, Iterator

_AT_ONCE = 256
_SPAN, _TRACE = 16, 32  # digits
_ZEROS = "0" * _SPAN
_JUDGED = 14  # digits at the end: the bits by which all who sample decide alike (level 2)


def spans(randbytes: Callable[[int], bytes]) -> Iterator[str]:
    """Ids of spans, without end; none is only zeros."""
    while True:
        yield from _ids(randbytes, _SPAN)


def traces(randbytes: Callable[[int], bytes], ratio: float) -> Iterator[tuple[str, bool]]:
    """Traces that begin here, without end: the id, none of them only zeros, and whether it is
    sampled, which so many are (`ratio`, 0 to 1)."""
    least = f"{round((1 - ratio) * (1 << 4 * _JUDGED)):0{_JUDGED}x}"
    never = len(least) > _JUDGED
    while True:
        ids = _ids(randbytes, _TRACE)
        yield from [(each, not never and each[-_JUDGED:] >= least) for each in ids]


def _ids(randbytes: Callable[[int], bytes], digits: int) -> list[str]:
    text = randbytes(digits // 2 * _AT_ONCE).hex()
    if _ZEROS in text:  # it never comes to pass
        return _ids(randbytes, digits)
    return [text[at : at + digits] for at in range(0, len(text), digits)]
