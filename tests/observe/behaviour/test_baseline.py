"""What is usual, and how far from it something lies."""

import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.behaviour.baseline import MOST, Baseline, Usual, scaled


def test_few_samples_say_nothing():
    """Nothing is compared with too few."""
    baseline = Baseline(1)
    for at in range(29):
        baseline.learn(float(at), [5.0])
    assert baseline.usual(30) is None
    baseline.learn(29.0, [5.0])
    assert baseline.usual(30) is not None


def test_a_score_is_robust():
    """A wild sample moves neither what is usual nor what is far: masking is what mean and
    deviation suffer from."""
    chance = random.Random(3)
    calm = [scaled(chance.gauss(10, 1)) for _ in range(40)]
    wild = [*calm, scaled(1e9)]

    assert Usual(wild).score(20.0) > 3.5
    assert abs(Usual(wild).score(20.0) - Usual(calm).score(20.0)) < 0.5
    assert Usual(calm).score(10.0) < 1


def test_where_all_is_the_same_a_little_more_is_not_far():
    """MAD is nothing there, and a floor stands in for it."""
    same = Usual([scaled(10.0)] * 40)
    assert same.score(11.0) < 3.5
    assert same.score(20.0) > 3.5
    assert Usual([scaled(1.0)] * 30 + [scaled(8.0)] * 10).score(8.0) < 3.5


def test_the_middle_is_told_in_the_units_of_the_samples():
    """Not as a logarithm."""
    assert Usual([scaled(value) for value in (1.0, 7.0, 100.0)]).middle == pytest.approx(7.0)


def test_old_samples_are_forgotten():
    """What was a week ago is not usual any more; beyond a number the oldest go."""
    baseline = Baseline(2)
    for at in range(MOST + 10):
        baseline.learn(float(at), [at, 2 * at])
    assert len(baseline) == MOST
    baseline.forget(MOST - 20.0)
    assert len(baseline) == 30
    usual = baseline.usual(30)
    assert usual is not None
    assert usual[1].middle == pytest.approx(2 * (MOST - 5.5), rel=1e-3)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e9)), max_size=60))
def test_it_is_the_same_after_a_restart(rows):
    """What was kept is what was learned."""
    baseline, again = Baseline(2), Baseline(2)
    for at, row in enumerate(rows):
        baseline.learn(float(at), row)
    again.load(*baseline.dump())

    assert len(again) == len(baseline)
    for one, other in zip(baseline.usual(1) or [], again.usual(1) or [], strict=True):
        assert (one.centre, one.spread) == (other.centre, other.spread)
    if rows:
        logs = [math.log1p(row[0]) for row in rows]
        assert (again.usual(1) or [])[0].centre == pytest.approx(median(logs), rel=1e-5, abs=1e-5)


def test_what_is_no_baseline_is_refused():
    """Of another version, say."""
    with pytest.raises(ValueError, match="as many values"):
        Baseline(2).load(b"\0" * 8, b"\0" * 4)
