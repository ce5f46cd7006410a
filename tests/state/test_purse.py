"""A purse: what one call has spent and reserved."""

from proxy.record import Intent, intent_of
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.price import Price
from proxy.state.purse import Purse
from tests.fakes import make_call

_NAMES = ("x", "x", "x", "x", "x", "x", "x", "x", "x")
"""Of an intent: agent, upstream and so on."""

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
    purse = taken(Purse("c1"), first, second)
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
    purse = taken(Purse("c1"), grant)
    assert purse.charges == {}
    grant.settled = 0
    assert purse.charges == {}


def test_a_price_that_was_thought_is_told() -> None:
    """Where the answer did not tell, or nobody said it; not where nothing was sent."""
    thought = Grant((), 5, Price(5, known=False))
    purse = taken(Purse("c1"), thought)
    thought.settled = 0
    assert not purse.estimated
    thought.settled = 5
    assert purse.estimated
    assert taken(Purse("c1"), Grant((), 5, Price(5), estimated=True)).estimated
    assert not taken(Purse("c1"), Grant((), 5, Price(5), settled=5)).estimated


def test_it_is_put_away_when_its_record_is_noted() -> None:
    """Once; and who is in no list is no harm."""
    purses: dict[str, Purse] = {}
    call = make_call()
    purse = purses[call.id] = Purse(call.id, call, others=purses)
    purse.told()
    purse.told()
    Purse(call.id).told()
    assert purses == {}


def test_a_call_under_way_lacks_an_intent_until_it_has_one() -> None:
    """Not one that is over, nor one that needs none, or has it from elsewhere."""
    call = make_call()
    purse = Purse(call.id, call, lambda of: Intent(of.id, *_NAMES))
    assert purse.lacks_intent
    made = purse.intend()
    assert made is not None
    assert made.id == call.id
    assert purse.intend() is None
    assert not purse.lacks_intent
    assert not Purse(call.id, call).lacks_intent
    assert not Purse(call.id, call, intent_of, over=True).lacks_intent  # type: ignore[arg-type]  # not asked
    call.intent = True
    assert not Purse(call.id, call, intent_of).lacks_intent  # type: ignore[arg-type]  # not asked


def test_it_does_not_hold_its_call_when_the_record_is_noted() -> None:
    """They would hold each other, and only the collector would free them."""
    call = make_call()
    purse = call.purse = Purse(call.id, call)
    assert purse.lacks_intent is False
    purse.told()
    assert purse.call is None
    assert not purse.lacks_intent
