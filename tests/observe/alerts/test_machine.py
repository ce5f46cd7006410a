"""The machine of alerts."""

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.alerts.alert import Alert
from proxy.observe.alerts.machine import FULL, GRACE, LEAST, MOST, OF_A_SOURCE, Machine
from proxy.observe.alerts.rules import Every, Rules, Timing
from tests.fakes import EPOCH, FakeClock
from tests.observe.alerts.scene import said


class Bench:
    """A machine, and what it says."""

    def __init__(self, holds_for: float = 0.0, resolves_after: float = 0.0, drill: int = 1) -> None:
        self.clock = FakeClock(asleep=False)
        self.heard: list[tuple[str, str, str]] = []
        self.machine = Machine(self.clock.now, self.clock.wall, self.clock.uuid, self._hear, drill)
        self.machine.obey(Rules(timings=(Timing(Every(), holds_for, resolves_after),)))

    def _hear(self, alert: Alert) -> None:
        self.heard.append((alert.condition.name, alert.state, alert.id))

    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.machine.tick()

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(name, state) for name, state, _ in self.heard]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.machine.begin()
    return made


def test_it_fires_once_and_is_resolved_once(bench: Bench) -> None:
    """However often it is said; and the next time is another episode of the same alert."""
    for _ in range(1000):
        bench.machine.tell(said("A"))
    [alert] = bench.machine
    bench.machine.tell(said("A", holds=False))
    bench.machine.tell(said("A", holds=False))
    assert bench.states == [("A", "firing"), ("A", "resolved")]
    bench.machine.tell(said("A"))
    [again] = bench.machine
    assert again.fingerprint == alert.fingerprint
    assert len({name for _, _, name in bench.heard}) == 2


def test_what_is_never_so_is_nothing(bench: Bench) -> None:
    """A source that says at its start what is over tells nobody."""
    bench.machine.tell(said("A", holds=False))
    assert (bench.heard, len(bench.machine)) == ([], 0)


def test_it_must_hold_for_a_while() -> None:
    """A blip is nothing."""
    bench = Bench(holds_for=30.0)
    bench.machine.begin()
    bench.machine.tell(said("A"))
    bench.wait(29.0)
    bench.machine.tell(said("A", holds=False))
    bench.wait(60.0)
    assert (bench.heard, len(bench.machine)) == ([], 0)
    bench.machine.tell(said("A"))
    bench.wait(30.0)
    assert bench.states == [("A", "firing")]


def test_flapping_is_one_episode() -> None:
    """What comes back before it is resolved never was over."""
    bench = Bench(resolves_after=60.0)
    bench.machine.begin()
    for _ in range(20):
        bench.machine.tell(said("A"))
        bench.wait(10.0)
        bench.machine.tell(said("A", holds=False))
        bench.wait(59.0)
    assert bench.states == [("A", "firing")]
    bench.wait(1.0)
    assert bench.states == [("A", "firing"), ("A", "resolved")]


def test_a_source_that_dies(bench: Bench) -> None:
    """What it said to last so long is over then; saying it again lets it last."""
    bench.machine.tell(said("A", lasts=20.0))
    bench.wait(19.0)
    bench.machine.tell(said("A", lasts=20.0))
    bench.wait(19.0)
    assert bench.states == [("A", "firing")]
    bench.wait(1.0)
    assert bench.states == [("A", "firing"), ("A", "resolved")]


def test_in_a_drill_the_source_has_real_seconds() -> None:
    """Whose windows pass a thousand times faster still looks once a second."""
    bench = Bench(drill=1000)
    bench.machine.begin()
    bench.machine.tell(said("A", lasts=20.0))
    bench.wait(1000 * LEAST - 1)
    assert bench.states == [("A", "firing")]
    bench.wait(1.0)
    assert bench.states[-1] == ("A", "resolved")


def test_nothing_fires_before_the_start() -> None:
    """Nor is anything resolved: what was rebuilt is not there yet."""
    bench = Bench()
    bench.machine.tell(said("A"))
    bench.wait(5.0)
    assert bench.heard == []
    bench.machine.begin()
    assert bench.states == [("A", "firing")]


def test_agents_do_not_mint_alerts_without_end(bench: Bench) -> None:
    """Of what they bring about there is a limit, and one alert says that it is reached. What they
    do not bring about has its place all the same."""
    for number in range(10_000):
        bench.machine.tell(said("Loops", source="loop", agent=f"agent-{number}"))
    assert len(bench.machine) == OF_A_SOURCE + 1
    assert bench.states.count((FULL, "firing")) == 1
    assert bench.machine.lost == 10_000 - OF_A_SOURCE
    bench.machine.tell(said("SloBurn", source="slo", severity="page", slo="a"))
    assert bench.states[-1] == ("SloBurn", "firing")
    # Those that are there already go on, and end.
    bench.machine.tell(said("Loops", source="loop", agent="agent-3", holds=False))
    assert bench.states[-1] == ("Loops", "resolved")
    bench.machine.tell(said("Loops", source="loop", agent="new"))
    assert bench.states[-1] == ("Loops", "firing")
    bench.wait(300.0)
    assert bench.states[-1] == (FULL, "resolved")


