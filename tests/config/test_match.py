import fnmatch
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.config.match import Globs, Match, path_as_sent
from proxy.expression import Expression
from proxy.protocols.http import matched_path

GLOB = st.text("ab*", min_size=1, max_size=6)
TEXT = st.text("ab", max_size=8)
GLOBS = st.builds(
    Globs,
    st.lists(GLOB, min_size=1, max_size=2).map(tuple),
    st.lists(GLOB, max_size=2).map(tuple),
)


@pytest.mark.parametrize(
    ("written", "value", "holds"),
    [
        (("get_*",), "get_balance", True),
        (("get_*",), "forget_it", False),
        (("*_x", "a"), "a", True),
        (("a", "!a"), "a", False),
        (("!get_*",), "get_x", False),
        (("!get_*",), "put_x", True),
        (("*", "!secret"), "secret", False),
        (("a*a",), "a", False),
        (("*",), "", True),
        (("a.c",), "abc", False),
        (("a*b*c",), "a-b-b-c", True),
        (("a*b*c",), "a-c-b", False),
        (("*\n*",), "x\ny", True),
    ],
)
def test_globs(written, value, holds):
    """One that is wanted must hold and none that is excluded; a star stands for anything."""
    assert Globs.of(written).hold(value) is holds


@given(GLOB, TEXT)
def test_a_glob_matches_what_a_shell_would_match(glob, text):
    """Taking each literal where it first comes loses nothing."""
    assert Globs((glob,)).hold(text) == fnmatch.fnmatchcase(text, glob)


@given(GLOBS, GLOBS, TEXT)
def test_what_covers_holds_wherever_the_covered_holds(over, under, text):
    """Never the other way: being unsure is fine, being wrong is not."""
    if over.cover(under) and under.hold(text):
        assert over.hold(text)


@given(GLOBS)
def test_everything_covers_itself(globs):
    """So a policy counts among those in force for its own match."""
    assert globs.cover(globs)


@given(GLOBS, TEXT)
def test_what_is_impossible_never_holds(globs, text):
    """Its policy can be warned about."""
    if globs.impossible:
        assert not globs.hold(text)


@pytest.mark.parametrize(
    ("over", "under", "covers"),
    [
        (("get_*",), ("get_a", "get_b*"), True),
        (("get_*",), ("*",), False),
        (("*", "!get_a*"), ("get_*",), False),
        (("*", "!get_a*"), ("put_*",), True),
        (("*", "!get_a*"), ("*", "!get_*"), True),
        (("*", "!*b"), ("a*",), False),
    ],
)
def test_covering(over, under, covers):
    """Exclusions count: what one leaves out, the other must not have."""
    assert Globs.of(over).cover(Globs.of(under)) is covers


def test_all_keys_must_hold():
    """A key that a call has no fact for is matched against the empty text."""
    match = Match({"tool": Globs(("get_*",)), "agent": Globs(("a",))})

    assert match.holds({"tool": "get_x", "agent": "a"})
    assert not match.holds({"tool": "get_x", "agent": "b"})
    assert not match.holds({"tool": "get_x"})


def test_no_keys_match_every_call():
    """A policy without `match:` is for all."""
    assert Match().holds({})


def test_says_which_facts_it_asks_for():
    """Who looks pipelines up needs no others."""
    assert Match({"tool": Globs(("a",))}).keys == {"tool"}


def test_a_match_covers_another_that_asks_for_more():
    """Key by key; one that is not asked for may be anything."""
    tools = Match({"tool": Globs(("get_*",))})
    one = Match({"tool": Globs(("get_a",)), "agent": Globs(("x",))})

    assert tools.covers(one)
    assert not one.covers(tools)
    assert Match().covers(tools)


def test_a_match_with_a_condition_covers_nothing():
    """When it holds is not known; it is covered as if it always did."""
    when = Match({"tool": Globs(("get_*",))}, Expression.parse("tokens < 5"))

    assert not when.covers(when)
    assert Match().covers(when)
    assert when.holds({"tool": "get_x"})


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/bücher/*", "/b%C3%BCcher/*"),
        ("/b%c3%bccher/*", "/b%C3%BCcher/*"),
        ("!/a b", "!/a%20b"),
        ("/%61%2Db", "/a-b"),
        ("/a%2fb,c;d=1", "/a%2Fb,c;d=1"),
        ("/100%", "/100%"),
        ("/\udcff", "/%FF"),
    ],
)
def test_a_path_as_people_write_it_is_a_path_as_it_is_sent(written, sent):
    """One form for all spellings, and that form is its own."""
    assert path_as_sent(written) == sent
    assert path_as_sent(sent) == sent


@given(st.lists(st.text("aü ~%/;*\u2603", min_size=1, max_size=5), max_size=4))
def test_a_path_of_a_file_is_what_a_request_has(parts):
    """What clients make of a path is what a glob of the same text matches."""
    path = "/" + "/".join(quote(part, safe="") for part in parts)

    assert path_as_sent(path) == matched_path(path.encode())
