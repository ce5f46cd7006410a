"""Pods that share kills, on each kind of store: what they do is the same on all of them."""

import asyncio

import pytest

from proxy.state import fleet_kills
from proxy.state.kills import Reach
from proxy.state.scopes import Scope
from proxy.state.shared.kills import NOTHING, NewKills, Tell, TellKills
from proxy.state.store import Store
from tests.fakes import FakeClock
from tests.state.at_kills import KillPod

WITHIN = 5.0


@pytest.fixture
def pods(store: Store) -> list[KillPod]:
    """Three; each on its own clock, as far as it is one."""
    return [KillPod(name, store, FakeClock(asleep=False, seed=ord(name))) for name in "abc"]


async def all_know(pods: list[KillPod]) -> None:
    """Each tells, and then each hears."""
    for pod in (*pods, *pods):
        assert await pod.exchange()


def killed(pods: list[KillPod]) -> list[list[str]]:
    """The scopes, of each."""
    return [pod.killed for pod in pods]


async def test_killed_and_revived_by_any(pods: list[KillPod]) -> None:
    """Also with letters that few write, and over restarts."""
    a, b, c = pods
    scopes = ["all", 'tool:GET /é "x"', "workflow: \n\0\u200b"]
    for scope in scopes:
        a.engage(scope, reason='says "é"\n', until=a.clock.wall() + 99.5, in_flight="finish")
    await all_know(pods)
    assert killed(pods) == [scopes] * 3
    (mine, *_), (theirs, *_) = a.kills.items(), c.kills.items()
    assert (theirs.reason, theirs.until, theirs.since) == (mine.reason, mine.until, mine.since)
    for pod, scope in zip(pods, scopes, strict=True):
        await pod.revive(scope)
    b.start()
    await all_know(pods)
    assert killed(pods) == [[]] * 3


async def test_at_once_nothing_is_lost(pods: list[KillPod]) -> None:
    """All tell in the same moment, what was there before and what is new."""
    a, b, c = pods
    a.engage("all")
    await all_know(pods)
    await a.revive("all")
    b.engage("all", reason="more")
    c.engage("agent:x")
    assert await asyncio.gather(*(pod.exchange() for pod in pods)) == [True] * 3
    await all_know(pods)
    assert killed(pods) == [["agent:x", "all"]] * 3
    assert a.kills.items()[0].reason in {"why", "more"}
    assert await a.fleet.reach(Scope("all")) == Reach(3)


async def test_what_the_store_lost_it_is_told_again(pods: list[KillPod], store: Store) -> None:
    """A word is gone; whoever notices tells it."""
    a, b, _ = pods
    a.engage("all")
    a.engage("agent:x")
    await all_know(pods)
    for word in (await store.ask(NewKills(0), WITHIN)).words:
        if word.scope == "all":
            await store.ask(TellKills((Tell("all", word.mark, b"", 0),)), WITHIN)
    assert (await store.ask(NewKills(0), WITHIN)).total == 1
    assert await b.exchange()
    assert (await store.ask(NewKills(0), WITHIN)).total == 2


async def test_thousands(pods: list[KillPod], store: Store) -> None:
    """In parts, and somebody who comes new takes them all."""
    a, b, _ = pods
    for number in range(1_000):
        a.engage(f"workflow:{number}", origin="loop")
    assert await a.exchange()
    told = await store.ask(NewKills(0), WITHIN)
    assert (told.total, told.more) == (1_000, True)
    assert await b.exchange()
    assert len(b.killed) == 1_000
    full = Tell("workflow:x", NOTHING, b"x", 1_000)
    refused = await store.ask(TellKills((full,)), WITHIN)
    assert [word.scope for word in refused] == ["workflow:x"]


async def test_what_is_published_is_heard_at_once(pods: list[KillPod], store: Store) -> None:
    """Without asking."""
    a, b, _ = pods
    heard = asyncio.Event()

    def hear(topic: str, said: bytes) -> None:
        assert topic == fleet_kills.TOPIC
        b.fleet.heard(said)
        heard.set()

    listening = asyncio.create_task(store.listen(hear))
    number = 0
    while not heard.is_set():  # until it listens
        number += 1
        a.engage("all", reason=str(number))
        assert await a.exchange()
        async with asyncio.timeout(WITHIN):
            await asyncio.wait([asyncio.ensure_future(heard.wait())], timeout=0.05)
    listening.cancel()
    assert b.killed == ["all"]
