"""proxy/admin/pages.py, as the table serves them."""

import pytest
from aiohttp import web

from proxy.admin import pages
from proxy.admin.api import Api
from proxy.journal.journal import Journal
from proxy.journal.segments import Terms
from tests.admin.scene import Scene
from tests.journal.disks import QuickDisk
from tests.tables import post


@pytest.fixture
def scene():
    return Scene(500, 500, 200)


@pytest.fixture
async def client(scene, aiohttp_client):
    api = Api(scene.sight)
    app = web.Application()
    api.add_to(app.router)
    api.serve(local=True, by_socket=False)
    yield await aiohttp_client(app)
    api.stop()
    await scene.clock.stop()


async def test_breakers_by_their_state(client, scene):
    """All of them, or those that are asked for."""
    for tool in ("pay", "pay", "get_balance"):
        scene.desk.call(post(tool))
    everything = await (await client.get("/v1/breakers")).json()
    broken = await (await client.get("/v1/breakers?state=open")).json()

    assert len(everything["items"]) == 6  # of the upstream and two tools, and of the shadow
    assert [item["key"] for item in broken["items"]] == ["gateway/pay", "gateway/pay"]


async def test_lists_come_in_pages(client, scene):
    """Each of them, with nothing twice and nothing left out."""
    found, cursor = [], ""
    while cursor is not None:
        told = await (await client.get(f"/v1/policies?limit=2&cursor={cursor}")).json()
        found += [item["name"] for item in told["items"]]
        cursor = told["next"]

    assert found == ["default", "reads", "trial"]
    assert await (await client.get("/v1/tools")).json() == {"items": [], "next": None}


async def test_status_is_one_screen(client):
    """Version, policies, upstreams."""
    told = await (await client.get("/v1/status")).json()

    assert [upstream["name"] for upstream in told["upstreams"]] == ["gateway"]


async def test_the_journal_says_how_it_does(client, scene, tmp_path):
    """Null before it is open; the same, but for what lies on the disk, is part of the status."""
    async with client.get("/v1/journal") as response:
        assert await response.json() is None
    journal = Journal(tmp_path, Terms(), scene.clock, disk=QuickDisk())
    journal.open()
    scene.health.journal = journal
    async with client.get("/v1/journal") as response:
        told = await response.json()
    assert (told["state"], told["seq"], told["checkpointed"]) == ("ok", 0, 0)
    assert (told["tampered"], told["held"], told["dropped"]) == (None, 0, 0)
    assert told["origin"] == "holdfast/default/holdfast"
    async with client.get("/v1/status") as response:
        shown = (await response.json())["journal"]
    assert shown.items() <= told.items()
    assert told.keys() - shown.keys() == {"segments", "bytes", "mirrors"}


async def test_explain_sees_the_state_of_now(client, scene):
    """A circuit that is open refuses, and asking has not opened it further."""
    for _ in range(2):
        scene.desk.call(post("pay"))
    question = {"tool": "pay", "input": '{"amount": 1}', "agent": "bob"}
    told = await (await client.get("/v1/policies/explain", params=question)).json()

    assert told["verdict"]["refusal"]["code"] == "circuit_open"
    assert (told["call"]["agent"], told["call"]["fleet"]) == ("bob", "crew")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/policies/explain?upstream=x", "upstream: must be one of the policies' upstreams"),
        ("/v1/policies/explain?tol=x", "tol: is no parameter; known are upstream, tool"),
        ("/v1/policies/explain?input=x", "input: is not JSON"),
        ("/v1/tools?limit=x", "limit: must be a whole number"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(client, path, said):
    """400, with what is wrong."""
    answer = await client.get(path)

    assert (answer.status, answer.content_type) == (400, "application/problem+json")
    assert said in (await answer.json(content_type=None))["detail"]


async def test_where_headers_name_agents_it_is_closed(client, scene):
    """One agent's data is not another's."""
    scene.sight.identity.static = False

    assert (await client.get("/v1/status")).status == 403


async def test_a_look_is_shown_again_for_a_while(client, scene, monkeypatch):
    """Whoever asks again and again takes little of the loop; a quick look is not kept."""
    looks = []

    def slow(sight):
        looks.append(scene.clock.now())
        scene.clock.advance(0.01)
        return iter(())

    monkeypatch.setattr(pages.views, "breakers", slow)
    for _ in range(3):
        await client.get("/v1/breakers")
    scene.clock.advance(0.3)
    await client.get("/v1/breakers?state=closed")

    assert len(looks) == 2


async def test_a_state_that_there_is_not(client):
    """The parameter, what was found, and what is allowed."""
    answer = await client.get("/v1/breakers?state=ajar")

    assert answer.status == 400
    assert "open, half_open or closed, found 'ajar'" in (await answer.json())["detail"]
