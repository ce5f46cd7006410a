"""What is gone is remembered by all pods, as long as it matters. More is in test_leases.py."""

from proxy.state import departures
from proxy.state.caps import Cap, Limit
from tests.state.fleets import World


async def test_what_is_over_is_not_remembered(monkeypatch):
    """Of lines on which pods stand that are gone."""
    monkeypatch.setattr(departures, "_MOST", 0)
    world = World()
    hour = Cap("hour", "fleet", (Limit("hour", 1_000),))
    first, second = await world.pod("a", 1, hour), await world.pod("b", 1, hour)
    assert await first.spend() == 1
    await first.end()
    await world.lasts(1)
    assert len(second.leases._departures._gone) == 1

    world.clock.advance(3 * 3_600)
    second.leases._departures.anew()
    await second.leases._departures.hear(second.link)
    assert second.leases._departures._gone == {}
