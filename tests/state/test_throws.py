"""What was thrown and lifted of a scope: joined in any order it is the same."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.killed import Kill
from proxy.state.scopes import Scope
from proxy.state.throws import LIFTED, OFF, ON, REMEMBERED, Lift, Thrown, Throws
from tests.state.at_kills import kill

ALL = Scope("all")
NOW = 1_700_000_000.0
DAY = 86_400.0


def thrown(**kills: Kill) -> Thrown:
    """These stand."""
    return Thrown(ALL, dict(kills))


def known(on: set[str], off: set[str]) -> Thrown:
    """As somebody knows it; what a throw is follows from its name."""
    return Thrown(ALL).again({name: of(name) for name in on - off}).lifted(off, Lift())


def of(name: str) -> Kill:
    """The same everywhere."""
    number = int(name, 16)
    until = None if number % 3 == 0 else NOW + number
    return kill("all", reason=name, since=NOW - number, until=until)


NAMES = st.sets(st.sampled_from([f"{number:012x}" for number in range(60)]), max_size=45)
VIEWS = st.builds(known, NAMES, NAMES)


@given(VIEWS, VIEWS, VIEWS)
def test_in_any_order_it_is_the_same(one: Thrown, two: Thrown, three: Thrown) -> None:
    """And however often."""
    both = one.joined(two)
    assert both.same(two.joined(one))
    assert both.joined(two) is both
    assert both.joined(both) is both
    either, other = both.joined(three), one.joined(two.joined(three))
    assert either.off == other.off
    assert either.kill(NOW) is None or other.kill(NOW) is not None


@given(VIEWS, VIEWS)
def test_only_what_was_lifted_goes(one: Thrown, two: Thrown) -> None:
    """And as much is stopped as anybody who is left stopped."""
    both = one.joined(two)
    left = (one.on.keys() | two.on.keys()) - one.off - two.off
    assert both.on.keys() <= left
    assert bool(both.on) is bool(left)
    assert len(both.on) <= ON
    assert len(both.off) <= OFF
    found = both.kill(NOW)
    if left:
        assert found is not None
        ends = [view.on[name].until for view in (one, two) for name in view.on.keys() & left]
        assert found.until == (None if None in ends else max(end for end in ends if end))
        assert found.reason == max(left)


def test_who_throws_again_replaces_what_he_knows_of() -> None:
    """And nothing else."""
    first = Thrown(ALL).thrown("1", kill("all", reason="one"))
    again = first.thrown("2", kill("all", reason="two", until=NOW + 9, in_flight="finish"))
    other = first.thrown("3", kill("all", reason="three", until=NOW + 5))
    assert (list(again.on), list(again.off)) == (["2"], ["1"])
    both = again.joined(other)
    found = both.kill(NOW)
    assert found is not None
    assert (found.reason, found.until, found.in_flight) == ("three", NOW + 9, "end")
    assert first.joined(both).same(both)


def test_the_same_throw_is_as_wide_as_anybody_has_it() -> None:
    """Two pods joined others into it."""
    one = thrown(x=kill("all", until=NOW + 1, in_flight="finish"))
    two = thrown(x=kill("all", until=None, in_flight="end"))
    for both in (one.joined(two), two.joined(one)):
        assert both.on["x"].until is None
        assert both.on["x"].in_flight == "end"
    assert not one.same(two)


def test_an_end_is_no_lift() -> None:
    """It is over for whoever's clock says so, and stands where it was thrown for longer."""
    one = thrown(x=kill("all", until=NOW + 1))
    assert one.kill(NOW) is not None
    assert one.kill(NOW + 1) is None
    assert one.joined(thrown(y=kill("all"))).kill(NOW + 1) is not None
    assert (one.past(NOW + 3, 1500), one.past(NOW + 2, 1500)) == (True, False)
    assert not thrown(x=kill("all")).past(NOW + 1e9, 0)


@pytest.mark.parametrize("behind", [0.0, 3600.0, -3600.0])
def test_a_name_is_later_than_all_that_was_known(behind: float) -> None:
    """Also where the clock is behind; and two pods have two."""
    known = Thrown(ALL)
    for number in range(4):
        known = known.thrown(known.name(NOW - behind * number, "u"), kill("all"))
        (name,) = known.on
        assert all(name > other for other in known.off)
    assert known.name(NOW, "a") != known.name(NOW, "b")
    assert len(known.name(NOW, "38b4e652-e44d-4a7f-a1a1-bbbbbbbbbbbb")) < 64
    assert Thrown(ALL, {"none": kill("all")}).name(NOW, "u") == Thrown(ALL).name(NOW, "u")


def test_what_was_noted_counts_again() -> None:
    """Also what had been lifted before: the journal knows the order."""
    before = thrown(x=kill("all")).lifted(["x", "y"], Lift(5, "bob"))
    after = before.again({"x": kill("all")})
    assert (list(after.on), list(after.off), after.lift.by) == (["x"], ["y"], "bob")


def test_the_last_lift_is_told() -> None:
    """Whoever knows of it."""
    early, late = Lift(5, "bob", "fixed"), Lift(6, "ann", "again")
    one, two = thrown().lifted(["x"], early), thrown().lifted(["x", "y"], late)
    assert one.joined(two).lift == two.joined(one).lift == late


def test_the_newest_of_what_was_lifted_are_remembered() -> None:
    """So many of a scope; of scopes likewise, and for a week."""
    names = [f"{number:012x}" for number in range(OFF + 5)]
    assert thrown().lifted(names, Lift()).off == set(names[5:])
    throws = Throws()
    for number in range(LIFTED + 3):
        scope = Scope(f"agent:{number}")
        lift = Lift(round(NOW * 1000) + number)
        throws.take(Thrown(scope).lifted(["x"], lift))
    throws.throw(kill("tool:x"), NOW, "u")
    throws.throw(kill("tool:y", until=NOW + 1), NOW, "u")
    throws.forget(NOW + 10)
    assert [throws.knows(Scope(f"agent:{number}")) for number in (2, 3, 4)] == [False, False, True]
    assert throws.knows(Scope("tool:x"))
    assert len(list(throws)) == LIFTED + 1
    throws.forget(NOW + 30 + REMEMBERED / 1000)
    assert [each.scope for each in throws] == ["tool:x"]


def test_what_nobody_spoke_of_is_not_known() -> None:
    """It is not thrown, nor was it lifted."""
    throws = Throws()
    assert throws.of(ALL) == Thrown(ALL)
    name = throws.throw(kill("all"), NOW, "u")
    assert throws.of(ALL).on.keys() == {name}
    assert msgspec.structs.replace(throws.of(ALL), on={}).kill(NOW) is None
