"""proxy/admin/events.py."""

import asyncio
import json

import msgspec
import pytest
from aiohttp import web

from proxy.admin import events
from proxy.admin.api import Api
from proxy.admin.events import KEPT, MOST, Listener, written
from proxy.config.tokens import Tokens
from proxy.keys import NEWS
from proxy.news import CircuitChange, Escalation, News
from tests.admin.scene import Scene
from tests.harness import within
from tests.observe.records import record

OPENED = CircuitChange("gateway", "pay", "closed", "open", "rate", 5.0)


@pytest.fixture
def scene():
    return Scene()


@pytest.fixture
async def api(scene):
    made = Api(scene.sight)
    yield made
    made.stop()
    await scene.clock.stop()


@pytest.fixture
async def client(api, aiohttp_client):
    app = web.Application()
    api.add_to(app.router)
    api.serve(local=True, by_socket=False)
    return await aiohttp_client(app)


def tell(scene, event=OPENED):
    scene.keep.of(NEWS, News).tell(event)


async def one(answer):
    """The next event: its name, and what it says."""
    lines = []
    while line := (await within(answer.content.readline())).strip():
        lines.append(line.decode())
    name, told = lines if len(lines) == 2 else (lines[0] if lines else "", "data: null")
    return name.removeprefix("event: "), json.loads(told.removeprefix("data: "))


async def test_who_listens_hears_the_news(client, scene):
    """Each under its name; calls only for those who want them."""
    async with client.get("/v1/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert await one(answer) == ("hello", {"policy_version": "ab12cd", "ready": True})
        tell(scene)
        tell(scene, Escalation("gateway", "pay", "ann", 403))
        name, told = await one(answer)
        assert (name, told["after"], told["why"]) == ("circuit", "open", "rate")
        assert (await one(answer))[0] == "escalated"
        assert not scene.sight.recorders


async def test_calls_are_told_in_short(client, scene):
    """As long as anybody listens to them; nothing stands in it that says nothing."""
    async with client.get("/v1/events?calls=true") as answer:
        await one(answer)
        scene.sight.recorders.note(record(id="c1", tool="pay"))
        scene.sight.recorders.catch_up()
        name, told = await one(answer)
        assert (name, told["id"], told["tool"]) == ("call", "c1", "pay")
        assert "" not in told.values()


async def test_pages_hear_a_few_calls_of_each_second(client, scene):
    """All of them the same, made once; with how many were left out. While nobody has ended a call
    nothing is said."""
    async with (
        client.get("/v1/events?calls=sample") as one_page,
        client.get("/v1/events?calls=sample") as another,
    ):
        assert [(await one(each))[0] for each in (one_page, another)] == ["hello", "hello"]
        for number in range(1000):
            outcome = "failed" if number == 999 else "ok"
            scene.sight.recorders.note(record(id=f"c{number}", outcome=outcome))
        scene.sight.recorders.catch_up()
        scene.clock.advance(1.0)
        told = [await one(each) for each in (one_page, another)]
        assert told[0] == told[1]
        assert told[0][0] == "calls"
        assert told[0][1]["calls"][0]["id"] == "c999"
        assert len(told[0][1]["calls"]) + told[0][1]["left_out"] == 1000


async def test_when_the_last_page_goes_nothing_is_sampled(client, scene, monkeypatch):
    """Then calls pay nothing again."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)
    async with client.get("/v1/events?calls=sample") as answer:
        await one(answer)
        assert scene.sight.recorders
        answer.close()

    async def gone():
        while scene.sight.recorders:
            await asyncio.wait([asyncio.ensure_future(client.get("/livez"))])

    await within(gone())


async def test_the_last_who_goes_takes_the_recorder_away(client, scene, monkeypatch):
    """Then calls pay nothing again."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)  # who is gone is noticed by it
    async with client.get("/v1/events?calls=true") as answer:
        await one(answer)
        answer.close()

    async def gone():
        while scene.sight.recorders:
            await asyncio.wait([asyncio.ensure_future(client.get("/livez"))])

    await within(gone())


async def test_so_many_may_listen_and_no_more(client):
    """The next one is told when to come again."""
    listening = [await client.get("/v1/events") for _ in range(MOST)]
    async with client.get("/v1/events") as answer:
        assert answer.status == 503
        assert answer.headers["Retry-After"] == "10"
    for each in listening:
        each.close()


async def test_who_has_a_name_has_a_place(client, api, aiohttp_client):
    """Though an agent, that has none, takes all that anybody may have."""
    listening = [await client.get("/v1/events") for _ in range(MOST)]
    app = web.Application()
    api.add_to(app.router, control=True)
    owner = await aiohttp_client(app)
    listening += [await owner.get("/v1/events") for _ in range(MOST)]
    assert {answer.status for answer in listening} == {200}
    async with owner.get("/v1/events") as answer:
        assert answer.status == 503
    for each in listening:
        each.close()


async def test_head_does_not_listen(client):
    """It is answered, and over."""
    async with client.head("/v1/events") as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream")


async def test_a_stop_ends_what_streams(client, api, scene):
    """With a word; whoever comes after it does not begin."""
    async with client.get("/v1/events") as answer:
        await one(answer)
        api.stop()
        assert (await one(answer))[0] == "end"
        assert await within(answer.content.read()) == b""
    assert (await client.get("/v1/events")).status == 503
    assert scene.keep.of(NEWS, News).listeners == []


async def test_new_tokens_end_what_streams(scene, aiohttp_client, monkeypatch):
    """Whose token it was may not count any more, and hears nothing more; who has a right one comes
    again."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.01)
    tokens = [Tokens()]
    api = Api(msgspec.structs.replace(scene.sight, tokens=lambda: tokens[0]))
    app = web.Application()
    api.add_to(app.router, control=True)
    client = await aiohttp_client(app)
    async with client.get("/v1/events") as answer:
        await one(answer)
        tokens[0] = Tokens(True)
        tell(scene)
        assert await within(answer.content.read()) == written("end", {})
    api.stop()


async def test_who_is_too_slow_is_told_what_was_lost():
    """And has to come again: what stands between would be missing else without a word."""
    listener = Listener(calls=False)
    for number in range(KEPT + 3):
        listener.push(b"%d\n" % number)
    told = await listener.take()

    assert told.startswith(b"0\n1\n")
    assert told.endswith(written("dropped", {"lost": 3}))
    assert listener.over


async def test_silence_has_its_heartbeat(monkeypatch):
    """A comment, which listeners pass over."""
    monkeypatch.setattr(events, "HEARTBEAT", 0.0)

    assert await Listener(calls=False).take() == b": \n\n"
