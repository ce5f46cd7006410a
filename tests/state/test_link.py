"""The link to the store: who waits for it, and what follows when it is not there."""

from types import SimpleNamespace
from typing import Any

import pytest

from proxy.keep import Keep
from proxy.keys import LINK
from proxy.news import Event, News, StoreChange
from proxy.state.link import PATIENCE, RESTS, Link
from proxy.state.memory import Memory
from proxy.state.shared.fleet import ALIVE, SETTLE, Beat, Fleet, Pod
from proxy.state.store import Near, Unreachable
from tests.fakes import FakeClock

POD = Pod("a", 1, "m1", "host-a")
BEAT = Beat(POD)


class Asked(Near):
    """One that says how long it would have been waited for."""

    def __init__(self, memory):
        super().__init__(memory)
        self.waits = []

    async def ask(self, verb, within):
        self.waits.append(within)
        return await super().ask(verb, within)


class Scene:
    """A link, and all around it."""

    def __init__(self):
        self.clock = FakeClock(asleep=False)
        self.theirs = FakeClock()
        self.memory = Memory(self.theirs.wall)
        self.store = Asked(self.memory)
        self.told: list[Event] = []
        news = News()
        news.listeners.append(self.told.append)
        self.link = Link(self.store, POD, self.clock, news, 0.05, "local")
        self.lost = 0
        self.link.loses.append(self.loses)

    def loses(self):
        self.lost += 1

    async def opens(self):
        """It was gathered, and grants."""
        fleet = await self.link.beat(BEAT)
        self.theirs.advance(SETTLE / 1000)
        return await self.link.beat(Beat(POD, fleet.epoch))


@pytest.fixture
def scene():
    return Scene()


async def test_it_is_not_up_before_it_was_asked(scene):
    """And who asks is told so without a message."""
    for ask in (scene.link.ask, scene.link.ask_now):
        with pytest.raises(Unreachable, match="not asked yet"):
            await ask(BEAT)

    assert not scene.link.up
    assert not scene.link.grants
    assert scene.link.live == 1
    assert scene.store.waits == []
    assert scene.told == []


async def test_it_grants_when_it_has_gathered(scene):
    """Each step is told once."""
    await scene.link.beat(BEAT)
    assert scene.link.up
    assert not scene.link.grants
    await scene.opens()
    await scene.link.beat(BEAT)

    assert scene.link.grants
    assert [change.state for change in scene.told] == ["up", "open"]
    assert await scene.link.ask(BEAT) == scene.link.fleet


async def test_who_is_beside_the_path_has_more_patience(scene):
    """Nobody waits there."""
    await scene.link.beat(BEAT)
    await scene.link.ask(BEAT)
    await scene.link.ask_now(BEAT)

    assert scene.store.waits == [PATIENCE, PATIENCE, 0.05]
    assert scene.link.counts.asked == 3
    assert scene.link.counts.failed == {}
    assert sum(scene.link.counts.took) == 3


async def test_one_call_waits_for_nothing_and_others_do_not(scene):
    """Until the link is up again, and some time beyond."""
    await scene.opens()
    scene.memory.breaks("it hangs")
    with pytest.raises(Unreachable, match="it hangs"):
        await scene.link.ask_now(BEAT)
    asked = len(scene.store.waits)
    with pytest.raises(Unreachable, match="it hangs"):
        await scene.link.ask_now(BEAT)
    scene.memory.heals()
    await scene.link.beat(BEAT)
    with pytest.raises(Unreachable, match="too slow a moment ago"):
        await scene.link.ask_now(BEAT)
    assert len(scene.store.waits) == asked + 1
    assert scene.link.counts.waited == 1

    scene.clock.advance(RESTS)
    assert (await scene.link.ask_now(BEAT)).ours


async def test_what_it_does_not_answer_takes_the_link_down(scene):
    """All who share something are told, once."""
    await scene.opens()
    scene.told.clear()
    scene.memory.breaks("it hangs")
    for _ in range(3):
        with pytest.raises(Unreachable):
            await scene.link.beat(BEAT)

    assert not scene.link.up
    assert not scene.link.grants
    assert scene.link.why == "it hangs"
    assert scene.lost == 1
    assert scene.told == [StoreChange("down", "it hangs")]
    assert scene.link.counts.failed == {"other": 3}

    scene.memory.heals()
    await scene.link.beat(BEAT)
    assert scene.link.grants
    assert scene.told[1:] == [StoreChange("up")]


async def test_another_life_of_it_gathers_anew(scene):
    """Nothing is granted until then."""
    await scene.opens()
    scene.told.clear()
    scene.memory.restarts(empty=True)
    await scene.link.beat(BEAT)

    assert scene.link.up
    assert not scene.link.grants
    assert [change.state for change in scene.told] == ["gathering"]
    assert scene.told[0].grave


