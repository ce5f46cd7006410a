"""The bare relay: bytes from one socket to another, nothing read, nothing decided.

No proxy on asyncio can be faster than this; what Holdfast's work costs is measured against it.
"""

import argparse
import asyncio
from pathlib import Path
from typing import cast

from tests.bench.loop import serve


class Side(asyncio.Protocol):
    """One end. What it receives is written to the other end; who cannot write, stops the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, received: bytes) -> None:
        if self.other is not None:
            self.other.write(received)

    def pause_writing(self) -> None:
        if self.other is not None:
            self.other.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None:
            self.other.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.other is not None:
            self.other.close()


class Agent(Side):
    """The side that was connected to: it opens the other one, and keeps what comes till then."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__()
        self._target = (host, port)
        self._opening: asyncio.Task[None] | None = None
        self._early = b""  # uvloop reads on after a pause in connection_made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None
        self._opening = asyncio.get_running_loop().create_task(self._open(self.transport))

    def data_received(self, received: bytes) -> None:
        if self.other is None:
            self._early += received
        else:
            self.other.write(received)

    async def _open(self, agent: asyncio.Transport) -> None:
        try:
            other, side = await asyncio.get_running_loop().create_connection(Side, *self._target)
        except OSError:
            agent.abort()
            return
        if agent.is_closing():
            other.close()
            return
        side.other = agent
        self.other = other
        other.write(self._early)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.relay")
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--upstream", required=True, help="HOST:PORT")
    options = parser.parse_args()
    host, _, port = options.upstream.rpartition(":")
    serve(lambda: Agent(host, int(port)), options.ready_file)


if __name__ == "__main__":
    main()
