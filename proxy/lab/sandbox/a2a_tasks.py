"""The agent behind A2A: its tasks, and how they go. All shapes are those of version 1.0.

It does what the first word of a message says: `later` is a task that works until it is cancelled,
`ask` one that needs another message, `fail` one that fails, `say` is answered with a message and no
task. Anything else is done at once, and answered with a text. A message that comes again, by its
`messageId`, gets the same answer and does nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from proxy.lab.sandbox.a2a_errors import NOT_CANCELABLE, NOT_FOUND
from proxy.lab.sandbox.jsonrpc import INVALID_PARAMS, RpcError
from proxy.lab.sandbox.words import digest, pieces

Shape = dict[str, object]

MOST_TASKS = 10_000
COMPLETED = "TASK_STATE_COMPLETED"
CANCELED = "TASK_STATE_CANCELED"
SUBMITTED = "TASK_STATE_SUBMITTED"
WORKING = "TASK_STATE_WORKING"
_STATES = {
    "later": WORKING,
    "ask": "TASK_STATE_INPUT_REQUIRED",
    "fail": "TASK_STATE_FAILED",
}
_ENDED = frozenset({COMPLETED, CANCELED, "TASK_STATE_FAILED"})
_FEWEST_WORDS, _MORE_WORDS = 8, 12


@dataclass(slots=True)
class Task:
    """One task; `key` makes its words."""

    task_id: str
    context_id: str
    state: str
    key: bytes
    at: str
    history: list[Shape] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Will nothing more come of it?"""
        return self.state in _ENDED

    def pieces(self) -> list[str]:
        """Its result, bit by bit; there is one where it is done."""
        if self.state != COMPLETED:
            return []
        return list(pieces(self.key, _FEWEST_WORDS + self.key[2] % _MORE_WORDS))

    def shown(self, state: str = "") -> Shape:
        """As it is, or as it was in a state before its result."""
        shape: Shape = {
            "id": self.task_id,
            "contextId": self.context_id,
            "status": self.status(state or self.state),
            "history": self.history,
        }
        if state or self.state != COMPLETED:
            return shape
        return {**shape, "artifacts": [self._artifact("".join(self.pieces()))]}

    def status(self, state: str) -> Shape:
        """A state and its time."""
        return {"state": state, "timestamp": self.at}

    def updates(self) -> Iterator[Shape]:
        """What a stream tells: the task, that it is worked on, its result bit by bit."""
        yield {"task": self.shown(SUBMITTED)}
        yield self.update(WORKING)
        bits = self.pieces()
        for place, piece in enumerate(bits):
            bit = {
                "artifact": self._artifact(piece),
                "append": place > 0,
                "lastChunk": place == len(bits) - 1,
            }
            yield {"artifactUpdate": {**self._ids(), **bit}}

    def update(self, state: str) -> Shape:
        """The news that it is in a state."""
        return {"statusUpdate": {**self._ids(), "status": self.status(state)}}

    def _ids(self) -> Shape:
        return {"taskId": self.task_id, "contextId": self.context_id}

    def _artifact(self, text: str) -> Shape:
        return {"artifactId": f"{self.task_id}-1", "name": "answer", "parts": [{"text": text}]}


class Tasks:
    """Those that are kept; the oldest are forgotten first."""

    def __init__(self, seed: int, now: Callable[[], float]) -> None:
        self._seed = seed
        self._now = now
        self._tasks: dict[str, Task] = {}
        self._answers: dict[str, Task | Shape] = {}

    def known(self, message: Mapping[str, object]) -> "Task | Shape | None":
        """The answer that a message had when it came before."""
        return self._answers.get(_id(message))

    def take(self, message: Mapping[str, object]) -> "Task | Shape":
        """Do what a message says: a task, or a message. Raises RpcError."""
        word = _text(message).partition(" ")[0].lower()
        answer: Task | Shape
        if message.get("taskId") is not None:
            answer = self._go_on(self.find(message["taskId"]), message)
        elif word == "say":
            answer = self._say(message)
        else:
            answer = self._begin(message, _STATES.get(word, COMPLETED))
        if len(self._answers) >= MOST_TASKS:
            del self._answers[next(iter(self._answers))]
        self._answers[_id(message)] = answer
        return answer

    def find(self, task_id: object) -> Task:
        """By its id; raises RpcError -32001."""
        if not isinstance(task_id, str) or task_id not in self._tasks:
            raise RpcError(NOT_FOUND, "there is no such task")
        return self._tasks[task_id]

    def cancel(self, task_id: object) -> Task:
        """Work on it no more; raises RpcError -32002 where it has ended."""
        task = self.find(task_id)
        if task.ended:
            raise RpcError(NOT_CANCELABLE, f"the task has ended: {task.state}")
        task.state, task.at = CANCELED, self._time()
        return task

    def all(self, context_id: object = None) -> list[Task]:
        """The newest first, of one context or of all."""
        wanted = (None, "")
        return [
            task
            for task in reversed(self._tasks.values())
            if context_id in wanted or task.context_id == context_id
        ]

    def _begin(self, message: Mapping[str, object], state: str) -> Task:
        key = digest(self._seed, _id(message), _text(message))
        context_id = _context(message, key)
        task = Task(f"task-{key.hex()[:24]}", context_id, state, key, self._time())
        task.history.append({**message, "contextId": context_id, "taskId": task.task_id})
        if len(self._tasks) >= MOST_TASKS:
            del self._tasks[next(iter(self._tasks))]
        self._tasks[task.task_id] = task
        return task

    def _go_on(self, task: Task, message: Mapping[str, object]) -> Task:
        if task.ended:
            raise RpcError(INVALID_PARAMS, f"the task has ended: {task.state}")
        task.state, task.at = COMPLETED, self._time()
        task.history.append({**message, "contextId": task.context_id})
        return task

    def _say(self, message: Mapping[str, object]) -> Shape:
        key = digest(self._seed, _id(message), _text(message))
        return {
            "messageId": f"msg-{key.hex()[:24]}",
            "contextId": _context(message, key),
            "role": "ROLE_AGENT",
            "parts": [{"text": "".join(pieces(key, _FEWEST_WORDS))}],
        }

    def _time(self) -> str:
        return (
            datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds")[:-6] + "Z"
        )


def _id(message: Mapping[str, object]) -> str:
    found = message.get("messageId")
    if not isinstance(found, str) or not found:
        raise RpcError(INVALID_PARAMS, "message.messageId: must be a string")
    return found


def _context(message: Mapping[str, object], key: bytes) -> str:
    found = message.get("contextId")
    return found if isinstance(found, str) and found else f"ctx-{key.hex()[24:48]}"


def _text(message: Mapping[str, object]) -> str:
    parts = message.get("parts")
    if not isinstance(parts, list) or not parts:
        raise RpcError(INVALID_PARAMS, "message.parts: must be a list, not empty")
    texts = (part.get("text") for part in parts if isinstance(part, Mapping))
    return " ".join(text for text in texts if isinstance(text, str))
