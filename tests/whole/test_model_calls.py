"""Calls of models on real sockets: streams pass as they are, and end as they must (spec 2.6)."""

import asyncio
import json
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
from tests.harness.messages import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

END = b"0\r\n\r\n"
SSE = ("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
RULES = """
policies:
  - {name: all, match: {layer: llm}, retry: {attempts: 2, backoff: {base: 1ms, max: 2ms}}}
  - {name: dear, match: {model: "dear*"}, deny: {reason: "It is too dear"}}
"""


def stream(*events: bytes) -> bytes:
    """An answer of events, each in a chunk of its own."""
    return answer(200, *SSE, body=None) + chunked(*events)


def data(event: Any) -> bytes:
    """An event without a type."""
    return b"data: %b\n\n" % json.dumps(event).encode()


def typed(event: dict[str, Any]) -> bytes:
    """An event under its type."""
    return b"event: %b\n%b" % (event["type"].encode(), data(event))


def choice(delta: dict[str, Any], ends: str | None = None) -> bytes:
    """A chunk of a chat."""
    return data({"choices": [{"index": 0, "delta": delta, "finish_reason": ends}]})


ROLE = choice({"role": "assistant", "content": ""})
CHAT = (ROLE, b": ping\n\n", choice({"content": "Hel"}), choice({"content": "lo"}))
CHAT_END = (choice({}, "stop"), b"data: [DONE]\n\n")
START = typed(
    {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1}}}
)
MESSAGE = (
    START,
    typed({"type": "ping"}),
    typed(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    ),
    typed(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    ),
)
MESSAGE_END = (
    typed(
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 5},
        }
    ),
    typed({"type": "message_stop"}),
)
VENDORS = {
    "openai": ("/v1/chat/completions", CHAT, CHAT_END),
    "anthropic": ("/v1/messages", MESSAGE, MESSAGE_END),
}
both = pytest.mark.parametrize("vendor", VENDORS)


def call(path: str, body: Any, *lines: str) -> bytes:
    """A call of a model."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request(path, "Content-Type: application/json", *lines, method="POST", body=content)


@both
async def test_a_stream_passes_as_it_is(upstream: RawUpstream, vendor: str) -> None:
    """Every byte of it, from the frames that only open it to its end."""
    path, begins, ends = VENDORS[vendor]
    async with holdfast(upstream, vendor, RULES) as proxy:
        upstream.then(stream(*begins, *ends))
        got = await proxy.call(call(path, {"model": "m", "stream": True}))
    assert (got.status, got.body) == (200, b"".join((*begins, *ends)))


@both
async def test_a_stream_without_its_end_is_no_answer(upstream: RawUpstream, vendor: str) -> None:
    """Clients would take it for a whole one: they are told, and the connection breaks."""
    path, begins, _ = VENDORS[vendor]
    seen = asyncio.Event()

    async def cut(connection: UpstreamConnection, asked: Message) -> None:
        whole = stream(*begins)
        connection.send(whole.removesuffix(END))
        await within(seen.wait())
        connection.send(END)

    async with holdfast(upstream, vendor, RULES) as proxy, await proxy.connect() as agent:
        upstream.then(cut)
        agent.send(call(path, {"model": "m", "stream": True}))
        await agent.until(begins[-1])
        seen.set()
        got = await agent.rest()
    last = got[got.rindex(b"data: ") :]
    assert b'"code":"truncated"' in last
    assert b'"error":{' in last
    assert not got.endswith(END)


@both
async def test_an_error_before_the_first_word_is_tried_again(
    upstream: RawUpstream, vendor: str
) -> None:
    """The status was good, and what opened the stream had come: the agent sees neither."""
    path, begins, ends = VENDORS[vendor]
    error = typed({"type": "error", "error": {"type": "overloaded_error", "message": "x"}})
    async with holdfast(upstream, vendor, RULES) as proxy:
        upstream.then(stream(begins[0], error), stream(*begins, *ends))
        got = await proxy.call(call(path, {"model": "m", "stream": True}))
    assert (got.status, got.body) == (200, b"".join((*begins, *ends)))
    assert got.value("holdfast-attempts") == b"2"
    assert len(upstream.requests) == 2


SPELLINGS: dict[str, tuple[str, Any, str]] = {
    "plain": ("", {"model": "dear-1"}, ""),
    "escaped": ("", b'{"\\u006dodel":"d\\u0065ar-1"}', ""),
    "another type": ("", {"model": "dear-1"}, "text/plain"),
    "no known path": ("/things", {"model": "dear-1"}, ""),
    "a query": ("?x=/", {"model": "dear-1"}, ""),
    "a slash": ("/", {"model": "dear-1"}, ""),
}


@both
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_a_model_that_is_denied_is_not_asked(
    upstream: RawUpstream, vendor: str, spelling: str
) -> None:
    """However it is spelled; its clients are told in their own words."""
    more, body, kind = SPELLINGS[spelling]
    raw = call(VENDORS[vendor][0] + more, body)
    if kind:
        raw = raw.replace(b"application/json", kind.encode())
    async with holdfast(upstream, vendor, RULES) as proxy:
        got = await proxy.call(raw)
    assert got.status == 403
    error = json.loads(got.body)["error"]
    assert error["type"] == "permission_error"
    assert error["message"].startswith("It is too dear.")
    assert got.value("x-should-retry") == b"false"
    assert upstream.requests == []


@both
async def test_models_can_be_listed_whatever_is_denied(upstream: RawUpstream, vendor: str) -> None:
    """Discovery is not refused for a tool's reasons."""
    rules = 'policies: [{name: nothing, deny: {reason: "No"}}]'
    async with holdfast(upstream, vendor, rules) as proxy:
        got = await proxy.call(request("/v1/models"))
        refused = await proxy.call(request("/v1/files"))
    assert got.status == 200
    assert refused.status == 403


@pytest.mark.parametrize("asks", [True, False])
async def test_what_a_stream_uses_is_asked_for_its_agent(upstream: RawUpstream, asks: bool) -> None:
    """Who asked is told; from who did not it is kept, and every other byte passes."""
    used = data({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
    body: dict[str, Any] = {"model": "m", "stream": True}
    if asks:
        body["stream_options"] = {"include_usage": True}
    async with holdfast(upstream, "openai", RULES, mount={"inject_usage": True}) as proxy:
        upstream.then(stream(*CHAT, CHAT_END[0], used, CHAT_END[1]))
        got = await proxy.call(call("/v1/chat/completions", body))
    (sent,) = upstream.requests
    assert json.loads(sent.body) == {**body, "stream_options": {"include_usage": True}}
    told = (used,) if asks else ()
    assert got.body == b"".join((*CHAT, CHAT_END[0], *told, CHAT_END[1]))
