"""Arguments have one reading, or none; and reading them costs no more than was agreed."""

import gzip
import json
import re
from typing import Any

import pytest
from hypothesis import given

from proxy.protocols.arguments import (
    KEPT,
    LARGEST,
    MOST_SHOWN,
    NOTHING,
    Arguments,
    read_arguments,
)
from proxy.protocols.document import MOST_READ, Ambiguous, NotADocument
from tests.protocols.spellings import objects, values


def read(text: str | bytes, coding: bytes = b"") -> Arguments:
    """The arguments in a body."""
    return read_arguments(text.encode() if isinstance(text, str) else text, coding)


def test_arguments_are_what_the_document_says() -> None:
    """As Python has it, and where it came from."""
    found = read('{"a": 1, "b": [1.5, "x", null, true], "c": {"A": {}}}')
    assert found.value == {"a": 1, "b": [1.5, "x", None, True], "c": {"A": {}}}
    assert found.names == {"a": {"a", "A"}, "b": {"b"}, "c": {"c"}}
    assert found.size == 53


def test_a_body_without_bytes_gives_nothing() -> None:
    """A tool without arguments."""
    assert read(b"") is NOTHING


def twice(content: bytes) -> bool:
    """Is a key named twice in its object, anywhere?"""
    found: list[bool] = []

    def note(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        found.append(len(made) < len(pairs))
        return made

    json.loads(content, object_pairs_hook=note)
    return any(found)


@given(objects(values))
def test_a_key_that_stands_twice_in_its_object_is_refused_wherever_it_is(text: str) -> None:
    """And nothing else of what is JSON is, but numbers that not all can hold."""
    content = text.encode()
    try:
        found = read(content)
    except NotADocument:
        assert re.search(r"\\ud[89a-f]", text, re.IGNORECASE)  # half of a letter
    except Ambiguous as why:
        refused = twice(content) or "number" in str(why)
        assert refused, text
    else:
        assert not twice(content)
        assert found.value == json.loads(content)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "a": 1}',
        '{"a": 1, "\\u0061": 2}',
        '[{"x": {"b": 1, "c": ":", "b": 2}}]',
        '{":": 1, "d": {"a": 1, "a": 2}}',
    ],
)
def test_a_key_twice(text: str) -> None:
    """However it is written."""
    with pytest.raises(Ambiguous, match="name a member twice"):
        read(text)


@pytest.mark.parametrize(
    "text", ['{"a": ":", "b:": "{\\":"}', '{"a": "\\"a\\":1"}', "[]", "7", '{"a": {"a": {}}}']
)
def test_what_only_looks_like_a_second_key(text: str) -> None:
    """In texts, and in other objects."""
    assert read(text).value == json.loads(text)


@pytest.mark.parametrize(
    "number", ["1e400", "-1e999", str(1 << 64), str(-(1 << 63) - 1), "9" * 30, "9" * 5000]
)
def test_numbers_that_not_all_can_hold_are_refused(number: str) -> None:
    """One reads infinity, one wraps around, one fails."""
    with pytest.raises(Ambiguous, match="number") as caught:
        read(f'{{"amount": [{number}]}}')
    assert not isinstance(caught.value, NotADocument)


@pytest.mark.parametrize("number", [str((1 << 64) - 1), str(-(1 << 63)), "1e308", "1e-400", "-0"])
def test_the_largest_numbers_are_read(number: str) -> None:
    """What 64 bits hold."""
    assert read(f'{{"a": {number}}}').value == {"a": json.loads(number)}


@pytest.mark.parametrize(
    "content",
    [
        b"{", b"{} {}", b'{"a": NaN}', b'{"a": Infinity}', b"\xef\xbb\xbf{}", b'{"a": "\xff"}',
        b'{"a": "\\ud800"}', b"a=1&b=2", "{}".encode("utf-16"), b"[" * 5000 + b"]" * 5000, b" ",
    ],
)  # fmt: skip
def test_what_is_no_json_has_no_reading(content: bytes) -> None:
    """Nor is it one with two."""
    with pytest.raises(NotADocument):
        read(content)


def test_a_body_that_was_not_read_has_none() -> None:
    """Whoever asks is told so."""
    with pytest.raises(NotADocument):
        read_arguments(None, b"")


def test_a_coding_is_taken_off() -> None:
    """As recognition does; what is none, or too large, cannot be read."""
    assert read(gzip.compress(b'{"a": 1}'), b"gzip").value == {"a": 1}
    for content, coding in ((b"{}", b"gzip"), (b"{}", b"br"), (gzip.compress(b" " * LARGEST + b"{}"), b"gzip")):  # fmt: skip  # noqa: E501
        with pytest.raises(NotADocument):
            read(content, coding)


@pytest.mark.parametrize(
    "text",
    [
        "[" + ",".join("0" * (MOST_READ + 1)) + "]",
        "[" + ",".join(["{}"] * MOST_READ) + "]",
        "[" + ",".join(['""'] * 50_000) + "]",
    ],
)
def test_too_many_values_are_not_read(text: str) -> None:
    """Nobody makes the proxy stand still with them."""
    with pytest.raises(NotADocument, match="more than 10,000 values"):
        read(text)


def test_long_texts_are_read() -> None:
    """However many marks are in them."""
    assert read('{"a": "%s"}' % (",[{:" * 50_000)).value == {"a": ",[{:" * 50_000}
    assert len(read("[" + ",".join("0" * (MOST_READ - 1)) + "]").value) == MOST_READ - 1


def test_only_members_that_are_asked_for_are_shown() -> None:
    """Those that are there. What is no object is shown as it is."""
    found = read('{"a": 1, "b": 2}')
    assert found.shown(frozenset({"a", "c"})) == {"a": 1}
    assert found.shown(None) == {"a": 1, "b": 2}
    assert read("[1]").shown(frozenset({"a"})) == [1]


@pytest.mark.parametrize(
    "much",
    [
        "[" + ",".join("0" * MOST_SHOWN) + "]",
        json.dumps({"x": {str(i): [i] for i in range(MOST_SHOWN)}}),
        json.dumps("x" * (MOST_SHOWN << 10)),
        json.dumps(["x" * 2048] * (MOST_SHOWN // 2)),
    ],
)
def test_too_much_is_not_shown(much: str) -> None:
    """But where it is beside what is asked for, it is in nobody's way."""
    found = read(f'{{"a": 1, "b": {much}}}')
    assert found.shown(frozenset({"a"})) == {"a": 1}
    for members in (frozenset({"b"}), None):
        with pytest.raises(ValueError):
            found.shown(members)


def test_what_is_not_too_much_is_shown() -> None:
    """Just so."""
    value = [0] * (MOST_SHOWN - 3)
    assert read(json.dumps({"b": value})).shown(None) == {"b": value}
    text = "x" * ((MOST_SHOWN - 10) << 10)
    assert read(json.dumps({"b": text})).shown(frozenset({"b"})) == {"b": text}


def test_another_spelling_of_what_is_asked_for_has_two_readings() -> None:
    """Some readers take `Amount` for `amount`; what is not asked for may be called as it likes."""
    found = read('{"amount": 1, "x": [{"Fee": 2}], "tip": 1, "TIP": 2}')
    found.check(["amount", "gone", "x"])
    for name in ("fee", "tip", "TIP", "AMOUNT"):
        with pytest.raises(Ambiguous, match=f"name {name} in another spelling"):
            found.check([name])


def test_what_is_kept_is_little() -> None:
    """Calls wait long, and there may be thousands."""
    assert KEPT <= 64 << 10
