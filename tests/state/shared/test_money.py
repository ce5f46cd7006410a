"""Lines of money: what pods hold and spend never passes a limit, whatever comes twice or late."""

import asyncio

import pytest

from proxy.state.shared import fleet
from proxy.state.shared.fleet import LAST, Beat, Pod
from proxy.state.shared.holds import Holds
from proxy.state.shared.money import Close, Draw, Gone, Line, NewGone, Once, TellGone, name_of

WITHIN = 5.0
A, B = Pod("a", 1, "m1", "host-a"), Pod("b", 1, "m2", "host-b")
NAME = name_of("agent", "bot", "day", 0, 1_700_000_000)


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Where nobody is known, nobody is waited for."""
    monkeypatch.setattr(fleet, "SETTLE", 0)


class Fleet:
    """Two pods at an open store."""

    def __init__(self, store):
        self.store = store
        self.epoch = 0
        self.number = 0

    async def open(self):
        told = await self.store.ask(Beat(A), WITHIN)
        await self.store.ask(Beat(B), WITHIN)
        for pod in (A, B):
            told = await self.store.ask(Beat(pod, told.epoch), WITHIN)
        assert told.open
        self.epoch = told.epoch
        return self

    async def draw(self, pod, number=None, limit=1000, spent=0, keep=0, **asked):
        self.number += 1
        parts = spent if isinstance(spent, dict) else {0: spent}
        line = Line(asked.pop("name", NAME), limit, parts, keep, **asked)
        draw = Draw(pod, number or self.number, self.epoch, (line,))
        drawn = await self.store.ask(draw, WITHIN)
        return None if drawn is None else drawn[0]


@pytest.fixture
async def pods(store):
    """Open for both."""
    return await Fleet(store).open()


async def test_a_share_is_a_part_of_what_is_free(pods):
    """Half of what is free, divided among who lives."""
    first = await pods.draw(A, least=1, need=1, want=1000)
    second = await pods.draw(B, least=1, need=1, want=100)

    assert (first.held, first.all_held) == (250, 250)
    assert (second.held, second.all_held) == (100, 350)


async def test_what_is_needed_is_given_while_there_is_enough(pods):
    """Down to single units, and nothing where less than that is left."""
    assert (await pods.draw(A, least=10, need=990, want=990)).held == 990
    assert (await pods.draw(B, least=11, need=11, want=50)).held == 0
    assert (await pods.draw(B, least=10, need=30, want=50)).held == 10


async def test_what_is_spent_stays_spent(pods):
    """Told as a total: twice is once, less is nothing."""
    await pods.draw(A, least=1, need=400, want=400)

    first = await pods.draw(A, spent=300, keep=100)
    again = await pods.draw(A, spent=300, keep=100)
    less = await pods.draw(A, spent=200, keep=0)

    assert (first.spent, first.held) == (again.spent, again.held) == (300, 100)
    assert (less.spent, less.held, less.own) == (300, 0, {0: 300})
    assert (await pods.draw(B, least=1, need=1000, want=1000)).held == 700


async def test_what_comes_late_is_void(pods):
    """A paused server may do first what was said last."""
    await pods.draw(A, number=5, least=1, need=500, want=500)

    assert await pods.draw(A, number=4, keep=0) is None
    assert await pods.draw(A, number=5, keep=0) is None
    assert (await pods.draw(B, least=1, need=600, want=600)).held == 500


async def test_who_is_not_known_draws_nothing(pods):
    """An earlier life, a copy, another epoch, nobody."""
    pods.number = 9
    await pods.store.ask(Beat(Pod("a", 2, "m3", "host-a")), WITHIN)

    assert await pods.draw(A, least=1, need=1, want=1) is None
    assert await pods.draw(Pod("b", 1, "other", "host-b"), least=1, need=1, want=1) is None
    assert await pods.draw(Pod("c", 1, "m", "host-c"), least=1, need=1, want=1) is None
    pods.epoch += 1
    assert await pods.draw(B, least=1, need=1, want=1) is None


async def test_a_later_life_counts_anew(pods):
    """Its numbers begin at one."""
    await pods.draw(A, number=50, least=1, need=1, want=1)
    later = Pod("a", 2, "m3", "host-a")
    await pods.store.ask(Beat(later), WITHIN)

    assert (await pods.draw(later, number=1, keep=1)).held == 1


async def test_a_store_that_gathers_grants_nothing(store):
    """It takes what pods say that they hold."""
    told = await store.ask(Beat(A, peers=("b",)), WITHIN)
    lines = (Line(NAME, 1000, {0: 300}, 900, least=1, need=50, want=100),)

    drawn = await store.ask(Draw(A, 1, told.epoch, lines), WITHIN)

    assert (drawn[0].held, drawn[0].spent) == (900, 300)


async def test_a_window_that_rolls_forgets_its_oldest_parts(pods):
    """What was spent before does not count any more."""
    await pods.draw(A, least=1, need=1000, want=1000, oldest=10, newest=10)
    await pods.draw(A, spent={10: 600, 11: 100}, keep=0, oldest=10, newest=11)

    assert (await pods.draw(B, least=1, need=900, want=900, oldest=10, newest=12)).held == 300
    later = await pods.draw(B, keep=300, least=1, need=900, want=900, oldest=11, newest=13)
    assert (later.held, later.spent) == (900, 100)
    assert (await pods.draw(A, oldest=11, newest=13)).own == {11: 100}


async def test_what_a_pod_holds_is_free_when_it_closes(pods):
    """It has told all that it spent, in its last life."""
    await pods.draw(A, least=1, need=600, want=600)
    await pods.draw(A, spent=200, keep=400)

    await pods.store.ask(Close(A, 90), WITHIN)

    assert (await pods.draw(B, least=1, need=800, want=800)).held == 800


async def test_what_is_spent_stays_when_its_pod_leaves(pods):
    """And counts once, should it come back."""
    await pods.draw(A, least=1, need=600, want=600)
    await pods.draw(A, spent=200, keep=0)
    await pods.store.ask(Close(A, pods.number + 1, leaves=True), WITHIN)

    gone = await pods.draw(B)
    pods.number += 1
    back = await pods.draw(A, spent=250, keep=0)

    assert gone.spent == 200
    assert (back.spent, back.own) == (250, {0: 250})
    await pods.store.ask(Close(A, pods.number + 1, leaves=True), WITHIN)
    assert (await pods.draw(B)).spent == 250


async def test_of_a_lost_pod_all_counts_as_spent(pods):
    """Nobody will ever tell what it did with what it held."""
    await pods.draw(A, least=1, need=600, want=600)
    await pods.draw(A, spent=200, keep=400)

    await pods.store.ask(Close(A, LAST, leaves=True, lost=True), WITHIN)
    await pods.store.ask(Close(Pod("c", 1, "m", "n"), LAST, leaves=True, lost=True), WITHIN)

    told = await pods.draw(B, least=1, need=1000, want=1000)
    assert (told.held, told.spent) == (400, 600)


async def test_a_line_that_ended_is_passed_over(pods):
    """It is kept for as long as it was said."""
    await pods.draw(A, least=1, need=1, want=1, kept=1)
    while (await pods.draw(B, name=NAME + "x", kept=1)) is None or await _there(pods):
        pass

    await pods.store.ask(Close(A, pods.number + 1, leaves=True), WITHIN)
    await pods.store.ask(TellGone((Gone(NAME + "y", {0: 1}, 1),)), WITHIN)
    while await _there(pods, NAME + "y"):
        pass

    assert (await pods.draw(B)).spent == 0
    assert await pods.store.ask(NewGone(0), WITHIN) == (0, ())


async def _there(pods, name=NAME):
    """Is the line there still? Asking does not keep it alive: it is another one's name."""
    clock = getattr(getattr(pods.store, "_memory", None), "_wall", None)
    if clock is not None:
        clock.__self__.advance(1.0)
        return False
    prefix = pods.store._prefix + name.encode()
    return bool(await pods.store._client.exists(prefix))


