"""Who pays for the calls of one pipeline."""

from collections.abc import Callable
from itertools import count

import pytest

from proxy.call import Call
from proxy.refusal import Refusal
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.payers import Payers
from tests.fakes import make_call, make_target

DAY = (Limit("day", 1_000),)
AGENT, FLEET = Cap("agent", "agent", DAY), Cap("fleet", "fleet", DAY)
TASK = Cap("task", "task", DAY, require=True)
ONE = Cap("one", "request", (Limit("request", 10),))
TWO_WAYS = Refusal("ambiguous", "it may be read in two ways")


def says(answer: bool | Refusal | None) -> Callable[[Call], bool | Refusal | None]:
    """A condition that comes to this."""
    return lambda _: answer


def payers(*caps: tuple[Callable[[Call], bool | Refusal | None] | None, Cap]) -> Payers:
    """Of the tool `search`."""
    numbers = count()
    return Payers(caps, make_target(), Ledger(lambda: 0.0, lambda: str(next(numbers))))


def names(accounts: object) -> list[str]:
    """Of the budgets that pay."""
    assert isinstance(accounts, tuple)
    return [account.label for account in accounts]


def test_without_conditions_nothing_is_asked() -> None:
    """It is enough to know who calls."""
    plain = payers((None, AGENT), (None, FLEET))
    assert plain.plain
    assert names(plain.of(make_call(agent="a", fleet="f"))) == ["agent:a", "fleet:f"]
    assert names(plain.asked(make_call(agent="a", fleet="f"))) == ["agent:a", "fleet:f"]


@pytest.mark.parametrize(
    ("answer", "pays"), [(True, ["agent:a", "fleet:"]), (False, ["agent:a"]), (None, 2)]
)
def test_a_condition_is_asked_of_each_call(answer: bool | None, pays: list[str] | int) -> None:
    """One that cannot be told holds: money is not spent because a condition fails."""
    some = payers((None, AGENT), (says(answer), FLEET))
    assert not some.plain
    found = names(some.asked(make_call(agent="a")))
    assert (found if isinstance(pays, list) else len(found)) == pays


def test_arguments_that_may_be_read_in_two_ways_are_refused() -> None:
    """Whatever else would pay."""
    assert payers((None, AGENT), (says(TWO_WAYS), FLEET)).asked(make_call()) is TWO_WAYS


@pytest.mark.parametrize("asks", [None, says(True)])
def test_who_must_say_who_he_is(asks: Callable[[Call], bool | Refusal | None] | None) -> None:
    """The same with a condition and without."""
    some = payers((asks, TASK))
    assert not some.plain
    refusal = some.asked(make_call())
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.policy, refusal.scope) == ("denied", "task", "task")
    assert names(some.asked(make_call(task="t"))) == ["task:t"]


def test_where_a_condition_does_not_hold_nothing_must_be_said() -> None:
    """It is another call then."""
    assert payers((says(False), TASK)).asked(make_call()) == ()


def test_limits_of_one_call_are_no_accounts() -> None:
    """Those whose condition may hold."""
    other = Cap("other", "request", (Limit("request", 5),))
    some = payers((None, ONE), (says(False), other), (says(None), other))
    assert not some.plain
    assert some.of(make_call()) == ()
    assert some.alone(make_call()) == [ONE, other]


def test_who_looks_sees_the_same_and_opens_nothing() -> None:
    """With what must still be said."""
    some = payers((None, AGENT), (says(True), TASK), (says(False), FLEET))
    found, lacking = some.seen(make_call(agent="a"))
    assert ([cap for cap, _ in found], lacking) == ([AGENT, TASK], TASK)
    assert all(account is None for _, account in found)
    some.asked(make_call(agent="a", task="t"))
    found, lacking = some.seen(make_call(agent="a", task="t"))
    assert (len([account for _, account in found if account]), lacking) == (2, None)


def test_who_looks_sees_the_caps_of_a_single_call() -> None:
    """Nothing is ever spent of those."""
    some = payers((None, ONE), (says(False), Cap("other", "request", ONE.limits)), (None, AGENT))
    assert some.seen(make_call(agent="a"))[0] == [(AGENT, None), (ONE, None)]


def test_the_first_that_lacks_something_is_told() -> None:
    """Not the last."""
    work = Cap("work", "workflow", DAY, require=True)
    some = payers((None, TASK), (says(True), work))
    assert some.seen(make_call())[1] is TASK
    refusal = some.asked(make_call())
    assert isinstance(refusal, Refusal)
    assert refusal.policy == "task"


def test_who_has_waited_may_be_charged_to_others() -> None:
    """Where a key has made room meanwhile; else all stays as it was found."""
    answers: list[bool | Refusal] = [True, True, TWO_WAYS]
    some = payers((None, AGENT), (lambda _: answers.pop(0), FLEET))
    call = make_call(agent="a")
    found = some.asked(call)
    assert isinstance(found, tuple)
    grant = Grant(found, 5)
    assert some.again(call, grant) is None
    assert grant.accounts is found
    some._ledger._accounts["agent"].clear()
    some._ledger.evicted += 1
    assert some.again(call, grant) is None
    assert (names(grant.accounts), grant.accounts[1]) == (["agent:a", "fleet:"], found[1])
    assert grant.accounts[0] is not found[0]
    some._ledger._accounts["fleet"].clear()
    some._ledger.evicted += 1
    assert some.again(call, grant) is TWO_WAYS
