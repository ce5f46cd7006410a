"""The cells of a limit that pods have in common, and when they say what they have to say."""

from typing import Any

import pytest

from proxy.keep import Keep
from proxy.state import fleet_cells
from proxy.state.fleet_cell import FleetCell
from proxy.state.fleet_cells import FleetCells, FleetRates
from proxy.state.gcra import Pace
from proxy.state.shared.rates import DrawUnits
from proxy.state.store import Unreachable
from tests.fakes import settled
from tests.state.rating_pods import Shared
from tests.state.roads import Road

SLOW = Pace(10.0, 4)
TOKENS = Pace(1.0, 100)


class Pod:
    """One that has cells of one limit."""

    def __init__(self, shared: Shared, pace: Pace = TOKENS, most: int = 9_000) -> None:
        self.clock = shared.clock
        self.link = shared.link()
        self.way: Road = shared.ways[-1]
        self.rates = FleetRates()
        self.cells = FleetCells(pace, self.clock, self.link, self.rates, ("", "p", "calls"), most)

    def of(self, name: str) -> FleetCell:
        """The cell of a key."""
        cell = self.cells.of((name, "x"))
        assert isinstance(cell, FleetCell)
        return cell

    async def uses(self, name: str, cost: float = 10.0, used: int = 10) -> bool:
        """A call that says what it costs; did it go?"""
        cell, now = self.of(name), self.clock.now()
        if cell.alone(now):
            grant = cell.without(now, cost)
        else:
            waiter = cell.join(now, cost, now, 0)
            await settled()
            grant = waiter.grant
        if grant is not None:
            cell.keep(grant, used)
        return grant is not None

    @property
    def takes(self) -> list[DrawUnits]:
        """What it asked for."""
        return [verb for verb in self.way.asked if isinstance(verb, DrawUnits)]


async def fleet(number: int = 1, **how: Any) -> tuple[Shared, list[Pod]]:
    """Pods at a store that grants."""
    shared = Shared()
    made = [Pod(shared, **how) for _ in range(number)]
    await shared.open()
    return shared, made


async def test_a_key_is_the_same_cell_on_all_pods() -> None:
    """Another key is another one. Names that agents make up are no part of what it is called."""
    _, (one, two) = await fleet(2)
    assert await one.uses("ann", 80.0, 80)
    assert not await two.uses("ann", 80.0, 80)
    assert await two.uses("bob", 80.0, 80)
    names = {take.cell for take in one.takes + two.takes}
    assert len(names) == 2
    assert all(len(name) == 32 and int(name, 16) for name in names)


async def test_another_limit_is_another_one() -> None:
    """Of another policy, of tokens, or of a bulkhead."""
    shared, (pod,) = await fleet()
    for names in (("", "q", "calls"), ("", "p", "tokens"), ("core", "p", "calls")):
        cells = FleetCells(TOKENS, shared.clock, pod.link, pod.rates, names)
        assert cells._name(("ann", "x")) != pod.cells._name(("ann", "x"))


async def test_those_who_find_no_room_share_one_on_all_pods() -> None:
    """So a pod more is no burst more for who makes names up."""
    shared, (one, two) = await fleet(2, most=1)
    for pod in (one, two):
        assert await pod.uses("ann", 40.0, 40)
        pod.of("ann")
    assert await one.uses("bob", 80.0, 80)
    assert not await two.uses("eve", 80.0, 80)
    assert len(one.cells.every()) == 2
    shared.memory.breaks("gone")
    one.link.fails("gone")
    one.rates.lost()


async def test_what_is_to_be_said_is_said_soon() -> None:
    """Of many cells a part at a time; who has nothing to say is not asked again."""
    _, (pod,) = await fleet()
    for name in "abcde":
        assert await pod.uses(name, used=20)
    asked = len(pod.takes)
    await pod.rates.exchange(pod.link)
    assert pod.link.leases == {"rates": 5}
    assert [take.debt for take in pod.takes[asked:]] == [10] * 5
    await pod.rates.exchange(pod.link)
    assert (len(pod.takes), pod.rates._busy) == (asked + 5, {})


async def test_only_so_much_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Others wait for the store too. But all is said to one that may have forgotten all."""
    monkeypatch.setattr(fleet_cells, "_SAYS", 2)
    monkeypatch.setattr(fleet_cells, "_AT_ONCE", 3)
    _, (pod,) = await fleet()
    for name in "abcde":
        assert await pod.uses(name, used=20)
    asked = len(pod.takes)
    await pod.rates.exchange(pod.link)
    assert len(pod.takes) == asked + 2
    pod.rates.anew()
    await pod.rates.exchange(pod.link)
    assert [take.alone for take in pod.takes[asked + 2 :]] == [20] * 5


async def test_a_slow_store_is_not_kept_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills and beats have their turn in between; who has just said something is last."""
    monkeypatch.setattr(fleet_cells, "_AT_ONCE", 2)
    shared, (pod,) = await fleet()
    for name in "abcdef":
        assert await pod.uses(name, used=20)
    ask, asked = pod.way.ask, len(pod.takes)

    async def slow(verb: Any, within: float) -> Any:
        shared.clock.advance(0.03)
        return await ask(verb, within)

    monkeypatch.setattr(pod.way, "ask", slow)
    await pod.rates.exchange(pod.link)
    assert len(pod.takes) == asked + 4
    told = {take.cell for take in pod.takes[asked:]}
    for name in "abcdef":
        assert await pod.uses(name, used=20)
    asked = len(pod.takes)
    await pod.rates.exchange(pod.link)
    assert not {take.cell for take in pod.takes[asked : asked + 2]} & told


async def test_what_was_not_heard_is_said_again() -> None:
    """All of it, if the store began anew."""
    shared, (pod,) = await fleet()
    for name in "ab":
        assert await pod.uses(name)
    pod.rates.anew()
    pod.way.fate = "lost"
    with pytest.raises(Unreachable):
        await pod.rates.exchange(pod.link)
    await shared.beat()
    await pod.rates.exchange(pod.link)
    assert not any(cell.owing for cell in pod.cells.every())
    assert shared.memory.seen(f"rate:{pod.cells._name(('a', 'x'))}").tat >= 20e6


async def test_nothing_is_published() -> None:
    """Whoever says so."""
    _, (pod,) = await fleet()
    pod.rates.heard(b"\xff")
    assert (pod.rates.topic, pod.rates._busy) == ("rates", {})


async def test_who_leaves_gives_back_what_he_has() -> None:
    """At once: nobody else comes for it."""
    _, (one, two) = await fleet(2)
    cell, now = one.of("ann"), one.clock.now()
    waiter = cell.join(now, 90.0, now, 0)
    await settled()
    assert waiter.grant is not None
    cell.give_back(waiter.grant)
    await one.rates.leave(one.link)
    assert await two.uses("ann", 100.0)


async def test_there_is_one_in_the_process() -> None:
    """And it never makes room for others."""
    keep = Keep()
    assert FleetRates.of(keep) is FleetRates.of(keep)
    assert (FleetRates.idle, FleetCells.idle) == (False, False)


async def test_those_of_policies_that_are_gone_are_forgotten() -> None:
    """Whoever held them."""
    _, (pod,) = await fleet()
    pod.of("ann")
    del pod.cells
    assert pod.rates._every() == []
