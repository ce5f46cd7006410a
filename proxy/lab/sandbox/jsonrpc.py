"""JSON-RPC 2.0, as MCP and A2A use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from proxy.lab.sandbox.errors import GatewayError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

Id = object
"""A string or a number; None in the answer to what had none."""


class RpcError(GatewayError):
    """An error with a number of its own; `status` is the HTTP status that goes with it."""

    def __init__(
        self,
        number: int,
        message: str,
        status: int = 200,
        data: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, str(number), message, headers)
        self.number = number
        self.data = data


@dataclass(frozen=True, slots=True)
class Rpc:
    """A request, or where `notifies` is true a notification; or an answer of a client, which has
    no method."""

    method: str
    id: Id = None
    params: Mapping[str, object] = field(default_factory=dict)
    notifies: bool = False

    def meta(self) -> Mapping[str, object]:
        """What MCP puts beside the parameters."""
        found = self.params.get("_meta")
        return found if isinstance(found, Mapping) else {}


def read_rpc(document: object) -> Rpc:
    """Understand one message; raises RpcError -32600."""
    if not isinstance(document, Mapping) or document.get("jsonrpc") != "2.0":
        raise RpcError(INVALID_REQUEST, "not a JSON-RPC 2.0 message", 400)
    method, key = document.get("method"), document.get("id")
    params = document.get("params", {})
    if method is None and ("result" in document or "error" in document):
        return Rpc("", key, notifies=True)
    if not isinstance(method, str) or not isinstance(params, Mapping):
        raise RpcError(INVALID_REQUEST, "method must be a string, params an object", 400)
    if isinstance(key, bool) or not isinstance(key, str | int | Decimal | None):
        raise RpcError(INVALID_REQUEST, "id must be a string or a number", 400)
    return Rpc(method, key, params, notifies="id" not in document)


def result(key: Id, found: object) -> dict[str, object]:
    """A good answer."""
    return {"jsonrpc": "2.0", "id": key, "result": found}


def failure(key: Id, error: GatewayError) -> dict[str, object]:
    """A bad one; what is no RpcError is numbered by its status."""
    said: dict[str, object] = {"code": number_of(error), "message": error.message}
    if isinstance(error, RpcError) and error.data is not None:
        said["data"] = error.data
    return {"jsonrpc": "2.0", "id": key, "error": said}


def number_of(error: GatewayError) -> int:
    """The code of an error."""
    if isinstance(error, RpcError):
        return error.number
    if error.code == "invalid_json":
        return PARSE_ERROR
    return INVALID_REQUEST if 400 <= error.status < 500 else INTERNAL_ERROR
