"""proxy/lab/sandbox/anthropic_message.py, over a real socket."""

import json
from typing import Any

import aiohttp
import pytest

from tests.lab.sandbox.heard import stream, whole

PATH = "/anthropic/v1/messages"
ASKED: dict[str, Any] = {
    "model": "m",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "Hello"}],
}
STREAM = {**ASKED, "stream": True}
TOOL = {
    "name": "get_balance",
    "input_schema": {"type": "object", "properties": {"flag": {"type": "boolean"}}},
}


async def test_a_whole_answer(asking: aiohttp.ClientSession) -> None:
    """One text, and figures: a word is a token."""
    answer = await whole(asking, PATH, ASKED)
    [block] = answer["content"]
    assert (answer["type"], answer["stop_reason"]) == ("message", "end_turn")
    assert answer["usage"]["output_tokens"] == len(block["text"].split())


async def test_a_stream(asking: aiohttp.ClientSession) -> None:
    """Each event is named and typed; the figures at the end are those of the whole answer."""
    heard = await stream(asking, PATH, STREAM)
    assert all(event.kind == event.said["type"] for event in heard)
    assert list(dict.fromkeys(event.kind for event in heard)) == [
        "message_start", "content_block_start", "ping", "content_block_delta",
        "content_block_stop", "message_delta", "message_stop",
    ]  # fmt: skip
    answer = await whole(asking, PATH, ASKED)
    deltas = (event.said for event in heard if event.kind == "content_block_delta")
    assert "".join(said["delta"]["text"] for said in deltas) == answer["content"][0]["text"]
    assert heard[0].said["message"]["stop_reason"] is None
    assert heard[-2].said["usage"]["output_tokens"] == answer["usage"]["output_tokens"]


async def test_figures_on_wish(asking: aiohttp.ClientSession) -> None:
    """What caches read and wrote is not in `input_tokens`; the last figures are totals."""
    wish = "input=1000; cached=600; cache_write=300; cache_write_1h=100; output=50; reasoning=20"
    heard = await stream(asking, PATH, STREAM, x_sandbox_usage=wish)
    first, last = heard[0].said["message"]["usage"], heard[-2].said["usage"]
    assert first == {
        "input_tokens": 100, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 600,
        "output_tokens": 1, "service_tier": "standard",
        "cache_creation": {"ephemeral_5m_input_tokens": 200, "ephemeral_1h_input_tokens": 100},
    }  # fmt: skip
    assert last == {
        "input_tokens": 100, "cache_creation_input_tokens": 300, "cache_read_input_tokens": 600,
        "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20},
    }  # fmt: skip


async def test_a_thought_comes_first(asking: aiohttp.ClientSession) -> None:
    """A block of its own, with its signature."""
    thinking = {"type": "enabled", "budget_tokens": 1024}
    answer = await whole(asking, PATH, {**ASKED, "thinking": thinking})
    assert [block["type"] for block in answer["content"]] == ["thinking", "text"]
    assert answer["usage"]["output_tokens_details"]["thinking_tokens"] > 0
    heard = await stream(asking, PATH, {**STREAM, "thinking": thinking})
    kinds = [e.said["delta"]["type"] for e in heard if e.kind == "content_block_delta"]
    assert kinds[:3] == ["thinking_delta", "signature_delta", "text_delta"]


async def test_an_answer_ends_at_its_limit(asking: aiohttp.ClientSession) -> None:
    """And says why."""
    answer = await whole(asking, PATH, {**ASKED, "max_tokens": 2})
    assert (answer["stop_reason"], answer["usage"]["output_tokens"]) == ("max_tokens", 2)


@pytest.mark.parametrize("choice", [{"type": "any"}, {"type": "tool", "name": "get_balance"}])
async def test_a_tool_that_must_be_called(asking: aiohttp.ClientSession, choice: object) -> None:
    """Its input comes as JSON bit by bit: joined, it is what the whole has."""
    asked = {**STREAM, "tools": [{"type": "other"}, TOOL], "tool_choice": choice}
    heard = await stream(asking, PATH, asked)
    deltas = (e.said["delta"]["partial_json"] for e in heard if e.kind == "content_block_delta")
    answer = await whole(asking, PATH, {**asked, "stream": False})
    [call] = answer["content"]
    assert (call["type"], answer["stop_reason"]) == ("tool_use", "tool_use")
    assert json.loads("".join(deltas)) == call["input"]
    assert heard[1].said["content_block"]["input"] == {}


async def test_an_error_inside_a_stream(asking: aiohttp.ClientSession) -> None:
    """An event named so, in place of the fourth; then the body ends."""
    fault = "error=overloaded; after=3"
    heard = await stream(asking, PATH, STREAM, x_sandbox_fault=fault)
    assert (len(heard), heard[3].kind) == (4, "error")
    assert heard[3].said["error"]["type"] == "overloaded_error"
