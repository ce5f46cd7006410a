"""The clients that agents use, unchanged, through the proxy to an upstream that echoes."""

import asyncio
import json
import shutil
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import urllib3
import websockets

from tests.harness import (
    Message,
    Proxy,
    RawUpstream,
    UpstreamConnection,
    answer,
    chunked,
    holdfast,
    within,
)
from tests.harness.proxy import upstream_yaml

pytestmark = pytest.mark.asyncio(loop_scope="module")

BIG = bytes(range(256)) * 4096


async def echo(connection: UpstreamConnection, asked: Message) -> None:
    """The request's body back; `/stream` in chunks, `/status/N` with that status."""
    if asked.target.startswith(b"/status/"):
        status = int(asked.target.rsplit(b"/", 1)[1])
        connection.send(answer(status, "Location: /echo", body=b""))
    elif asked.target == b"/stream":
        parts = [b"data: %d\n\n" % number for number in range(5)]
        head = ("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
        connection.send(answer(200, *head, body=chunked(*parts)))
    elif asked.method == b"HEAD":
        connection.send(answer(200, "Content-Length: 12", body=None))
    else:
        connection.send(answer(200, "Content-Type: application/x-echo", body=asked.body))


@pytest.fixture
def far_echo(upstream: RawUpstream) -> RawUpstream:
    """The upstream, echoing."""
    upstream.otherwise = echo
    return upstream


def base(proxy: Proxy) -> str:
    """What an agent's base URL is set to."""
    return f"http://{proxy.listen}"


async def aside(work: Callable[[], Any]) -> Any:
    """A blocking client, in a thread."""
    return await within(asyncio.to_thread(work), 20)


EVENTS = b"".join(b"data: %d\n\n" % number for number in range(5))


async def test_httpx(proxy: Proxy, far_echo: RawUpstream) -> None:
    """Unary, streamed both ways, HEAD, a redirect followed by the client itself."""
    async with httpx.AsyncClient(base_url=base(proxy), timeout=5) as client:
        assert (await client.post("/echo", content=BIG)).content == BIG
        assert (await client.post("/echo", json={"tool": "x"})).json() == {"tool": "x"}

        async def parts() -> Any:
            for at in range(0, len(BIG), 100_000):
                yield BIG[at : at + 100_000]

        assert (await client.post("/echo", content=parts())).content == BIG
        async with client.stream("GET", "/stream") as got:
            assert b"".join([part async for part in got.aiter_raw()]) == EVENTS
        assert (await client.head("/echo")).headers["content-length"] == "12"
        assert (await client.get("/status/302", follow_redirects=True)).status_code == 200
        assert (await client.get("/status/204")).status_code == 204
        many = await asyncio.gather(*(client.post("/echo", content=b"%d" % n) for n in range(50)))
        assert [one.content for one in many] == [b"%d" % number for number in range(50)]


async def test_httpx_blocking(proxy: Proxy, far_echo: RawUpstream) -> None:
    """The blocking half of the same."""

    def work() -> None:
        with httpx.Client(base_url=base(proxy), timeout=5) as client:
            for _ in range(5):
                assert client.post("/echo", content=BIG).content == BIG

    await aside(work)


async def test_requests(proxy: Proxy, far_echo: RawUpstream) -> None:
    """With a session, a generator as the body, and a streamed answer."""

    def work() -> None:
        with requests.Session() as session:
            url = base(proxy)
            assert session.post(f"{url}/echo", data=BIG, timeout=5).content == BIG
            parts = (BIG[at : at + 100_000] for at in range(0, len(BIG), 100_000))
            assert session.post(f"{url}/echo", data=parts, timeout=5).content == BIG
            assert session.get(f"{url}/status/302", timeout=5).status_code == 200
            assert session.head(f"{url}/echo", timeout=5).headers["content-length"] == "12"
            with session.get(f"{url}/stream", stream=True, timeout=5) as got:
                assert b"".join(got.iter_content(None)) == EVENTS
            got = session.post(f"{url}/echo", json={"tool": "x"}, timeout=5)
            assert got.json() == {"tool": "x"}
            assert got.headers["holdfast-origin"] == "upstream"

    await aside(work)


async def test_urllib3(proxy: Proxy, far_echo: RawUpstream) -> None:
    """With its own pool, chunked uploads and preloading off."""

    def work() -> None:
        with urllib3.PoolManager(timeout=5) as pool:
            url = base(proxy)
            assert pool.request("POST", f"{url}/echo", body=BIG).data == BIG
            parts = iter([BIG[:1000], BIG[1000:]])
            assert pool.request("POST", f"{url}/echo", body=parts, chunked=True).data == BIG
            got = pool.request("GET", f"{url}/stream", preload_content=False)
            assert b"".join(got.stream()) == EVENTS
            got.release_conn()
            assert pool.request("GET", f"{url}/status/503", retries=False).status == 503

    await aside(work)


async def test_aiohttp(proxy: Proxy, far_echo: RawUpstream) -> None:
    """Unary, expectations, streamed both ways."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with aiohttp.ClientSession(base(proxy), timeout=timeout) as session:
        async with session.post("/echo", data=BIG) as got:
            assert await got.read() == BIG

        async def parts() -> Any:
            for at in range(0, len(BIG), 100_000):
                yield BIG[at : at + 100_000]

        async with session.post("/echo", data=parts()) as got:
            assert await got.read() == BIG
        async with session.get("/stream") as got:
            assert b"".join([line async for line in got.content]) == EVENTS
        async with session.head("/echo") as got:
            assert got.headers["Content-Length"] == "12"
        async with session.get("/status/302") as got:
            assert got.status == 200


async def test_aiohttp_expects(tools: Proxy, far_echo: RawUpstream) -> None:
    """A client that waits for 100 before it sends a tool call's body."""
    timeout = aiohttp.ClientTimeout(total=5)
    async with (
        aiohttp.ClientSession(base(tools), timeout=timeout) as session,
        session.post("/", json={"tool": "x"}, expect100=True) as got,
    ):
        assert json.loads(await got.read()) == {"tool": "x"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_curl(proxy: Proxy, far_echo: RawUpstream, tmp_path: Any) -> None:
    """Two URLs on one connection, an upload that curl expects 100 for, HTTP/1.0, HEAD."""
    (tmp_path / "big").write_bytes(BIG)

    async def curl(*words: str) -> bytes:
        child = await asyncio.create_subprocess_exec(
            *("curl", "-sS", "--noproxy", "*", "--max-time", "5", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await within(child.communicate(), 10)
        assert child.returncode == 0, said.decode()
        return out

    url = base(proxy)
    big = f"@{tmp_path}/big"
    assert await curl("--data-binary", big, f"{url}/echo") == BIG
    expects = ("-H", "Expect: 100-continue", "--expect100-timeout", "0.05")
    assert await curl(*expects, "--data-binary", big, f"{url}/echo") == BIG
    assert (
        await curl("-H", "Transfer-Encoding: chunked", "--data-binary", big, f"{url}/echo") == BIG
    )
    assert await curl("--http1.0", "-d", "one", f"{url}/echo") == b"one"
    assert await curl("--http1.0", f"{url}/stream") == EVENTS
    assert await curl("-N", f"{url}/stream") == EVENTS
    assert await curl("-d", "a", f"{url}/echo", f"{url}/echo") == b"aa"
    assert b"content-length: 12" in (await curl("-I", f"{url}/echo")).lower()
    assert await curl("-w", "%{http_code}", f"{url}/status/204") == b"204"
    assert await curl("--http2", "-d", "one", f"{url}/echo") == b"one"


async def test_websockets() -> None:
    """The `websockets` library at both ends: text, binary, large, pings, both closes."""

    async def serve(socket: Any) -> None:
        async for message in socket:
            if message == "bye":
                await socket.close(4001, "as you wish")
                return
            await socket.send(message)

    async with websockets.serve(serve, "127.0.0.1", 0, max_size=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with holdfast(f"http://127.0.0.1:{port}") as proxy:
            url = f"ws://{proxy.listen}/chat?x=y"
            async with websockets.connect(url, max_size=None, proxy=None) as socket:
                for message in ("text", b"\x00\xff", "x" * 1_000_000, BIG):
                    await socket.send(message)
                    assert await within(socket.recv()) == message
                await within(await socket.ping())
                for number in range(200):
                    await socket.send(str(number))
                got = [await within(socket.recv()) for _ in range(200)]
                assert got == [str(number) for number in range(200)]
            async with websockets.connect(url, proxy=None) as socket:
                await socket.send("bye")
                with pytest.raises(websockets.ConnectionClosedError):
                    await within(socket.recv())
                assert socket.close_code == 4001


async def test_websockets_through_tools(far_echo: RawUpstream) -> None:
    """A tools upstream does not stand in the way of a WebSocket."""

    async def serve(socket: Any) -> None:
        async for message in socket:
            await socket.send(message)

    async with websockets.serve(serve, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        more = upstream_yaml(f"http://127.0.0.1:{port}", path="/ws").replace("gateway", "chat")
        async with (
            holdfast(far_echo, "tools", more) as proxy,
            websockets.connect(f"ws://{proxy.listen}/ws/x", proxy=None) as socket,
        ):
            await socket.send("hello")
            assert await within(socket.recv()) == "hello"
