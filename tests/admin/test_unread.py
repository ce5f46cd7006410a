"""proxy/admin/unread.py, over raw sockets."""

import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from proxy import admin
from proxy.admin import unread
from proxy.admin.answers import NotDone
from proxy.admin.server import AdminServer
from proxy.admin.unread import MOST
from tests.admin.scene import Scene
from tests.harness import Connection, breathe, raw_call, within
from tests.harness.wire import finish


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
async def server(scene: Scene) -> AsyncIterator[AdminServer]:
    running = await admin.start("127.0.0.1:0", scene.sight)
    yield running
    await running.stop()
    await scene.clock.stop()


async def asked(server: AdminServer, raw: bytes) -> tuple[int, bytes, dict[str, Any]]:
    """Status, head and problem of what is answered."""
    told = await within(raw_call(server.address, raw))
    head, _, body = told.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), head.lower(), json.loads(body)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET /v1/status?x=%s HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"secret" * 20_000),
        b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n" % (b"secret" * 20_000),
        b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\nsecret\r\n\r\n",
        b"\x16\x03\x01secret\r\n\r\n",
        b"GET /v1/status HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
    ],
    ids=["line", "header", "no header", "no HTTP", "no version", "two lengths"],
)
async def test_what_cannot_be_read_is_a_problem(
    server: AdminServer, raw: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    """As every other; nothing that was sent is repeated, or logged at will."""
    status, head, told = await asked(server, raw)

    assert status == 400
    assert b"content-type: application/problem+json" in head
    assert b"nosniff" in head
    assert b"server: holdfast" in head
    assert told == {"type": "about:blank", "title": "Bad Request", "status": 400}
    assert "secret" not in "".join(capfd.readouterr())


async def test_a_bug_is_a_problem_without_a_word_of_it(server: AdminServer, scene: Scene) -> None:
    """500; what it was stands in the log."""
    scene.sight.health.began = cast(Any, SimpleNamespace())
    status, head, told = await asked(server, b"GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")

    assert status == 500
    assert b"content-type: application/problem+json" in head
    assert told == {"type": "about:blank", "title": "Internal Server Error", "status": 500}


async def test_too_large_a_body_is_a_problem(tmp_path: Any, server: AdminServer) -> None:
    """413, as the description says."""
    path = str(tmp_path / "admin.sock")
    await server.control(path)
    size = 70_000
    raw = (
        b"POST /v1/erasures HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    )
    told = await within(raw_call(f"unix:{path}", raw % size + b" " * size))

    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in told


def test_what_is_not_done_is_told_in_one_way() -> None:
    """By whoever raises it."""
    answer = NotDone(503, "later", {"Retry-After": "1"}).answer

    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")


async def test_whoever_takes_all_connections_makes_room_for_others(server: AdminServer) -> None:
    """One that has asked nothing for longest ends; who comes late is answered."""
    held = [await Connection.open(server.address) for _ in range(MOST)]
    for each in held:
        await each.call(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    more = [await Connection.open(server.address) for _ in range(2)]
    for each in more:
        told = await each.call(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert told.status == 200
    assert [await each.rest() for each in held[:2]] == [b"", b""]
    told = await held[2].call(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert told.status == 200
    await finish(*held, *more)


async def test_answers_that_nobody_reads_keep_no_connection_open(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever still waits to be written to it."""
    monkeypatch.setattr(unread, "MOST", 1)
    ask = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with await Connection.open(server.address, receive_buffer=4096) as stuck:
        stuck.transport.pause_reading()
        stuck.send(ask * 1_000)
        (busy,) = await connections(server, lambda found: len(found) == 1)
        await connections(server, lambda _: busy._paused)
        async with await Connection.open(server.address) as late:
            assert (await late.call(ask)).status == 200
            await connections(server, lambda found: busy not in found)


async def test_where_all_are_busy_the_oldest_goes(
    server: AdminServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Streams of events do not keep the door shut."""
    monkeypatch.setattr(unread, "MOST", 2)
    ask = b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"
    async with (
        await Connection.open(server.address) as first,
        await Connection.open(server.address) as second,
    ):
        for each in (first, second):
            each.send(ask)
            await each.until(b"hello")
        async with await Connection.open(server.address) as late:
            await first.rest()
            late.send(ask)
            await late.until(b"hello")
            assert not second.ended.is_set()


async def connections(server: AdminServer, hold: Callable[[list[Any]], bool]) -> list[Any]:
    """Those that are open, once it holds."""
    assert server._runner is not None
    inside: Any = server._runner.server

    async def look() -> list[Any]:
        while not hold(inside.connections):
            await breathe()
        found: list[Any] = inside.connections
        return found

    return await within(look())
