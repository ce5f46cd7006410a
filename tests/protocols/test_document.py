"""One document has one reading, or it is refused (spec 2.2)."""

import contextlib
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.document import (
    DEEPEST,
    MOST_READ,
    Ambiguous,
    NotADocument,
    Pointer,
    check,
    check_depth,
    check_key,
    check_text,
    members_written,
    more_values,
)
from tests.protocols.spellings import documents, objects, values


def is_refused(content: bytes, key: str = "tool") -> bool:
    """Does it say that there is more than one reading?"""
    try:
        check(content, key, b'"%b"' % key.encode())
    except Ambiguous:
        return True
    return False


def pairs_of(content: bytes) -> list[tuple[str, Any]]:
    """The members at the top, each time they are named."""
    found: list[tuple[str, Any]] = json.loads(content, object_pairs_hook=list)
    return found


def depth_of(value: object) -> int:
    """How many objects and arrays stand in one another."""
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


@given(objects(values), st.sampled_from(["tool", "x", "input"]))
def test_a_key_is_refused_just_when_it_has_two_readings(text, key):
    """Whatever the spelling: named twice, or in other letters; elsewhere it may stand as it likes.

    The shallow documents made here have no other fault.
    """
    content = text.encode()
    named = [name for name, _ in pairs_of(content) if name.casefold() == key]
    assert is_refused(content, key) == (named not in ([], [key]))


@pytest.mark.parametrize(
    "content",
    [
        b'{"tool":1,"tool":2}',
        b'{"tool":1,"\\u0074ool":2}',
        b'{"\\u0074ool":1,"t\\u006Fol":2}',
        b'{"tool":1,"TOOL":2}',
        b'{"Tool":1}',
        b'{"\\u0054ool":1}',
    ],
)
def test_a_key_in_two_spellings_is_found(content):
    """Twice, or once in letters that only some readers take for the same."""
    with pytest.raises(Ambiguous, match="tool"):
        check_key(content, "tool")
    assert is_refused(content)


@pytest.mark.parametrize(
    "content",
    [
        b'{"tool":"tool"}',
        b'{"x":{"tool":1,"tool":2},"tool":3}',
        b'{"tool":1,"x":["tool","TOOL",{"Tool":1}]}',
        b'{"toolbox":1,"stool":2,"tool\\n":3,"tool":4}',
        b"{}",
    ],
)
def test_a_key_that_stands_elsewhere_does_no_harm(content):
    """As a value, deeper down, or as a part of another name."""
    assert not is_refused(content)


@pytest.mark.parametrize("content", [b'{"tool":1', b"", b"{}{}", b"\xff", b"[" * 100_000])
def test_keys_of_no_document_are_not_read(content):
    """Ambiguous, not an error of the reader, however deep it is."""
    with pytest.raises(Ambiguous):
        check_key(content, "tool")


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf{}",
        b'{"x":"caf\xe9"}',
        b'{"x":"\xc0\xaf"}',
        b'{"x":"\xed\xa0\x80"}',
        b'{"x":"\xf5\x80\x80\x80"}',
        b"{\xc3",
    ],
)
def test_other_text_than_utf_8_is_refused(content):
    """A mark in front, Latin-1, overlong forms, surrogates, what is beyond Unicode, half a code."""
    with pytest.raises(Ambiguous):
        check_text(content)
    assert is_refused(content)


@given(st.text())
def test_utf_8_is_text(text):
    """Anything but a mark at its beginning."""
    if not text.startswith("\ufeff"):
        check_text(text.encode())


