"""proxy/observe/store.py"""

from proxy.news import News
from proxy.observe import catalogue
from proxy.observe.family import Family, Spread
from proxy.observe.store import families
from proxy.state.link import TOOK, Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import Fleet, Pod
from proxy.state.store import Near
from tests.fakes import FakeClock


def link() -> Link:
    """One that was never asked."""
    clock = FakeClock()
    return Link(Near(Memory(clock.wall)), Pod("a"), clock, News(), 0.05, "local")


def read(of: Link) -> dict[str, Family]:
    """By their names."""
    return {family.metric.name: family for family in families(of)}


def test_every_metric_of_the_store_is_read() -> None:
    """In the order of the catalogue."""
    one = link()
    one.up, one.fleet = True, Fleet(0, open=True, live=3)
    one.counts.answered(0.0001)
    one.counts.answered(7.0)
    one.counts.failed = {"timeout": 2}
    one.counts.waited = 1
    one.leases = {"money": 4}

    told = read(one)
    counts = (1, *[0] * (len(TOOK) - 1), 1)
    assert list(told) == [metric.name for metric in catalogue.STORE]
    assert [family.rows for family in told.values()] == [
        {(): 1}, {(): 0}, {(): 3}, {(): Spread(TOOK, counts, 7_000_100)}, {("timeout",): 2},
        {(): 1}, {("money",): 4},
    ]  # fmt: skip


def test_a_store_that_gathers_shows() -> None:
    """Alert on it where it does not end; one that is down does not gather."""
    one = link()
    assert read(one)["holdfast_store_gathering"].rows == {(): 0}
    one.up = True
    assert read(one)["holdfast_store_gathering"].rows == {(): 1}
