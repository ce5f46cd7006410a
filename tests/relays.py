"""Servers of the loopback that stand before a Redis, or in the place of one."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def served(talk: Talk, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port at which `talk` has each connection, until the end."""
    talks: set[asyncio.Task[None]] = set()

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            talks.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(taken, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tuple(talks):
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


def to(port: int) -> Talk:
    """Bytes go through, both ways."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        near, far = await asyncio.open_connection("127.0.0.1", port)
        both = [asyncio.ensure_future(pour(reader, far)), asyncio.ensure_future(pour(near, writer))]
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in both:
                one.cancel()
            await asyncio.gather(*both, return_exceptions=True)
            far.close()
            with contextlib.suppress(OSError):
                await far.wait_closed()

    return talk


async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Until it ends."""
    while chunk := await source.read(1 << 16):
        sink.write(chunk)
        await sink.drain()


def saying(answer: bytes, *, then_close: bool = False) -> Talk:
    """Whatever comes, this is the answer to it; empty: there is none."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(1 << 16):
            writer.write(answer)
            await writer.drain()
            if then_close:
                return

    return talk
