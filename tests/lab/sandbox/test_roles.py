"""proxy/lab/sandbox/roles.py, over a real socket."""

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox


@pytest.mark.parametrize(("path", "said"), [
    ("/openai/v1/chat/completions", "invalid_request_error"),
    ("/v1/chat/completions", "invalid_request_error"),
    ("/openai", "invalid_request_error"),
    ("/anthropic/v1/messages", "request_id"),
    ("/v1/messages/count_tokens", "request_id"),
    ("/openai-like/v1", '"tool"'),
    ("/v1/models", "unknown_tool"),
    ("/anywhere", '"tool"'),
])  # fmt: skip
async def test_a_path_says_who_answers(
    played: Sandbox, asking: aiohttp.ClientSession, path: str, said: str
) -> None:
    """An empty object is refused by each in its own words; whatever came is counted."""
    async with asking.post(path, json={}) as response:
        assert said in (await response.text()).replace("\\", "")
    assert played.calls.total == 1
