"""An A2A agent: its card, and versions 1.0 and 0.3 over JSON-RPC and over HTTP+JSON.

A version is known by the method's name, or by `/v1/` in the path, which 0.3 has. What the agent
does with a message: a2a_tasks.py. Tools are called here by the operations of 1.0: `SendMessage`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from proxy.lab.sandbox.a2a_card import card
from proxy.lab.sandbox.a2a_errors import (
    ERRORS,
    NO_EXTENDED_CARD,
    NO_PUSH,
    UNSUPPORTED,
    WRONG_VERSION,
    http_refusal,
    http_told,
    rpc_refusal,
    rpc_told,
)
from proxy.lab.sandbox.a2a_shapes import (
    answer_out,
    answer_written,
    message_in,
    task_out,
    task_written,
)
from proxy.lab.sandbox.a2a_tasks import SUBMITTED, WORKING, Shape, Task, Tasks
from proxy.lab.sandbox.calls import Calls, Received
from proxy.lab.sandbox.envelope import parse
from proxy.lab.sandbox.errors import GatewayError
from proxy.lab.sandbox.jsonrpc import (
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Id,
    RpcError,
    read_rpc,
    result,
)
from proxy.lab.sandbox.said import Answer, Event, Head, Question, Said, Stream, question, written

_OLD = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
_NEW = frozenset({*_OLD.values(), "ListTasks"})
_PATHS = (
    ("POST", re.compile(r"/message:send"), "SendMessage"),
    ("POST", re.compile(r"/message:stream"), "SendStreamingMessage"),
    ("GET", re.compile(r"/tasks"), "ListTasks"),
    ("GET", re.compile(r"/tasks/(?P<id>[^/:]+)"), "GetTask"),
    ("POST", re.compile(r"/tasks/(?P<id>[^/:]+):cancel"), "CancelTask"),
    ("POST", re.compile(r"/tasks/(?P<id>[^/:]+):subscribe"), "SubscribeToTask"),
    ("GET", re.compile(r"/tasks/(?P<id>[^/:]+):subscribe"), "SubscribeToTask"),
    ("GET", re.compile(r"/extendedAgentCard|/card"), "GetExtendedAgentCard"),
)
_CARDS = ("/.well-known/agent-card.json", "/.well-known/agent.json")
_JSON = "application/json"
_VERSIONS = ("", "0.3", "0.3.0", "1.0")
MOST_LISTED = 50


@dataclass(frozen=True, slots=True)
class Binding:
    """How one request was written, and so its answer is: what is told in shapes of 1.0."""

    task: Callable[[Shape], Shape]
    answer: Callable[[Shape], Shape]
    wrapped: Callable[[Shape], Shape]
    refusal: Callable[[GatewayError], Answer]
    error: Callable[[GatewayError], Event]
    content_type: str = _JSON

    def say(self, shape: Shape) -> Answer:
        """A whole answer."""
        return Answer(200, self.wrapped(shape), content_type=self.content_type)

    def event(self, told: Shape) -> Event:
        """A part of a stream."""
        content = bool({"artifactUpdate", "message"} & told.keys())
        return Event(written(self.wrapped(self.answer(told))), says=content)


def over_rpc(key: Id, *, old: bool) -> Binding:
    """JSON-RPC, of 0.3 or 1.0."""
    return Binding(
        task=task_out if old else _same,
        answer=answer_out if old else _same,
        wrapped=partial(result, key),
        refusal=partial(rpc_refusal, key),
        error=lambda error: Event(written(rpc_told(key, error))),
    )


def over_http(*, old: bool) -> Binding:
    """HTTP+JSON, of 0.3 or 1.0."""
    return Binding(
        task=task_written if old else _same,
        answer=answer_written if old else _same,
        wrapped=_same,
        refusal=http_refusal,
        error=lambda error: Event(written(http_told(error)), "error"),
        content_type=_JSON if old else "application/a2a+json",
    )


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request: an operation of 1.0, what it is given, and how it was written."""

    head: Head
    name: str
    params: Mapping[str, object]
    binding: Binding

    def check(self) -> None:
        """Is it of a version that is spoken here? Raises RpcError -32009."""
        version = self.head.headers.get("A2A-Version", "")
        if version not in _VERSIONS:
            raise RpcError(WRONG_VERSION, f"version {version[:16]!r} is not spoken here")

    def message(self) -> Shape:
        """The message that it sends, as 1.0 has it; raises RpcError -32602."""
        found = self.params.get("message", self.params.get("request"))
        if not isinstance(found, Mapping):
            raise RpcError(INVALID_PARAMS, "message: must be an object")
        return message_in(found)

    def waits(self) -> bool:
        """Does who sent it want the task to be done first?"""
        given = self.params.get("configuration")
        wishes = given if isinstance(given, Mapping) else {}
        return wishes.get("returnImmediately") is not True and wishes.get("blocking") is not False


