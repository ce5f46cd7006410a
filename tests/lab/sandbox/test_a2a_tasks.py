"""proxy/lab/sandbox/a2a_tasks.py: what test_a2a.py leaves open."""

from typing import Any

import pytest

from proxy.lab.sandbox import a2a_tasks
from proxy.lab.sandbox.a2a_tasks import Task, Tasks
from proxy.lab.sandbox.jsonrpc import RpcError


def message(text: str, key: str = "m") -> dict[str, Any]:
    return {"messageId": key, "role": "ROLE_USER", "parts": [{"text": text}]}


def begun(tasks: Tasks, text: str, key: str = "m") -> Task:
    task = tasks.take(message(text, key))
    assert isinstance(task, Task)
    return task


def test_the_seed_and_the_message_make_the_words() -> None:
    """The same for the same."""
    first, again, other = (begun(Tasks(seed, lambda: 0.0), "hello").pieces() for seed in (0, 0, 1))
    assert first == again != other


@pytest.mark.parametrize(("word", "state", "ended"), [
    ("later", "TASK_STATE_WORKING", False), ("ask", "TASK_STATE_INPUT_REQUIRED", False),
    ("FAIL", "TASK_STATE_FAILED", True), ("other", "TASK_STATE_COMPLETED", True),
])  # fmt: skip
def test_the_first_word_says_how_it_goes(word: str, state: str, ended: bool) -> None:
    """However it is written; only what is done has a result."""
    task = begun(Tasks(0, lambda: 0.0), f"{word} please")
    assert (task.state, task.ended) == (state, ended)
    assert ("artifacts" in task.shown()) is (state == "TASK_STATE_COMPLETED")


def test_times_are_in_utc() -> None:
    """To the millisecond."""
    assert begun(Tasks(0, lambda: 1.5), "a").at == "1970-01-01T00:00:01.500Z"


def test_old_tasks_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded, for answers too."""
    monkeypatch.setattr(a2a_tasks, "MOST_TASKS", 1)
    tasks = Tasks(0, lambda: 0.0)
    first, second = begun(tasks, "a", "m1"), begun(tasks, "b", "m2")
    assert tasks.all() == [second]
    assert tasks.known(message("a", "m1")) is None
    with pytest.raises(RpcError, match="no such task"):
        tasks.find(first.task_id)


def test_parts_that_are_no_text_say_nothing() -> None:
    """They are taken along."""
    tasks = Tasks(0, lambda: 0.0)
    sent = {**message(""), "parts": [{"data": {"a": 1}}, 5, {"text": 7}]}
    task = tasks.take(sent)
    assert isinstance(task, Task)
    assert task.history[0]["parts"] == sent["parts"]
