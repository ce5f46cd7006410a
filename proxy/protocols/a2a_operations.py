"""What can be asked of an agent that speaks A2A: its operations, by the names of 1.0.

They come as methods of JSON-RPC, in 0.3 under other names, or as methods and paths of HTTP
(A2A 1.0 sections 5.3, 9 and 11). A path is read as servers read it: its escapes are decoded once,
letters count alike in any case, and whatever stands before (a tenant, a version) says nothing.
"""

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

import msgspec

from proxy.call import Effect
from proxy.memo import remembered
from proxy.protocols.a2a_card import PATHS
from proxy.protocols.claims import DECEPTIVE

_READ, _IDEMPOTENT, _WRITE = Effect.READ, Effect.IDEMPOTENT, Effect.WRITE

EFFECTS = {
    "SendMessage": _WRITE,
    "SendStreamingMessage": _WRITE,
    "GetTask": _READ,
    "ListTasks": _READ,
    "CancelTask": _IDEMPOTENT,
    "SubscribeToTask": _READ,
    "CreateTaskPushNotificationConfig": _WRITE,
    "GetTaskPushNotificationConfig": _READ,
    "ListTaskPushNotificationConfigs": _READ,
    "DeleteTaskPushNotificationConfig": _IDEMPOTENT,
    "GetExtendedAgentCard": _READ,
    "GetAgentCard": _READ,
}
"""All operations. The last is our own word: the card that everybody may read is got by its path."""

SENDS = frozenset({"SendMessage", "SendStreamingMessage"})
STREAMS = frozenset({"SendStreamingMessage", "SubscribeToTask"})
CARDS = frozenset({"GetAgentCard", "GetExtendedAgentCard"})

_OF_0_3 = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/list": "ListTasks",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
METHODS = {name: name for name in EFFECTS if name != "GetAgentCard"} | _OF_0_3
"""The operations that are methods of JSON-RPC, by their names of 1.0 and of 0.3."""


class Asks(msgspec.Struct, frozen=True):
    """What a method and a path of HTTP ask for."""

    operation: str = ""  # empty: none that we know
    task: str = ""  # that it is about
    deceptive: bool = False  # it can be read in more than one way


_NOTHING = Asks()
_DECEPTIVE = Asks(deceptive=True)

_Way: TypeAlias = tuple[frozenset[str], re.Pattern[bytes], str]


def _way(methods: str, path: bytes, operation: str) -> _Way:
    pattern = re.compile(b"(?:.*/)?(?:" + path + b")/?", re.IGNORECASE | re.DOTALL)
    return frozenset(methods.split()), pattern, operation


_TASK = rb"tasks/(?P<task>[^/]+?)"
_CARD_PATHS = b"|".join(re.escape(path[1:].encode()) for path in PATHS)
_CONFIGS = _TASK + rb"/pushNotificationConfigs"
_OF_HTTP = (
    _way("POST", b"message:send", "SendMessage"),
    _way("POST", b"message:stream", "SendStreamingMessage"),
    _way("POST", _TASK + b":cancel", "CancelTask"),
    _way("GET POST", _TASK + b":subscribe", "SubscribeToTask"),
    _way("POST", _CONFIGS, "CreateTaskPushNotificationConfig"),
    _way("GET HEAD", _CONFIGS, "ListTaskPushNotificationConfigs"),
    _way("GET HEAD", _CONFIGS + b"/[^/]+", "GetTaskPushNotificationConfig"),
    _way("DELETE", _CONFIGS + b"/[^/]+", "DeleteTaskPushNotificationConfig"),
    _way("GET HEAD", _TASK, "GetTask"),
    _way("GET HEAD", b"tasks", "ListTasks"),
    _way("GET HEAD", b"extendedAgentCard|v1/card", "GetExtendedAgentCard"),
    _way("GET HEAD", _CARD_PATHS, "GetAgentCard"),
)
_OURS = re.compile(
    rb"message:(?:send|stream)|(?:^|/)tasks(?:/|$)|agent-card|agent\.json|(?:agent|v1/)card",
    re.IGNORECASE,
)
"""What a path has in it that may be one of these to somebody."""
_DISTINCT = re.compile(
    rb"(?:.*/)?(?:message:(?:send|stream)|tasks/[^/]+:(?:cancel|subscribe)|"
    + _CARD_PATHS
    + rb")/?",
    re.IGNORECASE | re.DOTALL,
)
"""What nobody else calls so: a `GET /tasks/7` may be anybody's."""


def asked(method: str, path: bytes) -> Asks:
    """What is asked for so; `path` as the upstream sees it, its query left aside."""
    ways = _ways_of(path.partition(b"?")[0])
    return _NOTHING if not ways else ways.get(method, _NOTHING)


@remembered
def is_distinct(path: bytes) -> bool:
    """Is this the path of an operation, and of nothing else?"""
    return _DISTINCT.fullmatch(unquote_to_bytes(path.partition(b"?")[0])) is not None


@remembered
def _ways_of(path: bytes) -> dict[str, Asks]:
    """By the method: what a path stands for."""
    plain = unquote_to_bytes(path)
    if not _OURS.search(unquote_to_bytes(plain).replace(b"\\", b"/")):
        return {}
    if DECEPTIVE.search(path):
        return _DECEIVES
    found: dict[str, Asks] = {}
    for methods, pattern, operation in _OF_HTTP:
        match = pattern.fullmatch(plain)
        if match is not None:
            task = (match.groupdict().get("task") or b"").decode("utf-8", "replace")
            for method in methods:
                found.setdefault(method, Asks(operation, task))
    return found


_DECEIVES = dict.fromkeys(("GET", "HEAD", "POST", "DELETE"), _DECEPTIVE)
