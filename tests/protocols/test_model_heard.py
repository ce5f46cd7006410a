"""What is heard in the answers of models: what all vendors have in common."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.model_heard import (
    ModelHeard,
    WholeAnswer,
    array_of,
    count,
    object_of,
    read_event,
    read_whole,
    text_in,
)
from proxy.reply import Result
from tests.protocols.spellings import bodies


@pytest.mark.parametrize(
    ("value", "number"),
    [(0, 0), (7, 7), (7.0, 7), (7.5, None), (-1, None), (True, None), ("7", None), (None, None)],
)
def test_a_count_is_a_whole_number(value: Any, number: int | None) -> None:
    """However it is written. What is none says nothing, which is not the same as zero."""
    assert count(value) == number


@given(bodies() | st.binary())
def test_whatever_an_upstream_says_can_be_listened_to(content: bytes) -> None:
    """Nothing raises. What is no object has no members."""
    event = read_event(content)
    assert event is None or isinstance(event, dict)
    assert read_whole(content).text >= 0


def test_an_answer_may_be_of_any_shape() -> None:
    """An array, a word, nothing, more than can be held."""
    for content in (b"[]", b'"x"', b"", b"{", b"[" * 100_000, b'{"usage":"\xff"}'):
        assert read_whole(content) == WholeAnswer()
        assert read_event(content) is None
    assert read_whole(b'{"content":"\xff"}').text == 0


def test_text_is_what_a_model_wrote() -> None:
    """In bytes, wherever it stands; not what it is called, nor pictures and sounds."""
    said = {
        "role": "assistant",
        "type": "message",
        "content": [{"type": "text", "text": "héllo"}, "x"],
        "tool_calls": [{"id": "call_1", "function": {"name": "f", "arguments": '{"a":1}'}}],
        "audio": {"data": "A" * 100},
        "index": 0,
    }
    assert text_in(said) == len("héllo".encode()) + 1 + 1 + 7
    assert text_in("\ud800") == 1


def test_what_is_of_another_shape_has_nothing_in_it() -> None:
    """Nobody promised what an upstream sends."""
    assert object_of([1]) == {}
    assert object_of({"a": 1}) == {"a": 1}
    assert list(array_of({"a": 1})) == []
    assert list(array_of([1])) == [1]


def test_the_first_error_counts() -> None:
    """What comes after it is not what went wrong."""
    heard = ModelHeard()
    heard.tell({"type": "overloaded_error"})
    heard.tell({"type": "invalid_request_error"})
    assert heard.told is not None
    assert (heard.told.status, heard.told.result, heard.ended) == (529, Result.FAILURE, True)


@pytest.mark.parametrize(
    "part", [{}, {"role": "assistant", "content": ""}, {"type": "text_delta", "text": ""}, "", None]
)
def test_a_part_without_anything_in_it_says_nothing(part: Any) -> None:
    """Not that the role is the assistant's either."""
    heard = ModelHeard()
    heard.add(part)
    assert (heard.content, heard.written) == (False, 0)


@pytest.mark.parametrize(
    ("part", "written"),
    [
        ({"content": "hi"}, 2),
        ("hi", 2),
        ({"tool_calls": [{"id": "x"}]}, 0),
        ({"signature": "x"}, 0),
    ],
)
def test_a_part_with_something_in_it_says_it(part: Any, written: int) -> None:
    """Text is counted, what is no text is said all the same."""
    heard = ModelHeard()
    heard.add(part)
    assert (heard.content, heard.written) == (True, written)