texts = st.text('[]{}"\\', max_size=3)
deep = st.recursive(
    st.sampled_from([0, "[[[[", '{"a":', "]\\", '"]]', "}\\\\"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner),
)


@given(deep, st.integers(0, DEEPEST + 3))
def test_depth_is_counted_as_a_reader_counts_it(value, more):
    """Brackets in strings are no depth, nor are those that stand beside each other."""
    for _ in range(more):
        value = [value, "]", {"}": "{"}]
    content = json.dumps(value).encode()
    try:
        check_depth(content)
    except Ambiguous:
        assert depth_of(value) > DEEPEST
    else:
        assert depth_of(value) <= DEEPEST


@pytest.mark.parametrize("opener", [b"[", b'{"a":', b'[{"a":'])
def test_many_levels_are_refused(opener):
    """Also where nothing closes them, and by the whole check as by its part."""
    content = opener * 100_000
    with pytest.raises(Ambiguous, match="64 levels"):
        check_depth(content)
    assert is_refused(content)


def test_many_brackets_are_not_deep():
    """Breadth costs a look, and is let through."""
    assert not is_refused(json.dumps({"tool": "x", "input": [[]] * 1000}).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"[" + b'"\\' * 500_000,
        b"[" + b'"' * 1_000_001,
        b'["' + b"\\" * 1_000_001,
        b'["' + b"x" * 1_000_000,
        b'["' + b"\\n" * 500_000 + b'"]',
    ],
)
def test_a_look_at_the_depth_takes_one_pass(content):
    """Strings that do not end are not tried again from each quote; this would take an hour."""
    tracemalloc.start()
    try:
        with contextlib.suppress(NotADocument):  # most of them are none
            check_depth(content)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(content)
    finally:
        tracemalloc.stop()


def test_just_as_deep_as_allowed_beside_something_shallow():
    """Sixty-four levels are let through, sixty-five are not, however much stands beside them."""
    for levels, fine in ((64, True), (65, False)):
        content = b'{"a":[]' + b',"b":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"
        assert is_refused(content) is not fine


# --- one place in it ---


def readings(held: Any, path: tuple[str, ...]) -> list[tuple[bool, Any]]:
    """All that somebody may find there, and whether everybody would spell it so."""
    if not path:
        return [(True, held)]
    members = held if isinstance(held, tuple) else ()
    return [
        (plain and name == path[0], found)
        for name, value in members
        if name.casefold() == path[0]
        for plain, found in readings(value, path[1:])
    ]


@given(
    objects(values).map(lambda text: text.replace('""', '"input"')),
    st.sampled_from([("input",), ("x",), ("input", "x"), ("tool", "tool"), ("input", "x", "tool")]),
)
def test_a_place_is_read_as_everybody_reads_it(text: str, path: tuple[str, ...]) -> None:
    """A text, or nothing, or something else; refused where there are two readings."""
    content = text.encode()
    known = readings(json.loads(content, object_pairs_hook=tuple, parse_int=float), path)
    try:
        found = Pointer(path).read(content)
    except Ambiguous:
        return  # that honest documents are not refused is below
    if not known:
        assert found is None
        return
    ((plain, expected),) = known
    assert plain
    if expected is None or isinstance(expected, str):
        assert found == expected
    else:
        assert found is not None
        assert not isinstance(found, str)


@pytest.mark.parametrize("letter", ["\u212a", "\\u212a", "\\u212A"])
def test_letters_that_some_fold_are_other_spellings(letter: str) -> None:
    """The Kelvin sign is a k to decoders that match names without regard to case."""
    beside = f'{{"key": "a", "{letter}ey": "b"}}'.encode()
    with pytest.raises(Ambiguous, match="more than once"):
        Pointer(("key",)).read(beside)
    alone = f'{{"{letter}ey": "b"}}'.encode()
    with pytest.raises(Ambiguous, match="another spelling"):
        Pointer(("key",)).read(alone)


@given(documents, st.text(max_size=5))
def test_what_stands_beside_it_does_not_matter(beside: str, text: str) -> None:
    """However it is spelled, and whatever else is named so further in."""
    held = json.dumps(text)
    content = f'{{"a": {beside}, "input": {{"b": {beside}, "x": {held}}}}}'.encode()
    assert Pointer(("input", "x")).read(content) == text


