"""Boards and boxes: what pods share of approvals."""

import asyncio

import pytest

from proxy.state.memory import Memory
from proxy.state.shared import asks
from proxy.state.shared.asks import (
    TOPIC,
    Board,
    Boards,
    Note,
    Post,
    Say,
    Shown,
    Take,
    Withdraw,
)
from proxy.state.store import Near
from tests.fakes import FakeClock, settled

WITHIN = 5.0
ONE, TWO = Note("r1", b"told 1", b"shown 1"), Note("r2", b"told 2")


async def board(store, pod="a"):
    return dict(await store.ask(Board(pod), WITHIN))


async def test_what_is_posted_is_seen(store):
    """By all; the exact call for itself."""
    assert await store.ask(Post("a", 7, 0, (ONE, TWO)), WITHIN) == 7
    assert await store.ask(Boards(), WITHIN) == ("a",)
    assert await board(store) == {"r1": b"told 1", "r2": b"told 2"}
    assert await store.ask(Shown("a", "r1"), WITHIN) == b"shown 1"
    for pod, name in (("a", "r2"), ("a", "r3"), ("b", "r1")):
        assert await store.ask(Shown(pod, name), WITHIN) == b""
    assert await board(store, "b") == {}


async def test_a_change_builds_on_what_stands(store):
    """What it does not name stays."""
    await store.ask(Post("a", 7, 0, (ONE, TWO)), WITHIN)
    changed = Note("r1", b"told again")
    assert await store.ask(Post("a", 8, 7, (changed,), ("r2", "never")), WITHIN) == 8
    assert await board(store) == {"r1": b"told again"}
    assert await store.ask(Shown("a", "r1"), WITHIN) == b"shown 1"
    assert await store.ask(Post("a", 9, 8, (Note("r1", b"over", b""),)), WITHIN) == 9
    assert await store.ask(Shown("a", "r1"), WITHIN) == b""
    assert await store.ask(Post("a", 10, 9, gone=("r1",)), WITHIN) == 10
    assert await board(store) == {}


@pytest.mark.parametrize(("number", "base"), [(7, 7), (6, 0), (9, 6), (9, 8), (7, 0)])
async def test_what_is_late_or_builds_on_something_else_is_void(store, number, base):
    """And its pod learns what stands there."""
    await store.ask(Post("a", 7, 0, (ONE,)), WITHIN)
    assert await store.ask(Post("a", number, base, (TWO,), ("r1",)), WITHIN) == 7
    assert await board(store) == {"r1": b"told 1"}


async def test_where_nothing_stands_nothing_is_built_on(store):
    """The store was emptied, or the board has gone."""
    assert await store.ask(Post("a", 8, 7, (ONE,)), WITHIN) == 0
    assert await store.ask(Boards(), WITHIN) == ()


async def test_a_pod_may_begin_anew(store):
    """It builds on nothing: all that stood there goes."""
    await store.ask(Post("a", 7, 0, (ONE,)), WITHIN)
    number = (1 << 53) - 1
    assert await store.ask(Post("a", number, 0, (TWO,)), WITHIN) == number
    assert await board(store) == {"r2": b"told 2"}
    assert await store.ask(Shown("a", "r1"), WITHIN) == b""
    assert await store.ask(Post("a", number, number), WITHIN) == number


async def test_each_pod_has_its_own(store):
    """In the order of their names."""
    await store.ask(Post("b", 1, 0, (ONE,)), WITHIN)
    await store.ask(Post("a", 1, 0, (TWO,)), WITHIN)
    assert await store.ask(Boards(), WITHIN) == ("a", "b")
    assert await board(store, "b") == {"r1": b"told 1"}


async def test_a_board_without_a_word_is_gone(store, monkeypatch):
    """Its pod has died."""
    await store.ask(Post("b", 1, 0, (ONE,)), WITHIN)
    monkeypatch.setattr(asks, "LASTS", 1)
    await store.ask(Post("a", 1, 0, (ONE,)), WITHIN)
    while "a" in await store.ask(Boards(), WITHIN) or await board(store):
        await passes(store)
    assert await store.ask(Shown("a", "r1"), WITHIN) == b""


async def passes(store):
    """A moment: a real one passes while the store is asked."""
    if isinstance(store, Near):
        store._memory._wall.__self__.advance(0.01)


async def test_a_box_is_heard_once(store):
    """Whoever takes what is in it empties it."""
    assert await store.ask(Say("a", "w1", b"\x00\xff", 5_000), WITHIN)
    assert await store.ask(Say("a", "w2", b"2", 5_000), WITHIN)
    assert await store.ask(Take("b"), WITHIN) == ()
    assert await store.ask(Take("a"), WITHIN) == (("w1", b"\x00\xff"), ("w2", b"2"))
    assert await store.ask(Take("a"), WITHIN) == ()


async def test_what_was_not_heard_is_withdrawn(store):
    """What was heard is not: whoever said it is told so."""
    await store.ask(Say("a", "w1", b"1", 5_000), WITHIN)
    await store.ask(Say("a", "w2", b"2", 5_000), WITHIN)
    assert await store.ask(Withdraw("a", "w1"), WITHIN)
    assert not await store.ask(Withdraw("a", "w1"), WITHIN)
    assert not await store.ask(Withdraw("b", "w1"), WITHIN)
    assert await store.ask(Take("a"), WITHIN) == (("w2", b"2"),)
    assert not await store.ask(Withdraw("a", "w2"), WITHIN)


async def test_a_box_is_full_some_time(store, monkeypatch):
    """A pod that is gone takes nothing out."""
    monkeypatch.setattr(asks, "MOST", 2)
    said = [await store.ask(Say("a", f"w{n}", b"", 5_000), WITHIN) for n in range(3)]
    assert said == [True, True, False]


async def test_who_listens_hears_which_box(store):
    """So it is not looked into for nothing."""
    heard: asyncio.Queue = asyncio.Queue()
    listening = asyncio.ensure_future(store.listen(lambda *said: heard.put_nowait(said)))
    try:
        while heard.empty():  # it is not known when it has begun to listen
            await store.ask(Say("a", "w1", b"1", 5_000), WITHIN)
            await settled()
        assert await heard.get() == (TOPIC, b"a")
    finally:
        listening.cancel()


async def test_a_box_is_gone_some_time(store):
    """What nobody took."""
    await store.ask(Say("a", "w1", b"1", 1), WITHIN)
    await store.ask(Say("b", "w1", b"1", 5_000), WITHIN)
    for _ in range(20):  # each of them takes a while, and none says anything to a
        await passes(store)
        assert await store.ask(Withdraw("b", "w1"), WITHIN)
        await store.ask(Say("b", "w1", b"1", 5_000), WITHIN)
    assert await store.ask(Take("a"), WITHIN) == ()


async def test_names_that_others_put_there_are_read():
    """Whatever they are."""
    clock = FakeClock()
    near = Near(Memory(clock.wall))
    assert await near.ask(Take("a"), WITHIN) == ()
    assert Take("a").answer([b"\xff", b"1"]) == (("�", b"1"),)
    assert Boards().answer([b"b", b"\xff"]) == ("b", "�")
