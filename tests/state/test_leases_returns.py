"""Pods that left and come back, and a store that forgot them: nothing counts twice."""

import pytest

from proxy.state.caps import Cap, Limit
from tests.state.fleets import APod, World

TOTAL = Cap("fleet", "fleet", (Limit("total", 1_000),))


@pytest.mark.parametrize("when", ["before", "after"])
async def test_what_a_pod_had_spent_when_it_left_counts_once(when):
    """Also where the store was emptied before, or after, it came back."""
    world = World()
    first, second = [await world.pod(name, 1, TOTAL) for name in "ab"]
    assert await first.spend(times=3) == 3
    await first.end()
    await world.lasts(2)

    if when == "before":
        world.memory.restarts(empty=True)
    again = APod(world, "a", 2, (TOTAL,))
    again.remember(300)
    world.pods["a"] = again
    await again.begin()
    await world.lasts(2)
    assert await again.spend() == 1
    await world.lasts(2)
    if when == "after":
        world.memory.restarts(empty=True)
    await world.lasts(5)

    ((_, line),) = world.everything()
    assert sum(line.sums.values()) + sum(line.gone.values()) == 400
    assert await second.spends() == 6
