"""proxy/lab/sandbox/a2a_errors.py"""

from typing import Any

import pytest

from proxy.lab.sandbox.a2a_errors import ERRORS, http_refusal, rpc_refusal
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.jsonrpc import RpcError


@pytest.mark.parametrize(("error", "rpc", "http"), [
    (RpcError(-32001, "x"), 200, 404), (RpcError(-32602, "x"), 200, 400),
    (GatewayError(400, "invalid_json", "x"), 200, 400), (GatewayError(503, "x", "y"), 503, 503),
    (RpcError(-32601, "x", 404), 404, 404), (ERRORS["server"], 200, 500),
])  # fmt: skip
def test_a_status_is_of_http(error: GatewayError, rpc: int, http: int) -> None:
    """JSON-RPC says most things with 200."""
    assert (rpc_refusal(1, error).status, http_refusal(error).status) == (rpc, http)


def test_only_the_errors_of_a2a_name_a_reason_in_json_rpc() -> None:
    """HTTP+JSON always does."""
    ours: Any = rpc_refusal(1, RpcError(-32002, "x")).body
    assert ours["error"]["data"][0]["reason"] == "TASK_NOT_CANCELABLE"
    plain: Any = rpc_refusal(1, RpcError(-32602, "x")).body
    assert "data" not in plain["error"]
    over_http: Any = http_refusal(GatewayError(418, "x", "y")).body
    assert over_http["error"]["details"][0]["reason"] == "INVALID_REQUEST"
