"""Whose limit it is."""

from typing import Any

import pytest

from proxy.state.per import Per
from tests.fakes import make_call, make_target

CALL: dict[str, Any] = {"agent": "ann", "workflow": "w", "model": "large"}


@pytest.mark.parametrize(
    ("words", "key"),
    [
        (("rule",), ("", "", "", "", "")),
        (("tool",), ("gateway", "search", "", "", "")),
        (("upstream",), ("gateway", "", "", "", "")),
        (("agent",), ("", "", "ann", "", "")),
        (("workflow",), ("", "", "", "w", "")),
        (("model",), ("gateway", "", "", "", "large")),
        (("agent", "tool", "workflow"), ("gateway", "search", "ann", "w", "")),
    ],
)
def test_a_key_is_what_was_asked(words: tuple[str, ...], key: tuple[str, ...]) -> None:
    """And nothing else: those who differ in something else share it."""
    per = Per(words, make_target())
    assert per.of(make_call(**CALL))[:5] == key


def test_what_is_always_the_same_is_known_before_a_call_is_there() -> None:
    """It is what the calls would answer."""
    fixed = [Per(words, make_target()) for words in (("rule",), ("tool", "upstream"))]
    assert [per.fixed for per in fixed] == [per.of(make_call(**CALL)) for per in fixed]
    of_a_call = (("agent",), ("workflow",), ("model",), ("tool", "model"))
    assert [Per(words, make_target()).fixed for words in of_a_call] == [None] * 4


def test_calls_that_are_sent_as_a_model_are_that_models() -> None:
    """Whatever they asked for; they share its limit with those who did ask for it."""
    per = Per(("model",), make_target(sent_as="small"))
    own = Per(("model",), make_target())
    assert per.fixed == per.of(make_call(**CALL)) == own.of(make_call(model="small"))
    assert Per(("tool",), make_target(sent_as="small")).fixed == Per(("tool",), make_target()).fixed


def test_who_asks_for_something_else_has_nothing_in_common() -> None:
    """Agents without a name are not all calls together; the order of the words is none."""
    nameless = make_call(agent="")
    agent, rule = (Per((word,), make_target()).of(nameless) for word in ("agent", "rule"))
    assert agent != rule
    both = [Per(words, make_target()) for words in (("agent", "tool"), ("tool", "agent"))]
    assert len({per.of(nameless) for per in both}) == 1


def test_names_for_people_and_programs() -> None:
    """All of the key, in the order of the policy."""
    per = Per(("tool", "agent", "model", "rule"), make_target())
    assert per.scope == "tool,agent,model,rule"
    whose = "tool search for agent ann for model large for rule p"
    assert per.told(make_call(**CALL), "p") == whose
