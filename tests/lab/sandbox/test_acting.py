"""proxy/lab/sandbox/acting.py, over a real socket: what test_gateway.py leaves open."""

from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import stream, whole

PATH = "/anthropic/v1/messages"
ASKED: dict[str, Any] = {
    "model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "Hello"}],
}  # fmt: skip
STREAM = {**ASKED, "stream": True}


@pytest.mark.parametrize("fault", ["duplicate", "duplicate=1"])
async def test_a_call_may_run_twice(
    played: Sandbox, asking: aiohttp.ClientSession, fault: str
) -> None:
    """And is answered once; a flag has no value."""
    status = 200 if fault == "duplicate" else 400
    await whole(asking, PATH, ASKED, status, x_sandbox_fault=fault)
    assert played.calls.executed["m"] == (2 if status == 200 else 0)


async def test_a_stream_may_be_late(asking: aiohttp.ClientSession) -> None:
    """It comes whole then."""
    assert await stream(asking, PATH, STREAM, x_sandbox_fault="slow=0.01") == await stream(
        asking, PATH, STREAM
    )


async def test_a_truncated_stream_keeps_its_type(asking: aiohttp.ClientSession) -> None:
    """Half of the bytes that were announced."""
    headers = {"x-sandbox-fault": "truncated; executed"}
    async with asking.post(PATH, json=STREAM, headers=headers) as response:
        assert response.content_type == "text/event-stream"
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.read()


async def test_an_error_after_a_run(played: Sandbox, asking: aiohttp.ClientSession) -> None:
    """It ran, and the answer says that it failed."""
    await whole(asking, PATH, ASKED, 529, x_sandbox_fault="error=overloaded; executed")
    assert played.calls.executed["m"] == 1


async def test_an_error_inside_a_stream_that_is_none(asking: aiohttp.ClientSession) -> None:
    """Is the answer."""
    answer = await whole(asking, PATH, ASKED, 500, x_sandbox_fault="error=server; after=3")
    assert answer["error"]["type"] == "api_error"


async def test_errors_may_be_compressed(asking: aiohttp.ClientSession) -> None:
    """Like any answer."""
    headers = {"x-sandbox-fault": "error=server; gzip"}
    async with asking.post(PATH, json=ASKED, headers=headers) as response:
        assert response.headers["Content-Encoding"] == "gzip"
        assert (await response.json())["type"] == "error"


async def test_a_body_by_script_is_sent_as_it_is(asking: aiohttp.ClientSession) -> None:
    """Whatever the protocol."""
    body = {"status": 402, "body": {"any": "thing"}, "headers": {"X-A": "b"}}
    async with asking.post("/_script", json=[body]) as response:
        assert response.status == 200
    assert await whole(asking, PATH, ASKED, 402) == {"any": "thing"}
