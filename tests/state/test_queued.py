"""How many stand in queues."""

from proxy.state.queued import Queued
from tests.fakes import make_ground, make_target


def test_all_queues_of_a_tool_share_one_number() -> None:
    """Another tool, another bulkhead, and a shadow have their own."""
    ground = make_ground()
    queued = Queued.of(ground, make_target())
    queued.now += 1
    assert Queued.of(ground, make_target()) is queued
    others = [
        Queued.of(ground, make_target(tool="other")),
        Queued.of(ground, make_target(domain="core")),
        Queued.of(make_ground(ground.clock, shadow=True), make_target()),
    ]
    assert [other.now for other in others] == [0, 0, 0]


def test_it_may_be_forgotten_when_nobody_waits() -> None:
    """Not before."""
    queued = Queued()
    assert queued.idle
    queued.now += 1
    assert not queued.idle
