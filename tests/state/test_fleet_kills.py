"""Kills of a fleet: several pods on one store, which forgets, hangs and is gone at times."""

import asyncio
from collections.abc import Callable

import pytest

from proxy.call import Stop
from proxy.keep import Keep
from proxy.keys import LINK
from proxy.news import KillChange, KillTrouble
from proxy.state import fleet_kills, kills, throws
from proxy.state.fleet_kills import FleetKills
from proxy.state.kills import Kills, Reach, Unknown
from proxy.state.scopes import Scope
from proxy.state.shared.kills import TellKills, mark_of, said
from proxy.state.throws import REMEMBERED
from tests.fakes import FakeClock, make_attempt, make_call
from tests.state.at_kills import Place, hears, kill

ALL = Scope("all")
A_WEEK = REMEMBERED / 1000


@pytest.fixture
def place() -> Place:
    return Place()


async def settled(clock: FakeClock) -> None:
    """All that was spawned has ended."""
    while clock._tasks:
        await asyncio.wait(clock._tasks)


# --- one throws, all stop ---


async def test_what_one_throws_all_have(place: Place) -> None:
    """By whom, why and where it was thrown; the calls there are stopped, and it is told."""
    a, b, _ = place.pods
    call = make_call(agent="pay-1")
    b.calls = [call]
    a.engage("agent:pay-*", reason="case 12")
    await place.all_know()
    assert place.killed == [["agent:pay-*"]] * 3
    assert call.stopped is Stop.KILLED
    (found,) = b.kills.items()
    assert (found.reason, found.by, found.origin) == ("case 12", "alice", "admin")
    assert (found.pod, found.shown()["pod"]) == ("host-a/aaaaaa", "host-a/aaaaaa")
    (mine,) = a.kills.items()
    assert (mine.pod, mine.shown()["pod"], mine.since) == ("", None, found.since)
    assert b.events == [
        KillChange("agent:pay-*", "engaged", "case 12", "alice", "admin", "host-a/aaaaaa")
    ]


@pytest.mark.parametrize("name", ["f" * 64, "ffffffffffff.0", "8fffffffffff.0"])
async def test_nobody_takes_the_last_name_there_is(place: Place, name: str) -> None:
    """Somebody published it. What is killed later still is killed everywhere."""
    for pod in place.pods:
        pod.fleet.heard(b'{"scope":"all","off":["%s"]}' % name.encode())
    await asyncio.sleep(0)
    place.pods[0].engage("all")
    await place.all_know()
    assert place.killed == [["all"]] * 3


async def test_whoever_revives_it_does_so_for_all(place: Place) -> None:
    """Each journal has both, with who and where; a restart knows it."""
    a, b, c = place.pods
    a.engage("all")
    await place.all_know()
    await c.revive("all")
    await place.all_know()
    assert place.killed == [[]] * 3
    for pod in place.pods:
        assert pod.journal.types == ["kill.engaged", "kill.released"]
        pod.start()
        assert pod.killed == []
        assert pod.kills.throws.knows(ALL)
    told = b.journal.lines
    assert (told[0]["pod"], told[1]["pod"], told[1]["by"]) == (
        "host-a/aaaaaa", "host-c/cccccc", "bob-c",
    )  # fmt: skip
    assert b.events[-1] == KillChange("all", "released", "fixed", "bob-c", "admin", "host-c/cccccc")
    assert a.journal.lines[0].get("pod") is None


async def test_it_is_heard_at_once(place: Place) -> None:
    """Published, before anybody asks; and believed twice, or late."""
    a, b, c = place.pods
    heard: list[bytes] = []
    hears(place.memory, lambda topic, text: heard.append(text))
    hears(place.memory, lambda topic, text: b.fleet.heard(text))
    a.engage("all")
    assert await a.exchange()
    assert b.killed == ["all"]
    await c.exchange()
    await c.revive("all")
    assert await c.exchange()
    assert b.killed == []
    b.fleet.heard(heard[0])
    assert b.killed == []
    await place.all_know()
    assert place.killed == [[]] * 3
    b.fleet.heard(b"anything")


