"""The book: what was counted stays over reloads and restarts, and nothing is counted twice."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.observe.slo.book import LATELY, MOST_SET_ASIDE
from tests.fakes import FakeClock
from tests.observe.slo.objectives import (
    DAY,
    MONTH,
    Watched,
    matching,
    objective,
    restarted,
    stamp,
)

HOUR = 3600.0


def counts(made: Watched, name: str = "works") -> tuple[int, int, dict[str, int]]:
    series = made.slos.entries[name].series
    return series.good, series.bad, series.excluded


def start(made: Watched) -> dict[str, Any]:
    """What the journal has of a process that begins now."""
    return {"type": "start", "id": "s", "ts": stamp(made.clock.wall())}


def stop(made: Watched) -> dict[str, Any]:
    return start(made) | {"type": "stop"}


def test_only_who_counts_calls_hears_of_them() -> None:
    """And where there is no objective, nothing is read again at a start."""
    made = Watched()
    assert (made.slos.counts_calls, made.slos.types) == (False, frozenset())
    made.slos.obey([objective(per="task")])
    assert not made.slos.counts_calls
    assert made.slos.types == {
        "call.finished", "start", "stop", "checkpoint", "slo.alert", "slo.resolved",
    }  # fmt: skip
    made.slos.obey([objective()])
    assert made.slos.counts_calls


def test_an_objective_may_change_and_keep_its_counts() -> None:
    """Its share, its window and its alerts may; what it counts may not."""
    made = Watched(objective()).begin()
    made.ends(7, 2)
    made.end("refused", code="killed")
    made.passes(HOUR)
    for changes in ({"objective": 0.9}, {"window": 7 * DAY}, {"burns": ()}, {"window": MONTH}):
        made.slos.obey([objective(**changes)])
        assert counts(made) == (7, 2, {"killed": 1})
        assert made.entry.over(2 * HOUR).total == 9
        assert made.entry.objective == objective(**changes)
    made.slos.obey([objective(match=matching(tool="x"))])
    assert counts(made) == (0, 0, {})


@pytest.mark.parametrize(
    "changes",
    [{"sli": "latency", "most_us": 5}, {"per": "task"}, {"match": matching(agent="a*")}],
)
def test_one_that_counts_something_else_begins_anew(changes: dict[str, Any]) -> None:
    """Under the same name."""
    made = Watched(objective()).begin()
    made.ends(7, 2)
    made.slos.obey([objective(**changes)])
    assert counts(made) == (0, 0, {})
    made.slos.tick()
    assert made.state == "insufficient_data"


def test_what_is_taken_out_is_found_again() -> None:
    """With a gap, of the time in which it was not there."""
    made = Watched(objective()).begin()
    made.ends(7, 2)
    made.passes(1800)
    made.slos.obey(())
    made.clock.advance(1800)
    made.slos.tick()
    made.slos.obey([objective(window=60 * DAY)])
    assert counts(made) == (7, 2, {})
    assert made.entry.over(2 * HOUR).total == 9
    assert made.entry.over(HOUR).coverage == pytest.approx(0.5, abs=0.01)


def test_many_are_looked_at_in_turns() -> None:
    """Each in time; all of them when the process begins, and when policies have changed."""
    made = Watched(*[objective(name=f"n{number}") for number in range(50)]).begin()
    entries = made.slos.entries.values()
    assert all(each.standing is not None for each in entries)
    looked = []
    for _ in range(3):
        before = [each.standing for each in entries]
        made.passes(10)
        looked.append(
            sum(each.standing is not old for each, old in zip(entries, before, strict=True))
        )
    assert looked == [20, 20, 10]
    made.slos.obey([objective(name=f"m{number}") for number in range(50)])
    made.slos.tick()
    assert all(each.standing is not None for each in made.slos.entries.values())


def test_what_is_set_aside_is_bounded() -> None:
    """The oldest are forgotten; what has counted nothing is not kept."""
    made = Watched().begin()
    for number in range(MOST_SET_ASIDE + 5):
        made.slos.obey([objective(name=f"n{number}")])
        made.ends(1, 0)
    made.slos.obey([objective(name="empty")])
    made.slos.obey(())
    assert [*made.slos._aside] == [f"n{number}" for number in range(5, MOST_SET_ASIDE + 5)]


def test_a_process_that_ended_left_its_state() -> None:
    """The time until the next one began is a gap; it is nobody's good time."""
    made = Watched(objective()).begin()
    made.passes(1800, good=1, bad=1)
    made.end("refused", code="killed")
    state = msgspec.json.decode(msgspec.json.encode(made.slos.dump()))
    made.clock.advance(900)
    again = restarted(made, state, [start(made)]).begin()
    assert counts(again) == (180, 180, {"killed": 1})
    found = again.entry.over(HOUR)
    assert (found.good, found.bad) == (180, 180)
    assert found.coverage == pytest.approx(0.5, abs=0.02)
    assert again.entry.over(600).total == 0
    again.slos.apply(stop(again))  # of its own end it hears as well
    assert counts(again) == (180, 180, {"killed": 1})


