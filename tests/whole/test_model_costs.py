"""What calls of models cost, on real sockets: answers in the vendors' exact shapes, whole,
streamed, cut and without a word of what they used, to the micro-dollar."""

# ruff: noqa: E501 -- events stand on one line, as vendors send them
import asyncio
import json
from decimal import ROUND_CEILING
from typing import Any

import genai_prices
import pytest

from tests.harness import (
    RawUpstream,
    UpstreamConnection,
    answer,
    breathe,
    chunked,
    holdfast,
    request,
    within,
)
from tests.harness.loops import THE_LOOP
from tests.harness.messages import Message
from tests.harness.proxy import Proxy
from tests.journal.written import lines

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=THE_LOOP)

SSE = ("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
JSON = "Content-Type: application/json"
PATHS = {
    "chat": ("openai", "/v1/chat/completions"),
    "responses": ("openai", "/v1/responses"),
    "embeddings": ("openai", "/v1/embeddings"),
    "messages": ("anthropic", "/v1/messages"),
}


def data(event: Any) -> bytes:
    """An event without a type."""
    return b"data: %b\n\n" % json.dumps(event).encode()


def typed(event: dict[str, Any]) -> bytes:
    """An event under its type."""
    return b"event: %b\n%b" % (event["type"].encode(), data(event))


async def asked(
    proxy: Proxy, kind: str, model: str, *, stream: bool = False, **more: Any
) -> Message:
    """A call of a model, and its answer."""
    body = {"model": model, "stream": stream, **more}
    content = json.dumps(body).encode()
    return await proxy.call(request(PATHS[kind][1], JSON, method="POST", body=content))


async def recorded(proxy: Proxy, calls: int = 1) -> list[dict[str, Any]]:
    """The records of so many calls, when they are durable."""
    folder = proxy.folder / "state"
    found: list[dict[str, Any]] = []
    while len(found) < calls:
        assert await proxy.app._trail.durable()
        found = [each for each in map(json.loads, lines(folder)) if each["type"] == "call.finished"]
        await breathe()
    return found


CHAT_USAGE = {
    "prompt_tokens": 2_006, "completion_tokens": 300, "total_tokens": 2_306,
    "prompt_tokens_details": {"cached_tokens": 1_920, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 128, "audio_tokens": 0},
}  # fmt: skip
RESPONSE_USAGE = {
    "input_tokens": 1_000, "input_tokens_details": {"cached_tokens": 600},
    "output_tokens": 500, "output_tokens_details": {"reasoning_tokens": 448}, "total_tokens": 1_500,
}  # fmt: skip
MESSAGE_USAGE = {
    "input_tokens": 21, "cache_creation_input_tokens": 1_500, "cache_read_input_tokens": 40_000,
    "cache_creation": {"ephemeral_5m_input_tokens": 500, "ephemeral_1h_input_tokens": 1_000},
    "output_tokens": 393, "service_tier": "standard",
}  # fmt: skip
MESSAGE = {"role": "assistant", "content": "Hello there"}
CHAT = {
    "id": "c", "object": "chat.completion", "model": "gpt-4o-mini",
    "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}], "usage": CHAT_USAGE,
}  # fmt: skip
RESPONSE = {
    "id": "r", "object": "response", "model": "o3", "status": "completed", "usage": RESPONSE_USAGE,
    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hello"}]}],
}  # fmt: skip
REPLY = {
    "id": "m", "type": "message", "role": "assistant", "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello there"}], "stop_reason": "end_turn",
    "usage": MESSAGE_USAGE,
}  # fmt: skip
EMBEDDING = {
    "object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}],
    "model": "text-embedding-3-small", "usage": {"prompt_tokens": 1_001, "total_tokens": 1_001},
}  # fmt: skip
CHAT_STREAM = [
    data({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]}),
    data({"choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]}),
    data({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}),
    data({"choices": [], "usage": CHAT_USAGE}),
    b"data: [DONE]\n\n",
]
RESPONSE_STREAM = [
    typed({"type": "response.created", "response": {"status": "in_progress", "usage": None}}),
    typed({"type": "response.output_text.delta", "delta": "Hello"}),
    typed({"type": "response.completed", "response": RESPONSE}),
]
REPLY_STREAM = [
    typed({"type": "message_start", "message": REPLY | {"usage": MESSAGE_USAGE | {"output_tokens": 1}}}),
    typed({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    typed({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}),
    typed({"type": "content_block_stop", "index": 0}),
    typed({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 200}}),
    typed({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 393}}),
    typed({"type": "message_stop"}),
]  # fmt: skip
# 86 fresh tokens, 1,920 out of a cache, 300 that were written, at $0.15, $0.075 and $0.60: 336.9
OF_CHAT = 337
# 400 fresh, 600 out of a cache, 500 written, at $2, $0.50 and $8
OF_RESPONSE = 5_100
# 21 fresh, 40,000 out of a cache, 500 into one, 1,000 for an hour, 393 written,
# at $3, $0.30, $3.75, $6 and $15
OF_REPLY = 63 + 12_000 + 1_875 + 6_000 + 5_895
# 1,001 at $0.02: 20.02
OF_EMBEDDING = 21
ANSWERS = {
    "chat": ("gpt-4o-mini", CHAT, CHAT_STREAM, OF_CHAT),
    "responses": ("o3", RESPONSE, RESPONSE_STREAM, OF_RESPONSE),
    "messages": ("claude-sonnet-4-5-20250929", REPLY, REPLY_STREAM, OF_REPLY),
}
TOKENS = {
    "chat": {"input": 2_006, "output": 300, "cache_read": 1_920, "reasoning": 128},
    "responses": {"input": 1_000, "output": 500, "cache_read": 600, "reasoning": 448},
    "messages": {"input": 41_521, "output": 393, "cache_read": 40_000, "cache_write": 1_500},
}


async def test_the_figures_are_those_of_the_library() -> None:
    """Which reads the same answers itself."""
    flavors = {"chat": "chat", "responses": "responses", "messages": "default"}
    for kind, (_, whole, _, micros) in ANSWERS.items():
        read = genai_prices.extract_usage(
            whole, provider_id=PATHS[kind][0], api_flavor=flavors[kind]
        )
        theirs = read.calc_price().total_price * 1_000_000
        assert int(theirs.to_integral_value(ROUND_CEILING)) == micros, kind


@pytest.mark.parametrize("kind", ANSWERS)
async def test_a_whole_answer_costs_what_it_says(upstream: RawUpstream, kind: str) -> None:
    """And says so in its head; nobody need have spoken of money."""
    model, whole, _, micros = ANSWERS[kind]
    upstream.then(answer(200, JSON, body=json.dumps(whole).encode()))
    async with holdfast(upstream, PATHS[kind][0]) as proxy:
        got = await asked(proxy, kind, model, max_tokens=1_000)
        (record,) = await recorded(proxy)
        metrics = await proxy.until_metric("holdfast_tokens_total", 1, kind="input")
    assert got.value("holdfast-cost") == f"0.{micros:06}".encode()
    assert (record["cost_micros"], record["tokens"]) == (micros, TOKENS[kind])
    assert "cost_estimated" not in record
    assert metrics.sum("holdfast_cost_micros_total", kind="model") == micros
    for name, number in TOKENS[kind].items():
        assert metrics.sum("holdfast_tokens_total", kind=name) == number


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("at_once", [True, False])
async def test_a_stream_costs_what_it_says(upstream: RawUpstream, kind: str, at_once: bool) -> None:
    """At its end; what it says more than once is not added up."""
    model, _, events, micros = ANSWERS[kind]

    async def spoken(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, *SSE, body=None))
        for event in events:
            connection.send(chunked(event).removesuffix(b"0\r\n\r\n"))
            await breathe()
        connection.send(b"0\r\n\r\n")

    upstream.then(answer(200, *SSE, body=None) + chunked(*events) if at_once else spoken)
    async with holdfast(upstream, PATHS[kind][0]) as proxy:
        got = await asked(proxy, kind, model, stream=True, stream_options={"include_usage": True})
        (record,) = await recorded(proxy)
    assert got.body == b"".join(events)
    assert (record["cost_micros"], record["tokens"]) == (micros, TOKENS[kind])
    assert "cost_estimated" not in record


