"""What a pod shares, and how it lives with a store that comes and goes."""

import asyncio
from typing import Any

import msgspec
import pytest

from proxy import sharing
from proxy.config.settings import Settings, StoreTls
from proxy.config.store_url import StoreUrl
from proxy.keep import Keep
from proxy.keys import LINK
from proxy.observe import catalogue
from proxy.sharing import Sharing
from proxy.state.memory import Memory
from proxy.state.redis import RedisStore
from proxy.state.shared import fleet
from proxy.state.store import Near, Rejected, Unreachable
from tests.fakes import FakeClock, Turn
from tests.servers import free_port


class Part:
    """Notes what it is told."""

    def __init__(self, topic="part", every=1.0):
        self.topic = topic
        self.every = every
        self.told = []
        self.breaks = False
        self.bug: Exception | None = None

    async def exchange(self, link):
        self.told.append("exchange")
        if self.bug is not None:
            raise self.bug
        if self.breaks:
            raise Unreachable("it hangs")

    def heard(self, said):
        if self.bug is not None:
            raise self.bug
        self.told.append(said)

    def anew(self):
        self.told.append("anew")

    def lost(self):
        self.told.append("lost")

    async def leave(self, link):
        self.told.append("leave")
        if self.bug is not None:
            raise self.bug


class Pod:
    """One of a fleet, with a store in this process."""

    def __init__(self, folder, clock, memory, *parts):
        self.clock = clock
        self.keep = Keep()
        settings = Settings(data_dir=str(folder), store=StoreUrl("redis://redis"))
        folder.mkdir(exist_ok=True)
        self.bugs: list[Exception] = []
        self.sharing = Sharing(settings, clock, self.keep, lambda link: parts, bug=self.bugs.append)
        self.running: Any = None

    @property
    def link(self):
        return self.sharing.link

    async def starts(self):
        beginning = asyncio.ensure_future(self.sharing.begin())
        while not beginning.done():
            await passes(self.clock, 0.1)
        await beginning
        self.running = asyncio.ensure_future(self.sharing.run())
        await passes(self.clock, 0.3)

    async def dies(self):
        self.running.cancel()
        await asyncio.gather(self.running, return_exceptions=True)

    async def ends(self):
        await self.dies()
        await self.sharing.end()


async def passes(clock, seconds):
    """Time, in small steps, and all that is to be done in them."""
    for _ in range(round(seconds / 0.05)):
        clock.advance(0.05)
        for _ in range(12):
            await Turn()


@pytest.fixture
def clock():
    return FakeClock(asleep=False)


@pytest.fixture
def memory(clock, monkeypatch):
    made = Memory(clock.wall)
    monkeypatch.setattr(sharing, "_store", lambda settings: Near(made))
    return made


@pytest.fixture
async def pod(tmp_path, clock, memory):
    """Makes pods, by the name of their data dir; none is left behind."""
    made = []

    def make(name, *parts):
        made.append(Pod(tmp_path / name, clock, memory, *parts))
        return made[-1]

    yield make
    for one in made:
        if one.running is not None:
            await one.dies()
    await clock.stop()


async def test_a_pod_starts_when_all_is_told(pod):
    """First what it holds, then it is granted something."""
    part = Part()
    one = pod("a", part)
    await one.starts()

    assert one.link.grants
    assert one.keep.seen(LINK) is one.link
    assert [family.metric for family in one.sharing.families()] == list(catalogue.STORE)
    assert part.told[:2] == ["anew", "exchange"]
    assert [known.pod.id for known in one.sharing.pods] == [one.link.pod.id]


async def test_pods_see_each_other(pod, clock):
    """All that are known, and how many live."""
    one, other = pod("a"), pod("b")
    await one.starts()
    await other.starts()
    await passes(clock, 2.2)

    assert {known.pod.id for known in one.sharing.pods} == {one.link.pod.id, other.link.pod.id}
    assert one.link.live == other.link.live == 2


async def test_a_pod_that_ends_gives_back_and_leaves(pod, clock):
    """Nobody waits for it."""
    part = Part()
    one, other = pod("a", part), pod("b")
    await one.starts()
    await other.starts()
    await passes(clock, 1.2)
    await one.ends()
    one.running = None
    await passes(clock, 7.0)

    assert part.told[-1] == "leave"
    assert [known.pod.id for known in other.sharing.pods] == [other.link.pod.id]
    assert other.link.live == 1


