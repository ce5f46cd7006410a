"""What all pods counted, in `/v1/status`."""

from typing import Any

from proxy.admin import views
from proxy.admin.fleet_sums import fleet
from proxy.admin.rates import Rates
from proxy.news import News
from proxy.observe.sums import counted
from proxy.state.fleet_sums import FleetSums
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import Beat, Pod
from proxy.state.store import Near
from tests.admin.scene import Scene
from tests.admin.test_budgets import Money
from tests.observe.records import record


class Shares:
    """What a scene shares by a store."""

    def __init__(self, scene: Scene, memory: Memory | None = None) -> None:
        self.scene = scene
        self.memory = memory or Memory(scene.clock.wall)
        store = Near(self.memory)
        pod = Pod(f"pod{id(self)}", 1, "m")
        self.link = Link(store, pod, scene.clock, News(), 0.1, "local", "shop")  # type: ignore[arg-type]  # as far as it is used
        scene.health.store = self.link
        self.sums = FleetSums.of(scene.keep, scene.clock)  # type: ignore[arg-type]  # likewise
        self.sums.read = lambda: counted(scene.metrics.rows())
        self.sums.begin(self.link)

    async def exchanges(self) -> None:
        """As every 2 s."""
        await self.link.beat(Beat(self.link.pod))
        await self.sums.exchange(self.link)

    def shown(self) -> dict[str, Any]:
        told = fleet(self.scene.sight)
        assert told is not None
        return told


def test_where_nothing_is_shared_there_is_no_fleet() -> None:
    """It would be this pod alone, which all else is of."""
    scene = Scene()
    assert views.status(scene.sight, Rates(scene.metrics, scene.clock))["fleet"] is None


async def test_all_pods_are_shown_as_one() -> None:
    """Counts are added up, and quantiles are of the sums."""
    one = Shares(Scene())
    other = Shares(Scene(), one.memory)
    for _ in range(98):
        one.scene.metrics.note(record(duration_us=3_000, cost_micros=10))
    other.scene.metrics.note(record(outcome="truncated", duration_us=9_000_000))
    other.scene.metrics.note(record(outcome="stale", duration_us=9_000_000))
    other.scene.metrics.note(record(outcome="refused", attempts=(), duration_us=9_000_000))
    other.scene.metrics.note(record(outcome="cancelled", duration_us=9_000_000))
    for pod in (other, one):
        await pod.exchanges()

    told = one.shown()
    assert told | {"p50": 0, "p99": 0} == {
        "name": "shop", "pods": 2, "minutes": 15,
        "at": "2023-11-14T22:30:00.000Z", "since": "2023-11-14T22:16:00.000Z", "told": 2,
        "calls": 102, "succeeded": 99, "failed": 1, "refused": 1, "attempts": 101,
        "p50": 0, "p99": 0, "spent": "0.00098", "budgets": [],
    }  # fmt: skip
    assert 0.0025 < told["p50"] <= 0.005
    assert 5.0 < told["p99"] <= 10.0
    status = views.status(one.scene.sight, Rates(one.scene.metrics, one.scene.clock))
    assert status["fleet"] == told


async def test_nothing_was_heard_of_it_yet() -> None:
    """Or nothing was counted: that is not the same."""
    pod = Shares(Scene())
    assert {pod.shown()[name] for name in ("at", "told", "calls", "failed", "p50", "spent")} == {
        None
    }
    await pod.exchanges()
    told = pod.shown()
    assert (told["calls"], told["told"], told["p50"], told["spent"]) == (0, 1, None, "0.00")


async def test_while_the_store_is_gone_it_says_as_of_when() -> None:
    """What was heard last stays."""
    pod = Shares(Scene())
    pod.scene.metrics.note(record())
    await pod.exchanges()
    before = pod.shown()
    pod.link.fails("it hangs")
    pod.scene.clock.advance(90.0)
    pod.scene.metrics.note(record())
    pod.sums.look()
    assert pod.shown() == before
    await pod.exchanges()
    assert (pod.shown()["calls"], pod.shown()["at"] > before["at"]) == (2, True)


def test_the_fullest_budgets_are_those_that_pods_share() -> None:
    """With what others have spent; what only counts is each pod's own."""
    money = Money()
    pod = Shares(money)
    money.spend("w")
    assert pod.shown()["budgets"] == []
    for account in money.ledger.accounts():
        account.lease()
        account.windows(money.clock.wall())[0].others = 200_000  # type: ignore[attr-defined]  # all have it
    told = pod.shown()["budgets"]
    assert [(item["budget"], item["windows"][0]["spent"]) for item in told] == [("agent", "0.50")]