async def test_while_it_listens_it_is_told_at_once(place: Place) -> None:
    """Who throws does not wait for the next exchange; and where the store is gone, nobody asks."""
    a, b, _ = place.pods
    a.fleet.begin()
    a.engage("all")
    a.engage("agent:a")
    await settled(a.clock)
    await b.exchange()
    assert b.killed == ["agent:a", "all"]
    assert sum(isinstance(verb, TellKills) for verb in place.road.asked) == 1
    a.link.up = False
    before = len(place.road.asked)
    a.engage("agent:b")
    await settled(a.clock)
    assert len(place.road.asked) == before
    a.link.up, place.road.fate = True, "lost"
    a.engage("agent:c")
    await settled(a.clock)
    await place.all_know()
    assert b.killed == ["agent:a", "agent:b", "agent:c", "all"]


async def test_what_may_end_is_spared_everywhere(place: Place) -> None:
    """`finish`, together with one that ends what is under way."""
    a, b, _ = place.pods
    runs, waits, ends = make_call(agent="f"), make_call(agent="f"), make_call(agent="e")
    for call in (runs, ends):
        call.attempts = [make_attempt(call, sent=True)]
    b.calls = [runs, waits, ends]
    a.engage("agent:f", in_flight="finish")
    a.engage("agent:e")
    await place.all_know()
    assert [call.stopped for call in b.calls] == [None, Stop.KILLED, Stop.KILLED]


async def test_what_policies_kill_is_each_pods_own(place: Place) -> None:
    """They are where the files are."""
    a, _, _ = place.pods
    a.kills.obey([kill("all", origin="policies", by="policies")])
    await place.all_know()
    assert place.killed == [["all"], [], []]


# --- the store is gone ---


async def test_without_the_store_all_stays(place: Place) -> None:
    """Also over a restart; and what is thrown meanwhile is told when it is back."""
    a, b, _ = place.pods
    a.engage("agent:a")
    await place.all_know()
    place.memory.breaks("gone")
    b.fleet.lost()
    b.start()
    assert b.killed == ["agent:a"]
    b.engage("agent:b")
    assert not await b.exchange()
    assert place.killed == [["agent:a"], ["agent:a", "agent:b"], ["agent:a"]]
    place.memory.heals()
    await place.all_know()
    assert place.killed == [["agent:a", "agent:b"]] * 3


async def test_revived_without_the_store_it_goes_on_here_and_elsewhere_later(place: Place) -> None:
    """Only what was known here: what somebody else threw meanwhile stays."""
    a, b, _ = place.pods
    a.engage("agent:a")
    a.engage("agent:b")
    await place.all_know()
    place.memory.breaks("gone")
    await b.revive("agent:a")
    await b.revive("agent:b")
    a.engage("agent:b", reason="again")
    assert place.killed == [["agent:a", "agent:b"], [], ["agent:a", "agent:b"]]
    place.memory.heals()
    await place.all_know()
    assert place.killed == [["agent:b"]] * 3
    assert {pod.kills.items()[0].reason for pod in place.pods} == {"again"}


async def test_who_was_away_has_lifted_what_others_lifted(place: Place) -> None:
    """Its journal still has the kill when it comes back."""
    a, b, c = place.pods
    a.engage("all")
    await place.all_know()
    await b.revive("all")
    for pod in (b, a):
        assert await pod.exchange()
    c.start()
    assert c.killed == ["all"]
    assert await c.exchange()
    assert c.killed == []
    await place.all_know()
    assert place.killed == [[]] * 3


async def test_a_store_that_forgot_is_told_again(place: Place) -> None:
    """By whom ever is there; also what was lifted, so that who comes later lifts it too."""
    a, b, c = place.pods
    a.engage("all")
    a.engage("agent:a")
    await place.all_know()
    await b.revive("agent:a")
    assert await b.exchange()
    assert await a.exchange()
    place.empties()
    assert c.killed == ["agent:a", "all"]
    await place.all_know()
    assert place.killed == [["all"]] * 3


