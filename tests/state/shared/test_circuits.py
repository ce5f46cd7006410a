"""Circuits in the store: votes, generations, probes."""

import asyncio

import pytest

from proxy.state.memory import Memory
from proxy.state.redis import RedisStore
from proxy.state.shared import circuits
from proxy.state.shared.circuits import (
    Changes,
    Held,
    NewCircuits,
    Probe,
    Probed,
    TellCircuits,
    View,
    Vote,
    view_of,
)
from proxy.state.shared.fleet import Beat, Pod
from proxy.state.store import Near
from tests.fakes import FakeClock

WITHIN = 5.0
AT = 1 << 52
"""A moment that is not over yet, by whatever clock a store has."""
LONG, SOON = 60_000, 0


def vote(pod="a", circuit="c", **changes):
    """A pod has it open for a long time."""
    members = {"after": 0, "open_for": LONG, "at": AT, "span": 5_000} | changes
    return Vote(circuit, pod, **members)


def probe(view, pod="a", number=1, **changes):
    """It wants to try."""
    return Probe(view, pod, number, **({"lease": LONG, "at": AT} | changes))


def probed(view, pod="a", number=1, came_to="passed", **changes):
    """It has tried."""
    members = {"at": AT, "passed": 1, "probes": 2, "open_for": LONG, "span": 10_000} | changes
    return Probed("c", view.generation, pod, number, came_to, **members)


async def ask(store, verb):
    """Have it done."""
    return await store.ask(verb, WITHIN)


async def half_open(store, circuit="c"):
    """It was opened, and may be tried."""
    view = View(circuit, 5, 1, 0, 5_000)
    await ask(store, TellCircuits("z", (Held(view),)))
    return view


async def beats(store, count):
    """So many pods are alive."""
    for number in range(count):
        await ask(store, Beat(Pod(f"p{number}")))


# --- votes ---


async def test_one_pod_of_two_does_not_open_it(store):
    """Its trouble may be its own; the second one to say so has it opened for both."""
    await beats(store, 2)
    assert await ask(store, vote("a")) is None
    assert await ask(store, vote("a")) is None  # twice is not two

    view = await ask(store, vote("b", slow=1))

    assert (view.circuit, view.open, view.span, view.slow, view.passed) == ("c", 1, 5_000, 1, 0)
    assert 0 < view.left <= LONG


@pytest.mark.parametrize(("live", "needs"), [(0, 1), (1, 1), (3, 2), (7, 3), (10, 3), (11, 4)])
async def test_the_quorum_follows_from_how_many_live(store, live, needs):
    """A third of them, rounded up, two at least; alone, one."""
    await beats(store, live)
    for number in range(needs - 1):
        assert await ask(store, vote(f"v{number}")) is None
    assert (await ask(store, vote("last"))).open


async def test_who_comes_back_first_is_not_alone(store):
    """The server was away, and has heard of one pod only since then. What its agents do to it opens
    nothing for the others, which are about to come back too."""
    await ask(store, Beat(Pod("p0"), peers=("p1", "p2", "p3", "p4", "p5", "p6")))

    for number in range(2):
        assert await ask(store, vote(f"v{number}")) is None
    assert (await ask(store, vote("last"))).open


async def test_the_last_one_alive_is_no_quorum():
    """A server that hung has forgotten nobody, and seen nobody either."""
    clock = FakeClock()
    memory = Memory(clock.wall)
    store = Near(memory)
    await beats(store, 3)
    clock.advance(3_600.0)
    await beats(store, 1)

    assert await ask(store, vote("p0", at=memory.now())) is None
    assert (await ask(store, vote("p1", at=memory.now()))).open


async def test_a_quorum_may_be_given(store):
    """By a policy, or because one is enough."""
    await beats(store, 5)
    assert await ask(store, vote("a", quorum=3)) is None
    assert await ask(store, vote("b", quorum=3)) is None
    assert (await ask(store, vote("c", quorum=3))).open
    assert (await ask(store, vote("a", "other", quorum=1))).open


async def test_the_most_patient_vote_counts(store):
    """It stays open as long as any of those who opened it would have had it."""
    await beats(store, 2)
    await ask(store, vote("a", open_for=2 * LONG))
    view = await ask(store, vote("b", open_for=LONG))
    assert LONG < view.left <= 2 * LONG


async def test_a_vote_taken_back_does_not_count(store):
    """The pod has closed it; and what it said before that comes late is void."""
    await beats(store, 2)
    await ask(store, vote("a", at=AT))
    await ask(store, vote("a", at=AT + 2, open_for=0))
    await ask(store, vote("a", at=AT + 1))
    assert await ask(store, vote("b")) is None


async def test_a_clock_that_was_ahead_is_not_ahead_for_ever(store):
    """It was set, and for a moment the pod spoke of times to come: what it says now counts."""
    now = (await ask(store, Beat(Pod("p0")))).now
    await beats(store, 2)
    await ask(store, vote("a", at=AT))
    await ask(store, vote("a", at=now, open_for=0))
    assert await ask(store, vote("b", at=now)) is None


