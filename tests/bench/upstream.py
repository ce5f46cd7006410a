"""The upstream of every peer: as fast as Python can be, so that the peer is what is measured.

    POST any path     a fixed JSON answer of 252 bytes once the whole body is in
    POST /upload      the number of body bytes received, as JSON
    GET  /events      an endless event stream; one stream after the other gets an event, about a
                      thousand events a second in all, each with the monotonic time of its sending
    POST /v1/...      the same in chunks of OpenAI's chats, five thousand a second

It is no HTTP server: requests must have a Content-Length (or no body) and an honest head.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import cast

from tests.bench.loop import serve

HEAD_END = b"\r\n\r\n"
TICK = 0.001  # seconds between events of all streams together
_SPELLINGS = (b"\r\nContent-Length:", b"\r\ncontent-length:")  # of agents, and of Envoy


def answer(body: bytes) -> bytes:
    """A complete response."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
    return f"{head}{len(body)}\r\n\r\n".encode() + body


def balance(size: int = 252) -> bytes:
    """The JSON that a call is answered with, padded to its size."""
    fields = {"agent_id": "bench-agent", "balance": "1204.50", "currency": "USD", "note": ""}
    fields["note"] = "x" * (size - len(json.dumps({"success": True, "result": fields})))
    return json.dumps({"success": True, "result": fields}).encode()


BALANCE = answer(balance())
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


def body_length(head: bytes) -> int:
    """What Content-Length says; 0 without one. Nothing is remembered: heads of which each is
    another (where calls are traced) should cost hardly more than those that come again."""
    for spelling in _SPELLINGS:
        at = head.find(spelling)
        if at >= 0:
            end = head.find(b"\r\n", at + len(spelling))
            return int(head[at + len(spelling) : end if end >= 0 else None])
    return 0


def event() -> bytes:
    """One event in one chunk, about the size of a token's event of an LLM."""
    line = f'data: {{"at":{time.monotonic_ns()},"text":"{"x" * 120}"}}\n\n'
    return f"{len(line):x}\r\n{line}\r\n".encode()


def chunk() -> bytes:
    """The same as a chunk of a chat, as OpenAI writes them."""
    line = (
        'data: {"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion.chunk",'
        f'"created":1741569952,"model":"bench","at":{time.monotonic_ns()},"choices":[{{"index":0,'
        '"delta":{"content":" token"},"logprobs":null,"finish_reason":null}],"usage":null}\n\n'
    )
    return f"{len(line):x}\r\n{line}\r\n".encode()


class Streams:
    """All open event streams, served in turn by one timer."""

    def __init__(self, event: Callable[[], bytes], burst: int) -> None:
        """`burst`: so many of them get an event at a time."""
        self._event = event
        self._burst = burst
        self._open: list[asyncio.Transport] = []
        self._turn = 0
        self._ticking = False

    def add(self, transport: asyncio.Transport) -> None:
        transport.write(STREAM_HEAD)
        self._open.append(transport)
        if not self._ticking:
            self._ticking = True
            self._tick()

    def drop(self, transport: asyncio.Transport) -> None:
        if transport in self._open:
            self._open.remove(transport)

    def _tick(self) -> None:
        if not self._open:
            self._ticking = False
            return
        for _ in range(self._burst):
            self._turn = (self._turn + 1) % len(self._open)
            self._open[self._turn].write(self._event())
        asyncio.get_running_loop().call_later(TICK, self._tick)


STREAMS = Streams(event, 1)
CHATS = Streams(chunk, 5)


class Upstream(asyncio.Protocol):
    """One connection. A request that came whole in one piece takes the short way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport
        self._start = b""  # of a head that has not ended yet
        self._missing = 0  # body bytes that are still to come
        self._answer = b""
        self._streams = False  # the answer has no end

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        STREAMS.drop(self._transport)
        CHATS.drop(self._transport)

    def data_received(self, received: bytes) -> None:
        if self._missing:
            received = self._body(received)
        if not received:
            return
        if self._start:
            received = self._start + received
            self._start = b""
        while received:
            received = self._request(received)

    def _request(self, received: bytes) -> bytes:
        """Take one request, or the beginning of one; what is left belongs to the next."""
        end = received.find(HEAD_END)
        if end < 0:
            self._start = received
            return b""
        head = received[:end]
        length = body_length(head)
        if head.startswith(b"GET /events"):
            STREAMS.add(self._transport)
            return received[end + 4 :]
        is_upload = head.startswith(b"POST /upload")
        self._answer = answer(b'{"bytes": %d}' % length) if is_upload else BALANCE
        self._streams = head.startswith(b"POST /v1/")
        self._missing = length
        return self._body(received[end + 4 :])

    def _body(self, received: bytes) -> bytes:
        """Count body bytes off; answer behind the last one."""
        taken = min(self._missing, len(received))
        self._missing -= taken
        if not self._missing:
            if self._streams:
                CHATS.add(self._transport)
            else:
                self._transport.write(self._answer)
        return received[taken:]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.upstream")
    parser.add_argument("--ready-file", type=Path, required=True)
    serve(Upstream, parser.parse_args().ready_file)


if __name__ == "__main__":
    main()
