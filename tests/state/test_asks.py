"""What a pod tells of its desk, and how it hears what others decide. Both sides of a decision, with
what somebody is told: test_elsewhere.py."""

import asyncio

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.state import asks
from proxy.state.asking import Exhibit, Terms
from proxy.state.asks import BEAT
from proxy.state.sealed import Envelope
from proxy.state.shared.asks import LASTS, Board, Boards, Note, Post, Say, Shown, Take
from proxy.state.shared.fleet import Beat, Pod
from proxy.state.store import Unreachable
from proxy.state.words import SKEW, VOID, Answer, Told, Word, closed, opened
from tests.fakes import settled
from tests.state.at_pods import At, Pods


async def posted(pod: At) -> dict[str, str]:
    """How requests stand on its board, as the fleet reads it."""
    rows = await pod.link.ask(Board(pod.name))
    told = {name: opened(pod.envelope, Told, raw, pod.name, name) for name, raw in rows}
    return {name: each.file.state for name, each in told.items() if each is not None}


async def one(**more) -> At:
    """A pod whose board has a request."""
    pods = await Pods("a", **more).begin()
    pod = pods.of["a"]
    await pod.asked(b'{"amount": 5}')
    await pod.tells()
    return pod


def asked(pod: At) -> int:
    """How often the store was, so far."""
    return pod.link.counts.asked


async def says(pod: At, name: str = "abc", to: str = "a", envelope: Envelope | None = None, **more):
    """A word lies in its box."""
    word = Word(
        request=pod.desk.files[0].request.id, decision="approve", by="alice", groups=(),
        anybody=False, reason="", break_glass=False, pod="b", at=pod.link.wall(),
        wall=pod.clock.wall(),
    )  # fmt: skip
    word = msgspec.structs.replace(word, **more)
    raw = closed(envelope or pod.envelope, word, to, name)
    await pod.link.ask(Say(pod.name, name, raw, 10_000))
    await settled()


async def answered(pod: At, name: str = "abc") -> Answer | None:
    """What it said to that."""
    for _, raw in await pod.link.ask(Take(name)):
        return opened(pod.envelope, Answer, raw, pod.name, name)
    return None


# --- to tell ---


async def test_what_waits_stands_on_the_board():
    """With the exact call, and nothing of it in plain."""
    pod = await one()
    ((name, raw),) = await pod.link.ask(Board("a"))
    told = opened(pod.envelope, Told, raw, "a", name)
    assert told is not None
    assert (told.file, told.host, told.shown) == (pod.desk.files[0], "host-a", True)
    assert told.due == round((pod.clock.wall() + 900.0) * 1000)
    shown = await pod.link.ask(Shown("a", name))
    content = pod.envelope.open(shown, "shown", "a", name)
    assert content is not None
    assert Exhibit.decoded(content).body == b'{"amount": 5}'
    for each in (raw, shown):
        assert b"amount" not in each
        assert b"pay" not in each


async def test_without_a_key_the_call_is_not_shared():
    """What the journal has of it is."""
    pod = await one(key=b"")
    ((name, raw),) = await pod.link.ask(Board("a"))
    told = opened(pod.envelope, Told, raw, "a", name)
    assert told is not None
    assert not told.shown
    assert await pod.link.ask(Shown("a", name)) == b""
    assert b"amount" not in raw


async def test_where_nothing_waits_the_store_is_not_asked():
    """Sharing costs nothing where there is nothing to share."""
    pods = await Pods("a").begin()
    before = asked(pods.of["a"])
    await pods.of["a"].tells()
    assert asked(pods.of["a"]) == before


async def test_changes_are_told_and_what_is_over_goes():
    """The exact call goes when it is used up or denied; nothing is told twice."""
    pod = await one()
    (name,) = await posted(pod)
    await pod.decides("approve")
    await pod.tells()
    assert await posted(pod) == {name: "approved"}
    assert await pod.link.ask(Shown("a", name))
    await pod.asked(b"other")
    await pod.decides("deny")
    await pod.tells()
    other = next(each for each in await posted(pod) if each != name)
    assert (await posted(pod))[other] == "denied"
    assert not await pod.link.ask(Shown("a", other))
    pod.clock.advance(901.0)
    await pod.beats()
    await pod.tells()
    assert await posted(pod) == {}


