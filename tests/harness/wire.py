"""One end of a connection that remembers every byte it was sent."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

from tests.harness.messages import CRLF, Message, split_head, split_line

PATIENCE = 20.0
"""Seconds that any wait of a test may take before the test has failed."""

troubles: list[str] = []
"""What no test may cause: tracebacks logged, callbacks that raised, scripts that went wrong."""

Fact = TypeVar("Fact")


async def within(wait: Awaitable[Fact], seconds: float = PATIENCE) -> Fact:
    """Wait, but not for ever."""
    async with asyncio.timeout(seconds):  # wait_for may lose a cancellation
        return await wait


async def breathe(turns: int = 1) -> None:
    """Let the loop turn, so that what is ready is done."""
    loop = asyncio.get_running_loop()
    for _ in range(turns):
        turned = loop.create_future()
        loop.call_soon(turned.set_result, None)
        await turned


class Ended(Exception):
    """The other side ended the connection before what was waited for had come."""

    def __init__(self, received: bytes, was_reset: bool) -> None:
        super().__init__(f"{'reset' if was_reset else 'closed'} after {received[-200:]!r}")
        self.received = received
        self.was_reset = was_reset


class End(asyncio.Protocol):
    """One end of a connection: reads what it is asked for, keeps what it read."""

    def __init__(self) -> None:
        self.received = bytearray()
        self.count = 0
        self.patience: float | None = PATIENCE
        """None: whoever uses it waits for ever, because another wait of the test is bounded."""
        self.keeps = True
        """False: bytes are counted and dropped, for bodies that would fill the memory."""
        self.ended = asyncio.Event()
        """The other side sent its end, or reset."""
        self.lost = asyncio.Event()
        self.was_reset = False
        self.may_write = asyncio.Event()
        self.may_write.set()
        self.written = 0
        self._taken = 0
        self._news = asyncio.Event()
        self.transport: asyncio.Transport

    # what asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, chunk: bytes) -> None:
        self.count += len(chunk)
        if self.keeps:
            self.received += chunk
        self._news.set()

    def eof_received(self) -> bool:
        self.ended.set()
        self._news.set()
        return self.transport.get_extra_info("ssl_object") is None  # TLS cannot stay half open

    def connection_lost(self, error: Exception | None) -> None:
        self.was_reset = self.was_reset or isinstance(error, ConnectionResetError | BrokenPipeError)
        self.ended.set()
        self.lost.set()
        self.may_write.set()
        self._news.set()

    def pause_writing(self) -> None:
        self.may_write.clear()

    def resume_writing(self) -> None:
        self.may_write.set()

    # what tests call

    def send(self, raw: bytes) -> None:
        """Hand bytes to the socket."""
        self.written += len(raw)
        self.transport.write(raw)

    @property
    def accepted(self) -> int:
        """Bytes that the kernel took from us."""
        return self.written - self.transport.get_write_buffer_size()

    def half_close(self) -> None:
        """Say that nothing more will be sent; go on reading."""
        self.transport.write_eof()

    def close(self) -> None:
        """Close as usual."""
        self.transport.close()

    def reset(self) -> None:
        """Close with RST: the other side gets an error, not an end."""
        raw = self.transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def until(self, marker: bytes) -> bytes:
        """What has come up to and with the marker."""
        found = await self._found(lambda: self.received.find(marker, self._taken))
        return self._take(found + len(marker) - self._taken)

    async def exactly(self, number: int) -> bytes:
        """That many bytes."""
        await self._found(lambda: len(self.received) - self._taken - number)
        return self._take(number)

    async def some(self) -> bytes:
        """At least one byte, and what came with it."""
        await self._found(lambda: len(self.received) - self._taken - 1)
        return self._take(len(self.received) - self._taken)

    async def counted(self, number: int) -> None:
        """At least that many bytes have come in all."""
        await self._found(lambda: self.count - number)

    async def rest(self) -> bytes:
        """Everything up to the end of the connection, whether closed or reset."""
        await within(self.ended.wait())
        return self._take(len(self.received) - self._taken)

    @property
    def waiting(self) -> bytes:
        """What has come and was not taken yet."""
        return bytes(self.received[self._taken :])

    async def _found(self, look: Callable[[], int]) -> int:
        """What `look` says as soon as it is not negative; Ended if it never will be."""
        while (found := look()) < 0:
            if self.ended.is_set():
                raise Ended(self.waiting, self.was_reset)
            self._news.clear()
            async with asyncio.timeout(self.patience):
                await self._news.wait()
        return found

    def _take(self, number: int) -> bytes:
        taken = bytes(self.received[self._taken : self._taken + number])
        self._taken += number
        return taken

    # messages

    async def request(self) -> Message:
        """The next request, whole."""
        return await self.request_body(await self.head())

    async def head(self) -> Message:
        """The next head alone."""
        while self.received[self._taken : self._taken + 2] == CRLF:
            self._take(2)
        raw = await self.until(CRLF + CRLF)
        start, lines = split_head(raw)
        return Message(start, lines, raw=raw)

    async def request_body(self, head: Message) -> Message:
        """A request's head with the body that follows it."""
        return await self._framed(head, otherwise=b"")

    async def answer(self, method: str = "GET") -> Message:
        """The next answer, whole, with the 1xx that came before it."""
        interim: list[Message] = []
        head = await self.head()
        while 100 <= head.status < 200 and head.status != 101:
            interim.append(head)
            head = await self.head()
        bodiless = method == "HEAD" or head.status in (101, 204, 304)
        message = head if bodiless else await self._framed(head, otherwise=None)
        return Message(**{**vars(message), "interim": tuple(interim)})

    async def _framed(self, head: Message, otherwise: bytes | None) -> Message:
        if head.values("transfer-encoding"):
            return await self._chunked(head)
        length = head.value("content-length")
        if length is not None:
            body = await self.exactly(int(length))
        else:
            body = await self.rest() if otherwise is None else otherwise
        return Message(head.start, head.lines, body, raw=head.raw + body)

    async def _chunked(self, head: Message) -> Message:
        chunks: list[bytes] = []
        raw = head.raw
        while True:
            line = await self.until(CRLF)
            size = int(line.split(b";")[0], 16)
            raw += line
            if not size:
                break
            chunk = await self.exactly(size + 2)
            assert chunk.endswith(CRLF), chunk
            chunks.append(chunk[:-2])
            raw += chunk
        trailers: list[bytes] = []
        while (line := await self.until(CRLF)) != CRLF:
            raw += line
            assert split_line(line)[0], line
            trailers.append(line[:-2])
        return Message(
            head.start, head.lines, b"".join(chunks), tuple(trailers), tuple(chunks), raw=raw + line
        )


async def finish(*ends: End) -> None:
    """Close ends and see them closed, so that none outlives its test."""
    for end in ends:
        if not end.lost.is_set():
            end.transport.abort()
    for end in ends:
        await within(end.lost.wait())
