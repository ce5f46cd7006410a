"""A purse: what one call has spent and reserved."""

from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.price import Price
from proxy.state.purse import Purse
from tests.fakes import make_call

A = Account(Cap("a", "agent", (Limit("day", 1_000),)), "x:y\nz", 0.0)
F = Account(Cap("f", "fleet", (Limit("day", 1_000),)), "", 0.0)


def taken(purse: Purse, *grants: Grant) -> Purse:
    """As the gate does it."""
    for grant in grants:
        purse.held += grant.amount
        purse.grants += (grant,)
    return purse


def test_attempts_add_up() -> None:
    """What is spent of each account, and what all of them reserved."""
    first, second = Grant((A, F), 100, Price(100)), Grant((F,), 50, Price(50))
    purse = taken(Purse(), first, second)
    assert (purse.held, purse.reserved, purse.spent) == (150, 150, 0)
    assert purse.promised() == {"a:x:y\nz": 100, "f:": 150}
    first.settled = 100
    assert purse.charges == {"a:x:y\nz": 100, "f:": 100}
    second.settled = 20
    assert purse.reserved == 150
    assert purse.charges == {"a:x:y\nz": 100, "f:": 120}


def test_what_was_not_sent_leaves_no_charge() -> None:
    """Not even one of nothing."""
    grant = Grant((A,), 100, Price(100))
    purse = taken(Purse(), grant)
    assert purse.charges == {}
    grant.settled = 0
    assert purse.charges == {}


def test_a_price_that_was_thought_is_told() -> None:
    """Where the answer did not tell, or nobody said it; not where nothing was sent."""
    thought = Grant((), 5, Price(5, known=False))
    purse = taken(Purse(), thought)
    thought.settled = 0
    assert not purse.estimated
    thought.settled = 5
    assert purse.estimated
    assert taken(Purse(), Grant((), 5, Price(5), estimated=True)).estimated
    assert not taken(Purse(), Grant((), 5, Price(5), settled=5)).estimated


def test_it_is_put_away_when_its_record_is_noted() -> None:
    """Once; and who is in no list is no harm. It is not asked for an intent any more."""
    call = make_call()
    calls = {call.id: call}
    purse = Purse(calls)
    purse.told(call.id)
    purse.told(call.id)
    Purse().told(call.id)
    assert (calls, purse.over) == ({}, True)


def test_a_call_that_is_over_stays_until_its_record_is_noted() -> None:
    """A snapshot has it, or the record behind it."""
    call = make_call()
    purse = Purse({call.id: call})
    purse.ends()
    assert (purse.over, list(purse.calls)) == (True, [call.id])