async def test_all_hear_of_what_is_gone(pods):
    """Each time that there is more; and what they tell a store that forgot it counts."""
    assert await pods.store.ask(NewGone(0), WITHIN) == (0, ())
    await pods.draw(A, least=1, need=600, want=600)
    await pods.draw(A, spent=200, keep=0)
    await pods.store.ask(Close(A, 90, leaves=True), WITHIN)

    last, (gone,) = await pods.store.ask(NewGone(0), WITHIN)
    assert (gone.name, gone.parts) == (NAME, {0: 200})
    assert 0 < gone.kept <= 86_400_000
    assert await pods.store.ask(NewGone(last), WITHIN) == (last, ())

    more = Gone(NAME, {0: 100, 1: 50}, 1_000), Gone(NAME + "x", {0: 700}, 1_000)
    await pods.store.ask(TellGone(more), WITHIN)
    told = await pods.draw(B, name=NAME + "x", least=1, need=1000, want=1000)
    assert (told.held, told.spent) == (300, 700)
    _, every = await pods.store.ask(NewGone(last), WITHIN)
    assert {one.name: one.parts for one in every} == {NAME: {0: 200, 1: 50}, NAME + "x": {0: 700}}


async def test_a_young_window_is_given_half(pods):
    """Calls that began before it may still be charged to it, by who did not come yet."""
    told = await pods.draw(A, least=1, need=1000, want=1000, young=True)

    assert told.held == 500