async def test_a_vote_that_comes_after_its_time_is_void(store):
    """It lay in a server that hung."""
    await beats(store, 2)
    assert await ask(store, vote("a", at=0)) is None
    assert await ask(store, vote("b")) is None


async def test_a_vote_of_before_a_closing_is_void(store):
    """What the pod knows led to the opening that is over."""
    opened = await ask(store, vote("a", quorum=1))
    closed = await ask(store, probed(opened, number=0, passed=2))
    assert not closed.open

    assert await ask(store, vote("b", after=opened.generation, quorum=1)) == closed
    later = await ask(store, vote("b", after=closed.generation, quorum=1))

    assert later.open
    assert later.generation > closed.generation


async def test_a_vote_for_what_is_open_changes_nothing(store):
    """It is told what there is."""
    opened = await ask(store, vote("a", quorum=1))
    again = await ask(store, vote("b", after=opened.generation, quorum=1))
    assert again.generation == opened.generation


async def test_two_that_vote_at_once_open_it_once(store):
    """Whichever comes second."""
    await beats(store, 2)
    told = await asyncio.gather(*(ask(store, vote(pod)) for pod in "ab"))
    (view,) = [each for each in told if each]
    assert (await ask(store, NewCircuits(0))).views[0].generation == view.generation


async def test_generations_grow_beyond_what_a_pod_has_heard_of(store):
    """The store has lost what it knew, and its clock is behind."""
    view = await ask(store, vote(after=1 << 51, quorum=1))
    assert view.generation > 1 << 51


async def test_what_is_older_than_what_a_pod_knows_is_not_believed(store):
    """A store that was failed over still has it open; the pod has heard that it was closed."""
    opened = await ask(store, vote("a", quorum=1))
    newer = await ask(store, vote("a", after=opened.generation + 1, quorum=1))
    assert newer.generation > opened.generation + 1


# --- probes ---


async def test_nobody_tries_before_its_time(store):
    """And who asks is told how long that is."""
    view = await ask(store, vote(quorum=1))
    leased = await ask(store, probe(view))
    assert not leased.granted
    assert 0 < leased.wait <= LONG


async def test_one_pod_tries_at_a_time(store):
    """Until it has said what came of it."""
    view = await half_open(store)
    assert (await ask(store, probe(view, "a"))).granted
    other = await ask(store, probe(view, "b"))
    assert not other.granted
    assert 0 < other.wait <= LONG

    await ask(store, probed(view, "a"))
    other = await ask(store, probe(view, "b"))

    assert other.granted
    assert other.view.passed == 1


async def test_a_pods_newer_probe_takes_the_place_of_its_older_one(store):
    """It has one at a time; one that comes late is void."""
    view = await half_open(store)
    await ask(store, probe(view, number=1))
    assert (await ask(store, probe(view, number=2))).granted
    assert not (await ask(store, probe(view, number=1))).granted
    again = await ask(store, probed(view, number=1, came_to="failed"))
    assert again.generation == view.generation


async def test_the_lease_of_a_pod_that_died_ends(store):
    """Nobody hears of it again."""
    view = await half_open(store)
    assert (await ask(store, probe(view, "a", lease=0))).granted
    assert (await ask(store, probe(view, "b"))).granted
    assert (await ask(store, probed(view, "a", came_to="failed"))).generation == view.generation


async def test_probes_that_pass_close_it(store):
    """So many in a row, whichever pods they were of."""
    view = await half_open(store)
    await ask(store, probe(view, "a"))
    assert (await ask(store, probed(view, "a"))).open
    await ask(store, probe(view, "b"))
    closed = await ask(store, probed(view, "b", passed=2))
    assert not closed.open
    assert closed.generation > view.generation
    asked = await ask(store, probe(view, "c"))
    assert (asked.granted, asked.wait, asked.view) == (False, 0, closed)


async def test_a_probe_that_fails_opens_it_for_longer(store):
    """What the pod has told of it: how long, and how long it was without chance."""
    view = await half_open(store)
    await ask(store, probe(view))
    longer = await ask(store, probed(view, came_to="failed"))
    assert longer.generation > view.generation
    assert (longer.open, longer.span, longer.passed) == (1, 10_000, 0)
    assert 0 < longer.left <= LONG


async def test_what_a_probe_came_to_counts_once(store):
    """It was told twice; nor does one of an earlier opening count."""
    view = await half_open(store)
    await ask(store, probe(view))
    longer = await ask(store, probed(view, came_to="failed"))
    again = await ask(store, probed(view, came_to="failed"))
    assert again.generation == longer.generation
    assert await ask(store, Probed("none", 1, "a", 0, "failed", AT)) is None


async def test_a_probe_that_came_to_nothing_goes_back(store):
    """Another one may try at once."""
    view = await half_open(store)
    await ask(store, probe(view, "a"))
    await ask(store, probed(view, "a", came_to="back", passed=0))
    assert (await ask(store, probe(view, "b"))).granted


