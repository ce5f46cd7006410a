"""proxy/lab/sandbox/anthropic.py, over a real socket."""

from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import whole

ASKED: dict[str, Any] = {
    "model": "m",
    "max_tokens": 99,
    "messages": [{"role": "user", "content": "Hello"}],
}


@pytest.mark.parametrize("path", ["/anthropic/v1/messages", "/v1/messages"])
async def test_a_call_is_counted_by_its_model(
    played: Sandbox, asking: aiohttp.ClientSession, path: str
) -> None:
    """With and without the mount; it counts as having run."""
    answer = await whole(asking, path, ASKED)
    assert answer["model"] == "m"
    assert (played.calls.by_tool["m"], played.calls.executed["m"]) == (1, 1)


async def test_tokens_are_counted_as_a_message_would(asking: aiohttp.ClientSession) -> None:
    """The same figure, and no answer."""
    counted = await whole(asking, "/anthropic/v1/messages/count_tokens", ASKED)
    answer = await whole(asking, "/anthropic/v1/messages", ASKED)
    assert counted == {"input_tokens": answer["usage"]["input_tokens"]}


async def test_models_are_listed(asking: aiohttp.ClientSession) -> None:
    """All, one, and one that is not there; at the root the version's header tells the vendors."""
    named = {"anthropic-version": "2023-06-01"}
    async with asking.get("/v1/models", headers=named) as response:
        listed = await response.json()
    assert [model["type"] for model in listed["data"]] == ["model"] * 3
    assert (listed["has_more"], listed["first_id"]) == (False, listed["data"][0]["id"])
    async with asking.get("/anthropic/v1/models/sandbox-small") as response:
        assert (await response.json())["id"] == "sandbox-small"
    async with asking.get("/anthropic/v1/models/other") as response:
        assert (await response.json())["error"]["type"] == "not_found_error"


@pytest.mark.parametrize(("path", "body", "status", "kind"), [
    ("/anthropic/v1/messages", {}, 400, "invalid_request_error"),
    ("/anthropic/v1/messages", {**ASKED, "max_tokens": None}, 400, "invalid_request_error"),
    ("/anthropic/v1/messages", {**ASKED, "messages": []}, 400, "invalid_request_error"),
    ("/anthropic/v1/messages", {**ASKED, "model": "unknown-1"}, 404, "not_found_error"),
    ("/anthropic/v1/elsewhere", {}, 404, "not_found_error"),
])  # fmt: skip
async def test_errors_have_the_vendors_shape(
    asking: aiohttp.ClientSession, path: str, body: object, status: int, kind: str
) -> None:
    """A type, a message, and the request's id."""
    answer = await whole(asking, path, body, status)
    assert (answer["type"], answer["error"]["type"]) == ("error", kind)
    assert answer["request_id"]


async def test_other_methods_are_refused(asking: aiohttp.ClientSession) -> None:
    """In the same shape."""
    async with asking.delete("/anthropic/v1/messages") as response:
        assert (response.status, (await response.json())["type"]) == (405, "error")


@pytest.mark.parametrize(("wished", "status", "kind"), [
    ("server", 500, "api_error"), ("overloaded", 529, "overloaded_error"),
    ("rate_limit", 429, "rate_limit_error"), ("quota", 429, "rate_limit_error"),
])  # fmt: skip
async def test_errors_on_demand(
    played: Sandbox, asking: aiohttp.ClientSession, wished: str, status: int, kind: str
) -> None:
    """Instead of an answer; nothing ran."""
    fault = f"error={wished}"
    answer = await whole(asking, "/v1/messages", ASKED, status, x_sandbox_fault=fault)
    assert answer["error"]["type"] == kind
    assert played.calls.executed["m"] == 0
