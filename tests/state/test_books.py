"""What was spent by whom."""

import pytest

from proxy.state import books
from proxy.state.books import Books

NOON = 19_700.5 * 86_400


def test_names_without_end_are_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Agents beyond the number that is kept, and the workflows of long ago."""
    monkeypatch.setattr(books, "MOST_NAMES", 2)
    made = Books()
    for name in ("a", "b", "c", "d"):
        made.book(name, f"w{name}", 10, "", 1, NOON)
    assert made.by_agent == {"a": 10, "b": 10, "other": 20}
    assert made.today.on(NOON) == {"a": 10, "b": 10, "other": 20}
    assert {name: work.spent for name, work in made.by_workflow.items()} == {
        "wc": {"c": 10},
        "wd": {"d": 10},
    }
    assert made.total == 40


def test_a_day_begins_at_midnight() -> None:
    """All that was ever spent stays."""
    made = Books()
    made.book("a", "", 10, "", 1, NOON)
    made.book("a", "", 5, "", 1, NOON + 86_400)
    assert made.today.on(NOON + 86_400) == {"a": 5}
    assert (made.total, made.by_agent, made.by_workflow) == (15, {"a": 15}, {})


def test_they_are_kept_whole() -> None:
    """As a snapshot has them."""
    made = Books()
    made.book("a", "w", 10, "b", 2, NOON)
    again = Books.load(made.dump())
    assert again.dump() == made.dump()
