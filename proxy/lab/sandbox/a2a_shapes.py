"""A2A's shapes of 1.0 in those of 0.3, and messages of 0.3 in those of 1.0.

0.3 marks its objects and parts by `kind`, and has small words for states and roles. Over HTTP+JSON
it is written as its protocol buffers are: with the words of 1.0, and `content` for `parts`.
"""

from collections.abc import Mapping

Shape = dict[str, object]

_FINAL = frozenset({
    "TASK_STATE_COMPLETED", "TASK_STATE_FAILED", "TASK_STATE_CANCELED", "TASK_STATE_INPUT_REQUIRED",
})  # fmt: skip
_SPELT = {"TASK_STATE_CANCELED": "TASK_STATE_CANCELLED"}  # in the protocol buffers of 0.3


def message_in(message: Mapping[str, object]) -> Shape:
    """A message of either version, and of either way to write 0.3, as 1.0 has it."""
    parts = message.get("parts", message.get("content"))
    role = str(message.get("role", "user")).upper()
    read: Shape = {
        "messageId": message.get("messageId", message.get("message_id")),
        "role": role if role.startswith("ROLE_") else f"ROLE_{role}",
        "parts": [_without_kind(part) for part in parts] if isinstance(parts, list) else parts,
    }
    for name, other in (("contextId", "context_id"), ("taskId", "task_id")):
        found = message.get(name) or message.get(other)
        if found:
            read[name] = found
    return read


def message_out(message: Mapping[str, object]) -> Shape:
    """A message, as 0.3 has it in JSON-RPC."""
    role = str(message["role"]).removeprefix("ROLE_").lower()
    return {**message, "kind": "message", "role": role, "parts": _parts(message["parts"])}


def task_out(task: Mapping[str, object]) -> Shape:
    """A task, as 0.3 has it in JSON-RPC."""
    shape = {**task, "kind": "task", "status": _status(task["status"])}
    shape["history"] = [message_out(held) for held in _list(task["history"])]
    if "artifacts" in task:
        shape["artifacts"] = [_artifact(held) for held in _list(task["artifacts"])]
    return shape


def answer_out(answer: Mapping[str, object]) -> Shape:
    """What a stream or `SendMessage` tells, as 0.3 has it in JSON-RPC: without its wrapping."""
    [(name, told)] = answer.items()
    assert isinstance(told, Mapping)
    match name:
        case "task":
            return task_out(told)
        case "message":
            return message_out(told)
        case "statusUpdate":
            final = _state(told["status"]) in _FINAL
            return {
                **told,
                "kind": "status-update",
                "status": _status(told["status"]),
                "final": final,
            }
        case _:
            return {**told, "kind": "artifact-update", "artifact": _artifact(told["artifact"])}


def task_written(task: Mapping[str, object]) -> Shape:
    """A task, as 0.3 has it in HTTP+JSON."""
    history = [message_written(held) for held in _list(task["history"])]
    return {**task, "status": _status_written(task["status"]), "history": history}


def message_written(message: Mapping[str, object]) -> Shape:
    """A message, as 0.3 has it in HTTP+JSON."""
    shape = {name: held for name, held in message.items() if name != "parts"}
    return {**shape, "content": message["parts"]}


def answer_written(answer: Mapping[str, object]) -> Shape:
    """What a stream or `SendMessage` tells, as 0.3 has it in HTTP+JSON."""
    [(name, told)] = answer.items()
    assert isinstance(told, Mapping)
    match name:
        case "task":
            return {name: task_written(told)}
        case "message":
            return {name: message_written(told)}
        case "statusUpdate":
            final = _state(told["status"]) in _FINAL
            return {name: {**told, "status": _status_written(told["status"]), "final": final}}
        case _:
            return {name: told}


def _state(status: object) -> object:
    return status["state"] if isinstance(status, Mapping) else None


def _status(status: object) -> Shape:
    assert isinstance(status, Mapping)
    state = str(status["state"]).removeprefix("TASK_STATE_").lower().replace("_", "-")
    return {**status, "state": state}


def _status_written(status: object) -> Shape:
    assert isinstance(status, Mapping)
    return {**status, "state": _SPELT.get(str(status["state"]), status["state"])}


def _artifact(artifact: object) -> Shape:
    assert isinstance(artifact, Mapping)
    return {**artifact, "parts": _parts(artifact["parts"])}


def _parts(parts: object) -> list[Shape]:
    return [
        {"kind": "text" if "text" in part else "data" if "data" in part else "file", **part}
        for part in _list(parts)
    ]


def _list(held: object) -> list[Shape]:
    assert isinstance(held, list)
    return held


def _without_kind(part: object) -> object:
    if not isinstance(part, Mapping):
        return part
    return {name: held for name, held in part.items() if name != "kind"}
