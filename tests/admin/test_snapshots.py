"""proxy/admin/snapshots.py, over real sockets."""

import asyncio
import itertools

import pytest
from aiohttp import web

from proxy.admin.answers import NotDone
from proxy.admin.server import _add_headers
from proxy.admin.snapshots import LARGEST, MOST, OLDEST, Snapshots
from tests.fakes import FakeClock
from tests.harness import within

YOUNG = {"Cache-Control": "max-age=1"}


class Page:
    """Counts how often it is made."""

    def __init__(self):
        self.made = 0
        self.fails = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        self.size = 0

    async def make(self):
        self.made += 1
        self.begun.set()
        await self.gate.wait()
        if self.fails:
            raise NotDone(503, "not now")
        return {"made": self.made, "rest": "x" * self.size}


@pytest.fixture
def clock():
    return FakeClock()


@pytest.fixture
def made():
    return Page()


@pytest.fixture
def snapshots(clock):
    return Snapshots(clock.now)


@pytest.fixture
async def client(snapshots, made, aiohttp_client):
    async def handler(request):
        try:
            return await snapshots.answer(request, made.make)
        except NotDone as error:
            return error.answer

    app = web.Application()
    app.router.add_get("/{name:.*}", handler)
    app.on_response_prepare.append(_add_headers)
    return await aiohttp_client(app)


async def number(client, path="/x", headers=YOUNG):
    async with client.get(path, headers=headers) as answer:
        return (await answer.json())["made"]


async def test_who_takes_an_old_one_gets_that_of_the_one_before(client, clock):
    """For as long as it said."""
    assert [await number(client) for _ in range(3)] == [1, 1, 1]
    clock.advance(0.99)
    assert await number(client) == 1
    clock.advance(0.01)
    assert await number(client) == 2


@pytest.mark.parametrize(
    "given", [{}, {"Cache-Control": "no-cache"}, {"Cache-Control": "max-age=0"}]
)
async def test_who_does_not_say_so_sees_what_is_now(client, given):
    """Each time; a command that just changed something must see it."""
    assert [await number(client, headers=given) for _ in range(3)] == [1, 2, 3]


async def test_nobody_gets_what_is_older_than_we_say(client, clock):
    """Whatever he would take."""
    assert await number(client, headers={"Cache-Control": "max-age=999999"}) == 1
    clock.advance(OLDEST)
    assert await number(client, headers={"Cache-Control": "max-age=999999"}) == 2


async def test_questions_are_told_apart(client):
    """By their parameters too."""
    assert await number(client, "/x?a=1") == 1
    assert await number(client, "/x?a=2") == 2
    assert await number(client, "/x?a=1") == 1


async def test_who_asks_meanwhile_takes_what_the_first_one_gets(client, made):
    """Ten at once are one question."""
    made.gate.clear()
    asked = [asyncio.ensure_future(number(client)) for _ in range(10)]
    await within(made.begun.wait())
    made.gate.set()

    assert await within(asyncio.gather(*asked)) == [1] * 10


async def test_who_has_it_is_told_so(client, clock, made):
    """As long as it is the same, though it was made anew."""
    async with client.get("/x", headers=YOUNG) as answer:
        tag = answer.headers["ETag"]
    made.made -= 1  # so that it says the same again
    clock.advance(5.0)
    async with client.get("/x", headers={**YOUNG, "If-None-Match": tag}) as answer:
        assert (answer.status, await answer.read()) == (304, b"")
    clock.advance(5.0)
    async with client.get("/x", headers={**YOUNG, "If-None-Match": tag}) as answer:
        assert (answer.status, await answer.json()) == (200, {"made": 2, "rest": ""})


async def test_what_fails_is_not_kept(client, made):
    """The next one may be luckier."""
    made.fails = True
    async with client.get("/x", headers=YOUNG) as answer:
        assert answer.status == 503
    made.fails = False
    assert await number(client) == 2


async def test_it_keeps_few_and_small_ones(client, snapshots, made):
    """Whoever asks for ever new pages fills no memory."""
    for each in itertools.islice(itertools.count(), MOST + 5):
        await number(client, f"/{each}")
    assert len(snapshots._kept) == MOST
    made.size = LARGEST
    await number(client, "/large")
    assert "/large" not in snapshots._kept
    before = len(snapshots._kept)
    await number(client, "/" + "x" * 600)
    assert len(snapshots._kept) == before


async def test_once_something_changed_everybody_sees_it(client, snapshots, made):
    """Also while an answer was being made: it is for those who waited for it."""
    assert await number(client) == 1
    snapshots.forget()
    made.gate.clear()
    made.begun.clear()
    waiting = asyncio.ensure_future(number(client))
    await within(made.begun.wait())
    snapshots.forget()
    made.gate.set()

    assert await within(waiting) == 2
    assert await number(client) == 3
