"""What a request claims to be."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.claims import DECEPTIVE, claimed, looks_like_json, may_be_json

ENCODINGS = st.sampled_from(
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"]
)


@pytest.mark.parametrize(
    ("kind", "json_", "utf_8"),
    [
        (b"application/json", True, True),
        (b'Application/Problem+JSON; charset="UTF-8"', True, True),
        (b"text/plain", False, True),
        (b"application/json; charset=utf-16", True, False),
        (b"", False, True),
    ],
)
def test_a_type_says_whether_it_is_json_and_utf_8(kind: bytes, json_: bool, utf_8: bool) -> None:
    """In any letters, with and without a charset."""
    assert claimed(kind) == (json_, utf_8)


@given(st.lists(st.integers()) | st.dictionaries(st.text(), st.integers()), ENCODINGS, st.data())
def test_json_is_seen_in_any_encoding(value: object, encoding: str, data: st.DataObject) -> None:
    """As soon as a byte of it is there, and for as long as it goes on."""
    content = json.dumps(value).encode(encoding)
    assert looks_like_json(content)
    assert may_be_json(content[: data.draw(st.integers(0, len(content)))])


@pytest.mark.parametrize("content", [b"a=b", b"--boundary", b"\x89PNG", b"<x>"])
def test_what_is_no_json_does_not_look_like_it(content: bytes) -> None:
    """Forms, parts of one, pictures."""
    assert not looks_like_json(content)
    assert not may_be_json(content)


@pytest.mark.parametrize(
    "path", [b"/a%2fb", b"/a%5Cb", b"/a%00", b"/a;b", b"//a", b"/a/../b", b"/a/%2e%2E", b"/a\\b"]
)
def test_paths_that_servers_read_differently_are_known(path: bytes) -> None:
    """Encoded slashes, parameters, dot segments."""
    assert DECEPTIVE.search(path)
    assert not DECEPTIVE.search(b"/v1/a.b/c-d%20e")
