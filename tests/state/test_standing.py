"""What share of its calls an upstream may have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.standing import SHARES, Orders, Pulse, Return, Standing

WELL_FOR, STEP, FAILURES = 60.0, 15.0, 3
RETURNED = WELL_FOR + len(SHARES) * STEP


class Watched:
    """A standing, its pulse, and what was told of it."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str]] = []
        self.pulse = Pulse()
        self.standing = Standing(self.pulse, Orders(Return(), self.tell))

    def tell(self, share: float, why: str) -> None:
        self.told.append((share, why))

    def share(self, now: float, *, closed: bool = True) -> float:
        return self.standing.share(now, closed=closed)

    def probes(self, now: float, *passed: bool) -> None:
        for each in passed:
            if each:
                self.pulse.passed(now)
            else:
                self.pulse.failed(FAILURES)


def test_it_begins_with_everything() -> None:
    """And nobody is told."""
    watched = Watched()
    assert watched.share(0.0) == 1.0
    assert (watched.standing.full, watched.standing.idle, watched.told) == (True, True, [])


def test_it_falls_after_so_many_failed_probes_in_a_row() -> None:
    """Two and a good one are not three."""
    watched = Watched()
    watched.probes(0.0, False, False, True, False, False)
    assert (watched.share(1.0), watched.pulse.well) == (1.0, True)
    watched.probes(1.0, False)
    assert (watched.share(1.0), watched.pulse.well) == (0.0, False)
    assert (watched.standing.full, watched.standing.idle) == (False, False)
    assert watched.told == [(0.0, "probes")]


def test_it_falls_when_its_circuit_opens() -> None:
    """At once, and it is told once."""
    watched = Watched()
    assert [watched.share(now, closed=False) for now in (0.0, 1.0)] == [0.0, 0.0]
    assert watched.told == [(0.0, "circuit")]


@pytest.mark.parametrize("why", ["probes", "circuit"])
def test_it_comes_back_in_steps(why: str) -> None:
    """Each lasts its time, and each is told."""
    watched = Watched()
    if why == "probes":
        watched.probes(0.0, False, False, False)
    watched.share(0.0, closed=why == "probes")
    watched.probes(100.0, True)
    shares = [watched.share(100.0 + age) for age in (0, 59.9, 60, 74.9, 75, 90, 104.9, 105)]
    assert shares == [0.0, 0.0, 0.05, 0.05, 0.25, 0.5, 0.5, 1.0]
    assert watched.told == [
        (0.0, why), (0.05, "well"), (0.25, "well"), (0.5, "well"), (1.0, "well"),
    ]  # fmt: skip
    assert watched.standing.full


@pytest.mark.parametrize("why", ["probes", "circuit"])
def test_on_the_way_back_one_failure_is_enough(why: str) -> None:
    """It falls to nothing, and its time begins anew."""
    watched = Watched()
    watched.share(0.0, closed=False)
    watched.share(0.0)
    assert watched.share(80.0) == 0.25
    if why == "probes":
        watched.probes(80.0, False)
    assert watched.share(80.0, closed=why == "probes") == 0.0
    watched.probes(90.0, True)
    assert [watched.share(now) for now in (90.0, 149.9, 150.0)] == [0.0, 0.0, 0.05]
    assert watched.told[-2:] == [(0.0, why), (0.05, "well")]


def test_a_fall_that_nobody_saw_counts() -> None:
    """There was no call while it was unwell; the next one finds it on its way back."""
    watched = Watched()
    watched.probes(0.0, False, False, False, True)
    assert watched.standing.full
    assert watched.standing.falls != watched.pulse.falls
    assert watched.share(61.0) == 0.05


def test_a_standing_that_is_new_knows_of_the_fall() -> None:
    """Other agents' calls had found it."""
    watched = Watched()
    watched.probes(0.0, False, False, False, True)
    late = Standing(watched.pulse, Orders(Return(), watched.tell))
    assert late.share(10.0, closed=True) == 0.0


def test_another_upstream_in_its_place_begins_anew() -> None:
    """What was known is of the old one."""
    watched = Watched()
    watched.probes(0.0, False, False, False)
    assert watched.share(0.0) == 0.0
    watched.pulse.forget()
    assert watched.share(1.0) == 1.0


def test_a_look_changes_nothing() -> None:
    """It says what `share` would."""
    watched = Watched()
    assert watched.standing.look(0.0, closed=False) == 0.0
    assert (watched.told, watched.standing.full) == ([], True)
    watched.share(0.0, closed=False)
    assert watched.standing.look(500.0, closed=True) == 0.0  # only now is it seen to be closed
    watched.share(1.0)
    assert watched.standing.look(61.0, closed=True) == 0.05


def test_it_obeys_other_rules() -> None:
    """From the next question on."""
    watched = Watched()
    watched.share(0.0, closed=False)
    watched.share(0.0)
    watched.standing.follow(Orders(Return(well_for=1.0, step=2.0), watched.tell))
    assert [watched.share(now) for now in (0.9, 1.0, 3.0, 5.0, 7.0)] == [0.0, *SHARES, 1.0]


def test_chance_decides_of_a_call() -> None:
    """A quarter is a quarter of the calls."""
    watched = Watched()
    watched.share(0.0, closed=False)
    watched.share(0.0)
    taken = [watched.standing.takes(80.0, number / 100, closed=True) for number in range(100)]
    assert taken == [True] * 25 + [False] * 75
    assert not watched.standing.takes(80.0, 0.0, closed=False)


STEPS = st.lists(
    st.tuples(st.floats(0.0, 40.0), st.sampled_from(["passed", "failed", "open", "closed"])),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_the_rules_hold(steps: list[tuple[float, str]]) -> None:
    """Nothing while its circuit is open; nothing within 60 s of a fall; never more than the time
    since the last bad sign allows; and from full it falls to nothing, never half way."""
    watched = Watched()
    now, closed, failures, bad, fallen = 0.0, True, 0, -1e9, False
    before = 1.0
    for wait, what in steps:
        now += wait
        closed = {"open": False, "closed": True}.get(what, closed)
        if what == "failed":
            watched.probes(now, False)
            failures += 1
        elif what == "passed":
            watched.probes(now, True)
            failures = 0
        fallen = fallen or failures >= FAILURES or not closed
        if not closed or (fallen and failures):
            bad = now
        share = watched.share(now, closed=closed)
        if not fallen:
            assert share == 1.0
        else:
            assert share <= Return().share(now - bad)
        assert share == 0.0 or closed
        assert not (before == 1.0 and 0.0 < share < 1.0)
        assert watched.standing.full == (share == 1.0)
        if share == 1.0:
            fallen = failures >= FAILURES
        before = share


@given(st.floats(0, 500), st.floats(0, 500))
def test_the_way_back_leads_up(first: float, second: float) -> None:
    """Who has been well for longer has no less."""
    early, late = sorted((first, second))
    assert Return().share(early) <= Return().share(late)
    assert Return().share(RETURNED) == 1.0
