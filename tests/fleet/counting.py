"""An upstream that counts: which calls came, when, and how many at once. Real sockets."""

import asyncio
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Self, cast

from tests.harness import answer

WELL, ILL = answer(200, body=b"ok"), answer(503, body=b"no")
Decides = Callable[[str], tuple[bytes, float]]
"""From the path of a call: what it is answered, and after how many seconds."""


class Counting:
    """`async with Counting() as upstream`. `calls` counts by the whole path of a call."""

    def __init__(self, decides: Decides = lambda _: (WELL, 0.0)) -> None:
        self.decides = decides
        self.calls: Counter[str] = Counter()
        self.times: list[float] = []
        """When each came, on the loop's clock."""
        self.inside = 0
        self.most_inside = 0
        self.address = ""
        self._server: asyncio.Server | None = None
        self._ends: set[_End] = set()

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    @property
    def total(self) -> int:
        """Of all that came."""
        return len(self.times)

    def forget(self) -> None:
        """Count anew."""
        self.calls.clear()
        self.times.clear()
        self.most_inside = self.inside

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _End(self), "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._server.close()
        for end in tuple(self._ends):
            end.transport.abort()

    def came(self, path: str) -> tuple[bytes, float]:
        """One call, whole."""
        self.calls[path] += 1
        self.times.append(asyncio.get_running_loop().time())
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        return self.decides(path)


class _End(asyncio.Protocol):
    """One connection."""

    def __init__(self, upstream: Counting) -> None:
        self._upstream = upstream
        self._received = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._upstream._ends.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._upstream._ends.discard(self)

    def data_received(self, received: bytes) -> None:
        self._received += received
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].decode("latin-1")
        length = head.lower().partition("content-length:")[2].split("\r\n")[0]
        if len(self._received) < end + 4 + int(length or 0):
            return
        self._received = b""
        said, after = self._upstream.came(head.split(" ", 2)[1])
        asyncio.get_running_loop().call_later(after, self._answer, said)

    def _answer(self, said: bytes) -> None:
        self._upstream.inside -= 1
        if not self.transport.is_closing():
            self.transport.write(said)
