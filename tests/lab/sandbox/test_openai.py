"""proxy/lab/sandbox/openai.py, over a real socket."""

from typing import Any

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import stream, whole

CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}


@pytest.mark.parametrize(("path", "body"), [
    ("/openai/v1/chat/completions", CHAT), ("/v1/chat/completions", CHAT),
    ("/openai/chat/completions", CHAT), ("/openai/v1/responses", {"model": "m", "input": "Hi"}),
    ("/openai/v1/embeddings", {"model": "m", "input": "Hi"}),
])  # fmt: skip
async def test_a_call_is_counted_by_its_model(
    played: Sandbox, asking: aiohttp.ClientSession, path: str, body: object
) -> None:
    """With and without the mount and the version; it counts as having run."""
    answer = await whole(asking, path, body)
    assert answer["model"] == "m"
    assert (played.calls.by_tool["m"], played.calls.executed["m"]) == (1, 1)


async def test_the_same_request_gets_the_same_bytes(asking: aiohttp.ClientSession) -> None:
    """Answers are made of the request and the seed; the words are the same as a stream."""
    path = "/openai/v1/chat/completions"
    first, again = await whole(asking, path, CHAT), await whole(asking, path, CHAT)
    heard = await stream(asking, path, {**CHAT, "stream": True})
    assert first == again
    text = "".join(event.said["choices"][0]["delta"].get("content", "") for event in heard[:-1])
    assert text == first["choices"][0]["message"]["content"]


async def test_models_are_listed(asking: aiohttp.ClientSession) -> None:
    """All, one, and one that is not there."""
    async with asking.get("/openai/v1/models") as response:
        listed = await response.json()
    assert [model["object"] for model in listed["data"]] == ["model"] * 3
    for path in ("/v1/models/sandbox-small", "/openai/v1/models/sandbox-small"):
        async with asking.get(path) as response:
            assert (await response.json())["id"] == "sandbox-small"
    async with asking.get("/openai/v1/models/other") as response:
        assert (response.status, (await response.json())["error"]["code"]) == (
            404, "model_not_found",
        )  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status", "kind"), [
    ("/openai/v1/chat/completions", {}, 400, "invalid_request_error"),
    ("/openai/v1/chat/completions", {**CHAT, "messages": []}, 400, "invalid_request_error"),
    ("/openai/v1/chat/completions", {**CHAT, "n": 9}, 400, "invalid_request_error"),
    ("/openai/v1/chat/completions", {**CHAT, "max_tokens": 0}, 400, "invalid_request_error"),
    ("/openai/v1/chat/completions", {**CHAT, "model": "unknown-1"}, 404, "invalid_request_error"),
    ("/openai/v1/responses", {"model": "m"}, 400, "invalid_request_error"),
    ("/openai/v1/embeddings", {"model": "m", "input": []}, 400, "invalid_request_error"),
    ("/openai/v1/elsewhere", {}, 404, "invalid_request_error"),
])  # fmt: skip
async def test_errors_have_the_vendors_shape(
    asking: aiohttp.ClientSession, path: str, body: object, status: int, kind: str
) -> None:
    """A message, a type, a code, and no parameter."""
    answer = await whole(asking, path, body, status)
    assert answer["error"].keys() == {"message", "type", "param", "code"}
    assert answer["error"]["type"] == kind


async def test_other_methods_are_refused(asking: aiohttp.ClientSession) -> None:
    """In the same shape."""
    async with asking.delete("/openai/v1/chat/completions") as response:
        assert response.status == 405
        assert (await response.json())["error"]["code"] == "method_not_supported"


@pytest.mark.parametrize(("wished", "status", "code"), [
    ("server", 500, "server_error"), ("overloaded", 503, "server_overloaded"),
    ("rate_limit", 429, "rate_limit_exceeded"), ("quota", 429, "insufficient_quota"),
])  # fmt: skip
async def test_errors_on_demand(
    played: Sandbox, asking: aiohttp.ClientSession, wished: str, status: int, code: str
) -> None:
    """Instead of an answer; nothing ran."""
    path = "/openai/v1/chat/completions"
    answer = await whole(asking, path, CHAT, status, x_sandbox_fault=f"error={wished}")
    assert answer["error"]["code"] == code
    assert played.calls.executed["m"] == 0


async def test_a_status_by_script_has_the_vendors_shape(asking: aiohttp.ClientSession) -> None:
    """Where the script gives no body."""
    path = "/openai/v1/chat/completions"
    answer = await whole(asking, path, CHAT, 503, x_sandbox_fault="status=503")
    assert answer["error"]["code"] == "scripted_fault"


async def test_a_wrong_wish_is_named(asking: aiohttp.ClientSession) -> None:
    """What may be wished for is said."""
    path = "/openai/v1/chat/completions"
    answer = await whole(asking, path, CHAT, 400, x_sandbox_usage="tokens=5")
    assert "x-sandbox-usage: 'tokens=5'" in answer["error"]["message"]