async def test_amounts_are_exact(pods):
    """Up to what a script can count."""
    most = (1 << 53) - 1

    await pods.draw(A, limit=most, least=1, need=most - 1, want=most)
    told = await pods.draw(A, limit=most, spent=most - 1, keep=0, least=1, need=1, want=1)

    assert (told.held, told.spent, told.all_held) == (1, most - 1, 1)


async def test_who_needs_more_than_is_free_has_others_give_back(pods):
    """What is idle elsewhere: told at once, and once in a while."""
    heard: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
    listening = asyncio.ensure_future(pods.store.listen(lambda *said: heard.put_nowait(said)))
    await asyncio.sleep(0)
    await pods.draw(A, least=1, need=1000, want=1000)
    while heard.empty():
        await pods.draw(B, least=1, need=1, want=1)
        await asyncio.sleep(0)

    assert await heard.get() == ("money", NAME.encode())
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening


async def test_an_old_close_is_void(pods):
    """It was on its way for long, and the pod holds something by now."""
    await pods.draw(A, number=9, least=1, need=600, want=600)

    await pods.store.ask(Close(A, 9), WITHIN)
    await pods.store.ask(Close(A, 8, leaves=True), WITHIN)

    assert (await pods.draw(B)).all_held == 600


async def test_what_is_done_once_is_done_once(store):
    """By whichever pod."""
    assert await store.ask(Once("alert"), WITHIN)
    assert not await store.ask(Once("alert"), WITHIN)
    assert await store.ask(Once("another"), WITHIN)


async def test_who_leaves_while_the_store_gathers_is_not_summed_up(store):
    """What was gone before is told only then, and must not be taken for all of it."""
    told = await store.ask(Beat(A, peers=("b",)), WITHIN)
    await store.ask(Draw(A, 1, told.epoch, (Line(NAME, 1000, {0: 300}, 0),)), WITHIN)
    await store.ask(Close(A, 2, leaves=True), WITHIN)
    await store.ask(TellGone((Gone(NAME, {0: 400}, 86_400_000),)), WITHIN)
    await store.ask(Beat(B), WITHIN)
    for pod in (A, B):
        told = await store.ask(Beat(pod, told.epoch), WITHIN)
    assert told.open

    lines = (Line(NAME, 1000, {}, 0, least=1, need=900, want=900),)
    (drawn,) = await store.ask(Draw(B, 1, told.epoch, lines), WITHIN)

    assert (drawn.held, drawn.spent) == (300, 700)


