"""Serve a raw protocol until SIGTERM, on uvloop where it is installed."""

import asyncio
import json
import signal
from collections.abc import Callable
from pathlib import Path


def serve(protocol: Callable[[], asyncio.Protocol], ready: Path) -> None:
    """Listen on a free port of loopback and write it to the ready file."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(_serve(protocol, ready))
    else:
        uvloop.run(_serve(protocol, ready))


async def _serve(protocol: Callable[[], asyncio.Protocol], ready: Path) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    server = await loop.create_server(protocol, "127.0.0.1", 0, backlog=2048)
    port = server.sockets[0].getsockname()[1]
    unfinished = ready.with_suffix(".part")
    unfinished.write_text(json.dumps({"listen": f"127.0.0.1:{port}"}))
    unfinished.rename(ready)
    await ended.wait()
    server.close()