async def test_what_goes_missing_there_is_noticed(place: Place) -> None:
    """Though nobody says that the store forgot. Not again and again."""
    a, b, _ = place.pods
    a.engage("all")
    a.engage("agent:a")
    await place.all_know()
    del place.memory.seen("kills")["all"]
    assert await b.exchange()
    assert "all" in place.memory.seen("kills")
    del place.memory.seen("kills")["all"]
    assert await b.exchange()
    assert "all" not in place.memory.seen("kills")
    b.clock.advance(fleet_kills.RESTS)
    assert await b.exchange()
    assert "all" in place.memory.seen("kills")


async def test_a_throw_that_the_store_lost_is_told_again(place: Place) -> None:
    """A failover to a server that had not heard of it; others had revived what was before."""
    a, b, _ = place.pods
    a.engage("all")
    await place.all_know()
    before = dict(place.memory.seen("kills"))
    a.engage("all", reason="worse")
    assert await a.exchange()
    place.memory.put("kills", before)
    await b.revive("all")
    assert await b.exchange()
    a.fleet.anew()
    await place.all_know()
    assert place.killed == [["all"]] * 3
    assert place.pods[2].kills.items()[0].reason == "worse"


# --- at once ---


async def test_two_that_throw_at_once_are_both_there(place: Place) -> None:
    """It lasts as long as either said; and one revival lifts both, where both are known."""
    a, b, c = place.pods
    now = place.clock.wall()
    a.engage("all", until=now + 60.0, in_flight="finish")
    b.engage("all", until=now + 90.0)
    await place.all_know()
    for pod in place.pods:
        (found,) = pod.kills.items()
        assert (found.until, found.in_flight) == (now + 90.0, "end")
    await c.revive("all")
    await place.all_know()
    assert place.killed == [[]] * 3


async def test_who_revives_lifts_what_was_known_there(place: Place) -> None:
    """What another one threw in the same moment stays, whoever speaks first."""
    for first in (0, 1):
        place = Place()
        a, b, _ = place.pods
        a.engage("all")
        await place.all_know()
        await a.revive("all")
        b.engage("all", reason="more")
        for pod in (place.pods[first], place.pods[1 - first]):
            assert await pod.exchange()
        await place.all_know()
        assert place.killed == [["all"]] * 3


async def test_thrown_elsewhere_while_it_is_lifted_here(place: Place) -> None:
    """The one that was known goes, the other one stays."""
    a, b, _ = place.pods
    a.engage("all")
    await place.all_know()
    waits = asyncio.Event()

    async def durable() -> bool:
        await waits.wait()
        return True

    a.journal.durable = durable  # type: ignore[method-assign]
    lifting = asyncio.ensure_future(a.revive("all"))
    await asyncio.sleep(0)
    b.engage("all", reason="more")
    assert await b.exchange()
    assert await a.exchange()
    waits.set()
    await lifting
    await place.all_know()
    assert [pod.kills.items()[0].reason for pod in place.pods] == ["more"] * 3
    assert a.kills.throws.of(ALL).off
    a.start()
    assert a.killed == ["all"]


async def test_its_time_is_over_for_each_by_its_own_clock(place: Place) -> None:
    """A clock that is wrong ends it for nobody else; also not when its pod comes back."""
    a, b, c = place.pods
    now = place.clock.wall()
    a.engage("all", until=now + 60.0)
    await place.all_know()
    b.clock = FakeClock(at=place.clock.time + 100.0, asleep=False)
    b.kills._clock = b.clock
    b.kills.expire()
    await place.all_know()
    assert place.killed == [["all"], [], ["all"]]
    b.start()
    await place.all_know()
    assert place.killed == [["all"], [], ["all"]]
    place.clock.advance(60.0)
    for pod in (a, c):
        pod.kills.expire()
    await place.all_know()
    assert place.killed == [[]] * 3
    with pytest.raises(Unknown):
        await a.revive("all")