def test_one_that_died_left_its_records() -> None:
    """There may have been no snapshot yet; and several may have died since it was made. Between
    each two of them nobody counted."""
    made = Watched(objective(), objective(name="other", match=matching(tool="x"))).begin()
    records = [start(made)]
    for _ in range(2):
        for _ in range(10):
            made.clock.advance(60)
            records += made.ends(1, 1)
        made.clock.advance(600)
        records.append(start(made))
    again = restarted(made, None, records).begin()
    assert counts(again) == (20, 20, {})
    assert counts(again, "other") == (0, 0, {})
    assert again.entry.over(560).total == 0
    assert again.entry.over(1190).total == 20
    assert again.entry.over(2400).total == 40
    assert again.entry.over(2400).coverage == pytest.approx(0.5, abs=0.05)


def test_what_was_over_in_a_drill_does_not_burn_again() -> None:
    """Its records tell the real time; as windows pass, an hour has gone since they were made."""
    drill = {"drill": 60}
    made = Watched(objective(), clock=FakeClock(drill=60)).begin()
    records = [start(made) | drill, *(each | drill for each in made.ends(0, 20))]
    made.slos.tick()
    assert "page" in made.holding
    made.clock.advance(40)
    made.slos.tick()
    assert "page" not in made.holding
    over = {"type": "slo.resolved", "id": "x", "ts": stamp(made.clock.wall())} | drill
    made.clock.advance(5)
    again = restarted(made, None, [*records, over, start(made) | drill]).begin()
    assert again.entry.over(1800).total == 0
    assert counts(again) == (0, 20, {})
    assert "page" not in again.holding


def test_a_stop_says_until_when_it_was_there() -> None:
    """Idle time at its end was watched all the same."""
    made = Watched(objective()).begin()
    records = [start(made), *made.ends(1, 0)]
    made.clock.advance(HOUR)
    records.append(stop(made))
    again = restarted(made, None, records).begin()
    assert again.entry.over(HOUR).coverage == pytest.approx(1, abs=0.01)


def test_what_the_snapshot_knows_is_not_counted_again() -> None:
    """A call whose bodies are looked through is counted before the journal has its record; so the
    record may come after a snapshot that knows it."""
    made = Watched(objective()).begin()
    noted = made.ends(0, 3)
    state = msgspec.json.decode(msgspec.json.encode(made.slos.dump()))
    noted += made.ends(1, 1)
    again = restarted(made, state, noted).begin()
    assert counts(again) == (1, 4, {})
    assert len(state["lately"]) == 3
    made.ends(LATELY + 50, 0)
    assert len(msgspec.json.decode(msgspec.json.encode(made.slos.dump()))["lately"]) == LATELY


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.floats(0, 2000), st.integers(0, 3), st.integers(0, 3)), max_size=30),
    st.integers(0, 30),
)
def test_where_the_snapshot_was_made_does_not_matter(
    steps: list[tuple[float, int, int]], cut: int
) -> None:
    """Killed at any moment after it: the same counts, in the same slots."""
    made = Watched(objective()).begin()
    state, records = None, [start(made)]
    for number, (seconds, good, bad) in enumerate(steps):
        made.clock.advance(seconds)
        made.slos.tick()
        records += made.ends(good, bad)
        if number == cut:
            state, records = msgspec.json.decode(msgspec.json.encode(made.slos.dump())), []
    again = restarted(made, state, records).begin()
    made.slos.tick()
    assert counts(again) == counts(made)
    for window in (300.0, HOUR, DAY, MONTH):
        there, here = made.entry.over(window), again.entry.over(window)
        assert (here.good, here.bad) == (there.good, there.bad)
        # Its last records are all that is known of when it was there.
        assert here.seen <= there.seen + 1.5


