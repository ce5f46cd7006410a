"""How the agent says no: JSON-RPC errors of A2A, and what HTTP+JSON makes of them."""

from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.jsonrpc import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Id,
    RpcError,
    number_of,
)
from proxy.lab.sandbox.said import Answer

NOT_FOUND = -32001
NOT_CANCELABLE = -32002
NO_PUSH = -32003
UNSUPPORTED = -32004
NO_EXTENDED_CARD = -32007
WRONG_VERSION = -32009

ERRORS = {
    "server": RpcError(INTERNAL_ERROR, "the agent failed"),
    "overloaded": RpcError(
        INTERNAL_ERROR, "the agent is overloaded", 503, headers={"Retry-After": "1"}
    ),
    "rate_limit": RpcError(INTERNAL_ERROR, "too many messages", 429, headers={"Retry-After": "1"}),
    "quota": RpcError(INTERNAL_ERROR, "the quota is used up", 402),
}
_KINDS = {
    NOT_FOUND: (404, "NOT_FOUND", "TASK_NOT_FOUND"),
    NOT_CANCELABLE: (400, "FAILED_PRECONDITION", "TASK_NOT_CANCELABLE"),
    NO_PUSH: (400, "FAILED_PRECONDITION", "PUSH_NOTIFICATION_NOT_SUPPORTED"),
    UNSUPPORTED: (400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION"),
    NO_EXTENDED_CARD: (400, "FAILED_PRECONDITION", "EXTENDED_AGENT_CARD_NOT_CONFIGURED"),
    WRONG_VERSION: (400, "FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED"),
    INVALID_PARAMS: (400, "INVALID_ARGUMENT", "INVALID_PARAMS"),
    METHOD_NOT_FOUND: (404, "NOT_FOUND", "METHOD_NOT_FOUND"),
    INTERNAL_ERROR: (500, "INTERNAL", "INTERNAL_ERROR"),
}
_OTHER = (400, "INVALID_ARGUMENT", "INVALID_REQUEST")


def rpc_told(key: Id, error: GatewayError) -> dict[str, object]:
    """As JSON-RPC; A2A's own errors name their reason."""
    number = number_of(error)
    said: dict[str, object] = {"code": number, "message": error.message}
    if -32099 <= number <= -32001:
        said["data"] = [_reason(number)]
    return {"jsonrpc": "2.0", "id": key, "error": said}


def rpc_refusal(key: Id, error: GatewayError) -> Answer:
    """The answer of the JSON-RPC binding: 200, unless it is HTTP that says no."""
    status = 200 if error.status <= 400 else error.status
    return Answer(status, rpc_told(key, error), error.headers)


def http_told(error: GatewayError) -> dict[str, object]:
    """As HTTP+JSON: a status of google.rpc, with its reason in the details."""
    number = number_of(error)
    _, name, _ = _KINDS.get(number, _OTHER)
    return {
        "error": {
            "code": _status(error),
            "status": name,
            "message": error.message,
            "details": [_reason(number)],
        }
    }


def http_refusal(error: GatewayError) -> Answer:
    """The answer of the HTTP+JSON binding."""
    return Answer(_status(error), http_told(error), error.headers)


def _status(error: GatewayError) -> int:
    """What its number says where it says itself only that JSON-RPC was spoken."""
    return _KINDS.get(number_of(error), _OTHER)[0] if error.status == 200 else error.status


def _reason(number: int) -> dict[str, object]:
    return {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": _KINDS.get(number, _OTHER)[2],
        "domain": "a2a-protocol.org",
    }