async def test_what_is_embedded_costs_what_came_in(upstream: RawUpstream) -> None:
    """Nothing is written."""
    upstream.then(answer(200, JSON, body=json.dumps(EMBEDDING).encode()))
    async with holdfast(upstream, "openai") as proxy:
        await asked(proxy, "embeddings", "text-embedding-3-small", input="x")
        (record,) = await recorded(proxy)
    assert record["cost_micros"] == OF_EMBEDDING
    assert record["reserved_micros"] == 1


async def test_what_does_not_say_what_it_used_is_an_estimate(upstream: RawUpstream) -> None:
    """By the bytes of its text, and of its request."""
    silent = [CHAT_STREAM[0], data({"choices": [{"index": 0, "delta": {"content": "x" * 4_000}}]})]
    silent += [CHAT_STREAM[2], CHAT_STREAM[4]]
    upstream.then(answer(200, *SSE, body=None) + chunked(*silent))
    async with holdfast(upstream, "openai") as proxy:
        await asked(proxy, "chat", "gpt-4o-mini", stream=True)
        (record,) = await recorded(proxy)
    assert record["cost_estimated"] is True
    assert "tokens" not in record
    assert 600 < record["cost_micros"] < 620  # a thousand tokens, and some dozens that came in


async def test_an_answer_in_a_coding_that_nobody_reads_is_not_for_nothing(
    upstream: RawUpstream,
) -> None:
    """It is the agent that asks for the coding. As much as passed counts as text."""
    upstream.then(answer(200, *SSE, "Content-Encoding: br", body=None) + chunked(b"x" * 4_000))
    async with holdfast(upstream, "openai") as proxy:
        await asked(proxy, "chat", "gpt-4o-mini", stream=True)
        (record,) = await recorded(proxy)
    assert record["cost_estimated"] is True
    assert 600 < record["cost_micros"] < 620


