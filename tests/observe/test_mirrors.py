"""proxy/observe/mirrors.py"""

import msgspec

from proxy.observe.mirrors import METRICS, families


class Terms(msgspec.Struct):
    name: str


class Counts(msgspec.Struct):
    sent: int = 0
    failed: int = 0
    aside: int = 0
    lost: int = 0


class Mirror(msgspec.Struct):
    terms: Terms
    counts: Counts = msgspec.field(default_factory=Counts)
    lag: int = 0
    waits_for: str = ""


def test_every_metric_of_mirrors_is_read() -> None:
    """In the order of the catalogue, by their names."""
    siem = Mirror(Terms("siem"), Counts(4, 3, 2, 1), 9, "2023-11-14T22:13:20.123456789Z")
    told = {each.metric.name: each.rows for each in families([siem], lambda: 1_700_000_007.9)}

    assert list(told) == [metric.name for metric in METRICS]
    assert [rows[("siem",)] for rows in told.values()] == [9, 7, 4, 3, 2, 1]


def test_one_that_waits_for_nothing_is_not_late() -> None:
    """Nor is one whose clock was set back."""
    early = Mirror(Terms("b"), waits_for="2023-11-14T22:13:20.1Z")
    rows = list(families([Mirror(Terms("a")), early], lambda: 1_600_000_000.0))[1].rows

    assert rows == {("a",): 0, ("b",): 0}


def test_without_mirrors_there_are_no_rows() -> None:
    """But dashboards find the metrics."""
    found = list(families([], lambda: 0.0))

    assert [each.metric for each in found] == list(METRICS)
    assert [each.rows for each in found] == [{}] * len(found)
