"""Four views of what a workflow spent, and one sum."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state import attribution
from proxy.state.attribution import VIEWS, Work, divided

NAMES = st.sampled_from(["ann", "bob", "cy", "", "a:b", "other"])
BOOKED = st.lists(st.tuples(NAMES, NAMES, st.integers(0, 10**12), st.integers(0, 1)), max_size=30)


def worked(booked: list[tuple[str, str, int, int]]) -> Work:
    """One for which this was spent."""
    work = Work()
    for agent, caller, micros, calls in booked:
        work.book(agent, caller, micros, calls)
    return work


@given(BOOKED)
def test_every_view_adds_up(booked: list[tuple[str, str, int, int]]) -> None:
    """To the micro-dollar; and nobody is owed anything."""
    work = worked(booked)
    total = sum(micros for _, _, micros, _ in booked)
    for view in VIEWS:
        found = work.by(view)
        assert sum(found.values()) == total == work.total
        assert all(micros >= 0 for micros in found.values())


@given(BOOKED, st.integers(1, 3))
def test_they_add_up_where_names_are_too_many(
    booked: list[tuple[str, str, int, int]], most: int
) -> None:
    """What cannot be told apart is told together."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(attribution, "_MOST", most)
        work = worked(booked)
    assert len(work.spent) <= most + 1
    for view in VIEWS:
        assert sum(work.by(view).values()) == sum(micros for _, _, micros, _ in booked)


@given(BOOKED)
def test_it_survives_a_restart(booked: list[tuple[str, str, int, int]]) -> None:
    """Through JSON."""
    work = worked(booked)
    assert Work.load(json.loads(json.dumps(work.dump()))) == work


@given(st.integers(0, 10**15), st.dictionaries(NAMES, st.integers(0, 1_000), min_size=1))
def test_nobody_is_a_micro_dollar_off(total: int, weights: dict[str, int]) -> None:
    """Of what is just; and the order of the names changes nothing."""
    found = divided(total, weights)
    assert sum(found.values()) == total
    whole = sum(weights.values())
    for name, micros in found.items():
        just = total * weights[name] / whole if whole else total / len(weights)
        assert abs(micros - just) <= 1 + total * 1e-12
    assert divided(total, dict(reversed(weights.items()))) == found


def test_the_views_of_one_workflow() -> None:
    """Ann asks bob, who asks cy: each is billed what was spent for it, not for who began."""
    work = worked(
        [("ann", "", 100, 1), ("bob", "ann", 30, 1), ("bob", "", 1, 1), ("cy", "bob", 7, 1)]
    )
    assert work.by("self") == {"ann": 100, "bob": 31, "cy": 7}
    assert work.by("caller_pays") == {"ann": 130, "bob": 8, "cy": 0}
    assert work.by("proportional") == {"ann": 35, "bob": 69, "cy": 34}
    assert work.by("pool") == {"ann": 46, "bob": 46, "cy": 46}


def test_who_only_waits_pays_too() -> None:
    """Where the caller pays: it spent nothing itself."""
    assert worked([("bob", "ann", 5, 1)]).by("caller_pays") == {"bob": 0, "ann": 5}


def test_who_calls_itself_pays_itself() -> None:
    """There is no edge between the two."""
    assert worked([("ann", "ann", 5, 1)]).lent == {}


def test_what_does_not_divide_goes_to_the_largest_remainders() -> None:
    """Of equal ones to the first by name."""
    assert divided(10, {"b": 1, "a": 1, "c": 1}) == {"a": 4, "b": 3, "c": 3}
    assert divided(10, {"a": 1, "b": 5}) == {"a": 2, "b": 8}
    assert divided(5, {"a": 0, "b": 0}) == {"a": 3, "b": 2}
    assert divided(0, {}) == {}


def test_another_view_is_none() -> None:
    """Who asks is told which there are, by its caller."""
    with pytest.raises(KeyError):
        Work().by("root")
