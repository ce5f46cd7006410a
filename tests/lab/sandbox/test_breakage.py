"""proxy/lab/sandbox/breakage.py"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import cast

import pytest

from proxy.lab.sandbox import breakage


async def peer_of(harm: Callable[[asyncio.Transport], None]) -> bytes:
    """What a client reads when the server does this harm to its connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(1)
        harm(cast("asyncio.Transport", writer.transport))
        assert writer.transport.is_closing()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        try:
            writer.write(b"?")
            return await reader.read()
        finally:
            writer.transport.abort()


async def test_a_reset_is_a_reset() -> None:
    """The peer sees RST, not an end of the stream."""
    with pytest.raises(ConnectionResetError):
        await peer_of(breakage.reset)


async def test_a_truncated_answer_ends_early() -> None:
    """Half of the announced bytes come, then the stream ends."""
    got = await peer_of(partial(breakage.truncate, body=b"0123456789"))
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"Content-Length: 10" in head
    assert body == b"01234"


async def test_garbage_is_not_http() -> None:
    """What comes has no valid status line."""
    got = await peer_of(breakage.garble)
    assert got == breakage.MALFORMED
    assert not got.split(b"\r\n")[0].split(b" ")[1].isdigit()
