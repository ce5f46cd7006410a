"""proxy/lab/sandbox/streaming.py, over a real socket."""

import asyncio
import gzip
import json
import zlib
from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import events, stream

PATH = "/openai/v1/chat/completions"
ASKED: dict[str, Any] = {
    "model": "m", "messages": [{"role": "user", "content": "Hello"}], "stream": True,
}  # fmt: skip


async def heard_until_broken(asking: aiohttp.ClientSession, fault: str) -> bytes:
    """What comes before the connection ends without the body's end."""
    body = bytearray()
    async with asking.post(PATH, json=ASKED, headers={"x-sandbox-fault": fault}) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await collect(response, body)
    return bytes(body)


async def collect(response: aiohttp.ClientResponse, into: bytearray) -> None:
    async for chunk in response.content.iter_any():
        into += chunk


async def test_a_cut_is_no_end(played: Sandbox, asking: aiohttp.ClientSession) -> None:
    """So many events, then the connection; the call has no status."""
    assert len(events(await heard_until_broken(asking, "cut=3"))) == 3
    await asyncio.wait_for(played.calls.until(lambda calls: not calls.under_way), 10)
    assert played.calls.last[0].status is None
    assert await heard_until_broken(asking, "cut=0") == b""


async def test_a_stall_lasts(played: Sandbox, asking: aiohttp.ClientSession) -> None:
    """So many events, then nothing until the peer leaves."""
    async with asking.post(PATH, json=ASKED, headers={"x-sandbox-fault": "stall=2"}) as response:
        body = b""
        while len(events(body)) < 2:
            body += await response.content.readany()
        assert len(events(body)) == 2
        response.close()
    await asyncio.wait_for(played.calls.until(lambda calls: calls.left == 1), 10)


async def test_closing_ends_what_stalls_without_an_end(
    played: Sandbox, asking: aiohttp.ClientSession
) -> None:
    """A sandbox that ends leaves no stream that looks whole."""
    async with asking.post(PATH, json=ASKED, headers={"x-sandbox-fault": "stall=1"}) as response:
        await response.content.readany()
        await played.close()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_an_event_is_garbled(asking: aiohttp.ClientSession) -> None:
    """Half of its data: no JSON; the others are as they were."""
    sound = await stream(asking, PATH, ASKED)
    heard = await stream(asking, PATH, ASKED, x_sandbox_fault="garble=2")
    assert isinstance(heard[2].said, str)
    assert [*heard[:2], *heard[3:]] == [*sound[:2], *sound[3:]]


async def test_an_end_is_missing(asking: aiohttp.ClientSession) -> None:
    """The protocol's whole end, or the last events of it; the body ends well."""
    sound = await stream(asking, PATH, ASKED)
    assert await stream(asking, PATH, ASKED, x_sandbox_fault="no_end") == sound[:-2]
    assert await stream(asking, PATH, ASKED, x_sandbox_fault="no_end=1") == sound[:-1]


async def test_an_error_may_come_after_all(asking: aiohttp.ClientSession) -> None:
    """Where it counts more events than there are, it is the last."""
    sound = await stream(asking, PATH, ASKED)
    heard = await stream(asking, PATH, ASKED, x_sandbox_fault="error=server; after=1000")
    assert heard[:-1] == sound
    assert "error" in heard[-1].said


async def test_an_event_is_long(asking: aiohttp.ClientSession) -> None:
    """The first that says something, to the byte; it means what it meant."""
    sound = await stream(asking, PATH, ASKED)
    headers = {"x-sandbox-fault": "event_bytes=100000"}
    async with asking.post(PATH, json=ASKED, headers=headers) as response:
        body = await response.read()
    assert events(body) == sound
    assert len(body.split(b"\n\n")[1]) == len(b"data: ") + 100_000


async def test_a_stream_is_compressed(asking: aiohttp.ClientSession) -> None:
    """Whole it is gzip, and what has come can be read at once; a cut leaves it without its end."""
    headers = {"x-sandbox-fault": "gzip"}
    sound = await stream(asking, PATH, ASKED)
    async with aiohttp.ClientSession(asking._base_url, auto_decompress=False) as raw:
        async with raw.post(PATH, json=ASKED, headers=headers) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            assert events(gzip.decompress(await response.read())) == sound
        cut = await heard_until_broken(raw, "cut=2; gzip")
    assert events(zlib.decompressobj(31).decompress(cut)) == sound[:2]


async def test_events_may_be_late(played: Sandbox, asking: aiohttp.ClientSession) -> None:
    """One after the other: the first comes while the last is not written."""
    async with asking.post(PATH, json=ASKED, headers={"x-sandbox-fault": "delay=60"}) as response:
        assert response.status == 200
        assert played.calls.under_way == 1


async def test_a_whole_answer_meets_none_of_it(asking: aiohttp.ClientSession) -> None:
    """But for its coding."""
    whole = {**ASKED, "stream": False}
    async with asking.post(PATH, json=whole, headers={"x-sandbox-fault": "cut=0; gzip"}) as answer:
        assert answer.headers["Content-Encoding"] == "gzip"
        assert json.loads(await answer.read())["object"] == "chat.completion"
