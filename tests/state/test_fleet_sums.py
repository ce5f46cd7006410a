"""What pods counted, over what may happen to them and their store."""

from typing import Any

import pytest

from proxy.keep import Keep
from proxy.state.fleet_sums import ALL, MINUTES, FleetSums
from proxy.state.link import Link
from proxy.state.shared.fleet import Pod
from proxy.state.shared.sums import KEPT, Summed, Sums
from proxy.state.store import Near, Unreachable
from tests.fakes import EPOCH, FakeClock
from tests.state.rating_pods import Shared
from tests.state.roads import Road


class Counting:
    """A pod whose metrics count."""

    def __init__(self, fleet: Shared, clock: FakeClock | None = None) -> None:
        self.fleet = fleet
        self.clock = clock or fleet.clock
        self.counted = {"calls": 0, "failed": 0}
        self.link = fleet.link(clock=self.clock)  # type: ignore[arg-type]  # as far as it is used
        self.begins()

    def begins(self) -> None:
        """A process."""
        self.sums = FleetSums.of(Keep(), self.clock)  # type: ignore[arg-type]  # likewise
        self.sums.read = lambda: dict(self.counted)
        self.sums.begin(self.link)

    @property
    def way(self) -> Road:
        return self.fleet.ways[self.fleet.links.index(self.link)]

    def count(self, calls: int, failed: int = 0) -> None:
        self.counted["calls"] += calls
        self.counted["failed"] += failed

    def restarts(self) -> None:
        """A later life, that knows nothing of what was counted before."""
        self.counted = {"calls": 0, "failed": 0}
        before = self.link.pod
        self.link.pod = Pod(before.id, before.life + 1, f"{before.mark}+")
        self.begins()

    async def exchanges(self) -> Summed:
        """It tells, and hears the sums."""
        await self.sums.exchange(self.link)
        assert self.sums.seen is not None
        return self.sums.seen


@pytest.fixture
def fleet() -> Shared:
    """A store."""
    return Shared()


async def pods(fleet: Shared, number: int = 2) -> list[Counting]:
    """That have met there."""
    made = [Counting(fleet) for _ in range(number)]
    await fleet.open()
    return made


async def now_at(fleet: Shared, minutes: int = MINUTES) -> dict[str, int]:
    """The sums, as the store has them."""
    near = Near(fleet.memory)
    return (await near.ask(Sums(ALL, minutes, ("calls", "failed")), 1.0)).counts


async def test_all_hear_what_all_counted(fleet: Shared) -> None:
    """Each once, however often it is told."""
    a, b = await pods(fleet)
    a.count(3, failed=1)
    b.count(4)
    found = [await pod.exchanges() for pod in (a, b, a, b, a)]
    assert [each.counts for each in found[1:]] == [{"calls": 7, "failed": 1}] * 4
    assert found[1].pods == ("pod0", "pod1")


async def test_what_did_not_change_is_not_told_again(fleet: Shared) -> None:
    """But each minute once, so that it is known who lives."""
    (a,) = await pods(fleet, 1)
    await a.exchanges()
    before = len(a.way.asked)
    await a.exchanges()
    assert [type(verb) for verb in a.way.asked[before:]] == [Sums]
    fleet.clock.advance(60.0)
    assert (await a.exchanges()).pods == ("pod0",)
    assert len(a.way.asked) == before + 3


async def test_only_the_last_minutes_are_summed(fleet: Shared) -> None:
    """By the store's clock."""
    (a,) = await pods(fleet, 1)
    a.count(5)
    await a.exchanges()
    fleet.clock.advance(60.0 * (MINUTES - 1))
    a.count(2)
    assert (await a.exchanges()).counts["calls"] == 7
    fleet.clock.advance(60.0)
    assert (await a.exchanges()).counts["calls"] == 2


@pytest.mark.parametrize("fate", ["lost", "unanswered", "late"])
async def test_a_lost_message_changes_nothing(fleet: Shared, fate: str) -> None:
    """On the way there, or back, or for a while: it is told again."""
    (a,) = await pods(fleet, 1)
    a.count(5)
    a.way.fate = fate
    with pytest.raises(Unreachable):
        await a.sums.exchange(a.link)
    a.sums.lost()
    await fleet.beat()
    a.count(1)
    assert (await a.exchanges()).counts["calls"] == 6
    a.way.arrive()
    assert (await a.exchanges()).counts["calls"] == 6


async def test_a_store_that_was_gone_hears_of_each_minute(fleet: Shared) -> None:
    """In which it was counted. Until then what was heard last stands, with its time."""
    (a,) = await pods(fleet, 1)
    a.count(5)
    before = await a.exchanges()
    a.link.fails("it hangs")
    for _ in range(20):
        fleet.clock.advance(60.0)
        a.count(1)
        a.sums.look()
        a.sums.look()
    assert a.sums.seen is before
    await fleet.beat()
    assert (await a.exchanges()).counts["calls"] == MINUTES
    assert (await now_at(fleet, KEPT))["calls"] == 25


async def test_a_store_that_was_emptied_is_told_all_again(fleet: Shared) -> None:
    """Of an hour; but not before it has heard of what it waits for."""
    (a,) = await pods(fleet, 1)
    a.count(5)
    await a.exchanges()
    fleet.clock.advance(60.0)
    a.count(2)
    await a.exchanges()
    fleet.memory.restarts(empty=True)
    a.sums.anew()
    before = len(a.way.asked)
    await a.sums.exchange(a.link)
    assert len(a.way.asked) == before
    assert (await a.exchanges()).counts["calls"] == 7


