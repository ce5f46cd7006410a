"""Edges and rings: every real ring has one victim, and what has ended makes none."""

import secrets
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.state.endpoint import Endpoint
from proxy.state.memory import Memory
from proxy.state.redis import RedisStore
from proxy.state.shared import waits
from proxy.state.shared.waits import LASTS, Edge, Wait, Waiting, rings
from proxy.state.store import Near
from tests.fakes import EPOCH, FakeClock

WITHIN = 5.0
EARLY = 1 << 52
"""A time that is not late, whatever the store's clock shows."""


def edge(call: str, way: str, since: int | None = None) -> Edge:
    """Of one agent to another: `a>b`."""
    caller, _, called = way.partition(">")
    return Edge(call, caller, called, len(call) if since is None else since, caller)


async def wait(store, *edges, pod="p", gone=(), work="w", at=EARLY):
    """Said by a pod; the calls of each ring."""
    told = await store.ask(Wait(pod, at, (Waiting(work, edges, tuple(gone)),)), WITHIN)
    return [[each.call for each in ring] for ring in told]


ONE, TWO, THREE = edge("1", "a>b", 1), edge("2", "b>c", 2), edge("3", "c>a", 3)


async def test_the_youngest_of_a_ring_is_its_victim(store):
    """It closed it. The ring is told from there on, with its agents."""
    assert await wait(store, ONE, TWO) == []
    (ring,) = await store.ask(Wait("p", EARLY, (Waiting("w", (THREE,)),)), WITHIN)
    assert ring == (("3", "c"), ("1", "a"), ("2", "b"))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_whoever_comes_last_only_its_pod_is_told(store, order):
    """Each pod is told of its own victims, as often as it asks."""
    edges = (ONE, TWO, THREE)
    for at in order:
        await wait(store, edges[at], pod=f"p{at}")
    for at in order:
        told = await wait(store, edges[at], pod=f"p{at}")
        assert told == ([["3", "1", "2"]] if at == 2 else [])


async def test_what_has_ended_is_in_no_ring(store):
    """Whichever of them it was."""
    assert await wait(store, ONE, TWO, THREE) == [["3", "1", "2"]]
    assert await wait(store, gone=("2", "never")) == []
    assert await wait(store, TWO) == [["3", "1", "2"]]


async def test_other_work_is_another_graph(store):
    """The same agents may wait there the other way round."""
    await wait(store, ONE, TWO)
    assert await wait(store, THREE, work="v") == []
    works = (Waiting("w", (THREE,)), Waiting("v", (edge("9", "a>c", 9),)))
    told = await store.ask(Wait("p", EARLY, works), WITHIN)
    assert [[each.call for each in ring] for ring in told] == [["3", "1", "2"], ["9", "3"]]


async def test_who_calls_itself_is_in_no_ring(store):
    """It may be another one of that name."""
    assert await wait(store, edge("1", "a>a")) == []
    assert await wait(store, edge("2", "a>b"), edge("3", "b>a")) == [["3", "2"]]


async def test_rings_that_share_a_call_have_a_victim_each(store):
    """Unless it is the same: what is left has none."""
    edges = (edge("1", "a>b"), edge("22", "b>a"), edge("333", "b>c"), edge("4444", "c>a"))
    assert await wait(store, *edges) == [["22", "1"], ["4444", "1", "333"]]
    assert await wait(store, gone=("1",)) == []


async def test_a_work_has_so_many_edges(store, monkeypatch):
    """Those that are there stay; no other is added until one goes."""
    monkeypatch.setattr(waits, "MOST", 2)
    assert await wait(store, ONE, TWO, THREE) == []
    assert await wait(store, ONE, TWO, THREE) == []
    assert await wait(store, edge("3", "b>a"), gone=("2",)) == [["3", "1"]]


async def test_what_was_said_long_ago_does_not_count(store):
    """It was on its way, or lay in a server that hung."""
    await wait(store, ONE, TWO)
    assert await wait(store, THREE, at=1_000_000) == []
    assert await wait(store, THREE) == [["3", "1", "2"]]


