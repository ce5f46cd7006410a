"""Calls that cost more as they go on, where pods share a limit."""

from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.price import Price
from proxy.state.purse import Purse
from tests.state.fleets import World

CAP = Cap("fleet", "fleet", (Limit("day", 1_000_000),))


async def test_a_stream_that_grows_is_not_cut_while_there_is_money():
    """Though it is the only call, lasts long, and what is idle goes back."""
    world = World()
    pod, other = await world.pod("a", 1, CAP), await world.pod("b", 1, CAP)
    grant = await pod.reserve(100)
    assert isinstance(grant, Grant)
    grant.price = Price(per_kb=2)  # 64 KiB are reserved at once
    grant.looks_ahead(shared=True)
    purse = Purse()
    purse.take(grant)
    for _ in range(20):
        await world.lasts(3)
        assert purse.grow(grant, (), 50, pod.link.wall()) is None

    grant.looks_ahead(shared=False)
    pod.settle(grant)
    await world.lasts(6)
    assert world.held == 0
    assert other.accounts()[0].windows()[0].others == grant.amount
