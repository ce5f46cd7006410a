"""proxy/lab/sandbox/jsonrpc.py"""

import pytest

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.jsonrpc import Rpc, RpcError, failure, read_rpc, result


def test_messages_are_told_apart() -> None:
    """A request has an id, a notification none, a client's answer no method."""
    head = {"jsonrpc": "2.0"}
    assert read_rpc({**head, "id": 1, "method": "m"}) == Rpc("m", 1)
    assert read_rpc({**head, "method": "m", "params": {"a": 1}}) == Rpc("m", None, {"a": 1}, True)
    assert read_rpc({**head, "id": 1, "result": {}}).notifies


@pytest.mark.parametrize("document", [
    [], {"id": 1, "method": "m"}, {"jsonrpc": "2.0", "id": 1},
    {"jsonrpc": "2.0", "id": True, "method": "m"}, {"jsonrpc": "2.0", "id": {}, "method": "m"},
    {"jsonrpc": "2.0", "id": 1, "method": "m", "params": []},
])  # fmt: skip
def test_what_is_no_message_is_refused(document: object) -> None:
    """With the number that says so."""
    with pytest.raises(RpcError) as caught:
        read_rpc(document)
    assert (caught.value.number, caught.value.status) == (-32600, 400)


@pytest.mark.parametrize(("error", "number"), [
    (RpcError(-32602, ""), -32602), (GatewayError(400, "invalid_json", ""), -32700),
    (GatewayError(404, "x", ""), -32600), (GatewayError(503, "x", ""), -32603),
])  # fmt: skip
def test_errors_are_numbered(error: GatewayError, number: int) -> None:
    """By their own number, or their status."""
    assert failure(1, error)["error"] == {"code": number, "message": ""}


def test_data_goes_along() -> None:
    """Where there is some."""
    said = failure(None, RpcError(-32022, "x", data={"a": 1}))
    assert said["error"] == {"code": -32022, "message": "x", "data": {"a": 1}}
    assert result("k", {}) == {"jsonrpc": "2.0", "id": "k", "result": {}}
