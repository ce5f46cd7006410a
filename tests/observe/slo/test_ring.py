"""Rings: their sums are those of a plain list of events, over gaps, restarts and other windows."""

import math
import sys
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.observe.slo.ring import FINE, MOST_SLOTS, Kept, Ring, Sums

DAY = 86_400.0
MONTH = 30 * DAY
WINDOWS = (120.0, 300.0, 1800.0, 3600.0, 7200.0, 21_600.0, DAY, 3 * DAY, 7 * DAY, MONTH)
BEGIN = 1_700_000_000.0

Step = tuple[float, int, int, bool]  # seconds later; so many good, so many bad; was anybody here?

steps = st.lists(
    st.tuples(
        st.one_of(
            st.floats(0, 20), st.floats(0, 4000), st.floats(0, 3 * DAY), st.sampled_from([15, 60])
        ),
        st.integers(0, 5),
        st.integers(0, 5),
        st.booleans(),
    ),
    max_size=60,
)


class Plain:
    """A list of events, and of the times in which somebody counted."""

    def __init__(self, now: float) -> None:
        self.began = self.now = now
        self.events: list[tuple[float, int, int]] = []
        self.here: list[tuple[float, float]] = []

    def step(self, step: Step) -> None:
        later, good, bad, here = step
        if here:
            self.here.append((self.now, self.now + later))
        self.now += later
        self.events.append((self.now, good, bad))

    def since(self, begin: float) -> tuple[int, int, float]:
        """Good and bad ones from then on, and the seconds in which somebody counted."""
        there = [each for each in self.events if each[0] >= begin]
        seen = sum(max(0.0, end - max(begin, start)) for start, end in self.here)
        return sum(good for _, good, _ in there), sum(bad for *_, bad in there), seen


def step_of(window: float, longest: float) -> float:
    """How long the slots are in which a window is counted, in a ring for windows up to `longest`:
    hours, or so many of them that there are not too many."""
    fine = (step for step, slots in FINE if step * slots >= window)
    return float(next(fine, 3600 * max(1, math.ceil(longest / 3600 / MOST_SLOTS))))


def played(steps: Iterable[Step], window: float = MONTH) -> tuple[Ring, Plain]:
    ring, plain = Ring(window, BEGIN), Plain(BEGIN)
    for step in steps:
        plain.step(step)
        ring.advance(plain.now, here=step[3])
        ring.add(step[1], step[2])
    return ring, plain


def same(ring: Ring, plain: Plain, windows: Iterable[float] = WINDOWS) -> None:
    """Each window has all events that are in it, and none from before its slot."""
    for window in windows:
        step = step_of(window, ring.window)
        begin = (plain.now - window) // step * step
        good, bad, seen = plain.since(begin)
        found = ring.over(window)
        assert (found.good, found.bad) == (good, bad), window
        assert found.seen == pytest.approx(min(window, seen), abs=1.5)
        assert 0 <= found.coverage <= 1


@settings(max_examples=150, deadline=None)
@given(steps)
def test_windows_are_those_of_a_plain_list(steps: list[Step]) -> None:
    """Whatever the pauses are, with nobody there or somebody."""
    same(*played(steps))


@settings(max_examples=50, deadline=None)
@given(steps, steps)
def test_a_restart_changes_nothing(before: list[Step], after: list[Step]) -> None:
    """It goes on as one that was not kept and loaded, by way of JSON."""
    ring, plain = played(before)
    ring = Ring.load(msgspec.json.decode(msgspec.json.encode(ring.dump()), type=Kept))
    for step in after:
        plain.step(step)
        ring.advance(plain.now, here=step[3])
        ring.add(step[1], step[2])
    same(ring, plain)


@settings(max_examples=50, deadline=None)
@given(steps, st.sampled_from([DAY, 7 * DAY, MONTH, 90 * DAY]))
def test_another_window_keeps_what_was_counted(steps: list[Step], window: float) -> None:
    """As far as the shorter one of the two goes."""
    ring, plain = played(steps, 7 * DAY)
    made = ring.resized(window)
    same(made, plain, [each for each in WINDOWS if each <= min(7 * DAY, window)])
    assert (made.good, made.bad, made.window) == (ring.good, ring.bad, window)


def test_time_does_not_go_back() -> None:
    """A clock that does changes nothing."""
    ring, plain = played([(100.0, 3, 1, True)])
    ring.advance(plain.now - 50)
    assert ring.now == plain.now
    same(ring, plain)


def test_a_gap_has_no_events_and_is_told() -> None:
    """Half of the window nobody was there: its events are not good ones, they are not there."""
    ring, _ = played([(1800.0, 10, 0, True), (0.0, 0, 10, True), (1800.0, 0, 0, False)])
    found = ring.over(3600)
    assert (found.good, found.bad, found.ratio) == (10, 10, 0.5)
    assert found.coverage == pytest.approx(0.5)


def test_one_that_began_a_moment_ago_uses_what_it_has() -> None:
    """And says how much of the window that is."""
    ring, _ = played([(60.0, 4, 1, True)])
    found = ring.over(3600)
    assert (found.total, found.ratio) == (5, 0.2)
    assert found.coverage == pytest.approx(60 / 3600)
    assert Sums(0, 0, 60.0, 0.0).ratio == 0


@pytest.mark.parametrize("window", [60.0, DAY, MONTH, 60 * DAY, 90 * DAY, 3650 * DAY])
def test_it_takes_less_than_64_kib(window: float) -> None:
    """However long its window is; and the snapshot's text is a third more."""
    ring = Ring(window, BEGIN)
    arrays = [getattr(tier, name) for tier in ring._tiers for name in ("good", "bad", "seen")]
    assert sum(map(sys.getsizeof, arrays)) < 64 * 1024
    assert len(msgspec.json.encode(ring.dump())) < 90_000
    assert ring._tiers[-1].slots <= MOST_SLOTS + 2
    assert ring._tiers[-1].slots * ring._tiers[-1].step >= window


def test_a_snapshot_of_other_integers_is_read() -> None:
    """Of a machine that has the other end of integers first; of another kind of ring it is none."""
    ring, plain = played([(3600.0 * n, n, 1, True) for n in range(1, 20)])
    kept = ring.dump()
    for tier in ring._tiers:
        for sums in (tier.good, tier.bad, tier.seen):
            sums.byteswap()
    foreign = ring.dump()
    foreign.little = not kept.little
    same(Ring.load(foreign), plain)
    kept.window = 90 * DAY
    with pytest.raises(ValueError, match="bytes of sums, expected"):
        Ring.load(kept)
