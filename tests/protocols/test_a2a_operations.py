"""What is asked of an agent, by method and path."""

import pytest

from proxy.call import Effect
from proxy.protocols.a2a_operations import (
    CARDS,
    EFFECTS,
    METHODS,
    SENDS,
    STREAMS,
    Asks,
    asked,
    is_distinct,
)

DECEPTIVE = Asks(deceptive=True)


@pytest.mark.parametrize(
    ("method", "path", "asks"),
    [
        ("POST", "/message:send", Asks("SendMessage")),
        ("POST", "/v1/message:send", Asks("SendMessage")),
        ("POST", "/tenant/message:stream", Asks("SendStreamingMessage")),
        ("POST", "/message%3Asend?x=1", Asks("SendMessage")),
        ("POST", "/%6dessage:send/", Asks("SendMessage")),
        ("POST", "/Message:Send", Asks("SendMessage")),
        ("GET", "/tasks", Asks("ListTasks")),
        ("HEAD", "/tasks/", Asks("ListTasks")),
        ("GET", "/tasks/t-1", Asks("GetTask", "t-1")),
        ("GET", "/v1/tasks/%C3%BC?historyLength=2", Asks("GetTask", "ü")),
        ("POST", "/tasks/t-1:cancel", Asks("CancelTask", "t-1")),
        ("POST", "/tasks/t-1%3acancel", Asks("CancelTask", "t-1")),
        ("GET", "/tasks/t-1:subscribe", Asks("SubscribeToTask", "t-1")),
        ("POST", "/tasks/t-1:subscribe", Asks("SubscribeToTask", "t-1")),
        (
            "POST",
            "/tasks/t-1/pushNotificationConfigs",
            Asks("CreateTaskPushNotificationConfig", "t-1"),
        ),
        (
            "GET",
            "/tasks/t-1/pushNotificationConfigs",
            Asks("ListTaskPushNotificationConfigs", "t-1"),
        ),
        (
            "GET",
            "/tasks/t-1/pushNotificationConfigs/p",
            Asks("GetTaskPushNotificationConfig", "t-1"),
        ),
        (
            "DELETE",
            "/tasks/t-1/pushNotificationConfigs/p",
            Asks("DeleteTaskPushNotificationConfig", "t-1"),
        ),
        ("GET", "/extendedAgentCard", Asks("GetExtendedAgentCard")),
        ("GET", "/v1/card", Asks("GetExtendedAgentCard")),
        ("GET", "/.well-known/agent-card.json", Asks("GetAgentCard")),
        ("GET", "/agents/a/.well-known/agent.json", Asks("GetAgentCard")),
        ("PUT", "/message:send", Asks()),
        ("GET", "/message:send", Asks()),
        ("POST", "/tasks", Asks()),
        ("DELETE", "/tasks/t-1", Asks()),
        ("GET", "/card", Asks()),
        ("GET", "/my-tasks/1", Asks()),
        ("GET", "/tasks/1/steps", Asks()),
        ("POST", "/", Asks()),
        ("POST", "/a//b", Asks()),
        ("POST", "//message:send", DECEPTIVE),
        ("POST", "/x/../message:send", DECEPTIVE),
        ("POST", "/message:send;a", DECEPTIVE),
        ("GET", "/tasks/a%2Fb", DECEPTIVE),
        ("GET", "/x%5Ctasks/a%5cb", DECEPTIVE),
    ],
)
def test_a_method_and_a_path_ask_for_an_operation(method: str, path: str, asks: Asks) -> None:
    """As servers route them, wherever they are mounted."""
    assert asked(method, path.encode()) == asks


def test_each_operation_has_an_effect_and_methods_for_it() -> None:
    """All of 1.0 by themselves, and those of 0.3 besides."""
    assert set(METHODS.values()) == EFFECTS.keys() - {"GetAgentCard"}
    assert METHODS["message/send"] == METHODS["SendMessage"] == "SendMessage"
    assert METHODS["tasks/resubscribe"] == "SubscribeToTask"
    assert EFFECTS.keys() >= SENDS | STREAMS | CARDS
    assert all(EFFECTS[name] is Effect.WRITE for name in SENDS)
    assert all(EFFECTS[name] is Effect.READ for name in CARDS)
    assert EFFECTS["CancelTask"] is Effect.IDEMPOTENT


@pytest.mark.parametrize(
    ("path", "distinct"),
    [
        (b"/message:send", True),
        (b"/v1/message%3Astream?a", True),
        (b"/tasks/7:cancel", True),
        (b"/.well-known/agent-card.json", True),
        (b"/x/.well-known/agent.json", True),
        (b"//message:send", True),
        (b"/tasks/7", False),
        (b"/tasks", False),
        (b"/v1/card", False),
        (b"/", False),
    ],
)
def test_some_paths_are_nobody_elses(path: bytes, distinct: bool) -> None:
    """Tasks, anybody may have."""
    assert is_distinct(path) is distinct