async def test_a_board_is_kept_up():
    """As long as its pod lives: only then something is said though nothing is new."""
    pod = await one()
    before = asked(pod)
    await pod.tells()
    assert asked(pod) - before == 1  # it looks into its box
    for _ in range(5):
        pod.clock.advance(BEAT)
        await pod.beats()
        await pod.tells()
    assert await posted(pod)
    pod.clock.advance(LASTS / 1000)
    assert await posted(pod) == {}


async def test_a_store_that_forgot_is_told_again():
    """With all that there is."""
    pod = await one()
    pod.fleet.memory.restarts(empty=True)
    await pod.beats()
    await pod.tells()
    assert await posted(pod) == {}  # it says as little as it may, and is not due
    pod.asks.anew()
    await pod.tells()
    assert list((await posted(pod)).values()) == ["pending"]
    ((name, _),) = await pod.link.ask(Board("a"))
    assert await pod.link.ask(Shown("a", name))


async def test_a_pod_that_starts_anew_begins_its_board_anew():
    """What stood there of its earlier life is gone, whatever it was."""
    pod = await one()
    await pod.link.ask(Post("a", (1 << 32) + 9, (1 << 32) + 1, (Note("dead", b"x"),)))
    pod.restart()
    pod.begins()
    await pod.beats()
    await pod.tells()
    assert [name for name, _ in await pod.link.ask(Board("a"))] == list(await posted(pod))


async def test_what_an_earlier_life_still_sends_is_void():
    """It lay in a server that hung."""
    pod = await one()
    before = await pod.link.ask(Board("a"))
    assert await pod.link.ask(Post("a", 99, 0, (Note("late", b"x"),))) > 99
    assert await pod.link.ask(Board("a")) == before


async def test_who_is_not_the_pod_tells_nothing():
    """A copy of its data dir."""
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    await pod.link.beat(Beat(Pod("a", 1, "another", "x")))
    await pod.asked()
    await pod.tells()
    assert await pod.link.ask(Boards()) == ()
    await pod.asks.leave(pod.link)
    assert await pod.link.ask(Boards()) == ()


async def test_who_leaves_takes_it_along():
    """Nobody could decide about it."""
    pod = await one()
    await pod.asks.leave(pod.link)
    assert await posted(pod) == {}
    before = asked(pod)
    await pod.asks.leave(pod.link)
    await pod.tells()
    assert asked(pod) == before


async def test_a_disk_that_hangs_holds_nobody_up():
    """Other parts are exchanged by who asks this one; when it ends, what is read is not told."""
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    await pod.asked()
    reading = asyncio.get_running_loop().create_future()

    async def hangs(name):
        return await reading

    pod.folder.read = hangs
    for _ in range(3):
        await pod.asks.exchange(pod.link)
        await settled()
    assert asked(pod) == 1
    assert pod.asks._telling is not None
    assert not pod.asks._telling.done()
    await pod.asks.leave(pod.link)
    await settled()
    assert pod.asks._telling.cancelled()
    assert await posted(pod) == {}


async def test_calls_share_the_room_in_the_store(monkeypatch):
    """What has no room is listed, and shown at this pod only."""
    monkeypatch.setattr(asks, "ROOM", 3_000)
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    for number in range(3):
        await pod.asked(b"%d" % number * 1_000)
    await pod.tells()
    there = [await pod.link.ask(Shown("a", file.request.id)) for file in pod.desk.files]
    assert [bool(each) for each in there] == [True, True, False]
    pod.clock.advance(901.0)
    await pod.beats()
    await pod.asked(b"x" * 2_000)
    await pod.tells()
    await pod.tells()
    (name,) = await posted(pod)
    assert await pod.link.ask(Shown("a", name))


async def test_a_call_that_cannot_be_read_is_listed():
    """It can only be denied, here as elsewhere."""
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    case = await pod.asked()
    pod.folder.drop(case.request.id)
    await pod.tells()
    assert list(await posted(pod)) == [case.request.id]
    assert not await pod.link.ask(Shown("a", case.request.id))


async def test_one_that_ends_while_it_is_read_is_gone_the_next_time(monkeypatch):
    """Its file goes with it."""
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    case = await pod.asked()
    read = pod.folder.read

    async def ends(name):
        pod.clock.advance(901.0)
        return await read(name)

    pod.folder.read = ends
    listed = pod.desk.shown

    async def shown(name):
        await listed(name)
        return await listed(name)

    pod.desk.shown = shown
    await pod.tells()
    await pod.beats()
    await pod.tells()
    assert case.request.id not in await posted(pod)