def test_there_is_a_limit_to_all(bench: Bench) -> None:
    """Whoever brings them about."""
    for number in range(2 * MOST):
        bench.machine.tell(said("SloBurn", source="slo", slo=f"slo-{number}"))
    assert len(bench.machine) == MOST + 1  # the one that says so has its place
    assert bench.machine.lost == MOST


def test_what_was_restored_is_over_unless_it_is_said(bench: Bench) -> None:
    """Its source has time to say so. Who does not is not asked whether it ever was."""
    clock = bench.clock
    for name in ("A", "B"):
        bench.machine.tell(said(name))
    alerts = list(bench.machine)
    after = Bench()
    after.clock = clock
    after.machine = Machine(clock.now, clock.wall, clock.uuid, after._hear)
    after.machine.obey(Rules(timings=(Timing(Every(), 0.0, 0.0),)))
    after.machine.tell(said("B"))  # a source that is early
    for alert in alerts:
        after.machine.restore(alert)
    after.machine.begin()
    after.machine.tell(said("A"))
    after.wait(GRACE - 1)
    assert after.heard == []
    after.wait(1.0)
    assert after.heard == [("B", "resolved", alerts[1].id)]


def test_who_hears_may_tell(bench: Bench) -> None:
    """Of one that is over, while others are looked at."""
    bench.machine.tell(said("A", lasts=5.0))
    bench.machine.tell(said("B", lasts=5.0))
    hear = bench._hear

    def end_the_other(alert: Alert) -> None:
        hear(alert)
        if alert.condition.name == "A":
            bench.machine.tell(said("B", holds=False))

    bench.machine._heard = end_the_other
    bench.wait(5.0)
    assert bench.states[2:] == [("A", "resolved"), ("B", "resolved")]


def test_nothing_ends_before_it_began(bench: Bench) -> None:
    """Though somebody sets the clock back."""
    ends: list[tuple[float, float]] = []
    bench.machine._heard = lambda alert: ends.append((alert.starts_at, alert.ends_at))
    bench.machine.tell(said("A"))
    bench.machine._wall = lambda: EPOCH - 10_000.0
    bench.machine.tell(said("A", holds=False))
    assert ends[0][1] == 0.0
    assert ends[1][1] > ends[1][0]


class Op(NamedTuple):
    """A source says something of one of three, or time passes."""

    which: int
    holds: bool
    lasts: float
    seconds: int


ops = st.lists(
    st.builds(
        Op, st.integers(0, 2), st.booleans(), st.sampled_from([0.0, 6.0, 13.0]), st.integers(0, 9)
    ),
    max_size=60,
)


class Moment(NamedTuple):
    """Somebody looks, or (`which` of them) something is said."""

    at: int
    which: int = -1
    holds: bool = False
    lasts: float = 0.0


def modelled(moments: list[Moment], which: int, hold: int, after: int) -> str:
    """A plain model of one alert: what all that was ever said of it comes to, moment by moment."""
    states, fires, was, since = "", False, False, 0
    for number, moment in enumerate(moments):
        if moment.which not in (-1, which):
            continue
        told = [each for each in moments[: number + 1] if each.which == which]
        if not told:
            continue
        last, at = told[-1], moment.at
        now = last.holds and (not last.lasts or at < last.at + last.lasts)
        if now is not was:
            was, since = now, at
        if fires is not was and at - since >= (hold if was else after):
            fires = was
            states += "F" if fires else "R"
    return states


@given(ops, st.integers(0, 5), st.integers(0, 5))
def test_it_is_as_a_plain_model_has_it(given_ops: list[Op], hold: int, after: int) -> None:
    """Whatever is said in whatever order: each alert fires and is resolved when the model says."""
    bench = Bench(holds_for=hold, resolves_after=after)
    bench.machine.begin()
    moments = [Moment(0)]
    for op in given_ops:
        for _ in range(op.seconds):
            bench.wait(1.0)
            moments.append(Moment(moments[-1].at + 1))
        bench.machine.tell(said(str(op.which), holds=op.holds, lasts=op.lasts))
        moments.append(Moment(moments[-1].at, op.which, op.holds, op.lasts))
    for which in range(3):
        mine = [(state, name) for label, state, name in bench.heard if label == str(which)]
        states = "".join({"firing": "F", "resolved": "R"}[state] for state, _ in mine)
        assert states == modelled(moments, which, hold, after)
        for one, other in pairwise(mine):
            assert (one[1] == other[1]) is (other[0] == "resolved")
