"""What a fleet counted for an objective: counts are added up, whatever becomes of the pods."""

import msgspec
import pytest

from proxy.observe.slo.shared import FRESH, SETTLED, FleetSeries
from proxy.state.store import Unreachable
from tests.observe.slo.objectives import DAY, Watched, objective
from tests.state.rating_pods import Shared

HOUR = 3600.0


class Pod:
    """One with a book of an objective, and a link."""

    def __init__(self, fleet: Shared, watched: Watched | None = None, window: float = 7 * DAY):
        self.store = fleet
        self.watched = watched or Watched(objective(window=window), clock=fleet.clock).begin()
        self.link = fleet.link()
        self.part = self.watched.slos.share()

    @property
    def fleet(self) -> FleetSeries:
        found = self.watched.entry.fleet
        assert found is not None
        return found

    def counts(self, good: int, bad: int) -> None:
        self.watched.entry.series.ring.add(good, bad)

    async def exchanges(self) -> None:
        self.watched.slos.tick()
        await self.part.exchange(self.link)

    def over(self, window: float) -> tuple[int, int]:
        found = self.watched.entry.over(window)
        return found.good, found.bad


async def pods(number: int = 2) -> tuple[Shared, list[Pod]]:
    fleet = Shared()
    made = [Pod(fleet) for _ in range(number)]
    await fleet.open()
    return fleet, made


async def pass_minutes(fleet: Shared, pods: list[Pod], minutes: int, good: int, bad: int) -> None:
    """In each of them each pod counts so many."""
    for _ in range(minutes):
        for pod in pods:
            pod.counts(good, bad)
            await pod.exchanges()
        fleet.clock.advance(60)


async def test_counts_are_added_up_and_no_ratios() -> None:
    """One has many good ones, the other few that are all bad."""
    _, (a, b) = await pods()
    a.counts(990, 0)
    b.counts(0, 10)
    for pod in (a, b, a):
        await pod.exchanges()
    assert a.over(300) == b.over(300) == a.over(7 * DAY) == (990, 10)
    a.watched.slos.tick()
    assert a.watched.entry.standing is not None
    assert a.watched.entry.standing.remaining == pytest.approx(0, abs=1e-9)
    assert a.watched.state == "exhausted"


async def test_windows_are_those_of_all_events() -> None:
    """In the hour that the store knows and beyond it; with no more than a minute too much."""
    fleet, both = await pods()
    await pass_minutes(fleet, both, 100, 3, 1)
    for pod in both:
        await pod.exchanges()
    for window in (300.0, HOUR, 80 * 60.0, DAY):
        minutes = min(100, window / 60)
        good, bad = both[0].over(window)
        assert good == 3 * bad
        assert 2 * minutes - 2 <= bad <= 2 * (minutes + 2), window
    assert both[0].over(DAY) == (600, 200)
    assert both[0].fleet.over(DAY).seen == pytest.approx(6000, abs=120)
    assert both[0].fleet.over(300).coverage == 1


async def test_a_pod_that_was_away_misses_nothing() -> None:
    """It hears of all that the others counted within the hour, by what the store knows; and what
    itself has counted is told when it is back."""
    fleet, (a, b) = await pods()
    await pass_minutes(fleet, [a, b], 70, 1, 0)
    await pass_minutes(fleet, [b], 40, 0, 1)
    a.counts(5, 0)
    await a.exchanges()
    await b.exchanges()
    assert a.over(DAY) == (145, 40)
    assert b.over(DAY) == (145, 40)


async def test_a_longer_absence_is_a_gap() -> None:
    """Of two hours only the last one is known; and that is told."""
    fleet, (a, b) = await pods()
    await pass_minutes(fleet, [a, b], 5, 1, 0)
    await pass_minutes(fleet, [b], 120, 0, 1)
    await a.exchanges()
    _, bad = a.over(DAY)
    assert bad == pytest.approx(60, abs=2)
    assert a.fleet.over(DAY).seen == pytest.approx(65 * 60, abs=180)


async def test_without_the_store_each_goes_by_its_own() -> None:
    """What it heard counts for a moment; then only what it counted itself."""
    fleet, (a, b) = await pods()
    a.counts(10, 0)
    b.counts(0, 10)
    for pod in (a, b, a):
        await pod.exchanges()
    assert a.over(HOUR) == (10, 10)
    fleet.clock.advance(FRESH)
    assert a.over(HOUR) == (10, 0)
    fleet.ways[0].fate = "lost"
    with pytest.raises(Unreachable):
        await a.exchanges()
    assert a.over(HOUR) == (10, 0)


async def test_a_restart_tells_nothing_twice() -> None:
    """What it counted before is in the sums; its ring of what is older comes back."""
    fleet, (a, b) = await pods()
    await pass_minutes(fleet, [a, b], 90, 1, 0)
    state = msgspec.json.decode(msgspec.json.encode(a.watched.slos.dump()))
    watched = Watched(objective(window=7 * DAY), clock=fleet.clock)
    watched.slos.load(state)
    watched.begin()
    again = Pod(fleet, watched)
    await fleet.open()
    await again.exchanges()
    await b.exchanges()
    assert watched.entry.series.good == 90
    assert again.over(DAY) == (180, 0)
    assert again.fleet._settled > 0
    alone = Watched(objective(window=7 * DAY), clock=fleet.clock)
    alone.slos.load(state)  # without a store it keeps what there was, for the next process
    assert alone.slos.dump().series[0].fleet is not None


async def test_other_policies_do_not_meet() -> None:
    """A pod that counts something else under the same name is another matter."""
    fleet, (a, _) = await pods()
    other = Pod(fleet, Watched(objective(sli="latency", most_us=1), clock=fleet.clock).begin())
    await fleet.open()
    a.counts(3, 0)
    other.counts(0, 4)
    for pod in (a, other, a):
        await pod.exchanges()
    assert a.over(HOUR) == (3, 0)
    assert other.over(HOUR) == (0, 4)


async def test_policies_may_change() -> None:
    """Another window keeps what was heard; an objective that goes is asked for no more."""
    fleet, (a, _) = await pods()
    await pass_minutes(fleet, [a], SETTLED + 10, 1, 0)
    await a.exchanges()
    a.watched.slos.obey([objective(window=14 * DAY)])
    assert a.over(DAY) == (SETTLED + 10, 0)
    a.watched.slos.obey([objective(window=14 * DAY), objective(name="new", window=DAY)])
    await a.exchanges()
    assert a.watched.slos.entries["new"].fleet is not None
    a.watched.slos.obey(())
    await a.exchanges()
    assert not a.part._series
    a.part.anew()
    a.part.heard(b"")
    a.part.lost()


async def test_who_leaves_tells_the_rest() -> None:
    """And a store that has forgotten is told anew."""
    _, (a, b) = await pods()
    await b.exchanges()
    a.counts(2, 0)
    await a.part.leave(a.link)
    b.part.anew()
    for _ in range(2):
        await b.exchanges()
    assert b.over(HOUR) == (2, 0)


async def test_a_ring_that_makes_no_sense_begins_anew() -> None:
    """The rest of the state counts."""
    fleet, (a, b) = await pods()
    await pass_minutes(fleet, [a, b], 70, 1, 0)
    state = msgspec.json.decode(msgspec.json.encode(a.watched.slos.dump()))
    state["series"][0]["fleet"]["ring"]["sums"] = ["", "", "", ""]
    watched = Watched(objective(window=7 * DAY), clock=fleet.clock)
    watched.slos.load(state)
    again = Pod(fleet, watched.begin())
    assert again.fleet._settled == 0
    assert watched.entry.series.good == 70