async def test_what_hung_overwrites_nothing(place: Place) -> None:
    """Somebody told it and is gone for good; it is only in the store when the late one comes."""
    a, b, c = place.pods
    a.engage("all", reason="one")
    place.road.fate, place.road.fates = "late", TellKills.script
    assert not await a.exchange()
    b.engage("all", reason="two")
    assert await b.exchange()
    place.road.arrive()
    assert await c.exchange()
    assert await a.exchange()
    await c.revive("all")
    assert await c.exchange()
    assert await a.exchange()
    assert (c.killed, a.killed) == (["all"], ["all"])  # nobody who revived knew of the first one
    await a.revive("all")
    for pod in (a, c):
        assert await pod.exchange()
    assert (c.killed, a.killed) == ([], [])


# --- bounded ---


async def test_what_was_lifted_is_remembered_for_a_week(place: Place) -> None:
    """Then the pods forget it, and then the store; who was away for longer kills once more."""
    a, b, c = place.pods
    c.engage("all")
    await place.all_know()
    c.journal.lines = c.journal.lines[:1]
    await a.revive("all")
    for pod in (a, b):
        assert await pod.exchange()
    place.clock.advance(A_WEEK + 1.0)
    for pod in (a, b):
        pod.kills.expire()
        assert await pod.exchange()
        assert not pod.kills.throws.knows(ALL)
    assert "all" in place.memory.seen("kills")
    place.clock.advance(3_601.0)
    for pod in (a, b):
        assert await pod.exchange()
    assert place.memory.seen("kills") == {}
    c.start()
    await place.all_know()
    assert place.killed == [["all"]] * 3