async def test_many_are_told_in_messages_that_are_bounded(monkeypatch):
    """By number and by size; the rest with the next exchange."""
    monkeypatch.setattr(asks, "_BATCH", 2)
    monkeypatch.setattr(asks, "_BATCH_BYTES", 5_000)
    monkeypatch.setattr(asks, "_AT_ONCE", 2)
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    for number in range(3):
        await pod.asked(b"%d" % number)
    await pod.asked(b"x" * 6_000)
    await pod.asked(b"y" * 6_000)
    seen = []
    for _ in range(3):
        await pod.tells()
        seen.append(len(await posted(pod)))
    assert seen == [4, 5, 5]


async def test_what_was_done_though_nobody_said_so_is_not_told_again():
    """The next message shows that it stands."""
    pod = await one()
    await pod.asked(b"second")
    ask = pod.link._store.ask

    async def unheard(verb, within):
        await ask(verb, within)
        raise Unreachable("lost")

    pod.link._store.ask = unheard
    await pod.tells()
    assert not pod.link.up
    pod.link._store.ask = ask
    await pod.beats()
    before = asked(pod)
    await pod.tells()
    assert asked(pod) - before == 2  # what stands there, and what lies in the box
    assert len(await posted(pod)) == 2


class Rough:
    """A pod, and a store that may be emptied, or lose what is said to it: before it was done, after
    that, or until much later."""

    def __init__(self, pods: Pods) -> None:
        self.pods, self.pod, self.number = pods, pods.of["a"], 0
        self._late: list = []
        self._how = ""
        self._ask = self.pod.link._store.ask
        self.pod.link._store.ask = self._asked

    async def _asked(self, verb, within):
        if not self._how:
            return await self._ask(verb, within)
        if self._how == "done":
            verb.on(self.pods.memory)
        elif self._how == "late":
            self._late.append(verb)
        raise Unreachable("lost")

    async def ask(self) -> None:
        self.number += 1
        await self.pod.asked(b"%d" % self.number)

    async def approve(self) -> None:
        if self.pod.desk.files and self.pod.desk.files[-1].state == "pending":
            await self.pod.decides("approve")

    async def expire(self) -> None:
        self.pod.clock.advance(400.0)

    async def empty(self) -> None:
        self.pods.memory.restarts(empty=True)

    async def comes(self) -> None:
        for verb in self._late:
            verb.on(self.pods.memory)
        self._late.clear()

    async def tell(self, how: str = "") -> None:
        await self.pod.beats()
        self._how = how
        await self.pod.tells()
        self._how = ""
        if how:
            self.pod.asks.lost()

    async def lost(self) -> None:
        await self.tell("lost")

    async def done(self) -> None:
        await self.tell("done")

    async def late(self) -> None:
        await self.tell("late")


STEPS = ["ask", "approve", "tell", "lost", "done", "late", "comes", "empty", "expire"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(STEPS), max_size=30))
async def test_whatever_happens_the_board_comes_to_be_what_the_desk_has(steps):
    """Whatever of it was lost, done twice, or late."""
    rough = Rough(await Pods("a").begin())
    pod = rough.pod
    for step in [*steps, "comes"]:
        await getattr(rough, step)()
    pod.asks.anew()
    for _ in range(4):
        await rough.tell()
    assert await posted(pod) == {file.request.id: file.state for file in pod.desk.files}
    for file in pod.desk.files:
        shown = await pod.link.ask(Shown("a", file.request.id))
        assert pod.envelope.open(shown, "shown", "a", file.request.id)


# --- to hear ---


async def test_a_word_is_heard_at_once():
    """And what came of it is answered."""
    pod = await one()
    await says(pod)
    answer = await answered(pod)
    assert answer is not None
    assert (answer.kind, answer.left) == ("", 900.0)
    assert pod.desk.files[0].state == "approved"
    assert list((await posted(pod)).values()) == ["approved"]
    (decided,) = pod.desk.files[0].decided
    assert (decided.by, decided.pod) == ("alice", "b")
    assert pod.journal.entries[-1] == decided


async def test_a_word_whose_news_is_lost_is_heard_nonetheless():
    """The box is looked into."""
    pod = await one()
    pod.fleet.deaf()
    await settled()
    await says(pod)
    assert pod.desk.files[0].state == "pending"
    await pod.tells()
    await settled()
    assert pod.desk.files[0].state == "approved"


