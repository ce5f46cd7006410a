"""proxy/lab/sandbox/openai_chat.py, over a real socket."""

import json
from typing import Any

import aiohttp
import pytest

from tests.lab.sandbox.heard import stream, whole

PATH = "/openai/v1/chat/completions"
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
STREAM = {**CHAT, "stream": True}
COUNTED = {**STREAM, "stream_options": {"include_usage": True}}
TOOL = {
    "type": "function",
    "function": {
        "name": "get_balance",
        "parameters": {"type": "object", "properties": {"agent_id": {"type": "string"}}},
    },
}


async def test_a_whole_answer(asking: aiohttp.ClientSession) -> None:
    """One choice, and figures that add up: a word is a token."""
    answer = await whole(asking, PATH, CHAT)
    assert answer["object"] == "chat.completion"
    [choice] = answer["choices"]
    assert (choice["message"]["role"], choice["finish_reason"]) == ("assistant", "stop")
    usage = answer["usage"]
    assert usage["completion_tokens"] == len(choice["message"]["content"].split())
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_a_stream_tells_no_figures_unless_asked(asking: aiohttp.ClientSession) -> None:
    """The role, the words, the reason, `[DONE]`: no chunk knows of usage."""
    *chunks, done = await stream(asking, PATH, STREAM)
    assert done.said == "[DONE]"
    assert all(chunk.kind == "" and "usage" not in chunk.said for chunk in chunks)
    assert chunks[0].said["choices"][0]["delta"]["role"] == "assistant"
    assert chunks[-1].said["choices"][0] == {
        "index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop",
    }  # fmt: skip


async def test_a_stream_tells_its_figures_where_asked(asking: aiohttp.ClientSession) -> None:
    """All chunks say null; one more has no choices and the totals of the whole answer."""
    *chunks, last, done = await stream(asking, PATH, COUNTED)
    assert done.said == "[DONE]"
    assert all(chunk.said["usage"] is None for chunk in chunks)
    assert last.said["choices"] == []
    assert last.said["usage"] == (await whole(asking, PATH, CHAT))["usage"]


async def test_figures_on_wish(asking: aiohttp.ClientSession) -> None:
    """Cached tokens are part of what was read, reasoning of what was written."""
    wish = "input=2000; cached=1500; cache_write=100; output=50; reasoning=20"
    *_, last, _ = await stream(asking, PATH, COUNTED, x_sandbox_usage=wish)
    assert last.said["usage"] == {
        "prompt_tokens": 2000, "completion_tokens": 50, "total_tokens": 2050,
        "prompt_tokens_details": {
            "cached_tokens": 1500, "cache_write_tokens": 100, "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 20, "audio_tokens": 0, "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }  # fmt: skip


async def test_an_answer_is_as_long_as_wished(asking: aiohttp.ClientSession) -> None:
    """A chunk a token: so a long stream is made."""
    heard = await stream(asking, PATH, STREAM, x_sandbox_usage="output=1000")
    assert len(heard) == 1 + 1000 + 1 + 1


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_an_answer_ends_at_its_limit(asking: aiohttp.ClientSession, name: str) -> None:
    """And says why."""
    answer = await whole(asking, PATH, {**CHAT, name: 3})
    assert answer["choices"][0]["finish_reason"] == "length"
    assert answer["usage"]["completion_tokens"] == 3


async def test_reasoning_where_it_is_asked_for(asking: aiohttp.ClientSession) -> None:
    """Without a wish for a figure."""
    answer = await whole(asking, PATH, {**CHAT, "reasoning_effort": "low"})
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] > 0


async def test_several_choices(asking: aiohttp.ClientSession) -> None:
    """Side by side in a stream; each gives its reason, and the prompt is read once."""
    one, two = await whole(asking, PATH, CHAT), await whole(asking, PATH, {**CHAT, "n": 2})
    assert [choice["index"] for choice in two["choices"]] == [0, 1]
    assert two["usage"]["prompt_tokens"] == one["usage"]["prompt_tokens"]
    heard = await stream(asking, PATH, {**STREAM, "n": 2})
    reasons = [event.said["choices"][0] for event in heard[-3:-1]]
    assert [(at["index"], at["finish_reason"]) for at in reasons] == [(0, "stop"), (1, "stop")]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": TOOL["function"]}])
async def test_a_tool_that_must_be_called(asking: aiohttp.ClientSession, choice: object) -> None:
    """Named with its id first, its arguments bit by bit: joined, they are what the whole has."""
    asked = {**CHAT, "tools": [{"type": "custom"}, TOOL], "tool_choice": choice}
    answer = await whole(asking, PATH, asked)
    [call] = answer["choices"][0]["message"]["tool_calls"]
    assert answer["choices"][0]["finish_reason"] == "tool_calls"
    assert json.loads(call["function"]["arguments"]).keys() == {"agent_id"}
    heard = await stream(asking, PATH, {**asked, "stream": True})
    deltas = [event.said["choices"][0]["delta"] for event in heard[1:-2]]
    calls = [delta["tool_calls"][0] for delta in deltas]
    assert calls[0]["function"]["name"] == "get_balance"
    assert "".join(part["function"]["arguments"] for part in calls) == call["function"]["arguments"]


async def test_a_tier_is_told(asking: aiohttp.ClientSession) -> None:
    """It changes the price."""
    answer = await whole(asking, PATH, {**CHAT, "service_tier": "priority"})
    assert answer["service_tier"] == "priority"


async def test_an_error_inside_a_stream(asking: aiohttp.ClientSession) -> None:
    """In place of the third event, as data; then the body ends."""
    fault = "error=overloaded; after=2"
    heard = await stream(asking, PATH, STREAM, x_sandbox_fault=fault)
    assert len(heard) == 3
    assert heard[2].said["error"]["code"] == "server_overloaded"
