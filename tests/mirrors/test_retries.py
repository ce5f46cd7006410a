"""proxy/mirrors/retries.py"""

from proxy.mirrors.retries import FIRST, Retries
from tests.fakes import FakeClock


def test_waits_are_longer_each_time_up_to_the_longest() -> None:
    """Chance takes half of a wait at most; what was taken begins it anew."""
    retries = Retries(FakeClock(), 60.0)
    waits = [retries.failed() for _ in range(10)]
    fully = [min(60.0, FIRST * 2**tries) for tries in range(10)]
    assert all(most / 2 <= wait <= most for wait, most in zip(waits, fully, strict=True))
    retries.well()
    assert retries.failed() <= FIRST
