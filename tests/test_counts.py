"""Counts."""

from proxy.counts import Counts


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
