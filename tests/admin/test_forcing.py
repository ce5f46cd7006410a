"""proxy/admin/forcing.py: what is said by hand, and what calls and the journal hear of it."""

from typing import Any

import pytest
from aiohttp import web

from proxy.admin.api import Api
from proxy.keys import NEWS
from proxy.news import News
from tests.admin.scene import Scene
from tests.tables import post


@pytest.fixture
def scene():
    return Scene(200, 200, 200, 200)


@pytest.fixture
def heard(scene):
    told: list[Any] = []
    scene.keep.of(NEWS, News).listeners.append(told.append)
    return told


@pytest.fixture
async def client(scene, heard, aiohttp_client):
    api = Api(scene.sight)
    app = web.Application()
    api.add_to(app.router, control=True)
    yield await aiohttp_client(app)
    api.stop()
    await scene.clock.stop()


async def force(client, key, **wanted):
    async with client.post(f"/v1/breakers/{key}", json=wanted) as answer:
        return answer.status, await answer.json(content_type=None)


async def test_a_circuit_is_kept_open_by_hand(client, scene, heard):
    """Calls are told by whom they are refused, and no time to come back; and that of a tool alone
    is meant by its key."""
    scene.desk.call(post("pay"))
    told = await force(client, "gateway/pay", state="open")
    reply = scene.desk.call(post("pay"))

    assert told == (200, {"key": "gateway/pay", "state": "open", "circuits": 1})
    assert reply.refusal.code == "circuit_open"
    assert "Somebody keeps the circuit of the tool pay open" in reply.refusal.detail
    assert (reply.refusal.retry_after, reply.refusal.retryable) == (None, False)
    assert scene.desk.call(post("get_balance")).refusal is None
    (change,) = heard
    assert (change.after, change.why, change.by) == ("open", "by_hand", "admin.sock")


async def test_it_is_shown_and_let_go(client, scene):
    """`forced` says that it is not by its rules that it is so."""
    scene.desk.call(post("pay"))
    await force(client, "gateway", state="open", bulkhead="")
    shown = await (await client.get("/v1/breakers")).json()
    (item,) = [each for each in shown["items"] if each["key"] == "gateway" and not each["shadow"]]
    assert (item["state"], item["forced"], item["next_probe_in"]) == ("open", True, None)

    assert (await force(client, "gateway", state="auto"))[0] == 200
    assert scene.desk.call(post("pay")).refusal is None


async def test_one_that_is_kept_closed_lets_all_through(client, scene, heard):
    """Whatever fails."""
    scene.desk.call(post("pay"))
    await force(client, "gateway/pay", state="closed")

    assert [change.after for change in heard] == ["closed"]


@pytest.mark.parametrize(
    ("key", "wanted", "status"),
    [
        ("gateway/nothing", {"state": "open"}, 404),
        ("gateway/pay", {"state": "open", "bulkhead": "x"}, 404),
        ("gateway/pay", {"state": "ajar"}, 400),
        ("gateway/pay", {}, 400),
    ],
)
async def test_what_is_not_there_cannot_be_kept(client, scene, key, wanted, status):
    """404 for a key that no circuit has, 400 for a state that there is not."""
    scene.desk.call(post("pay"))

    assert (await force(client, key, **wanted))[0] == status


async def test_the_name_of_a_tool_may_hold_anything(client, scene):
    """It is written in the path as any text is."""
    scene.desk.call(post("a/b c"))

    for key in ("gateway/POST%20/v1/a/b%20c", "gateway%2FPOST%20%2Fv1%2Fa%2Fb%20c"):
        assert (await force(client, key, state="open"))[0] == 200
