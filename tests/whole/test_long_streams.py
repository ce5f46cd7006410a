"""Long answers of models on real sockets: every byte passes, and nothing piles up (spec 2.1)."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from tests.harness import (
    RawUpstream,
    UpstreamConnection,
    answer,
    chunked,
    holdfast,
    request,
    within,
)
from tests.harness.loops import ONE_LOOP
from tests.harness.messages import Message
from tests.harness.process import Process, holdfast_process

pytestmark = pytest.mark.asyncio(loop_scope="module")

SSE = ("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
CHUNKS = 10_000
LARGE = 100 << 20
STILL = 24 << 20
"""Bytes of resident memory that a large answer may cost, with the allocator's share."""
PATIENCE = 60.0


def data(event: Any) -> bytes:
    """An event without a type."""
    return b"data: %b\n\n" % json.dumps(event, separators=(",", ":")).encode()


def chunk(content: str, ends: str | None = None) -> bytes:
    """A chunk of a chat."""
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": ends}
    return data({"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]})


def typed(event: dict[str, Any]) -> bytes:
    """An event under its type."""
    return b"event: %b\n%b" % (event["type"].encode(), data(event))


def delta(text: str) -> bytes:
    """A piece of a message's text."""
    said = {"type": "text_delta", "text": text}
    return typed({"type": "content_block_delta", "index": 0, "delta": said})


CHAT_END = (chunk("", "stop"), b"data: [DONE]\n\n")
BLOCK = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
MESSAGE_START = (
    typed({"type": "message_start", "message": {"usage": {"input_tokens": 3}}}),
    typed(BLOCK),
)
MESSAGE_END = (
    typed({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}}),
    typed({"type": "message_stop"}),
)


def chat() -> list[bytes]:
    """So many words of a chat, and its end."""
    return [*(chunk(f"word {number} ") for number in range(CHUNKS)), *CHAT_END]


def message() -> list[bytes]:
    """The same of Anthropic's."""
    words = (delta(f"word {number} ") for number in range(CHUNKS))
    return [*MESSAGE_START, *words, *MESSAGE_END]


def asks(path: str) -> bytes:
    """A call of a model that streams."""
    asked = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps(asked).encode()
    return request(path, "Content-Type: application/json", method="POST", body=body)


def packed(events: Iterable[bytes]) -> list[bytes]:
    """Each event as soon as it is there, in one gzip'd body."""
    packer = zlib.compressobj(wbits=31)
    pieces = [packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH) for event in events]
    return [*pieces, packer.flush()]


VENDORS: dict[str, tuple[str, Callable[[], list[bytes]]]] = {
    "openai": ("/v1/chat/completions", chat),
    "anthropic": ("/v1/messages", message),
}


@pytest.mark.parametrize("protocol", VENDORS)
async def test_ten_thousand_chunks_pass_as_they_are(upstream: RawUpstream, protocol: str):
    """Byte for byte, to the end; and each of them was heard, or it would be a truncation."""
    path, made = VENDORS[protocol]
    events = made()
    async with holdfast(upstream, protocol) as proxy:
        upstream.then(answer(200, *SSE, body=None) + chunked(*events))
        async with await proxy.connect() as agent:
            agent.send(asks(path))
            got = await within(agent.answer(), PATIENCE)
        await proxy.until_metric("holdfast_calls_total", 1, outcome="ok")
    assert got.body == b"".join(events)


@pytest.mark.parametrize("protocol", VENDORS)
async def test_ten_thousand_chunks_pass_in_gzip(upstream: RawUpstream, protocol: str):
    """As they came; a copy is unpacked to be heard."""
    path, made = VENDORS[protocol]
    events = made()
    pieces = packed(events)
    async with holdfast(upstream, protocol) as proxy:
        head = answer(200, *SSE, "Content-Encoding: gzip", body=None)
        upstream.then(head + chunked(*pieces))
        async with await proxy.connect() as agent:
            agent.send(asks(path))
            got = await within(agent.answer(), PATIENCE)
        await proxy.until_metric("holdfast_calls_total", 1, outcome="ok")
    assert got.body == b"".join(pieces)
    assert gzip.decompress(got.body) == b"".join(events)


@pytest.mark.parametrize("size", [1 << 20, 3 << 20], ids=["1MiB", "3MiB"])
async def test_an_event_of_a_mebibyte_passes(upstream: RawUpstream, size: int):
    """As it is, however little of it is read; what follows it is heard again."""
    events = [chunk("Hi"), chunk("x" * size), *CHAT_END]
    async with holdfast(upstream, "openai") as proxy:
        upstream.then(answer(200, *SSE, body=None) + chunked(*events))
        async with await proxy.connect() as agent:
            agent.send(asks("/v1/chat/completions"))
            got = await within(agent.answer(), PATIENCE)
        await proxy.until_metric("holdfast_calls_total", 1, outcome="ok")
    assert got.body == b"".join(events)


async def settled(process: Process, upstream: RawUpstream) -> int:
    """The memory of a process that has already passed on a few streams."""
    said = answer(200, *SSE, body=None) + chunked(chunk("Hi"), *CHAT_END)
    for _ in range(20):
        upstream.then(said)
        async with await process.connect() as agent:
            await agent.call(asks("/v1/chat/completions"), "POST")
    return process.resident


@ONE_LOOP
async def test_a_large_stream_costs_no_memory(upstream: RawUpstream):
    """100 MiB in events of 32 KiB, each of them heard; what the proxy holds stays flat."""
    event = chunk("x" * (32 << 10))
    framed = b"%x\r\n%b\r\n" % (len(event), event)
    times = LARGE // len(event) + 1

    async def pours(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, *SSE, body=None))
        for _ in range(times):
            await connection.may_write.wait()
            connection.send(framed)
        connection.send(chunked(*CHAT_END))

    async with holdfast_process(upstream, "openai") as process:
        before = await settled(process, upstream)
        upstream.then(pours)
        async with await process.connect() as agent:
            agent.send(asks("/v1/chat/completions"))
            await agent.head()
            agent.keeps = False
            await within(agent.counted(LARGE), PATIENCE)
            assert process.resident - before < STILL
