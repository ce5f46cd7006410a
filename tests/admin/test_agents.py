"""proxy/admin/agents.py."""

from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from proxy.admin.agents import MOST, Agents
from proxy.admin.authors import OWNER
from proxy.admin.rates import Rates
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
            "in_flight": 2, "refused": {"denied": 1},
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
