"""Globs, by themselves; `tests/config/test_match.py` has what matches make of them."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.globs import holds


@given(st.text("ab*", max_size=8), st.text("ab", max_size=8))
def test_a_star_stands_for_anything(glob: str, text: str) -> None:
    """As a regular expression would have it."""
    pattern = ".*".join(map(re.escape, glob.split("*")))
    assert holds(glob, text) is bool(re.fullmatch(pattern, text))


@pytest.mark.parametrize(("glob", "text"), [("a", "a"), ("*", ""), ("a*a", "aa"), ("*b*", "abc")])
def test_what_holds(glob: str, text: str) -> None:
    """A few, to be read."""
    assert holds(glob, text)
