"""Models at the far end: answers in the exact shapes of both vendors, event by event.

For what a script must decide to the byte; `proxy/lab/sandbox` plays whole vendors.
"""

import asyncio
import json
from collections.abc import Iterable, Iterator
from typing import Any

from tests.harness.messages import Message, answer
from tests.harness.upstream import Step, UpstreamConnection, after

_HEAD = answer(200, "Content-Type: text/event-stream", "Transfer-Encoding: chunked", body=None)
END = b"0\r\n\r\n"
WORDS = ("The ", "bank ", "is ", "open ", "again", ".")
DONE = b"data: [DONE]\n\n"
MODEL = "test-model"


def asked(request: Message) -> Any:
    """The body of a request."""
    return json.loads(request.body)


def said(status: int, body: Any, *lines: str) -> bytes:
    """An answer with a JSON body."""
    return answer(status, "Content-Type: application/json", *lines, body=json.dumps(body).encode())


def chunk(event: bytes) -> bytes:
    """An event in a chunk of its own."""
    return b"%x\r\n%b\r\n" % (len(event), event)


def chunks(events: Iterable[bytes]) -> bytes:
    """Each in a chunk of its own."""
    return b"".join(map(chunk, events))


def begun(events: Iterable[bytes]) -> bytes:
    """The beginning of an answer that is a stream."""
    return _HEAD + chunks(events)


def stream(events: Iterable[bytes]) -> bytes:
    """All of one."""
    return begun(events) + END


def parted(first: bytes, goes_on: asyncio.Event, rest: Step = b"") -> Step:
    """Send the first part, and do the rest once somebody says so; or close, if it is nothing."""

    async def parts(connection: UpstreamConnection, request: Message) -> None:
        connection.send(first)
        step = after(goes_on, rest)
        assert not isinstance(step, bytes)
        await step(connection, request)
        if not rest:
            connection.close()

    return parts


def refusing(status: int, *lines: str, kind: str = "server_error") -> bytes:
    """An error in a shape that both vendors' clients read."""
    error = {"message": "no", "type": kind, "code": None, "param": None}
    return said(status, {"type": "error", "error": error}, *lines)


# What OpenAI says: chat completions.


def usage(read: int, written: int, cached: int = 0, reasoning: int = 0) -> dict[str, Any]:
    """What a chat says it used; `cached` is part of `read`, `reasoning` of `written`."""
    return {
        "prompt_tokens": read,
        "completion_tokens": written,
        "total_tokens": read + written,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": 0},
    }


USED = usage(10, 6)


def chat(used: dict[str, Any] = USED, model: str = MODEL) -> bytes:
    """A whole answer."""
    message = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000}
    return said(200, head | {"model": model, "choices": [choice], "usage": used})


def chat_events(used: dict[str, Any] | None = None, *, model: str = MODEL) -> Iterator[bytes]:
    """Those of a stream: the role, the words, how it ended, what it used if asked, the end."""

    def event(choices: list[Any], spent: dict[str, Any] | None = None) -> bytes:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000}
        body = head | {"model": model, "choices": choices}
        return (
            b"data: %b\n\n" % json.dumps(body if used is None else body | {"usage": spent}).encode()
        )

    def delta(words: dict[str, Any], why: str | None = None) -> bytes:
        return event([{"index": 0, "delta": words, "logprobs": None, "finish_reason": why}])

    yield delta({"role": "assistant", "content": "", "refusal": None})
    for word in WORDS:
        yield delta({"content": word})
    yield delta({}, "stop")
    if used is not None:
        yield event([], used)
    yield DONE


def wants_usage(request: Message) -> bool:
    """Of a stream."""
    return bool((asked(request).get("stream_options") or {}).get("include_usage"))


def chatting(used: dict[str, Any] = USED) -> Step:
    """A model that answers as it is asked to."""

    async def step(connection: UpstreamConnection, request: Message) -> None:
        if not asked(request).get("stream"):
            connection.send(chat(used))
            return
        connection.send(stream(chat_events(used if wants_usage(request) else None)))

    return step


# What Anthropic says.


def typed(kind: str, **members: Any) -> bytes:
    """An event of this type."""
    data = json.dumps({"type": kind, **members}).encode()
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


PING = typed("ping")
CONSUMED = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "output_tokens": 1,
}


def message(consumed: dict[str, Any] = CONSUMED, model: str = MODEL, **more: Any) -> dict[str, Any]:
    """A message, with no words yet."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": consumed,
        **more,
    }


def message_events(
    consumed: dict[str, Any] = CONSUMED, written: int = 6, *, model: str = MODEL
) -> Iterator[bytes]:
    """Those of a stream: the message, its words, what it used (cumulative), the end."""
    yield typed("message_start", message=message(consumed, model))
    yield typed("content_block_start", index=0, content_block={"type": "text", "text": ""})
    yield PING
    for word in WORDS:
        yield typed("content_block_delta", index=0, delta={"type": "text_delta", "text": word})
    yield typed("content_block_stop", index=0)
    ended = {"stop_reason": "end_turn", "stop_sequence": None}
    yield typed("message_delta", delta=ended, usage={"output_tokens": written})
    yield typed("message_stop")


def talking(consumed: dict[str, Any] = CONSUMED, written: int = 6) -> Step:
    """A model that answers as it is asked to."""

    async def step(connection: UpstreamConnection, request: Message) -> None:
        if asked(request).get("stream"):
            connection.send(stream(message_events(consumed, written)))
            return
        words = [{"type": "text", "text": "".join(WORDS)}]
        used = consumed | {"output_tokens": written}
        connection.send(said(200, message(used, content=words, stop_reason="end_turn")))

    return step