class A2a:
    """The agent, on `/a2a`."""

    errors = ERRORS

    def __init__(self, seed: int, now: Callable[[], float], calls: Calls) -> None:
        self._calls = calls
        self._tasks = Tasks(seed, now)

    def read(self, head: Head, body: bytes) -> Question:
        """By its path, and for JSON-RPC by its message."""
        if head.method == "GET" and head.path in _CARDS:
            return question(self._calls, http_refusal, "card", lambda: Answer(200, card(head)))
        if head.path in ("", "/") and head.method == "POST":
            rpc = read_rpc(parse(body))
            name = _OLD.get(rpc.method, rpc.method[:64])
            binding = over_rpc(rpc.id, old=rpc.method not in _NEW)
            return self._question(_Asked(head, name, rpc.params, binding))
        name, given = _by_path(head)
        params = {**(parse(body) if body else {}), **given}
        binding = over_http(old=head.path.startswith("/v1/"))
        return self._question(_Asked(head, name, params, binding))

    def refusal(self, error: GatewayError) -> Answer:
        """An error that belongs to no request."""
        return rpc_refusal(None, error)

    def _question(self, asked: _Asked) -> Question:
        refusal = asked.binding.refusal
        if asked.name not in ("SendMessage", "SendStreamingMessage"):
            return question(self._calls, refusal, asked.name, partial(self._answer, asked))
        return Question(
            tool=asked.name,
            run=partial(self._send, asked, anew=False),
            again=partial(self._send_twice, asked),
            refusal=refusal,
            key=_key(asked.params),
        )

    def _send(self, asked: _Asked, received: Received, *, anew: bool) -> Said:
        try:
            asked.check()
            message = asked.message()
            answer = None if anew else self._tasks.known(message)
            received.replayed = answer is not None
            if answer is None:
                answer = self._tasks.take(message)
                self._calls.ran(received)
        except GatewayError as error:
            return asked.binding.refusal(error)
        if asked.name == "SendStreamingMessage":
            return _streamed(asked, answer)
        return asked.binding.say(asked.binding.answer(_wrapped(answer, done=asked.waits())))

    def _send_twice(self, asked: _Asked, received: Received) -> Said:
        said = self._send(asked, received, anew=True)
        self._send(asked, received, anew=True)
        return said

    def _answer(self, asked: _Asked) -> Said:
        asked.check()
        binding, task_id = asked.binding, asked.params.get("id")
        match asked.name:
            case "GetTask":
                return binding.say(binding.task(self._tasks.find(task_id).shown()))
            case "CancelTask":
                return binding.say(binding.task(self._tasks.cancel(task_id).shown()))
            case "ListTasks":
                found = self._tasks.all(asked.params.get("contextId"))[:MOST_LISTED]
                return binding.say(_listed([binding.task(task.shown()) for task in found]))
            case "SubscribeToTask":
                return self._subscribed(asked, self._tasks.find(task_id))
            case "GetExtendedAgentCard":
                raise RpcError(NO_EXTENDED_CARD, "there is no other card than the public one")
            case name if name in _NEW:
                raise RpcError(NO_PUSH, "there are no push notifications")
            case name:
                raise RpcError(METHOD_NOT_FOUND, f"there is no method {name!r}")

    def _subscribed(self, asked: _Asked, task: Task) -> Said:
        """The task as it is, and then nothing: a task goes on by messages alone."""
        if task.ended:
            raise RpcError(UNSUPPORTED, f"the task has ended: {task.state}")
        now = asked.binding.event({"task": task.shown()})
        return Stream([now], (), asked.binding.error, stays=True)


def _streamed(asked: _Asked, answer: "Task | Shape") -> Stream:
    event, error = asked.binding.event, asked.binding.error
    if not isinstance(answer, Task):
        return Stream((), (event({"message": answer}),), error)
    stays = answer.state == WORKING
    end = () if stays else (event(answer.update(answer.state)),)
    return Stream([event(told) for told in answer.updates()], end, error, stays=stays)


def _wrapped(answer: "Task | Shape", *, done: bool) -> Shape:
    if isinstance(answer, Task):
        return {"task": answer.shown() if done else answer.shown(SUBMITTED)}
    return {"message": answer}


def _listed(tasks: list[Shape]) -> Shape:
    return {"tasks": tasks, "nextPageToken": "", "pageSize": MOST_LISTED, "totalSize": len(tasks)}


def _by_path(head: Head) -> tuple[str, dict[str, object]]:
    """The operation and what the path and the query give it; raises GatewayError 404."""
    path = head.path.removeprefix("/v1")
    for method, pattern, name in _PATHS:
        found = pattern.fullmatch(path)
        if found is not None and head.method == method:
            return name, {**head.query, **found.groupdict()}
    raise RpcError(METHOD_NOT_FOUND, f"there is nothing at {head.method} {head.path[:64]}", 404)


def _key(params: Mapping[str, object]) -> str | None:
    """The message's id, by which it is known when it comes again."""
    message = params.get("message")
    key = message.get("messageId") if isinstance(message, Mapping) else None
    return key if isinstance(key, str) else None


def _same(shape: Shape) -> Shape:
    return shape