async def test_an_edge_is_gone_when_nobody_says_it():
    """Its pod has died, or hangs."""
    clock = FakeClock()
    near = Near(Memory(clock.wall))
    at = int((EPOCH + clock.time) * 1000)
    await wait(near, ONE, TWO, at=at - LASTS // 2)
    clock.advance(LASTS / 2000)
    assert await wait(near, THREE) == []
    assert await wait(near, ONE, TWO, THREE) == [["3", "1", "2"]]
    clock.advance(LASTS / 1000)
    assert await wait(near, THREE) == []


async def test_an_edge_is_gone_in_a_real_store(store, monkeypatch):
    """Likewise."""
    monkeypatch.setattr(waits, "LASTS", 200)
    await wait(store, ONE, TWO)
    assert await wait(store, THREE) == [["3", "1", "2"]]
    if isinstance(store, Near):
        store._memory._wall.__self__.advance(0.2)
    while await wait(store, THREE):
        pass


async def test_names_are_told_to_people(store):
    """Whatever they are."""
    edges = (Edge("1", "x", "y", 1, "é ✓"), Edge("2", "y", "x", 2, ""))
    (ring,) = await store.ask(Wait("p", EARLY, (Waiting("w", edges),)), WITHIN)
    assert ring == (("2", ""), ("1", "é ✓"))


def test_what_the_store_says_is_read():
    """Whoever can write to it may have put anything there."""
    told = Wait("p", 0, ()).answer([[b"\xff", b"zz"], [b"1", b"ff"]])
    assert told == ((("�", ""),), (("1", "�"),))


# --- all graphs ---

AGENTS = "abcdef"
GRAPHS = st.lists(
    st.tuples(st.sampled_from(AGENTS), st.sampled_from(AGENTS), st.integers(0, 5)), max_size=14
)


def made(graph) -> list[Edge]:
    return [
        Edge(f"c{number:02}", caller, called, since, caller)
        for number, (caller, called, since) in enumerate(graph)
    ]


def has_ring(edges) -> bool:
    """Found in another way: nobody is left who can be answered."""
    left = [each for each in edges if each.caller != each.called]
    while True:
        waiting = {each.caller for each in left}
        rest = [each for each in left if each.called in waiting]
        if len(rest) == len(left):
            return bool(left)
        left = rest


def by_age(each: Edge) -> tuple[int, str]:
    return each.since, each.call


@given(GRAPHS)
def test_every_ring_has_one_victim_and_it_is_its_youngest(graph):
    """What is told is a ring; without its victims the graph has none; no ring has two."""
    edges = made(graph)
    found = rings(edges)
    victims = [ring[0] for ring in found]
    assert bool(found) is has_ring(edges)
    assert not has_ring([each for each in edges if each not in victims])
    for ring in found:
        assert all(each in edges for each in ring)
        assert all(one.called == other.caller for one, other in pairwise([*ring, ring[0]]))
        assert len({each.caller for each in ring}) == len(ring)
        assert max(ring, key=by_age) == ring[0]
        assert [each for each in ring if each in victims] == [ring[0]]
    assert rings(reversed(edges)) == found


@pytest.fixture(scope="module")
def shared(server):
    """For many graphs."""
    return server


@given(graph=GRAPHS, pods=st.lists(st.sampled_from("pq"), min_size=14, max_size=14), data=st.data())
async def test_a_real_store_finds_the_same(shared, graph, pods, data):
    """As the definition, edge by edge, with some that end; together the pods are told of all."""
    fleet = secrets.token_hex(4)
    real = RedisStore(Endpoint(hosts=(("127.0.0.1", shared.port),)), fleet, 5.0)
    near = Near(Memory(FakeClock().wall))
    edges = made(graph)
    gone = data.draw(st.sets(st.sampled_from([each.call for each in edges]))) if edges else set()
    try:
        for store in (real, near):
            for each, pod in zip(edges, pods, strict=False):
                await wait(store, each, pod=pod)
            await wait(store, gone=sorted(gone))
        told = [[await wait(store, pod=pod) for pod in "pq"] for store in (real, near)]
    finally:
        await real.close()
    assert told[0] == told[1]
    left = [each for each in edges if each.call not in gone]
    expected = [[each.call for each in ring] for ring in rings(left)]
    assert sorted(told[0][0] + told[0][1]) == sorted(expected)
