"""proxy/observe/labels.py"""

from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.labels import LONGEST, OTHER, Tools, Vocabulary, presentable


def test_a_tool_is_other_until_a_call_to_it_succeeds():
    """Failing calls to made-up names make no series; one success does."""
    tools = Tools()
    assert tools.of("made_up") == OTHER
    assert tools.of("made_up", succeeded=True) == "made_up"
    assert tools.of("made_up") == "made_up"


def test_a_tool_that_a_policy_names_is_known_at_once():
    """Also when its first call fails: that is when it is looked for."""
    tools = Tools()
    tools.name(["deposit"])
    assert tools.of("deposit") == "deposit"


def test_a_tool_stays_known_when_policies_name_it_no_longer():
    """Counters must not vanish at a reload."""
    tools = Tools()
    tools.name(["deposit"])
    tools.of("deposit")
    tools.name([])
    assert tools.of("deposit") == "deposit"


def test_named_tools_keep_their_places():
    """Successful calls to others cannot take the last place of a tool that a policy names."""
    tools = Tools(limit=4)
    tools.name(["deposit", "withdraw"])
    assert tools.of("first", succeeded=True) == "first"
    assert tools.of("second", succeeded=True) == OTHER
    assert (tools.of("deposit"), tools.of("withdraw")) == ("deposit", "withdraw")


def test_more_named_tools_than_places_share_other():
    """The limit holds for policies too."""
    tools = Tools(limit=2)
    tools.name(["deposit", "withdraw"])
    assert [tools.of("deposit"), tools.of("withdraw")] == ["deposit", OTHER]


@given(
    st.lists(st.tuples(st.text(), st.booleans()), max_size=60),
    st.lists(st.text(max_size=3), max_size=8),
)
def test_tools_have_a_bounded_number_of_values(calls, named):
    """Whatever is called and named, in any order."""
    tools = Tools(limit=5)
    tools.name(named)
    values = {tools.of(tool, succeeded) for tool, succeeded in calls}
    assert len(values | {OTHER}) <= 5


def test_a_vocabulary_is_bounded():
    """The first values are kept, the rest share `other`."""
    vocabulary = Vocabulary(limit=3)
    assert [vocabulary.of(value) for value in ("a", "b", "c", "a")] == ["a", "b", OTHER, "a"]


def test_what_breaks_scrapers_is_not_presentable():
    """Too long, control characters, half a surrogate pair."""
    assert presentable('quotes " and \\ are fine')
    assert not any(map(presentable, ("x" * (LONGEST + 1), "a\nb", "\x00", "\ud800")))
