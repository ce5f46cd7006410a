"""What the store has of kills: words under marks, which nobody overwrites unheard."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.scopes import Scope
from proxy.state.shared.kills import (
    NOTHING,
    PAGE,
    NewKills,
    Tell,
    TellKills,
    heard,
    mark_of,
    said,
)
from proxy.state.throws import OFF, ON, Lift, Thrown
from tests.state.at_kills import kill

WITHIN = 5.0
NOW = 1_700_000_000.0


async def tell(store, scope, text, knows=NOTHING, room=9):
    """What was refused."""
    refused = await store.ask(TellKills((Tell(scope, knows, text, room),)), WITHIN)
    return [(word.mark, word.said) for word in refused]


async def new(store, number=0):
    """What was said after it, as text."""
    told = await store.ask(NewKills(number), WITHIN)
    assert all(word.mark == mark_of(word.said) for word in told.words)
    return told, [(word.scope, word.said) for word in told.words]


async def test_a_word_is_told_to_who_asks(store):
    """Once, by the number of the last one; and how many there are."""
    assert (await new(store))[0].total == 0
    await tell(store, "tool:GET /é", b"one")
    first, words = await new(store)
    assert words == [("tool:GET /é", b"one")]
    await tell(store, "all", b"two")
    second, words = await new(store, first.number)
    assert (words, second.total, second.more) == ([("all", b"two")], 2, False)
    assert second.number > first.number
    third, words = await new(store, second.number)
    assert (words, third.number) == ([], second.number)


async def test_what_the_teller_did_not_know_is_not_overwritten(store):
    """It is told to him; then he may."""
    assert await tell(store, "all", b"one") == []
    assert await tell(store, "all", b"two") == [(mark_of(b"one"), b"one")]
    assert await tell(store, "all", b"two", "an old one") == [(mark_of(b"one"), b"one")]
    assert await tell(store, "all", b"two", mark_of(b"one")) == []
    assert (await new(store))[1] == [("all", b"two")]


async def test_a_store_that_forgot_takes_what_it_is_told(store):
    """Whoever speaks first; nobody can know more than it."""
    assert await tell(store, "all", b"two", mark_of(b"one")) == []


async def test_the_same_word_twice_is_one(store):
    """Its answer was lost, or another pod knows the same: it is no news."""
    await tell(store, "all", b"one")
    first, _ = await new(store)
    assert await tell(store, "all", b"one") == []
    assert await tell(store, "all", b"one", "an old one") == []
    assert (await new(store, first.number))[1] == []


async def test_what_comes_late_is_void(store):
    """A command that hung knows a word that is not there any more."""
    await tell(store, "all", b"one")
    await tell(store, "all", b"two", mark_of(b"one"))
    assert await tell(store, "all", b"late", mark_of(b"one")) == [(mark_of(b"two"), b"two")]


async def test_there_is_so_much_room_as_the_teller_says(store):
    """For words that are there it needs none."""
    await tell(store, "agent:a", b"a", room=2)
    await tell(store, "agent:b", b"b", room=2)
    assert await tell(store, "agent:c", b"c", room=2) == [(NOTHING, b"")]
    assert await tell(store, "agent:b", b"bb", mark_of(b"b"), room=2) == []
    assert await tell(store, "all", b"all", room=3) == []


async def test_a_word_is_forgotten_by_who_knows_it(store):
    """Not if there is another one by now."""
    await tell(store, "all", b"one")
    assert await tell(store, "all", b"", "an old one") == []
    assert (await new(store))[0].total == 1
    assert await tell(store, "all", b"", mark_of(b"one")) == []
    assert await tell(store, "all", b"") == []
    assert (await new(store))[0].total == 0


async def test_many_come_in_pages(store):
    """In the order in which they were said."""
    words = tuple(Tell(f"agent:{at}", NOTHING, b"%d" % at, 999) for at in range(PAGE + 3))
    for start in range(0, len(words), 50):
        assert await store.ask(TellKills(words[start : start + 50]), WITHIN) == ()
    first, page = await new(store)
    second, rest = await new(store, first.number)
    assert (first.more, len(page), second.more, len(rest)) == (True, PAGE, False, 3)
    assert [scope for scope, _ in [*page, *rest]] == [word.scope for word in words]
    assert first.total == PAGE + 3


async def test_what_is_told_is_published(store, hearing):
    """Not what is refused, nor what was known."""
    await tell(store, "all", b"one")
    await tell(store, "all", b"two")
    await tell(store, "all", b"one")
    await tell(store, "all", b"three", mark_of(b"one"))
    assert await hearing(2) == [("kills", b"one"), ("kills", b"three")]


# --- what a word says ---


FULL = Thrown(
    Scope("agent:pay-*"),
    {
        "01": kill("agent:pay-*", since=NOW, until=NOW + 9.5, in_flight="finish", pod="b/1"),
        "02": kill("agent:pay-*", since=NOW + 0.123, origin="file", place="/x/kill:3", reason="é"),
    },
    frozenset({"00"}),
    Lift(1_600_000_000_000, "bob", "fixed", ""),
)


def back(text, pod):
    """What is heard of it."""
    known = heard(text, pod, NOW)
    assert known is not None
    return known


def test_it_is_heard_as_it_was_said():
    """What is done at a pod has its name elsewhere, and none at home."""
    there = back(said(FULL, "a/0"), "b/1")
    assert there.same(FULL)
    assert [each.pod for each in there.on.values()] == ["", "a/0"]
    assert there.lift == Lift(1_600_000_000_000, "bob", "fixed", "a/0")
    assert back(said(there, "b/1"), "a/0") == FULL
    assert said(there, "b/1") == said(FULL, "a/0")
    for scope in ("all", "workflow: \n\0\u200b'\"", "tool:" + "é" * 256):
        known = Thrown(Scope(scope))
        assert heard(said(known, "a/0"), "b/1", NOW) == known


def test_it_is_bounded():
    """Whoever said it: no name or reason is too long, and it was not lifted in times to come."""
    long = kill("all", reason="x" * 900, by="y" * 900, place="z" * 900 + ":7")
    known = Thrown(Scope("all"), {"01": long}, frozenset({"00"}), Lift(round(NOW * 1000) + 9_000))
    there = back(said(known, "p" * 900), "b")
    (found,) = there.on.values()
    assert (len(found.reason), len(found.by), len(found.place)) == (500, 500, 500)
    assert found.place.endswith(":7")
    assert there.lift.at == NOW * 1000


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no",
        b"[]",
        b'{"scope":"agnt:x"}',
        b'{"scope":7}',
        b'{"scope":"all:x"}',
        b'{"scope":"agent:"}',
        b'{"scope":"agent:%s"}' % (b"x" * 257),
        b'{"scope":"all","on":[{"name":"1","reason":"x","by":"y","origin":"z"}]}',
        b'{"scope":"all","on":[{"name":"","reason":"x","by":"y","origin":"z","since":1}]}',
        b'{"scope":"all","on":[{"name":"1","reason":"x","by":"y","origin":"z","since":1e99}]}',
        b'{"scope":"all","at":-1}',
        b'{"scope":"all","off":[%s]}' % b",".join([b'"x"'] * (OFF + 1)),
        b'{"scope":"all","on":[%s]}'
        % b",".join([b'{"name":"1","reason":"","by":"","origin":"","since":1}'] * (ON + 1)),
    ],
)
def test_what_is_no_word(text):
    """Nothing is made of it."""
    assert heard(text, "b", NOW) is None


def test_a_word_that_contradicts_itself():
    """What was lifted does not stand; what policies say is each pod's own."""
    text = (
        b'{"scope":"all","off":["1"],"on":[{"name":"1","reason":"","by":"","origin":"x","since":1},'
        b'{"name":"2","reason":"","by":"","origin":"policies","since":1}]}'
    )
    (found,) = back(text, "b").on.items()
    assert (found[0], found[1].origin) == ("2", "admin")


@given(st.binary(max_size=200))
def test_nothing_that_is_heard_raises(text):
    """It may be anything."""
    assert heard(text, "b", NOW) is None or text.startswith(b"{")