def test_a_key_that_is_only_a_text_is_none() -> None:
    """Wherever the word stands else, it is looked for as a name on its way."""
    content = b'{"a": "key", "b": {"key": "no"}, "key": "yes"}'
    assert Pointer(("key",)).read(content) == "yes"
    assert Pointer(("key",)).read(b'{"a": "key"}') is None
    assert Pointer(("a", "key")).read(b'{"a": "key"}') is None
    assert Pointer(("a", "key")).read(b'{"b": {"a": 1}, "key": "no"}') is None
    assert Pointer(("a", "key")).read(b'{"a": "key", "key": "a"}') is None


@pytest.mark.parametrize("content", [b'{"key": ', b'{"key": "a" "key": "b"}', b'\xff{"key": 1}'])
def test_what_is_no_document_holds_nothing(content: bytes) -> None:
    """Somebody let it pass; nobody can say what is in it."""
    assert Pointer(("key",)).read(content) is None


@pytest.mark.parametrize("value", [b"1e400", b'"\xff"'])
def test_what_python_cannot_hold_is_there_all_the_same(value: bytes) -> None:
    """And is no text."""
    found = Pointer(("key",)).read(b'{"key": %b}' % value)
    assert found is not None
    assert not isinstance(found, str)


def test_doubts_about_a_large_document_are_not_cleared_up() -> None:
    """An agent chooses how much there is to read; meanwhile every other call would wait."""
    parts = [b'{"rest": [', b"7," * (MOST_READ // 2), b'"key"], "key": "%b"}' % (b"," * MOST_READ)]
    assert Pointer(("key",)).read(b"".join(parts)) == "," * MOST_READ
    parts[1] *= 3
    with pytest.raises(Ambiguous, match="too large to tell whether it names key once"):
        Pointer(("key",)).read(b"".join(parts))


def test_a_place_is_found_without_reading_the_rest() -> None:
    """A large body is not made into objects."""
    content = b'{"rest": [' + b'{"a": 1},' * 100_000 + b'{}], "key": "yes"}'
    tracemalloc.start()
    try:
        assert Pointer(("key",)).read(content) == "yes"
        assert tracemalloc.get_traced_memory()[1] < 2 * len(content)
    finally:
        tracemalloc.stop()


# --- how much there is ---


def counted(value: object) -> int:
    """How many values a document holds."""
    inner = [*value.values()] if isinstance(value, dict) else value
    return 1 + (sum(map(counted, inner)) if isinstance(inner, list) else 0)


@given(objects(values), st.integers(1, 12))
def test_more_values_than_that_are_seen(text, most):
    """Never fewer than there are. At most twice as many, for a list that is empty counts double."""
    content, held = text.encode(), counted(objects_as_pairs(text))
    if held > most:
        assert more_values(content, most)
    if 2 * held < most:
        assert not more_values(content, most)


def objects_as_pairs(text: str) -> object:
    """The document, with every member, also one that is named twice."""

    def listed(pairs: list[tuple[str, Any]]) -> list[Any]:
        return [value for _, value in pairs]

    return json.loads(text, object_pairs_hook=listed)


@pytest.mark.parametrize(
    ("content", "more"),
    [
        (b'["%b"]' % (b",[{" * 50), False),
        (b'["%b"]' % (b',\\"[' * 50), False),
        (b"[%b]" % b",".join([b'""'] * 50), True),
        (b"[%b]" % b",".join([b"0"] * 50), True),
        (b"{" * 50, True),
    ],
)
def test_marks_in_texts_are_no_values(content, more):
    """However many; nor need all texts be looked at, once there are too many."""
    assert more_values(content, 10) is more


@given(objects(values))
def test_members_are_counted_as_they_are_written(text):
    """Each time that they are named; where there may be more than are known."""
    found: list[int] = []
    json.loads(text, object_pairs_hook=lambda pairs: found.append(len(pairs)))
    written = sum(found)
    assert members_written(text.encode(), written) == written
    assert members_written(text.encode(), written + 99) <= written + 99
    if written:
        assert members_written(text.encode(), written - 1) == written
