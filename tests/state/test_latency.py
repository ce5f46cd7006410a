"""How long good answers take."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.clock import NEVER
from proxy.state.latency import LEAST, SAMPLES, Latency


def noted(seconds: list[float]) -> Latency:
    """One that has seen these."""
    latency = Latency()
    for each in seconds:
        latency.note(each)
    return latency


def test_too_few_say_nothing() -> None:
    """Whoever knows nineteen answers knows no p95."""
    assert noted([1.0] * (LEAST - 1)).p95 == NEVER
    assert noted([1.0] * LEAST).p95 == 1.0


def test_the_slowest_twentieth_is_beyond_it() -> None:
    """Of a hundred, 94 are as fast or faster, and five slower."""
    assert noted([float(n) for n in range(SAMPLES)]).p95 == 94.0


def test_old_ones_are_forgotten() -> None:
    """What a tool was like a hundred calls ago does not count."""
    assert noted([9.0] * SAMPLES + [1.0] * SAMPLES).p95 == 1.0


@given(st.lists(st.floats(0, 1000), min_size=SAMPLES, max_size=300))
def test_it_is_one_of_the_last(seconds: list[float]) -> None:
    """Whatever they are: it is among the last hundred and twenty, and no invention."""
    assert noted(seconds).p95 in seconds[-SAMPLES - LEAST :]
