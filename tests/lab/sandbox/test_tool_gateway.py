"""proxy/lab/sandbox/tool_gateway.py, over a real socket."""

import aiohttp
import pytest

from proxy.lab.sandbox.gateway import Sandbox
from tests.lab.sandbox.heard import whole


@pytest.mark.parametrize(("wished", "status", "code"), [
    ("server", 500, "internal_error"), ("overloaded", 503, "overloaded"),
    ("rate_limit", 429, "rate_limited"), ("quota", 402, "quota_exhausted"),
])  # fmt: skip
async def test_errors_on_demand(
    played: Sandbox, asking: aiohttp.ClientSession, wished: str, status: int, code: str
) -> None:
    """In the gateway's own shape; nothing ran."""
    given = {"agent_id": "local-agent"}
    fault = f"error={wished}"
    answer = await whole(asking, "/v1/get_balance", given, status, x_sandbox_fault=fault)
    assert answer["error"]["code"] == code
    assert played.calls.executed["get_balance"] == 0
