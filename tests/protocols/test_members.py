"""The members of an object: what stands there twice, or may to somebody, is found."""

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from proxy.protocols.document import DEEPEST, MOST_READ, Ambiguous, NotADocument
from proxy.protocols.members import check_all, members, text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
keys = st.sampled_from(["method", "Method", "params", "id", "é", "a"]) | st.text(
    st.characters(codec="utf-8"), max_size=4
)


@given(
    st.lists(st.tuples(keys, json_values), max_size=6), st.booleans(), st.sampled_from(["", " "])
)
@example([("", None), ("", None)], True, "")
@example([("é", 1), ("é", 1)], True, "")
def test_a_name_that_stands_twice_is_found(pairs, ascii_only, space):
    """However the object is written; and an object in which none does is read."""
    written = (space + "," + space).join(
        json.dumps(name, ensure_ascii=ascii_only)
        + ":"
        + space
        + json.dumps(value, ensure_ascii=ascii_only)
        for name, value in pairs
    )
    content = ("{" + space + written + "}").encode()
    names = [name for name, _ in pairs]
    twice = len(set(names)) < len(names)
    folded = any(name != "method" and name.casefold() == "method" for name in names)
    try:
        found = members(content, "method")
    except Ambiguous:
        assert twice or folded
    else:
        assert found is not None
        assert not twice
        assert not folded
        assert {name: json.loads(bytes(value)) for name, value in found.items()} == dict(pairs)


def test_a_name_with_capitals_has_other_spellings_too():
    """Whoever takes all letters alike would take it."""
    with pytest.raises(Ambiguous, match="names messageId in another"):
        members(b'{"messageid":1}', "messageId")
    assert members(b'{"messageId":1}', "messageId") is not None


def test_members_of_what_is_no_object():
    """There are none."""
    assert members(b"[1]") is None
    assert members(msgspec.Raw(b'"x"')) is None


def test_nobody_looks_through_members_without_end() -> None:
    """Each costs more than its bytes do, and nothing else goes on meanwhile."""
    content = b"{%b}" % b",".join(b'"x%d":1' % i for i in range(MOST_READ))
    assert len(members(content) or {}) == MOST_READ
    with pytest.raises(Ambiguous, match="more than 10,000 members"):
        members(content.replace(b"{", b'{"more":1,'))


@pytest.mark.parametrize("content", [b'"\xff"', b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1)])
def test_what_not_all_readers_take_is_refused(content: bytes) -> None:
    """Another encoding than UTF-8, and what is nested too deep."""
    with pytest.raises(NotADocument):
        check_all(content)


def test_a_member_may_be_a_text() -> None:
    """And nothing else is taken for one."""
    assert text(b'"a\\u0062"') == "ab"
    for other in (b"7", b"null", b'"\\ud800"', b""):
        assert text(other) is None