async def test_who_leaves_what_goes_on_in_the_background_pays_for_all_of_it(
    upstream: RawUpstream,
) -> None:
    """It can be fetched later, by a call that costs nothing."""
    gone = asyncio.Event()

    async def begun(connection: UpstreamConnection, asked: Message) -> None:
        part = chunked(*RESPONSE_STREAM[:2]).removesuffix(b"0\r\n\r\n")
        connection.send(answer(200, *SSE, body=None) + part)
        await within(gone.wait())

    upstream.then(begun)
    async with holdfast(upstream, "openai") as proxy:
        async with await proxy.connect() as agent:
            body = {"model": "o3", "stream": True, "background": True, "max_output_tokens": 1_000}
            content = json.dumps(body).encode()
            agent.send(request(PATHS["responses"][1], JSON, method="POST", body=content))
            await agent.until(RESPONSE_STREAM[1][-20:])
        (record,) = await recorded(proxy)
        gone.set()
    assert record["outcome"] == "cancelled"
    assert record["cost_estimated"] is True
    assert record["cost_micros"] >= 8_000  # a thousand tokens at $8


@pytest.mark.parametrize("kind", ["chat", "messages"])
async def test_an_agent_that_leaves_pays_for_what_was_written(
    upstream: RawUpstream, kind: str
) -> None:
    """As far as it was heard."""
    model, _, events, _ = ANSWERS[kind]
    text = "x" * 4_000
    word = (
        data({"choices": [{"index": 0, "delta": {"content": text}}]})
        if kind == "chat"
        else typed(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": text},
            }
        )
    )
    gone = asyncio.Event()

    async def begun(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(
            answer(200, *SSE, body=None) + chunked(events[0], word).removesuffix(b"0\r\n\r\n")
        )
        await within(gone.wait())

    upstream.then(begun)
    async with holdfast(upstream, PATHS[kind][0]) as proxy:
        async with await proxy.connect() as agent:
            content = json.dumps({"model": model, "stream": True}).encode()
            agent.send(request(PATHS[kind][1], JSON, method="POST", body=content))
            await agent.until(word[-20:])
        (record,) = await recorded(proxy)
        gone.set()
    written = 600 if kind == "chat" else 15_000
    came_in = 0 if kind == "chat" else 63 + 12_000 + 1_875 + 6_000
    assert record["outcome"] == "cancelled"
    assert record["cost_estimated"] is True
    assert 0 <= record["cost_micros"] - written - came_in < 20


async def test_a_stream_that_outgrows_its_budget_is_ended(upstream: RawUpstream) -> None:
    """By the protocol's error, and it costs what was heard until then."""
    words = [data({"choices": [{"index": 0, "delta": {"content": "x" * 400}}]})] * 60

    async def spoken(connection: UpstreamConnection, asked: Message) -> None:
        connection.send(answer(200, *SSE, body=None))
        for word in words:
            if connection.transport.is_closing():
                break
            connection.send(chunked(word).removesuffix(b"0\r\n\r\n"))
            await breathe()

    upstream.then(spoken)
    rules = (
        "policies: [{name: p, cost: {reserve_cap: 100}}]\n"
        "budgets: [{name: small, per: agent, day: 0.001}]\n"
    )
    async with holdfast(upstream, "openai", rules) as proxy, await proxy.connect() as agent:
        content = json.dumps({"model": "gpt-4o-mini", "stream": True}).encode()
        agent.send(request(PATHS["chat"][1], JSON, method="POST", body=content))
        got = await agent.rest()
        (record,) = await recorded(proxy)
    last = got[got.rindex(b"data: ") :]
    assert b'"code":"budget_exceeded"' in last
    assert (record["code"], record["cost_estimated"]) == ("budget_exceeded", True)
    assert 1_000 < record["cost_micros"] < 1_500
    assert record["charges"] == {"small:local-agent": record["cost_micros"]}


async def test_what_is_turned_away_costs_nothing(upstream: RawUpstream) -> None:
    """However often it is tried."""
    rules = (
        "policies: [{name: p, match: {layer: llm}, retry: {attempts: 2, backoff: {base: 1ms, max: 1ms}}}]\n"
        "budgets: [{name: day, per: agent, day: 1}]\n"
    )
    error = json.dumps({"error": {"message": "x", "type": "rate_limit_error"}}).encode()
    upstream.then(answer(429, JSON, body=error), answer(200, JSON, body=json.dumps(CHAT).encode()))
    async with holdfast(upstream, "openai", rules) as proxy:
        got = await asked(proxy, "chat", "gpt-4o-mini", max_tokens=10)
        (record,) = await recorded(proxy)
    assert got.status == 200
    assert (len(record["attempts"]), record["cost_micros"]) == (2, OF_CHAT)
    assert "cost_estimated" not in record


async def test_another_model_that_answers_is_paid_as_itself(upstream: RawUpstream) -> None:
    """And the one that failed, for what came in."""
    rules = (
        "prices: {models: {a: {input_mtok: 1000, output_mtok: 1}, b: {input_mtok: 0, output_mtok: 5}}}\n"
        "policies: [{name: p, match: {model: a}, fallback: {chain: [{model: b}]}}]\n"
        "budgets: [{name: by, per: model, day: 1}]\n"
    )
    body = json.dumps(CHAT | {"model": "b"}).encode()
    upstream.then(answer(500, JSON, body=b"{}"), answer(200, JSON, body=body))
    async with holdfast(upstream, "openai", rules) as proxy:
        got = await asked(proxy, "chat", "a", max_tokens=10)
        (record,) = await recorded(proxy)
    assert (got.status, record["served_by"]) == (200, "b")
    assert json.loads(upstream.requests[1].body)["model"] == "b"
    assert record["charges"]["by:b"] == 300 * 5
    assert record["charges"]["by:a"] == record["cost_micros"] - 300 * 5 > 0
    assert record["cost_estimated"] is True
