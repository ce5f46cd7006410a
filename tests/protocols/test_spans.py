"""Where things stand in a JSON text."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.protocols.spans import changed, items, members
from tests.protocols.spellings import gaps, lists, objects, values


@given(gaps, objects(values), gaps)
def test_the_members_of_an_object_are_found_where_they_stand(a: str, text: str, b: str) -> None:
    """Each time that one does, however it is written."""
    whole = a + text + b
    pairs: list[tuple[str, Any]] = json.loads(text, object_pairs_hook=list)
    found = list(members(whole))
    assert [name for name, _, _, _ in found] == [name for name, _ in pairs]
    for _, value, begin, end in found:
        assert json.loads(whole[begin:end]) == value


@given(gaps, lists(values))
def test_the_items_of_an_array_are_found_where_they_stand(gap: str, text: str) -> None:
    """In their order."""
    found = list(items(gap + text, len(gap)))
    assert [item for item, _ in found] == json.loads(text)
    for item, at in found:
        assert json.JSONDecoder().raw_decode(gap + text, at)[0] == item


@given(objects(values), st.text(max_size=3))
def test_what_is_changed_is_changed_there_alone(text: str, new: str) -> None:
    """All values at once, in whatever order they are given."""
    found = list(members(text))
    after = changed(text, [(at, end, json.dumps(new)) for _, _, at, end in reversed(found)])
    pairs = json.loads(after, object_pairs_hook=list)
    assert pairs == [(name, new) for name, _, _, _ in found]


def test_an_object_inside_may_have_something_behind_it() -> None:
    """The text goes on where the other ends."""
    text = '[{"a":1}, 2]'
    assert list(members(text, 1)) == [("a", 1, 6, 7)]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a" 1}', '{"a":1 "b":2}', '{"a":NaN}', "{} {}"])
def test_what_is_no_object_is_an_error(text: str) -> None:
    """Nothing is taken for one."""
    with pytest.raises(ValueError, match=r"."):
        list(members(text))
