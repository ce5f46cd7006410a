"""Refusing calls: all of them, or those for which a condition holds."""

import pytest

from proxy.counts import EXPRESSION_ERRORS, Counts
from proxy.expression import Expression
from proxy.refusal import Refusal
from proxy.stage import Site
from proxy.stages.deny import Denial, Deny
from tests.fakes import make_ground, make_target
from tests.tables import Desk, give


def gate(when: str | None = None, reason: str = "no") -> Denial:
    """The gate of the policy `p`."""
    made = Deny(when=None if when is None else Expression.parse(when), reason=reason)
    return Denial(made, Site(make_target(), make_ground(), "p"))


def asked(denial: Denial, content: bytes = b'{"amount": 150}') -> Refusal | None:
    """What it says to a call with these arguments."""
    call = give("pay", content)
    Desk().found(call)  # recognised
    return denial.admit(call)


def test_without_a_condition_every_call_is_refused() -> None:
    """The reason is told, and who decided."""
    refusal = asked(gate(reason="closed for the winter"))
    assert refusal is not None
    assert (refusal.code, refusal.policy, refusal.detail) == (
        "denied",
        "p",
        "closed for the winter",
    )
    assert (refusal.kind.status, refusal.should_retry) == (403, False)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"amount": 150}', "denied"),
        (b'{"amount": 100}', ""),
        (b"{}", "denied"),
        (b'{"amount": "150"}', "denied"),
        (b'{"amount": 1, "amount": 150}', "ambiguous_call"),
    ],
    ids=["holds", "does not", "missing", "another type", "two readings"],
)
def test_a_condition_decides(content: bytes, code: str) -> None:
    """One that fails counts as holding; what can be read in two ways is not read."""
    refusal = asked(gate("input.amount > 100"), content)
    assert ("" if refusal is None else refusal.code) == code


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"amount": 150}', "its condition holds"),
        (b'{"amount": 100}', "its condition does not hold"),
        (b"{}", "its condition fails, which counts as holding"),
        (b'{"amount": 1, "amount": 150}', "its condition can be read in two ways"),
    ],
)
def test_it_says_what_it_would_do(content: bytes, said: str) -> None:
    """With the same verdict, and without counting a failure."""
    denial, call = gate("input.amount > 100"), give("pay", content)
    Desk().found(call)
    told = denial.says(call)
    assert told.note == said
    assert told.refusal == denial.admit(call)


def test_it_says_that_it_denies_all() -> None:
    """No condition is asked."""
    denial = gate()
    assert denial.says(give("pay", b"{}")).note == "denies every call"
    assert denial.says(give("pay", b"{}")).refusal is denial.admit(give("pay", b"{}"))


RULES = "policies: [{{name: p, match: {{tool: pay}}, deny: {}}}]"
WHEN = '{when: "input.amount > 100"'


@pytest.mark.parametrize(
    ("deny", "statuses"),
    [
        ("true", ["denied", "denied"]),
        ("false", ["200", "200"]),
        (WHEN + "}", ["denied", "200"]),
        (WHEN + ", mode: shadow}", ["200", "200"]),
        (WHEN + ", mode: off}", ["200", "200"]),
    ],
)
def test_calls_are_refused_as_the_file_says(deny: str, statuses: list[str]) -> None:
    """Before anything else is asked or sent."""
    desk = Desk(RULES.format(deny), *[int(each) for each in statuses if each != "denied"])
    replies = [desk.call(give("pay", b'{"amount": %d}' % amount)) for amount in (150, 50)]
    assert [reply.refusal.code if reply.refusal else str(reply.status) for reply in replies] == statuses  # fmt: skip  # noqa: E501


def test_a_shadow_counts_what_it_would_have_refused() -> None:
    """A failure of its condition as well, and two readings: it refuses none."""
    desk = Desk(RULES.format(WHEN + ", mode: shadow}"), 200, 200, 200)
    for content in (b'{"amount": 150}', b"{}", b'{"amount": 1, "amount": 2}'):
        assert desk.call(give("pay", content)).status == 200
    assert desk.shadowed == {("denied", "p", "false"): 2, ("ambiguous_call", "p", "false"): 1}
    assert desk.rows(EXPRESSION_ERRORS) == {("p", "deny"): 1}
    assert isinstance(dict(desk.keep.items())[EXPRESSION_ERRORS.key], Counts)


def test_true_denies_every_call_whatever_was_said_before() -> None:
    """A condition of a wider policy does not open what a narrower one closes."""
    rules = "policies: [{name: w, deny: {when: 'input.n > 3'}}, {name: p, deny: true}]"
    assert Desk(rules).codes(1) == ["denied"]