class Slow(Part):
    """One that has much to say, from its second exchange on."""

    def __init__(self):
        super().__init__("slow", 0.3)
        self.done = asyncio.Event()

    async def exchange(self, link):
        self.told.append("exchange")
        if len(self.told) > 2:
            await self.done.wait()


async def test_a_part_that_has_much_to_say_holds_up_no_other(pod, clock):
    """Nor does it say two things at once; the end waits for it."""
    slow, quick = Slow(), Part("quick", 0.3)
    one = pod("a", slow, quick)
    await one.starts()
    await passes(clock, 2.0)

    said = slow.told.count("exchange")
    assert said == 2
    assert quick.told.count("exchange") > said + 2
    assert one.link.live == 1

    await one.dies()
    ending = asyncio.ensure_future(one.sharing.end())
    await passes(clock, 0.2)
    assert "leave" not in quick.told
    slow.done.set()
    assert await ending
    one.running = None
    assert slow.told[-1] == quick.told[-1] == "leave"


async def test_a_pod_that_dies_is_known_for_long(pod, clock):
    """What it holds stays held; but it does not count as alive."""
    one, other = pod("a"), pod("b")
    await one.starts()
    await other.starts()
    await one.dies()
    one.running = None
    await passes(clock, fleet.ALIVE / 1000 + 1.5)

    assert other.link.live == 1
    assert len(other.sharing.pods) == 2


async def test_each_part_has_its_pace(pod, clock):
    """From one exchange to the next."""
    slow, fast = Part("slow", every=5.0), Part("fast", every=0.5)
    one = pod("a", slow, fast)
    await one.starts()
    slow.told.clear()
    fast.told.clear()
    await passes(clock, 4.0)

    assert slow.told.count("exchange") <= 1
    assert 6 <= fast.told.count("exchange") <= 9


async def test_what_is_published_is_heard(pod, clock, memory):
    """By the part that it is for; what is for nobody is nobody's."""
    kills, money = Part("kills"), Part("money")
    one = pod("a", kills, money)
    await one.starts()
    memory.publish("kills", b"all")
    memory.publish("other", b"none")

    assert b"all" in kills.told
    assert b"all" not in money.told
    assert b"none" not in kills.told + money.told


async def test_a_store_that_goes_takes_nothing_along(pod, clock, memory):
    """It is tried again and again, and heard again as soon as it is back."""
    part = Part()
    one = pod("a", part)
    await one.starts()
    memory.breaks("it hangs")
    await passes(clock, 2.0)
    assert not one.link.up
    assert part.told.count("lost") == 1
    at_loss = len(part.told)
    await passes(clock, 2.0)
    assert len(part.told) == at_loss

    memory.heals()
    await passes(clock, 0.7)
    assert one.link.grants
    memory.publish("part", b"back")
    assert b"back" in part.told
    assert part.told.count("anew") == 1


async def test_a_store_that_forgot_all_is_told_all(pod, clock, memory):
    """By all pods, before it grants anything."""
    part, theirs = Part(), Part()
    one, other = pod("a", part), pod("b", theirs)
    await one.starts()
    await other.starts()
    await passes(clock, 1.2)
    part.told.clear()
    theirs.told.clear()
    memory.restarts(empty=True)
    await passes(clock, 1.1)
    assert not one.link.grants

    await passes(clock, 4.0)
    assert one.link.grants
    assert other.link.grants
    for told in (part.told, theirs.told):
        assert told.index("anew") < told.index("exchange", told.index("anew"))


async def test_a_part_that_cannot_tell_keeps_the_store_from_granting(pod, clock, memory):
    """What it holds would be granted to others."""
    part = Part(every=0.2)
    part.breaks = True
    one = pod("a", part)
    await one.starts()
    await passes(clock, 3.0)
    assert one.link.up
    assert not one.link.grants

    part.breaks = False
    await passes(clock, 2.0)
    assert one.link.grants


async def test_an_error_of_ours_in_one_part_ends_no_other(pod, clock, memory):
    """It is told, and the pod still says that it lives."""
    wrong, right = Part("wrong"), Part("right")
    one = pod("a", wrong, right)
    await one.starts()
    wrong.bug = KeyError("a bug")
    right.told.clear()
    await passes(clock, 6.0)
    memory.publish("wrong", b"1")
    memory.publish("right", b"2")

    assert one.link.grants
    assert right.told.count("exchange") >= 4
    assert b"2" in right.told
    assert one.bugs.count(wrong.bug) >= 5


