# ruff: noqa: E501 -- messages stand on one line, as people see them
"""Conditions: what is one, what it asks for, and that no value brings one down."""

import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy import expression
from proxy.expression import LONGEST, VARIABLES, Expression

VALUES: dict[str, Any] = {
    **{name: "x" for name, kind in VARIABLES.items() if kind == "STRING"},
    "input": {"amount": 150.0, "tags": ["a"]},
    "headers": {"x-a": "b"},
    "tokens": 7,
    "now": datetime(2026, 1, 2, tzinfo=UTC),
    "cost": 0.25,
    "budget.remaining": 0.5,
}


def complaint(text: object) -> str:
    """Why it is no condition."""
    with pytest.raises(ValueError) as caught:
        Expression.parse(text)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("true", True),
        ("input.amount > 100.0", True),
        ("input.amount > 100", True),
        ("double(input.amount) > 1000.0", False),
        ("'a' in input.tags && input.tags.size() == 1", True),
        ("has(input.gone) && input.gone > 1", False),
        ("tokens < 100", True),
        ("headers['x-a'] == 'b'", True),
        ("now > timestamp('2026-01-01T00:00:00Z') && now.getHours('UTC') == 0", True),
        ("tool == 'x' && path.matches('^x+$') // and so on", True),
        ("input.tags.exists(tool, tool == 'a')", True),
    ],
)
def test_a_condition_holds_or_does_not(text: str, outcome: bool) -> None:
    """It is the text that it was, and only has what it uses to be given."""
    condition = Expression.parse(text)
    assert condition == text
    assert condition.holds({name: VALUES[name] for name in condition.uses}) is outcome


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_may_be_asked_for(name: str) -> None:
    """And is what it is said to be."""
    condition = Expression.parse(f"{name} == {name}")
    assert condition.uses == {name}
    assert condition.holds({name: VALUES[name]}) is True


@pytest.mark.parametrize(
    ("text", "uses"),
    [
        ("tool == 'input'", {"tool"}),
        ("agent == 'a' || input.tool == 'b'", {"agent", "input"}),
        ("[1].exists(tool, tool == 1)", set()),
        ("true // now", set()),
    ],
)
def test_it_uses_what_it_asks_for(text: str, uses: set[str]) -> None:
    """Not what is merely named in it."""
    assert Expression.parse(text).uses == uses


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (1, "expected a condition, found 1"),
        (True, "expected a condition, found True"),
        ("", "expected a condition, found at its column 1: mismatched input '<EOF>'"),
        ("1 +", "expected a condition, found at its column 4: mismatched input '<EOF>'"),
        ("tool == 'a'\n&& x", "expected a condition, found at its line 2, column 4: undeclared reference to 'x'"),
        ("tokens < 'a'", "expected a condition, found at its column 8: no matching overload for '_<_' applied to '(int, string)'"),
        ("tool", "expected a condition, found one whose value is string"),
        ("input.flag", "expected a condition, found one whose value is dyn; compare it: … == true"),
        ("+".join("1" * 40) + " > 1", "expected a condition, found one that is nested too deep"),
        ("(" * 40 + "true" + ")" * 40, "expected a condition, found one that is nested too deep"),
        ("x" * (LONGEST + 1), "expected a condition of at most 2,000 characters"),
    ],
)  # fmt: skip
def test_what_is_no_condition_is_told(text: object, message: str) -> None:
    """With the place in it, and what is wrong there."""
    assert complaint(text) == message


def test_what_a_file_says_is_told_last() -> None:
    """After ", found": there the loader cuts where the text came from a secret."""
    for text in ("sk_secret", "'sk_secret'", "sk_secret +", 7):
        assert "secret" not in complaint(text).partition(", found")[0]


def test_later_variables_may_be_words_of_the_call() -> None:
    """A member, or a text, called `cost` is no price."""
    assert Expression.parse("input.cost > 5 && tool != 'cost'").uses == {"input", "tool"}


