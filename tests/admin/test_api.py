"""proxy/admin/api.py, without sockets of its own."""

from typing import Any

import pytest
from aiohttp import web

from proxy.admin.api import Api
from proxy.admin.routes import LARGEST_BODY
from proxy.config.tokens import Role
from proxy.keys import NEWS
from proxy.news import Escalation, News
from tests.admin.scene import Scene

ERASE = {"task": "t-1", "reason": "case 12"}


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
def api(scene):
    return Api(scene.sight)


@pytest.fixture
async def client(scene, api, aiohttp_client):
    app = web.Application(client_max_size=LARGEST_BODY)
    api.add_to(app.router, control=True)
    yield await aiohttp_client(app)
    await scene.clock.stop()


def test_no_route_stands_twice(api):
    """The second would never be asked."""
    lines = [(route.method, route.path) for route in api.routes]

    assert len(lines) == len(set(lines))


def test_what_is_below_v1_needs_a_role(api):
    """A viewer's to look, another's to change; what machines ask needs none, nor does who asks who
    he is."""
    for route in api.routes:
        if route.path == "/v1/me":
            continue
        assert (route.role is not None) is route.path.startswith("/v1/")
        assert (route.role is Role.VIEWER) is (route.path.startswith("/v1/") and not route.changes)


async def test_other_sites_are_refused_at_every_route(client, api):
    """That shows or changes something."""
    for route in api.routes:
        if route.role is not None:
            path = route.path.replace("{", "").replace("}", "")
            answer = await client.request(
                route.method, path, headers={"Origin": "http://evil.example"}
            )
            assert answer.status == 403, path


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?x=1", "x: is no parameter; there are none"),
        ("?x%0a=1", "x\\n: is no parameter"),
    ],
)
async def test_parameters_that_there_are_not(client, query, said):
    """400, with those that there are."""
    answer = await client.get(f"/v1/status{query}")

    assert answer.status == 400
    assert said in (await answer.json(content_type=None))["detail"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "the body cannot be used: "),
        (b'{"task": "a", "task": "b", "reason": "r"}', "task: is given more than once"),
        (b'{"task": "a", "reason": "r", "x": 1}', "unknown field `x`"),
    ],
)
async def test_bodies_that_cannot_be_read(client, body, said):
    """400, before the handler is asked."""
    answer = await client.post("/v1/erasures", data=body)

    assert answer.status == 400
    assert said in (await answer.json(content_type=None))["detail"]


async def test_what_is_not_done_says_when_to_ask_again(client, scene):
    """There is no journal in this scene: nothing can be erased."""
    answer = await client.post("/v1/erasures", json=ERASE)
    told: dict[str, Any] = await answer.json(content_type=None)

    assert (answer.status, answer.content_type) == (503, "application/problem+json")
    assert told["title"] == "Service Unavailable"
    assert "ask again" in told["detail"]


async def test_it_can_be_stopped_before_it_served(api):
    """A start that failed half-way does so."""
    api.stop()


async def test_who_takes_old_answers_sees_what_was_changed(client, scene):
    """By a request, or by anything of which there is news: at once."""

    async def draining():
        async with client.get("/v1/status", headers={"Cache-Control": "max-age=1"}) as answer:
            return (await answer.json())["draining"]

    assert not await draining()
    scene.health.draining = True
    assert not await draining()
    await client.post("/v1/reload")
    assert await draining()
    scene.health.draining = False
    assert await draining()
    scene.keep.of(NEWS, News).tell(Escalation("gateway", "pay", "ann", 403))
    assert not await draining()
