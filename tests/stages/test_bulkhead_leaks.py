"""Permits never leak: searched for in all orders, with real guards and strands, as calls have them.

Hypothesis says who comes and how urgent, who ends, whose agent leaves (and how many turns of the
loop lie between that and what happened before), when time passes, when a reload changes the limit,
and what the upstream says to an adaptive one.
"""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.stages.bulkhead import Adaptive, Bulkhead
from proxy.state.permits import Permits
from proxy.units import Seconds
from tests.fakes import Turn
from tests.pipeline.scene import settle_down
from tests.stages.harbour import Harbour, Visit

HOW = st.fixed_dictionaries(
    {
        "workflow": st.sampled_from("xy"),
        "kind": st.sampled_from(["first", "first", "retry", "hedge"]),
        "asks": st.sampled_from([b"", b"interactive", b"background"]),
        "left": st.sampled_from([0.05, 0.5, 5.0, float("inf")]),
        "what": st.sampled_from([200, 200, 429]),
    }
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("come"), HOW),
        st.tuples(st.just("come"), HOW),
        st.tuples(st.sampled_from(["end", "leave"]), st.integers(0, 20)),
        st.tuples(st.just("turn")),
        st.tuples(st.just("settle")),
        st.tuples(st.just("pass"), st.sampled_from([0.1, 0.6, 1.1])),
        st.tuples(st.just("reload"), st.integers(1, 4)),
    ),
    max_size=40,
)


class World:
    """Visits to one tool, by agents that are in a bulkhead, before and after reloads."""

    def __init__(self, adaptive: bool, per: tuple[Any, ...]) -> None:
        self.adaptive = Adaptive(min=1, max=4) if adaptive else False
        self.per = per
        self.limit = 2  # the last that a policy gave; those of workflows follow when they call
        self.visits: list[Visit] = []
        self.harbour = Harbour(self.section(2), shared=Bulkhead(limit=3, queue=2, per=("rule",)))

    def section(self, limit: int) -> Bulkhead:
        """What a policy says."""
        return Bulkhead(
            limit=limit, queue=2, max_wait=Seconds(1.0), adaptive=self.adaptive, per=self.per
        )

    @property
    def permits(self) -> list[Permits]:
        """All that there are."""
        kept = self.harbour.ground.keep.items()
        return [entry for _, entry in kept if isinstance(entry, Permits)]

    def come(self, how: dict[str, Any]) -> None:
        """An attempt comes."""
        visit = self.harbour.visit(
            {b"holdfast-priority": how["asks"]},
            how["what"],
            retry=how["kind"] == "retry",
            hedge=how["kind"] == "hedge",
            workflow=how["workflow"],
            deadline=self.harbour.clock.now() + how["left"],
        )
        self.visits.append(visit)

    def end(self, which: int) -> None:
        """One of those under way ends."""
        under_way = [visit for visit in self.visits if visit.state == "under way"]
        if under_way:
            under_way[which % len(under_way)].end()

    def leave(self, which: int) -> None:
        """One of those that wait is cancelled."""
        waiting = [visit for visit in self.visits if visit.state == "waits"]
        if waiting:
            waiting[which % len(waiting)].cancel()

    def reload(self, limit: int) -> None:
        """A new pipeline for who comes from now on."""
        self.limit = limit
        shared = Bulkhead(limit=limit, queue=2, per=("rule",))
        ground = self.harbour.ground
        self.harbour = Harbour(self.section(limit), ground=ground, shared=shared)

    async def happens(self, name: str, how: Any) -> None:
        """One event."""
        if name == "turn":
            await Turn()
        elif name == "settle":
            await settle_down()
        elif name == "pass":
            self.harbour.clock.advance(how)
        else:
            getattr(self, name)(how)

    def check(self) -> None:
        """What holds at any time."""
        for permits in self.permits:
            assert permits.held >= 0
            assert not permits.waiting or permits.held >= permits.limit
        under_way = sum(visit.state == "under way" for visit in self.visits)
        # Each of them holds one of the tool's and one of the bulkhead's; who waits perhaps one.
        assert 2 * under_way <= sum(permits.held for permits in self.permits)


async def lived(events: list[tuple[Any, ...]], world: World) -> None:
    """Everything has happened, and everybody has gone."""
    for name, *how in events:
        before = [(permits, max(permits.held, permits.limit)) for permits in world.permits]
        await world.happens(name, how[0] if how else None)
        world.check()
        for permits, most in before:  # more only until enough come back
            assert permits.held <= max(permits.limit, most, world.limit)
    for visit in world.visits:
        if visit.state == "waits":
            visit.cancel()
    await settle_down()
    under_way = [visit for visit in world.visits if visit.state == "under way"]
    assert sum(permits.held for permits in world.permits) == 2 * len(under_way)
    for visit in under_way:
        visit.end()
    await settle_down()


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("per", [("tool",), ("workflow",)])
def test_permits_are_never_lost_nor_doubled(adaptive: bool, per: tuple[Any, ...]) -> None:
    """In the end all are free; at any time no more are held than may be, unless the limit was
    lowered, and nobody waits while one is free."""

    @given(EVENTS)
    def searched(events: list[tuple[Any, ...]]) -> None:
        world = World(adaptive, per)
        asyncio.run(lived(events, world))
        assert {visit.state for visit in world.visits} <= {"gone", "refused"}
        assert {(permits.held, permits.waiting) for permits in world.permits} <= {(0, 0)}
        assert world.harbour.queued == 0

    searched()
