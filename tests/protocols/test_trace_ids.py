"""Ids of traces and spans, made many at once."""

import itertools
import random
import re

import pytest

from proxy.protocols.trace_ids import JUDGED, least, spans, traces


def test_each_is_new() -> None:
    """Of the right length, and of chance alone."""
    chance = random.Random(1)
    some = list(itertools.islice(spans(chance.randbytes), 1000))
    assert len(set(some)) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{16}", each) for each in some)
    ids = list(itertools.islice(traces(chance.randbytes), 1000))
    assert len(set(ids)) == 1000
    assert all(re.fullmatch(r"[0-9a-f]{32}", each) for each in ids)


@pytest.mark.parametrize("ratio", [0.0, 0.01, 0.5, 1.0])
def test_so_many_are_sampled(ratio: float) -> None:
    """As asked for, and decided by the id, so that others decide alike."""
    some = list(itertools.islice(traces(random.Random(2).randbytes), 20_000))
    sampled = [id_[JUDGED] >= least(ratio) for id_ in some]
    assert sum(sampled) == pytest.approx(20_000 * ratio, abs=100)
    bits = [int(id_[-14:], 16) >= (1 - ratio) * (1 << 56) for id_ in some]
    assert sampled == bits


def test_none_is_only_zeros() -> None:
    """Zeros are drawn again: they mean that there is no trace."""
    drawn = iter([bytes(4096), random.Random(3).randbytes(4096)])

    def randbytes(count: int) -> bytes:
        return next(drawn)[:count]

    assert next(spans(randbytes)).strip("0")
