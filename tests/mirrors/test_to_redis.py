"""proxy/mirrors/to_redis.py, against a real server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.config.store_url import StoreUrl
from proxy.mirrors.event import Event
from proxy.mirrors.to_redis import ToRedis
from tests.servers import RedisServer


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    made = RedisServer(tmp_path / "redis", "--save", "").start()
    yield made
    made.stop()


def event(seq: int) -> Event:
    return Event(seq, "start", f"id/start/{seq}", "2026-01-01T00:00:00Z", "s", b'{"seq":%d}' % seq)


def sink_to(server: RedisServer, most: int = 1000) -> ToRedis:
    return ToRedis(StoreUrl.parse(server.url).endpoint, "records", most)


async def test_each_event_is_an_entry_of_the_stream(server: RedisServer):
    """In its order, with what one looks for beside it."""
    sink = sink_to(server)
    events = [event(1), event(2)]

    assert (await sink.take(events)).taken == 2
    assert (await sink.take([event(3)])).taken == 1

    told = [fields for _, fields in server.do("XRANGE", "records", "-", "+")]
    assert [each["id"] for each in told] == ["id/start/1", "id/start/2", "id/start/3"]
    assert {each["type"] for each in told} == {"holdfast.start"}
    assert [json.loads(each["event"])["data"] for each in told] == [
        {"seq": 1}, {"seq": 2}, {"seq": 3},
    ]  # fmt: skip
    await sink.close()


async def test_the_stream_does_not_grow_without_end(server: RedisServer):
    """The oldest go; a few more than asked may be left."""
    sink = sink_to(server, most=100)
    for start in range(0, 2000, 200):
        await sink.take([event(start + n) for n in range(200)])

    assert server.do("XLEN", "records") < 400
    await sink.close()


async def test_a_server_that_is_away(server: RedisServer):
    """It is said why; the same is told when it is back."""
    sink = sink_to(server)
    server.stop()

    said = await sink.take([event(1)])

    assert said.taken == 0
    assert said.why
    assert not said.blames
    server.start()
    assert (await sink.take([event(1)])).taken == 1
    await sink.close()


async def test_one_that_was_never_used(server: RedisServer):
    """Nothing was made, and nothing is kept."""
    sink = sink_to(server)
    sink.load(None)

    assert (await sink.idle()).why == ""
    assert sink.dump() is None
    await sink.close()
