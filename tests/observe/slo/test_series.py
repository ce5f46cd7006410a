"""Series: what is counted for one objective."""

from proxy.observe.slo.ring import Ring
from proxy.observe.slo.series import MOST_REASONS, Series


def test_counts_each_end() -> None:
    """Good and bad ones in its ring, others by their reason."""
    series = Series("s", Ring(3600.0, 0.0))
    series.take(True)
    series.take(True)
    series.take(False)
    series.excluded_one("killed")
    for said in (True, False, "killed", "refused"):
        series.take(said)
    assert (series.good, series.bad) == (3, 2)
    assert series.excluded == {"killed": 2, "refused": 1}
    assert (series.ring.over(300).good, series.ring.over(300).bad) == (3, 2)


def test_reasons_are_bounded() -> None:
    """Those beyond share one."""
    series = Series("s", Ring(3600.0, 0.0))
    for number in range(MOST_REASONS + 10):
        series.excluded_one(str(number))
    assert len(series.excluded) == MOST_REASONS + 1
    assert series.excluded["other"] == 10