async def test_who_could_not_give_back_all_has_not_left(pod, clock):
    """What he holds has to be waited for."""
    part = Part()
    one, other = pod("a", part), pod("b")
    await one.starts()
    await other.starts()
    part.bug = KeyError("a bug")
    await one.ends()
    one.running = None
    await passes(clock, 7.0)

    assert part.bug in one.bugs
    assert len(other.sharing.pods) == 2


async def test_a_store_grants_nothing_before_a_part_with_a_bug_has_told(pod, clock, memory):
    """What it holds would be granted to others."""
    part = Part()
    one = pod("a", part)
    await one.starts()
    part.bug = KeyError("a bug")
    memory.restarts(empty=True)
    await passes(clock, 4.0)

    assert one.link.up
    assert not one.link.grants
    assert part.bug in one.bugs
    part.bug = None
    await passes(clock, 2.0)
    assert one.link.grants


async def test_a_start_waits_for_no_store_that_is_not_there(pod, clock, memory):
    """It serves by what it has; and ends so as well."""
    memory.breaks("it hangs")
    part = Part()
    one = pod("a", part)
    before = clock.now()
    await one.starts()
    assert not one.link.up
    assert clock.now() - before < 1.0

    await one.ends()
    one.running = None
    assert "leave" in part.told


async def test_pods_that_start_without_a_store_share_with_those_they_knew(pod, clock, memory):
    """All may have been started anew: or each would have the limits of all."""
    pods = [pod(name) for name in "abc"]
    for one in pods:
        await one.starts()
    while len(pods[0].sharing._file.peers) < 3:
        await passes(clock, 0.1)
    await pods[0].dies()
    async with pods[0].sharing._keeping:  # what it keeps of them is kept
        memory.breaks("it is gone")
    again = pod("a")
    await again.starts()

    assert again.link.live == 1
    assert again.link.sharers == 3


async def test_a_start_waits_a_while_for_a_store_that_gathers(pod, clock, memory):
    """And not for ever: others may be gone."""
    one, other = pod("a"), pod("b")
    await one.starts()
    await other.starts()
    await passes(clock, 1.2)
    await other.dies()
    other.running = None
    memory.restarts(empty=False)
    third = pod("c")
    await third.starts()

    assert third.link.up
    assert not third.link.grants


async def test_a_copy_of_a_data_dir_is_told(pod, clock):
    """It gets nothing new, and says so; it is not told to the store as what it is not."""
    one = pod("a")
    await one.starts()
    copy = pod("b")
    copy.link.pod = msgspec.structs.replace(one.link.pod, mark="other")
    await copy.starts()

    assert one.link.grants
    assert copy.link.up
    assert not copy.link.grants


async def test_a_store_that_does_not_want_us_ends_the_start(pod, clock, memory, monkeypatch):
    """One that is not there does not."""

    class Choosy(Near):
        said: Exception = Rejected("wrong password")

        async def check(self):
            raise self.said

    store = Choosy(memory)
    monkeypatch.setattr(sharing, "_store", lambda settings: store)
    with pytest.raises(Rejected, match="wrong password"):
        await pod("a").sharing.begin()
    store.said = Unreachable("it hangs")
    await pod("b").starts()


async def test_the_settings_say_which_store():
    """A Redis, with its files."""
    url = f"rediss://:s3cret@127.0.0.1:{free_port()}"
    tls = StoreTls("ca.pem", "cert.pem", "key.pem")
    store = sharing._store(Settings(store=StoreUrl(url), store_tls=tls))
    assert isinstance(store, RedisStore)
    assert store._endpoint.password == "s3cret"
    assert (store._endpoint.ca, store._endpoint.cert, store._endpoint.key) == (
        "ca.pem",
        "cert.pem",
        "key.pem",
    )
    await store.close()


async def test_an_end_does_not_wait_for_a_store_that_is_too_slow(pod, clock, monkeypatch):
    """What it does not take in that time is left to it."""
    monkeypatch.setattr(sharing, "_ENDS", 0.0)
    part = Part()

    async def leave(link):
        while link.up:
            await Turn()
        raise Unreachable(link.why)

    part.leave = leave
    one = pod("a", part)
    await one.starts()
    assert await one.sharing.end() is False
    assert one.sharing.link.why == "it was too slow, and the pod ends"
