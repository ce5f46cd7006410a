"""What is counted of all calls, for sums of a fleet."""

from proxy.observe.sums import BUCKETS, OUTCOMES, counted, durations
from tests.observe.records import metrics, record


def test_all_rows_are_added_up() -> None:
    """Calls by their outcome and how long they took, sendings, and what they cost."""
    found = metrics()
    found.note(record(tool="a", duration_us=400, cost_micros=30))
    found.note(record(tool="b", duration_us=700, cost_micros=4))
    found.note(record(tool="b", duration_us=700, outcome="refused", code="killed", attempts=()))
    found.note(record(tool="b", duration_us=900_000_000, outcome="odd"))

    told = counted(found.rows())
    assert {name: number for name, number in told.items() if number} == {
        "calls": 4, "ok": 2, "refused": 1, "unknown": 1, "attempts": 3, "micros": 34,
        "us_500": 1, "us_1000": 2, "us_more": 1,
    }  # fmt: skip
    assert durations(told) == (1, 2, *(0,) * (len(BUCKETS) - 3), 1)
    assert sum(told[outcome] for outcome in OUTCOMES) == told["calls"]


def test_the_names_are_the_same_before_anything_was_counted() -> None:
    """So who asks for sums knows what to ask for."""
    found = metrics()
    before = counted(found.rows())
    found.note(record())
    assert list(before) == list(counted(found.rows()))
    assert not any(before.values())
    assert durations({}) == durations(before)