async def test_lines_that_are_over_are_forgotten_with_what_their_pod_had(store):
    """Else a pod that lives long would have the names of all that it ever spent of."""
    pods = await Fleet(store).open()
    for number in range(200):
        await pods.draw(A, name=f"line:{number}", spent=1, kept=0)
    await pods.draw(A, spent=100, need=10)

    assert list(await store.ask(Holds("a"), WITHIN)) == [NAME]
    assert await store.ask(Close(A, pods.number + 1), WITHIN) == -1


async def test_what_a_pod_has_is_closed_in_pieces(pods):
    """A server does nothing else while it runs a script."""
    names = [f"line:{number}" for number in range(150)]
    for name in names:
        await pods.draw(A, name=name, spent=10, need=100)

    asked, first = [], 0
    while first >= 0:
        pods.number += 1
        first = await pods.store.ask(Close(A, pods.number, first=first), WITHIN)
        asked.append(first)
    assert asked == [64, 128, -1]
    for name in names:
        assert (await pods.draw(B, name=name)).all_held == 0

    asked = []
    while not asked or asked[-1] >= 0:
        pods.number += 1
        asked.append(await pods.store.ask(Close(A, pods.number, leaves=True), WITHIN))
    assert asked == [0, 0, -1]
    for name in names:
        assert (await pods.draw(B, name=name)).spent == 10


async def test_a_lost_pod_is_closed_to_its_end_whoever_does_it(pods):
    """Also where somebody began it, and died."""
    names = [f"line:{number}" for number in range(100)]
    for name in names:
        await pods.draw(A, name=name, spent=10, need=90)
    last = Close(A, LAST, leaves=True, lost=True)
    assert [await pods.store.ask(last, WITHIN) for _ in range(3)] == [0, -1, -1]
    for name in names:
        told = await pods.draw(B, name=name)
        assert (told.spent, told.all_held) == (100, 0)


async def test_a_line_is_kept_as_long_as_the_one_who_used_it_last_needs_it(pods):
    """Who only looks, and has not used it for long, does not change that."""
    assert (await pods.draw(A, spent=10, kept=60_000)).left == 60_000
    assert 50_000 < (await pods.draw(B, kept=1_000)).left <= 60_000


@pytest.mark.parametrize("first", ["told", "recalled"])
async def test_what_was_gone_and_is_told_again_counts_once(pods, first):
    """Whoever comes first: the pod that had left, or one that has heard what it had spent."""
    await pods.draw(A, spent=300)
    pods.number += 1
    await pods.store.ask(Close(A, pods.number, leaves=True), WITHIN)
    _, (gone,) = await pods.store.ask(NewGone(0), WITHIN)
    assert gone.whose == {"a": {0: 300}}
    other = name_of("agent", "bot", "day", 0, 1_800_000_000)
    forgot = Gone(other, gone.parts, 60_000, gone.whose)

    if first == "recalled":
        await pods.store.ask(TellGone((forgot,)), WITHIN)
    told = await pods.draw(A, name=other, spent=350)
    if first == "told":
        assert told.spent == 350
        await pods.store.ask(TellGone((forgot,)), WITHIN)
    for _ in range(2):
        told = await pods.draw(A, name=other, spent=350)
        assert (told.spent, told.own) == (350, {0: 350})
        await pods.store.ask(TellGone((forgot,)), WITHIN)
    _, every = await pods.store.ask(NewGone(0), WITHIN)
    assert [one.whose for one in every if one.name == other] == [{"a": {0: 300}}]


async def test_only_the_last_that_left_are_told_by_their_names(pods):
    """A fleet that grows and shrinks every minute costs no more than one that does not."""
    for number in range(20):
        pod = Pod(f"p{number}", 1, "m", "n")
        await pods.store.ask(Beat(pod), WITHIN)
        pods.number += 1
        await pods.draw(pod, spent=1)
        await pods.store.ask(Close(pod, pods.number + 1, leaves=True), WITHIN)
    _, (gone,) = await pods.store.ask(NewGone(0), WITHIN)
    assert gone.parts == {0: 20}
    assert list(gone.whose) == [f"p{number}" for number in range(19, 3, -1)]
    await pods.store.ask(TellGone((gone,)), WITHIN)
    assert await pods.store.ask(NewGone(0), WITHIN)
