"""proxy/admin/agents.py."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from proxy.admin.agents import MOST, Agents
from proxy.admin.authors import OWNER
from proxy.admin.rates import EVERY, SPAN, Rates
from proxy.admin.routes import Visit
from proxy.protocols.identity import Identity
from tests.admin.scene import Scene
from tests.observe.records import record


@pytest.fixture
def scene():
    return Scene()


def agents(scene, *flights, sources=("static",)):
    """The handler, with calls of these agents under way."""
    under_way = [SimpleNamespace(agent=name) for name in flights]
    identity = Identity("ann", "crew", sources)
    sight = msgspec.structs.replace(scene.sight, under_way=lambda: under_way, identity=identity)
    return sight, Agents(sight, Rates(scene.metrics, scene.clock))


def shown(handler, **query):
    handler._sight.recorders.catch_up()
    visit = Visit(cast(Any, SimpleNamespace(query=query)), OWNER)
    return handler.page(visit)["items"]


async def test_the_one_agent_has_the_numbers_of_the_metrics(scene):
    """And no call pays for them."""
    sight, handler = agents(scene, "ann", "ann")
    assert shown(handler)[0]["last_seen"] is None
    for made in (record(), record(outcome="refused", decision="refuse", code="denied")):
        scene.metrics.note(made)

    assert not sight.recorders
    assert shown(handler) == [
        {
            "id": "ann", "others": False, "calls": 2, "last_seen": "2023-11-14T22:30:00.000Z",
            "in_flight": 2, "refused": {"denied": 1}, "per_second": 0.0, "errors_lately": 0.0,
            "spent": None,
        }
    ]  # fmt: skip


async def test_several_are_told_apart(scene):
    """Each with its own calls; nobody's are null's."""
    sight, handler = agents(scene, "bob", "eve", sources=("key",))
    for name in ("ann", "bob", "bob", ""):
        sight.recorders.note(record(agent=name, decision="refuse", code="denied"))
    told = {item["id"]: (item["calls"], item["in_flight"]) for item in shown(handler)}

    assert told == {None: (1, 0), "ann": (1, 0), "bob": (2, 1), "eve": (0, 1)}
    assert shown(handler)[0]["refused"] == {"denied": 1}


async def test_whoever_names_himself_otherwise_each_time_fills_no_memory(scene):
    """The rest share a row."""
    sight, handler = agents(scene, "one more", sources=("header:x",))
    for number in range(MOST + 7):
        sight.recorders.note(record(agent=f"a{number}"))
    told = shown(handler, limit="1000")

    tallies = handler._tallies
    assert len(tallies.by_agent) == MOST
    assert len(told) == MOST
    assert tallies.others.calls == 7
    assert (handler._each({"one more": 1}), "a0" in tallies.by_agent)[1]


async def test_rates_are_those_of_the_last_minute(scene):
    """Of each agent: what is older does not count, nor what was refused as failed."""
    sight, handler = agents(scene, sources=("key",))
    rates = handler._rates
    sight.recorders.note(record(agent="ann", outcome="failed"))
    sight.recorders.catch_up()
    for _ in range(int(SPAN / EVERY)):
        scene.clock.advance(EVERY)
        rates.copy()
    for changes in ({}, {}, {"outcome": "failed"}, {"outcome": "refused", "decision": "refuse"}):
        sight.recorders.note(record(agent="ann", **changes))
    scene.clock.advance(SPAN - rates.seconds)
    (ann,) = shown(handler)

    assert (ann["calls"], ann["per_second"], ann["errors_lately"]) == (5, round(4 / SPAN, 3), 0.25)


async def test_an_agent_that_is_new_counts_from_when_it_came(scene):
    """There is nothing before."""
    sight, handler = agents(scene, sources=("key",))
    rates = handler._rates
    for _ in range(4):
        scene.clock.advance(EVERY)
        rates.copy()
    sight.recorders.note(record(agent="ann"))
    sight.recorders.catch_up()
    rates.copy()
    (ann,) = shown(handler)

    assert ann["per_second"] == round(1 / (4 * EVERY), 3)


async def test_the_busiest_come_first(scene):
    """So many of them, with how many there are; the rest of them share no row here."""
    sight, handler = agents(scene, "eve", sources=("key",))
    scene.clock.advance(1.0)
    for name in ("ann", "bob", "bob"):
        sight.recorders.note(record(agent=name))
    sight.recorders.catch_up()
    told = handler.busiest(2)

    assert (told["count"], told["health"]) == (3, None)
    assert [item["id"] for item in told["items"]] == ["bob", "ann"]
