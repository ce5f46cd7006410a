"""A limit that is felt out."""

from hypothesis import given
from hypothesis import strategies as st

from proxy.state.aimd import Aimd


def test_one_more_for_each_round_that_went_well() -> None:
    """As many good results as there may be at once, all while it was busy."""
    aimd, limit = Aimd(), 4
    seen = []
    for _ in range(9):
        limit = aimd.good(0.0, limit, limit)
        seen.append(limit)
    assert seen == [4, 4, 4, 5, 5, 5, 5, 5, 6]


def test_who_never_meets_the_limit_does_not_raise_it() -> None:
    """Four of five are enough to learn from; three are not."""
    aimd = Aimd()
    assert [aimd.good(0.0, 5, 3) for _ in range(20)] == [5] * 20
    assert [aimd.good(0.0, 5, 4) for _ in range(5)] == [5, 5, 5, 5, 6]


def test_a_loss_takes_a_third() -> None:
    """What was begun before it says nothing new, be it good or bad."""
    aimd = Aimd()
    assert aimd.lost(began=1.0, now=5.0, limit=20) == 14
    assert aimd.lost(began=4.0, now=6.0, limit=14) == 14
    assert [aimd.good(5.0, 2, 2) for _ in range(5)] == [2] * 5
    assert aimd.lost(began=5.5, now=7.0, limit=14) == 9


def test_a_loss_begins_the_round_anew() -> None:
    """Good results from before it do not count for a rise after it."""
    aimd = Aimd()
    assert [aimd.good(0.0, 3, 3) for _ in range(2)] == [3, 3]
    assert aimd.lost(1.0, 2.0, 3) == 2
    assert [aimd.good(3.0, 2, 2) for _ in range(2)] == [2, 3]


@given(st.lists(st.booleans(), max_size=60))
def test_all_that_was_under_way_together_is_one_loss(results: list[bool]) -> None:
    """However many of one round come back bad, the limit falls once."""
    aimd, limit = Aimd(), 100
    for good in results:
        limit = aimd.good(1.0, limit, limit) if good else aimd.lost(1.0, 9.0, limit)
    falls = 1 if False in results else 0
    assert limit == (70 if falls else 100)