def test_the_longest_condition_is_one() -> None:
    """At the limit, and not over it."""
    text = "true" + " " * (LONGEST - 4)
    assert Expression.parse(text).holds({}) is True


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the line that installs it."""

    def import_module(name: str) -> None:
        raise ImportError(name)

    expression._environment.cache_clear()
    monkeypatch.setattr(expression, "import_module", import_module)
    assert complaint("true") == "needs the extra cel: pip install 'holdfast[cel]'"


def test_a_complaint_without_a_place_is_one() -> None:
    """Whatever the library says."""
    assert expression._said("INTERNAL: out of ideas") == "none"


@pytest.mark.parametrize(
    ("text", "members", "names"),
    [
        ("input.amount > 1", {"amount"}, {"amount"}),
        ("has(input.a) && input['b c'] == input . c.d", {"a", "b c", "c"}, {"a", "b c", "c", "d"}),
        ('input["a"].size() > 1', {"a"}, {"a"}),
        ("input.size() > 1", None, set()),
        ("size(input.a) > input.b.c.size()", {"a", "b"}, {"a", "b", "c"}),
        ("'a' in input", None, {"a"}),
        ("input[tool] == 1", None, set()),
        ("input['a\\u0062'] == 1", None, set()),
        ("input.exists(k, input.a == k)", None, {"a"}),
        ("tool == 'x'", set(), set()),
    ],
)
def test_what_it_reads_of_the_input(text: str, members: set[str] | None, names: set[str]) -> None:
    """Members by their names, or all of it where that is not certain."""
    condition = Expression.parse(text)
    assert condition.members["input"] == (None if members is None else frozenset(members))
    assert condition.names == names


def test_what_it_reads_of_the_headers() -> None:
    """Likewise."""
    named = Expression.parse("headers['x-a'] == headers.b").members["headers"]
    assert named == frozenset({"x-a", "b"})
    assert Expression.parse("'x-a' in headers").members["headers"] is None


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("input.amount > 1.0", {}),
        ("input.amount > 1.0", {"amount": "much"}),
        ("input.amount > 1.0", {"amount": 1 << 70}),
        ("input.amount > 1.0", {"amount": object()}),
        ("input.amount == '\\u0061'", {"amount": "\ud800"}),
        ("input.a && input.b", {"a": 1, "b": True}),
        ("input.a.all(x, input.a.all(y, x + y >= 0))", {"a": list(range(200))}),
        ("input.a.matches(input.b)", {"a": "x", "b": "("}),
    ],
)
def test_what_fails_is_neither_true_nor_false(text: str, given: dict[str, Any]) -> None:
    """A member that is missing, another type, too many rounds: it never raises."""
    assert Expression.parse(text).holds({"input": given}) is None


def test_a_variable_that_is_not_given_is_a_failure() -> None:
    """Like any other."""
    assert Expression.parse("tool == 'x'").holds({}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ASKS = [
    Expression.parse(text)
    for text in (
        "double(input.a) > 100.0",
        "input.a == input.b || input.a.b[0] in input.b",
        "input.exists(k, input[k] == 1)",
        "string(input.a).startsWith('x') && size(input) > 0",
    )
]


@given(st.dictionaries(st.sampled_from("ab"), JSON), st.sampled_from(ASKS))
def test_nothing_that_an_agent_sends_brings_it_down(given: Any, condition: Expression) -> None:
    """It holds, does not, or fails."""
    assert condition.holds({"input": given}) in {True, False, None}


def test_without_an_expression_the_library_is_not_imported() -> None:
    """It costs a start 6 MB."""
    show = "import proxy.app, proxy.config.load, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", show], check=True, capture_output=True, text=True)
    assert "proxy.expression" in ran.stdout
    assert "cel_expr_python" not in ran.stdout


def test_money_cannot_be_asked_for_before_the_policies_are_known() -> None:
    """What a call costs hangs on them."""
    for text, named in [
        ("cost > 1.0", "cost"),
        ("budget.remaining < 0.5 || cost > 2.0", "budget.remaining and cost"),
    ]:
        found = Expression.parse(text)
        with pytest.raises(ValueError, match=f"when: {named} cannot be known here"):
            found.early("when")
    Expression.parse("tool == 'cost' && input.cost > 3.0").early("when")
