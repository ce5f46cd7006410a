"""The link of a pod whose life is over, as the store says: it is told so, and granted nothing."""

from proxy.news import Event, News, StoreChange
from proxy.state.link import ENDED, Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import LAST, Beat, Leave, Pod
from proxy.state.shared.money import Close
from proxy.state.store import Near
from tests.fakes import FakeClock

POD = Pod("a", 1, "m1", "host-a")


class Scene:
    """A link that is up."""

    def __init__(self):
        self.store = Near(Memory(FakeClock().wall))
        self.told: list[Event] = []
        news = News()
        news.listeners.append(self.told.append)
        self.link = Link(self.store, POD, FakeClock(asleep=False), news, 0.05, "local")


async def test_a_life_that_was_given_up_is_told_so():
    """Once; and who looks at the pod sees why."""
    scene = Scene()
    await scene.link.beat(Beat(POD))
    assert scene.link.trouble == ""
    await scene.store.ask(Close(POD, LAST, leaves=True, lost=True), 1.0)
    await scene.store.ask(Leave(("a",)), 1.0)

    for _ in range(2):
        await scene.link.beat(Beat(POD))

    assert scene.told[-1] == StoreChange("ended", ENDED)
    assert scene.told.count(scene.told[-1]) == 1
    assert scene.told[-1].grave
    assert scene.link.trouble == ENDED
    assert not scene.link.grants


async def test_a_copy_is_told_something_else():
    """It is to have a data dir of its own."""
    scene = Scene()
    await scene.store.ask(Beat(Pod("a", 1, "other", "host-b")), 1.0)

    await scene.link.beat(Beat(POD))

    last = scene.told[-1]
    assert isinstance(last, StoreChange)
    assert last.state == "foreign"
    assert "data dir was copied" in scene.link.trouble


async def test_a_store_that_is_not_there_is_trouble_first():
    """Whatever it said before."""
    scene = Scene()
    scene.link.fails("it is gone")
    assert scene.link.trouble == scene.link.why
