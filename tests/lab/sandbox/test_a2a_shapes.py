"""proxy/lab/sandbox/a2a_shapes.py: what test_a2a.py leaves open."""

import pytest

from proxy.lab.sandbox.a2a_shapes import answer_out, answer_written, message_in, message_out

MESSAGE = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "a"}]}


@pytest.mark.parametrize("message", [
    {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": "a"}]},
    {"kind": "message", "messageId": "m", "role": "agent",
     "parts": [{"kind": "text", "text": "a"}]},
    {"message_id": "m", "role": "ROLE_AGENT", "content": [{"text": "a"}]},
])  # fmt: skip
def test_a_message_is_read_as_it_is_written(message: dict[str, object]) -> None:
    """In either version."""
    assert message_in(message) == MESSAGE


def test_ids_are_read_in_both_spellings() -> None:
    """Where they are there."""
    assert message_in({**MESSAGE, "contextId": "c", "task_id": "t"}) == {
        **MESSAGE, "contextId": "c", "taskId": "t",
    }  # fmt: skip


def test_what_is_wrong_is_left_for_who_reads_it() -> None:
    """No parts, or parts that are none."""
    assert message_in({})["parts"] is None
    assert message_in({"parts": [5]})["parts"] == [5]


def test_parts_are_marked_by_what_they_hold() -> None:
    """A text, data, else a file."""
    parts = [{"text": "a"}, {"data": {}}, {"url": "x"}]
    shown = message_out({**MESSAGE, "parts": parts})
    assert [part["kind"] for part in shown["parts"]] == ["text", "data", "file"]  # type: ignore[attr-defined]


def test_a_message_stays_one() -> None:
    """With `content` where it is written as protocol buffers are."""
    assert answer_out({"message": MESSAGE})["kind"] == "message"
    written = answer_written({"message": MESSAGE})["message"]
    assert written == {"messageId": "m", "role": "ROLE_AGENT", "content": [{"text": "a"}]}