def test_a_wall_that_jumped_labels_nothing_twice() -> None:
    """While it runs slots go with the other clock; the next process finds them by the new wall."""

    class Jumping(FakeClock):
        ahead = 0.0

        def wall(self) -> float:
            return super().wall() + self.ahead

    clock = Jumping()
    made = Watched(objective(), clock=clock).begin()
    made.passes(600, good=1)
    clock.ahead = -40 * DAY
    made.passes(600, bad=1)
    assert made.entry.over(600).bad == pytest.approx(60, abs=2)
    assert made.entry.over(HOUR).total == 120
    clock.advance(60)
    again = made.again([start(made)]).begin()
    assert again.entry.over(HOUR).total == 120
    clock.ahead = -80 * DAY  # and while it was down: it stands still, and goes on
    again = made.again([start(made)]).begin()
    again.passes(60, good=1)
    assert again.entry.over(HOUR).total == 126


def test_a_state_that_makes_no_sense_begins_anew() -> None:
    """Of another version, or broken: the records after it still count."""
    made = Watched(objective()).begin()
    made.ends(3, 0)
    state = msgspec.json.decode(msgspec.json.encode(made.slos.dump()))
    broken = state | {"series": [state["series"][0] | {"ring": state["series"][0]["ring"] | {"sums": ["", "", "", ""]}}]}  # fmt: skip # noqa: E501
    short = state | {"series": [state["series"][0] | {"ring": state["series"][0]["ring"] | {"sums": []}}]}  # fmt: skip # noqa: E501
    for odd in ({}, {"v": 1}, state | {"v": 2}, state | {"series": 5}, broken, short):
        again = restarted(made, odd, made.ends(1, 0)).begin()
        assert counts(again) == (1, 0, {})


def test_a_state_of_an_objective_that_changed_meanwhile_is_set_aside() -> None:
    """The next process has other policies; with the old ones it is found again."""
    made = Watched(objective()).begin()
    made.ends(3, 1)
    again = made.again([], objective(match=matching(tool="x"))).begin()
    assert counts(again) == (0, 0, {})
    again.slos.obey([objective()])
    assert counts(again) == (3, 1, {})
    wider = made.again([], objective(window=7 * DAY)).begin()
    assert counts(wider) == (3, 1, {})
    assert wider.entry.series.ring.window == 7 * DAY


def test_a_start_that_failed_left_what_there_was() -> None:
    """It stopped before it began: its state is that which it read."""
    made = Watched(objective()).begin()
    made.passes(600, good=1)
    failed = made.again([start(made)])
    assert counts(failed) == (60, 0, {})
    again = failed.again().begin()
    assert again.entry.over(HOUR).total == 60
    nothing = Watched(objective()).again().begin()
    assert nothing.entry.over(HOUR).total == 0


def test_others_may_say_when_what_follows_happened() -> None:
    """Tasks end by records of their own."""
    made = Watched(objective(per="task"))
    made.slos.reach(made.clock.wall() - 1000)
    made.entry.series.take(False)
    made.slos.reach(made.clock.wall() - 500)
    made.entry.series.take(True)
    made.slos.begin()
    assert (made.entry.over(600).total, made.entry.over(HOUR).total) == (1, 2)
