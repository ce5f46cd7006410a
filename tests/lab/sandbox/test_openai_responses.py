"""proxy/lab/sandbox/openai_responses.py, over a real socket."""

from typing import Any

import aiohttp
import pytest

from tests.lab.sandbox.heard import stream, whole

PATH = "/openai/v1/responses"
ASKED: dict[str, Any] = {"model": "m", "input": "Hello"}
STREAM = {**ASKED, "stream": True}
TOOL = {
    "type": "function",
    "name": "get_balance",
    "parameters": {"type": "object", "properties": {"n": {"type": "integer"}}},
}


async def test_a_whole_answer(asking: aiohttp.ClientSession) -> None:
    """One message, and figures that add up."""
    answer = await whole(asking, PATH, ASKED)
    assert (answer["object"], answer["status"]) == ("response", "completed")
    [message] = answer["output"]
    usage = answer["usage"]
    assert usage["output_tokens"] == len(message["content"][0]["text"].split())
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"]


async def test_a_stream(asking: aiohttp.ClientSession) -> None:
    """Each event is named, typed and numbered; the last has the whole answer with its figures."""
    heard = await stream(asking, PATH, STREAM)
    assert [event.said["sequence_number"] for event in heard] == list(range(len(heard)))
    assert all(event.kind == event.said["type"] for event in heard)
    kinds = list(dict.fromkeys(event.kind for event in heard))
    assert kinds == [
        "response.created", "response.in_progress", "response.output_item.added",
        "response.content_part.added", "response.output_text.delta", "response.output_text.done",
        "response.content_part.done", "response.output_item.done", "response.completed",
    ]  # fmt: skip
    assert heard[0].said["response"]["usage"] is None
    assert heard[-1].said["response"] == await whole(asking, PATH, ASKED)


async def test_a_limit_makes_it_incomplete(asking: aiohttp.ClientSession) -> None:
    """The last event has another name then."""
    heard = await stream(asking, PATH, {**STREAM, "max_output_tokens": 2})
    assert heard[-1].kind == "response.incomplete"
    assert heard[-1].said["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


async def test_figures_on_wish(asking: aiohttp.ClientSession) -> None:
    """Reasoning is an item of its own, without words."""
    wish = "input=100; cached=60; output=30; reasoning=10"
    heard = await stream(asking, PATH, STREAM, x_sandbox_usage=wish)
    last = heard[-1].said["response"]
    assert [item["type"] for item in last["output"]] == ["reasoning", "message"]
    assert last["usage"] == {
        "input_tokens": 100,
        "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 0},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 10},
        "total_tokens": 130,
    }


@pytest.mark.parametrize("choice", ["required", {"type": "function", "name": "get_balance"}])
async def test_a_tool_that_must_be_called(asking: aiohttp.ClientSession, choice: object) -> None:
    """Its arguments come bit by bit, and whole at the end."""
    asked = {**STREAM, "tools": [{"type": "web_search"}, TOOL], "tool_choice": choice}
    heard = await stream(asking, PATH, asked)
    kind = "response.function_call_arguments"
    deltas = [event.said["delta"] for event in heard if event.kind == f"{kind}.delta"]
    [done] = [event.said for event in heard if event.kind == f"{kind}.done"]
    assert "".join(deltas) == done["arguments"]
    assert heard[-1].said["response"]["output"][0]["call_id"]


async def test_an_error_inside_a_stream(asking: aiohttp.ClientSession) -> None:
    """An event of its own, numbered on."""
    heard = await stream(asking, PATH, STREAM, x_sandbox_fault="error=server; after=2")
    assert [event.kind for event in heard] == ["response.created", "response.in_progress", "error"]
    assert heard[2].said["code"] == "server_error"