async def test_who_forgot_it_before_it_was_told_tells_nothing(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Too much was lifted since."""
    monkeypatch.setattr(throws, "LIFTED", 0)
    a, _, _ = place.pods
    assert await a.exchange()
    a.engage("all")
    await a.revive("all")
    place.clock.advance(61.0)
    a.kills.expire()
    assert await a.exchange()
    assert place.memory.seen("kills") in (None, {})


async def test_what_is_heard_in_one_moment_is_joined_in_one(place: Place) -> None:
    """Though hundreds are published."""
    a, b, _ = place.pods
    gathers: list[Callable[[], None]] = []
    b.clock.gathers = gathers
    hears(place.memory, lambda topic, text: b.fleet.heard(text))
    for number in range(3):
        a.engage(f"agent:{number}")
    assert await a.exchange()
    assert b.killed == []
    (joins,) = gathers
    joins()
    assert b.killed == ["agent:0", "agent:1", "agent:2"]


async def test_there_is_room_for_people_when_stages_took_theirs(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And for all always. What finds none counts here, is told, and tried again."""
    monkeypatch.setattr(fleet_kills, "OF_STAGES", 2)
    monkeypatch.setattr(fleet_kills, "OF_ALL", 3)
    a, b, _ = place.pods
    for number in range(4):
        a.engage(f"workflow:{number}", origin="loop")
    assert await a.exchange()
    a.engage("agent:a")
    a.engage("agent:b")
    assert await a.fleet.reach(Scope("agent:a")) == Reach(3)
    short = await a.fleet.reach(Scope("agent:b"))
    assert short == Reach(0, "the store of the fleet has no room for it")
    a.engage("all")
    await b.exchange()
    assert await a.fleet.reach(ALL) == Reach(3)
    await b.exchange()
    assert b.killed == ["agent:a", "all", "workflow:0", "workflow:1"]
    assert sum(isinstance(event, KillTrouble) for event in a.events) == 1
    asked = len(place.road.asked)
    await a.exchange()
    assert len(place.road.asked) == asked + 1  # it looked, and told nothing
    monkeypatch.setattr(fleet_kills, "OF_ALL", 99)
    monkeypatch.setattr(fleet_kills, "OF_STAGES", 99)
    place.clock.advance(fleet_kills.RESTS)
    assert await a.exchange()
    await b.exchange()
    assert b.killed == a.killed


async def test_what_people_do_is_told_first(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where stages threw many a moment ago; and what they revive."""
    monkeypatch.setattr(fleet_kills, "AT_ONCE", 2)
    monkeypatch.setattr(fleet_kills, "ROUNDS", 1)
    a, b, c = place.pods
    assert await a.exchange()
    a.link.up = False
    a.kills.changed = a.fleet._changed
    a.engage("agent:a")
    for number in range(5):
        a.engage(f"workflow:{number}", origin="budget")
    await a.revive("agent:a")
    a.engage("all")
    assert await a.exchange()
    assert await b.exchange()
    assert (b.killed, b.kills.throws.knows(Scope("agent:a"))) == (["all"], True)
    place.empties()
    assert await a.exchange()
    assert await c.exchange()
    assert "all" in c.killed


async def test_no_store_makes_a_pod_take_without_end(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes into it. What is known is followed, and all can always be killed."""
    monkeypatch.setattr(kills, "MOST", 1)
    monkeypatch.setattr(kills, "LIFTED", 1)
    a, b, _ = place.pods
    for scope in ("agent:a", "agent:b", "agent:c", "all"):
        a.engage(scope)
    assert await a.exchange()
    assert await b.exchange()
    assert b.killed == ["agent:a", "all"]
    assert [event for event in b.events if isinstance(event, KillTrouble)] == [
        KillTrouble("other pods tell of more kills than there may be")
    ]
    await a.revive("agent:a")
    assert await a.exchange()
    assert await b.exchange()
    assert b.killed == ["all"]


async def test_many_are_told_in_parts(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways."""
    monkeypatch.setattr(fleet_kills, "AT_ONCE", 100)
    a, b, _ = place.pods
    for number in range(450):
        a.engage(f"workflow:{number}", origin="loop")
    assert await a.exchange()
    assert await b.exchange()
    assert len(b.killed) == 450
    assert b.fleet._untold == {}
    monkeypatch.setattr(fleet_kills, "ROUNDS", 1)
    place.empties()
    for _ in range(9):
        assert await a.exchange()
        assert await b.exchange()
    assert len(place.memory.seen("kills")) == 450


# --- what makes no sense ---


@pytest.mark.parametrize("text", [b"no", b'{"scope":"agent:other"}'])
async def test_what_makes_no_sense_changes_nothing(place: Place, text: bytes) -> None:
    """It is told, once, and written over by who knows better."""
    a, b, _ = place.pods
    a.engage("all")
    place.road.memory.of("kills", dict)["all"] = (7, mark_of(text), text)
    await place.all_know()
    assert place.killed == [["all"]] * 3
    assert b"why" in place.memory.seen("kills")["all"][2]
    place.memory.seen("kills")["all"] = (1 << 50, mark_of(text), text)
    await b.exchange()
    assert b.killed == ["all"]
    assert len([event for event in b.events if isinstance(event, KillTrouble)]) <= 1
    assert any(isinstance(event, KillTrouble) for pod in place.pods for event in pod.events)


async def test_who_leaves_tells_what_is_left(place: Place) -> None:
    """With the last of it."""
    a, b, _ = place.pods
    a.engage("all")
    await a.fleet.leave(a.link)
    await b.exchange()
    assert b.killed == ["all"]


# --- how far it counts ---


async def test_how_far_it_counts(place: Place) -> None:
    """On so many pods; or why not. Without a store there are no others."""
    a, _, _ = place.pods
    a.engage("all")
    assert await a.fleet.reach(ALL) == Reach(3)
    place.memory.breaks("gone")
    assert await a.kills.reach(ALL) == Reach(0, "the store of the fleet is not there: gone")
    await a.fleet.refresh()
    clock = FakeClock()
    alone = FleetKills(Kills(), clock, Keep())
    alone.begin()
    assert await alone.reach(ALL) is None
    await alone.refresh()
    alone.heard(said(a.kills.throws.of(ALL), "x"))
    assert Keep().seen(LINK) is None
