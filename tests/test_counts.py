"""Counts."""

from proxy.counts import COUNTED, RETRIES, Counts
from proxy.keys import CountsKey


def test_rows_grow_by_their_labels() -> None:
    """Each combination of label values has its own number."""
    counts = Counts(("upstream", "result"))
    counts.add("a", "passed")
    counts.add("a", "passed")
    counts.add("b", "failed")
    assert counts.rows == {("a", "passed"): 2, ("b", "failed"): 1}


def test_they_never_make_room_for_others() -> None:
    """A counter that was forgotten would fall back to zero."""
    assert not Counts(()).idle


def test_a_metric_says_where_and_how_it_is_counted() -> None:
    """Under its own name, by its own labels; each time from nothing."""
    made = RETRIES.counts()
    made.add("gateway", "sent", "503")
    assert RETRIES.key == CountsKey("holdfast_retries_total")
    assert RETRIES.counts() == Counts(("upstream", "decision", "reason"))


def test_no_two_are_counted_in_one_place() -> None:
    """Their numbers would add up to nothing."""
    assert len({metric.key for metric in COUNTED}) == len(COUNTED)
