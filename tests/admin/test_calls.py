"""proxy/admin/calls.py, over the admin side's pages."""

import asyncio
import threading

import pytest
from aiohttp import web

from proxy.admin.api import Api
from proxy.admin.turns import WAITING
from proxy.journal.folder import Folder
from proxy.journal.search import Search
from tests.admin.scene import Scene
from tests.journal.test_search import call, intent, write
from tests.journal.written import Written


@pytest.fixture
def scene(tmp_path):
    made = Scene()
    log = Written(tmp_path, clock=made.clock).open()
    for number in range(5):
        members = {"tool": "pay"} if number % 2 else {"tool": "get", "cost_micros": 50_000}
        write(log, intent(f"c{number}"), call(f"c{number}", agent="ann", **members))
    made.health.journal = log.journal
    yield made
    log.die()


@pytest.fixture
async def pages(scene):
    made = Api(scene.sight)
    yield made
    made.stop()
    await scene.clock.stop()


@pytest.fixture
async def client(pages, aiohttp_client):
    app = web.Application()
    pages.add_to(app.router)
    pages.serve(local=True, by_socket=False)
    return await aiohttp_client(app)


async def told(client, query="", status=200):
    async with client.get(f"/v1/calls{query}") as response:
        assert response.status == status
        return await response.json(content_type=None)


def names(found):
    return [item["id"] for item in found["items"]]


async def test_calls_come_newest_first(client):
    """Each as its record stands in the journal."""
    found = await told(client)

    assert names(found) == ["c4", "c3", "c2", "c1", "c0"]
    assert found["next"] is None
    assert (found["items"][1]["tool"], found["items"][1]["type"]) == ("pay", "call.finished")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?tool=pay", ["c3", "c1"]),
        ("?tool=p*&tool=get&agent=a*", ["c4", "c3", "c2", "c1", "c0"]),
        ("?outcome=failed", []),
        ("?min_cost=0.05", ["c4", "c2", "c0"]),
        ("?max_cost=0.049999", ["c3", "c1"]),
        ("?since=3s", ["c4", "c3"]),
        ("?until=3s", ["c2", "c1", "c0"]),
        ("?workflow=w&task=t&upstream=u", []),
    ],
)
async def test_filters_are_those_of_the_command(client, query, found):
    """All that is given must fit; of a name one is enough."""
    assert names(await told(client, query)) == found


async def test_they_come_in_pages(client, scene):
    """What is written meanwhile is on none of them."""
    first = await told(client, "?limit=2")
    second = await told(client, f"?limit=2&cursor={first['next']}")
    third = await told(client, f"?limit=2&cursor={second['next']}")

    assert [names(page) for page in (first, second, third)] == [["c4", "c3"], ["c2", "c1"], ["c0"]]
    assert third["next"] is None


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("?tol=x", "tol: is no parameter; known are agent, tool, outcome"),
        ("?since=soon", "since: must be a time such as"),
        ("?min_cost=much", "min_cost: must be money such as"),
        ("?since=1s&since=2s", "since: is given too often"),
        ("?" + "&".join(["tool=x"] * 21), "tool: is given too often"),
        ("?agent=" + "*a" * 101, "agent: has more than 200 characters"),
        ("?limit=0", "limit: must be a whole number"),
        ("?cursor=WyJhIl0", "cursor: is none that was given here"),
        ("?cursor=WyJhIiwiMSJd", "cursor: is none that was given here"),
        ("/c1?tool=x", "tool: is no parameter; known are since, until"),
        ("/c1?until=soon", "until: must be a time such as"),
    ],
)
async def test_what_cannot_be_asked_is_a_problem(client, query, why):
    """400: a filter that is misspelled must not let all through."""
    assert (await told(client, query, 400))["detail"].startswith(why)


async def test_one_call_has_both_its_ends(client):
    """As they stand in the journal."""
    found = await told(client, "/c3")

    assert (found["id"], found["intent"]["id"], found["record"]["id"]) == ("c3", "c3", "c3")
    assert (found["intent"]["type"], found["record"]["tool"]) == ("call.intent", "pay")


async def test_a_call_under_way_has_no_end_yet(client, scene):
    """Nor has one that left no intent that."""
    journal = scene.health.journal
    journal.note(intent("begun"))
    journal.note(call("read"))
    journal._writer.round()

    assert (await told(client, "/begun"))["record"] is None
    assert (await told(client, "/read"))["intent"] is None


async def test_a_call_that_is_not_there_is_a_problem(client, monkeypatch):
    """It says how far was looked."""
    problem = await told(client, "/nobody", 404)
    assert problem["detail"] == "no call in the journal has this id"

    named = Search.named
    monkeypatch.setattr(Search, "named", lambda *_: named(*_)._replace(unseen="2023"))
    problem = await told(client, "/nobody", 404)
    assert "nothing before 2023 was looked at: give until=2023" in problem["detail"]


async def test_before_the_journal_is_open_there_are_none(client, scene):
    """And none can be found."""
    scene.health.journal = None

    assert await told(client) == {"items": [], "next": None}
    assert (await told(client, "/c1", 404))["detail"] == "the journal is not open"


async def test_a_disk_that_cannot_be_read_is_a_problem(client, monkeypatch):
    """503, and why."""

    def fails(self):
        raise PermissionError(13, "Permission denied", "journal")

    monkeypatch.setattr(Folder, "segments", fails)
    assert "Permission denied" in (await told(client, "", 503))["detail"]


async def test_who_has_a_name_waits_for_no_agent(client, pages, aiohttp_client, monkeypatch):
    """Whatever is asked for without one."""
    together, page = threading.Barrier(2, timeout=10), Search.page

    def meets(*given):
        together.wait()  # each is at work while the other is
        return page(*given)

    app = web.Application()
    pages.add_to(app.router, control=True)
    owner = await aiohttp_client(app)
    monkeypatch.setattr(Search, "page", meets)
    answers = await asyncio.gather(client.get("/v1/calls"), owner.get("/v1/calls"))
    assert [answer.status for answer in answers] == [200, 200]


async def test_whoever_asks_for_much_at_once_is_told_to_wait(client, monkeypatch):
    """The loop answers others meanwhile."""
    gate = threading.Event()
    page = Search.page

    def slow(*given):
        assert gate.wait(10)
        return page(*given)

    monkeypatch.setattr(Search, "page", slow)
    asked = [asyncio.ensure_future(client.get("/v1/calls")) for _ in range(60)]
    refused: list[int] = []
    while len(refused) < 60 - 1 - WAITING:
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        refused = [each.result().status for each in asked if each.done()]
    async with client.get("/v1/status") as response:
        assert response.status == 200
    gate.set()
    answers = await asyncio.gather(*asked)

    assert set(refused) == {503}
    assert [answer.status for answer in answers].count(200) == 1 + WAITING
    assert {answer.headers.get("Retry-After") for answer in answers} == {None, "1"}