async def test_a_word_is_heard_once():
    """Whoever puts it there again is not answered."""
    pod = await one()
    await pod.asked(b"second", Terms("money", 2))
    for _ in range(2):
        await says(pod, request=pod.desk.files[1].request.id)
    assert await answered(pod) is not None
    assert await answered(pod) is None
    assert len(pod.desk.files[1].decided) == 1


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ({"envelope": Envelope(b"another key than ours")}, "abc"),
        ({"envelope": Envelope(b"")}, "abc"),
        ({"to": "c"}, "abc"),
        ({}, "../abc"),
        ({"at": 0.0}, "abc"),
        ({"at": float("nan")}, "abc"),
        ({"at": 1e300}, "abc"),
    ],
    ids=["other key", "plain", "to another pod", "a name", "late", "no time", "early"],
)
async def test_what_is_none_of_the_fleets_is_not_heard(more, name):
    """Nor is what is late; nobody is answered."""
    pod = await one()
    await says(pod, name, **more)
    assert pod.desk.files[0].decided == []
    assert await answered(pod, name) is None


async def test_a_word_that_was_held_back_is_void():
    """The person was told that nothing is known of it, and when it can be known."""
    pod = await one()
    pod.fleet.deaf()
    await settled()
    await says(pod)
    pod.clock.advance(VOID)
    await pod.tells()
    await settled()
    assert pod.desk.files[0].state == "pending"


async def test_clocks_that_differ_too_much_decide_nothing():
    """Whoever holds the store may turn its clock, and not those of pods."""
    pod = await one()
    await says(pod, wall=pod.clock.wall() - SKEW)
    answer = await answered(pod)
    assert answer is not None
    assert (answer.kind, "clocks" in answer.text) == ("away", True)
    assert pod.desk.files[0].state == "pending"


async def test_the_rules_of_the_desk_hold_for_all():
    """Wherever it is said."""
    pod = await one()
    for name, by, kind in (("abc-1", "ann", "forbidden"), ("abc-2", "bob", "")):
        await says(pod, name, by=by)
        answer = await answered(pod, name)
        assert answer is not None
        assert answer.kind == kind


async def test_without_a_key_it_can_only_be_denied():
    """By a word that is anybody's, and is noted as such."""
    pod = await one(key=b"")
    await says(pod, "abc-1")
    answer = await answered(pod, "abc-1")
    assert answer is not None
    assert answer.kind == "unseen"
    await says(pod, "abc-2", decision="deny")
    assert pod.desk.files[0].state == "denied"
    assert pod.desk.files[0].decided[0].by == "alice (unsigned)"


async def test_an_answer_that_cannot_be_given_is_lost():
    """The decision stands."""
    pod = await one()
    ask = pod.link._store.ask

    async def silent(verb, within):
        if isinstance(verb, Say) and verb.box != "a":
            raise Unreachable("down")
        return await ask(verb, within)

    pod.link._store.ask = silent
    await says(pod)
    assert pod.desk.files[0].state == "approved"
    assert not pod.link.up


async def test_news_while_the_store_is_gone_is_nothing():
    """It is asked again when it is back."""
    pod = await one()
    pod.link.fails("gone")
    pod.asks.heard(b"a")
    await settled()
    await pod.beats()
    await says(pod)
    assert pod.desk.files[0].state == "approved"


@pytest.mark.parametrize("said", [b"b", b"", b"\xff\x00", b"a" * 10_000])
async def test_news_of_others_is_not_looked_after(said):
    """Whatever it is."""
    pod = await one()
    before = asked(pod)
    pod.asks.heard(said)
    await settled()
    assert asked(pod) == before


async def test_nothing_is_heard_before_the_first_exchange():
    """There is no link yet."""
    pods = await Pods("a").begin()
    pod = pods.of["a"]
    pod.asks.heard(b"a")
    await settled()
    assert asked(pod) == 1


async def test_much_news_is_one_look():
    """For what comes until then."""
    pod = await one()
    before = asked(pod)
    for _ in range(10):
        pod.asks.heard(b"a")
    await settled()
    assert asked(pod) == before + 1


async def test_only_so_many_words_are_remembered(monkeypatch):
    """Those forgotten are late by then."""
    monkeypatch.setattr(asks, "_HEARD", 2)
    pod = await one()
    for number in range(4):
        await says(pod, f"abc-{number}")
    assert list(pod.asks._heard) == ["abc-2", "abc-3"]