async def test_a_copy_of_this_pod_is_told_of(scene):
    """The store counts for the other one; this one gets nothing of it until it is alone."""
    await scene.opens()
    await scene.store.ask(Beat(Pod("a", 2, "m2", "host-b")), 1.0)
    scene.told.clear()
    await scene.link.beat(BEAT)

    assert not scene.link.grants
    assert [change.state for change in scene.told] == ["foreign"]


async def test_the_clock_of_the_store_counts(scene):
    """Those of pods may differ."""
    scene.theirs.advance(100.0)
    await scene.link.beat(BEAT)

    assert scene.link.wall() == pytest.approx(scene.theirs.wall(), abs=0.001)


async def test_how_long_answers_take_is_counted(scene):
    """In buckets, and in all."""
    scene.link.counts.answered(0.0002)
    scene.link.counts.answered(0.003)
    scene.link.counts.answered(9.0)

    assert scene.link.counts.took[0] == 1
    assert scene.link.counts.took[-1] == 1
    assert sum(scene.link.counts.took) == 3
    assert scene.link.counts.us == pytest.approx(9_003_200, abs=2)


async def test_pods_that_live_are_counted(scene):
    """This one at least: it asks."""
    scene.link.fleet = Fleet(0, live=7)
    assert scene.link.live == 7
    scene.link.fleet = Fleet(0, live=0)
    assert scene.link.live == 1


def test_who_has_no_store_has_no_link(scene: Any) -> None:
    """Nor has a shadow, which shares nothing."""

    ground: Any = SimpleNamespace(shadow=False, keep=Keep())
    assert Link.of(ground) is None
    ground.keep.of(LINK, lambda: scene.link)
    assert Link.of(ground) is scene.link
    ground.shadow = True
    assert Link.of(ground) is None
    assert not Link.idle


async def test_who_is_heard_first_does_not_share_with_himself_alone(scene):
    """A store that hung for long has heard of one pod since. If it goes again, nobody has all of a
    limit; only those that are not heard in good time count no more."""
    others = [Pod(name, 1, "m", "host") for name in "bcd"]
    await scene.opens()
    for pod in others:
        await scene.store.ask(Beat(pod), 1.0)
    await scene.link.beat(BEAT)
    assert scene.link.sharers == 4

    scene.link.fails("it hangs")
    scene.clock.advance(60.0)
    scene.theirs.advance(60.0)
    await scene.link.beat(BEAT)
    assert scene.link.live == 1
    assert scene.link.sharers == 4
    scene.link.fails("it hangs")
    scene.clock.advance(60.0)
    assert scene.link.sharers == 4

    await scene.link.beat(BEAT)
    scene.clock.advance(ALIVE / 1000)
    await scene.link.beat(BEAT)
    assert scene.link.sharers == 1


class Late(Asked):
    """One that answers nothing, for a reason."""

    reason = "timeout"

    async def ask(self, verb, within):
        self.waits.append(within)
        raise Unreachable("it did not answer in time", self.reason)


async def test_too_slow_for_a_call_is_not_gone(scene):
    """It may be well: who is beside the path waits longer, and finds out."""
    await scene.opens()
    scene.link._store = Late(scene.memory)
    with pytest.raises(Unreachable):
        await scene.link.ask_now(BEAT)
    assert scene.link.up
    assert scene.link.rests
    assert scene.lost == 0

    with pytest.raises(Unreachable):
        await scene.link.ask(BEAT)
    assert not scene.link.up
    assert scene.lost == 1


async def test_what_was_never_asked_says_nothing_of_the_store(scene):
    """Too much was asked by this pod at once, as its agents can have it do."""
    await scene.opens()
    scene.link._store = store = Late(scene.memory)
    store.reason = "crowded"
    for ask in (scene.link.ask_now, scene.link.ask):
        with pytest.raises(Unreachable):
            await ask(BEAT)
    assert scene.link.up
    assert not scene.link.rests
    assert scene.link.counts.waited == 0
    assert scene.link.counts.failed == {"crowded": 2}


async def test_what_was_true_before_is_not_believed(scene):
    """An answer was on its way for long, or is that of a server that lost its place to another."""
    fleet = await scene.opens()
    later = Fleet(fleet.now, epoch=fleet.epoch + 5, open=True)

    class Late(Asked):
        async def ask(self, verb, within):
            return Fleet(fleet.now, epoch=fleet.epoch)

    scene.link.fleet = later
    scene.link._store = Late(scene.memory)
    with pytest.raises(Unreachable, match="before"):
        await scene.link.beat(BEAT)

    assert scene.link.fleet == later