async def test_more_minutes_than_one_message_takes(fleet: Shared) -> None:
    """Or than anybody keeps."""
    (a,) = await pods(fleet, 1)
    for _ in range(KEPT + 20):
        a.count(1)
        a.sums.look()
        fleet.clock.advance(60.0)
    await a.exchanges()
    assert len(a.sums._minutes) == KEPT
    assert (await now_at(fleet, KEPT))["calls"] == KEPT - 1


async def test_a_pod_that_died_is_counted_with_its_later_life(fleet: Shared) -> None:
    """What it had not told yet is in its journal only."""
    (a,) = await pods(fleet, 1)
    a.count(5)
    await a.exchanges()
    a.count(9)
    a.restarts()
    a.count(3)
    assert (await a.exchanges()).counts["calls"] == 8


async def test_a_pod_that_leaves_tells_its_last(fleet: Shared) -> None:
    """And stays in the sums of the minutes in which it was here."""
    a, b = await pods(fleet)
    a.count(5)
    await a.sums.leave(a.link)
    found = await b.exchanges()
    assert (found.counts["calls"], found.pods) == (5, ("pod0", "pod1"))


async def test_a_pod_leaves_also_where_it_cannot_tell(fleet: Shared) -> None:
    """What was counted since is in its journal, and nobody is to settle it."""
    a, b = await pods(fleet)
    a.count(5)
    a.link.fails("it hangs")
    await a.sums.leave(a.link)
    assert (await b.exchanges()).counts["calls"] == 0


async def test_who_is_not_the_pod_tells_nothing(fleet: Shared) -> None:
    """Its data dir was copied, or it was given up."""
    a, b = await pods(fleet)
    other = fleet.link()
    other.pod = Pod(a.link.pod.id, 1, "another")
    await fleet.beat(other)
    copy = FleetSums(fleet.clock)  # type: ignore[arg-type]  # as above
    copy.read = lambda: {"calls": 7}
    copy.begin(other)
    await copy.exchange(other)
    assert copy.seen is None
    assert (await b.exchanges()).counts["calls"] == 0


async def test_what_is_counted_while_it_is_told_is_told_next(fleet: Shared) -> None:
    """Nothing of it is taken for told."""
    (a,) = await pods(fleet, 1)
    a.count(5)
    ask = a.way.ask

    async def slow(verb: Any, within: float) -> Any:
        told: Any = await ask(verb, within)
        a.way.ask = ask  # type: ignore[method-assign]  # once
        fleet.clock.advance(1.5)
        a.count(2)
        a.sums.look()
        return told

    a.way.ask = slow  # type: ignore[method-assign]  # a store that takes its time
    await a.exchanges()
    assert (await a.exchanges()).counts["calls"] == 7


# --- clocks ---


async def test_minutes_are_the_stores(fleet: Shared) -> None:
    """A pod whose clock is an hour behind counts into the minute of all; also what it counted
    before it had heard of the store."""
    late = FakeClock(asleep=False)
    late.wall = lambda: EPOCH + late.time - 3600.0  # type: ignore[method-assign]  # it is wrong
    a = Counting(fleet, late)
    a.count(2)
    a.sums.look()
    late.advance(60.0)
    fleet.clock.advance(60.0)
    a.count(3)
    a.sums.look()
    await fleet.beat()
    a.count(1)
    await a.exchanges()
    assert await now_at(fleet, 1) == {"calls": 4, "failed": 0}
    assert await now_at(fleet, 3) == {"calls": 6, "failed": 0}


async def test_a_clock_that_jumps_while_the_store_is_gone(fleet: Shared) -> None:
    """It goes on from what the store said, by a clock that does not jump."""
    own = FakeClock(asleep=False)
    a = Counting(fleet, own)
    await fleet.open()
    own.advance(fleet.clock.time - own.time)
    await fleet.beat()
    await a.exchanges()
    a.link.fails("it hangs")
    ahead = own.wall() + 7200.0
    own.wall = lambda: ahead  # type: ignore[method-assign]  # it jumped
    own.advance(2.0)
    fleet.clock.advance(2.0)
    a.count(4)
    a.sums.look()
    await fleet.beat()
    await a.exchanges()
    assert await now_at(fleet, 2) == {"calls": 4, "failed": 0}


# --- nobody else ---


async def test_what_was_counted_before_is_not_told(fleet: Shared) -> None:
    """Where it was told already, or is another process's."""
    (pod,) = await pods(fleet, 1)
    pod.count(5)
    pod.sums.baseline()
    pod.count(2)
    assert (await pod.exchanges()).counts == {"calls": 2, "failed": 0}


def test_without_a_store_nothing_is_read() -> None:
    """So it costs nothing."""
    alone = FleetSums(FakeClock())  # type: ignore[arg-type]  # as above
    alone.read = lambda: pytest.fail("it was read")
    alone.look()
    alone.heard(b"anything")
    assert alone.seen is None


async def test_where_nobody_counts_nothing_is_told(fleet: Shared) -> None:
    """But that it lives."""
    link: Link = fleet.link()
    await fleet.open()
    part = FleetSums(fleet.clock)  # type: ignore[arg-type]  # as above
    part.begin(link)
    await part.exchange(link)
    assert part.seen is not None
    assert (part.seen.counts, part.seen.pods) == ({}, ("pod0",))