async def test_what_came_of_it_without_a_store_counts(store):
    """The pod tried alone while there was none: it has no lease to show."""
    view = await half_open(store)
    assert not (await ask(store, probed(view, number=0, passed=2))).open


async def test_a_probe_asked_for_long_ago_is_void(store):
    """Nobody waits for it any more."""
    view = await half_open(store)
    assert not (await ask(store, probe(view, at=0))).granted


async def test_a_store_that_has_forgotten_it_lets_nobody_try_at_once(store):
    """A pod may have a lease: it has some time to say so."""
    view = View("c", 77, 1, 0, 20_000, 0, 1)
    first = await ask(store, probe(view))
    assert not first.granted
    assert 0 < first.wait <= circuits.SETTLE
    assert first.view.generation == 77

    await ask(store, TellCircuits("b", (Held(view, 5, LONG),)))
    again = await ask(store, probe(view, "a", number=9))

    assert not again.granted
    assert again.wait > circuits.SETTLE


# --- what pods remember, and hear ---


async def test_what_was_lost_is_recalled(store):
    """By all who know it; the newest counts."""
    older, newer = View("c", 5, 1, LONG, 1, 1, 1), View("c", 9, 0)
    await ask(store, TellCircuits("a", (Held(newer), Held(View("d", 7, 1, LONG, 5, 1, 1)))))
    await ask(store, TellCircuits("b", (Held(older, 3, LONG),)))

    told = await ask(store, NewCircuits(0))

    assert [(view.circuit, view.generation, view.open) for view in told.views] == [
        ("c", 9, 0),
        ("d", 7, 1),
    ]
    assert told.views[1].left > 0
    assert (told.views[1].span, told.views[1].slow, told.views[1].passed) == (5, 1, 1)


async def test_who_asks_is_told_what_is_new(store):
    """Since he asked last, in the order in which it came to be."""
    assert await ask(store, NewCircuits(0)) == Changes(0, (), True)
    for name in "abc":
        await ask(store, vote(circuit=name, quorum=1))
    told = await ask(store, NewCircuits(0))
    assert [view.circuit for view in told.views] == ["a", "b", "c"]
    await ask(store, vote(circuit="d", quorum=1))
    later = await ask(store, NewCircuits(told.upto))
    assert [view.circuit for view in later.views] == ["d"]


async def test_it_is_told_page_by_page(store, monkeypatch):
    """However many there are."""
    monkeypatch.setattr(circuits, "PAGE", 2)
    for name in "abc":
        await ask(store, vote(circuit=name, quorum=1))
    first = await ask(store, NewCircuits(0))
    rest = await ask(store, NewCircuits(first.upto))
    assert [view.circuit for view in (*first.views, *rest.views)] == ["a", "b", "c"]
    assert (first.whole, rest.whole) == (False, True)


async def test_only_so_many_are_remembered(store, monkeypatch):
    """Names come from agents, who make them up."""
    monkeypatch.setattr(circuits, "MOST", 2)
    for name in "abc":
        await ask(store, vote(circuit=name, quorum=1))
    assert [view.circuit for view in (await ask(store, NewCircuits(0))).views] == ["b", "c"]


async def test_it_is_published(store):
    """At once, to all who listen."""
    heard, one = [], asyncio.Event()

    def hear(topic, said):
        heard.append((topic, view_of(said)))
        one.set()

    listening = asyncio.ensure_future(store.listen(hear))
    number = 0
    while not one.is_set():
        number += 1
        await ask(store, vote(circuit=f"c{number}", quorum=1))
        await asyncio.sleep(0)
    listening.cancel()
    topic, view = heard[0]
    assert view is not None
    assert (topic, view.open) == (circuits.TOPIC, 1)


async def test_all_of_it_ends(server):
    """Every key that a circuit leaves in Redis has a time to live."""
    from proxy.state.endpoint import Endpoint

    store = RedisStore(Endpoint(hosts=(("127.0.0.1", server.port),)), "ends", WITHIN)
    await ask(store, vote(circuit="v", quorum=5))
    view = await half_open(store)
    await ask(store, probe(view))
    keys = await store._client.keys("holdfast:{ends}:*")
    assert len(keys) == 4
    assert all([await store._client.pttl(key) > 0 for key in keys])
    await store.close()


async def test_what_has_ended_is_told_no_more():
    """A day after it was heard of last."""
    clock = FakeClock()
    store = Near(Memory(clock.wall))
    await ask(store, vote(quorum=1, at=0))
    clock.advance(2 * circuits.KEPT / 1000 - 1)
    assert (await ask(store, NewCircuits(0))).views == ()


@pytest.mark.parametrize("said", [b"", b"[]", b"x", b'["c",-1,1]', b'["c",1,2]', None, 7, b"\xff"])
def test_what_is_no_view_is_nothing(said):
    """Whoever said it."""
    assert view_of(said) is None
