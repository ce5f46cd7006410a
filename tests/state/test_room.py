"""Is there room for a sending?"""

from proxy.call import Call
from proxy.counts import REFUSALS, Counts
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from proxy.state.purse import Purse
from proxy.state.room import Room
from tests.fakes import make_attempt, make_call

NOW = 1_767_225_600.0
AGENT = Cap("agent", "agent", (Limit("day", 1_000),))


class Filled:
    """Reserves something for nobody, until it is closed."""

    def __init__(self, account: Account, micros: int) -> None:
        self._account, self._micros = account, micros
        account.reserve(micros)
        account.tills[self] = None

    def close(self) -> None:
        """Part of Reserves."""
        del self._account.tills[self]
        self._account.total -= self._micros
        self._account.reserved -= self._micros


def account(cap: Cap = AGENT) -> Account:
    """All may be spent of it."""
    made = Account(cap, "ann", NOW)
    made.promise(10_000)
    return made


def lacks(
    *accounts: Account, micros: int = 100, alone: Cap | None = None, hedge: bool = False,
    purse: Purse | None = None, counts: Counts | None = None, at: float = NOW,
) -> str:  # fmt: skip
    """The budget that has no room; empty: there is room in all."""
    of = purse or Purse()

    def caps(call: Call) -> list[Cap]:
        return [alone] if alone else []

    ledger = Ledger(lambda: at, lambda: "id")
    room = Room(caps, lambda call: of, counts or REFUSALS.counts(), ledger)
    found = room.lacks(make_attempt(make_call(), hedge=hedge), Grant(accounts, micros, Price(1)))
    return "" if found is None else f"{found[0].name} {found[1].code}"


def test_the_first_that_has_none_is_told() -> None:
    """Of several; the whole of a limit may be used."""
    full = account(Cap("full", "fleet", (Limit("day", 99),)))
    assert lacks(account(), full) == "full budget_exceeded"
    assert lacks(account(), micros=1_000) == ""
    assert lacks(account(), micros=1_001) == "agent budget_exceeded"


def test_windows_are_those_of_now() -> None:
    """What was spent yesterday is not asked."""
    one = account()
    one.reserve(1_000)
    one.settle(1_000, 1_000, NOW)
    assert lacks(one) == "agent budget_exceeded"
    assert lacks(one, at=NOW + 86_400) == ""


def test_a_call_by_itself_may_be_too_dear() -> None:
    """With what it has spent, and what runs of it."""
    cap = Cap("each", "request", (Limit("total", 300),))
    purse = Purse(spent=100, held=100)
    assert lacks(alone=cap, purse=purse) == ""
    assert lacks(alone=cap, purse=purse, micros=101) == "each budget_exceeded"


def test_what_only_counts_or_was_allowed_goes() -> None:
    """A cap in shadow mode, which is counted; one that a person was asked about."""
    counts = REFUSALS.counts()
    shadow = Cap("seen", "agent", (Limit("day", 10),), on_exceed="shadow")
    assert lacks(account(shadow), counts=counts) == ""
    assert counts.rows == {("budget_exceeded", "seen", "false"): 1}
    asks = Cap("asks", "agent", (Limit("day", 10),), on_exceed="approve")
    assert lacks(account(asks), purse=Purse(approved=True)) == ""
    assert lacks(account(asks)) == "asks budget_exceeded"
    each = Cap("each", "request", (Limit("total", 10),), on_exceed="shadow")
    assert lacks(alone=each) == ""


def test_nobody_is_refused_for_what_lies_idle() -> None:
    """It is given back first; where there is room in any case, it is left."""
    one = account()
    Filled(one, 950)
    assert lacks(one) == ""
    assert (one.reserved, one.tills) == (0, {})
    kept = Filled(one, 500)
    assert lacks(one) == ""
    assert list(one.tills) == [kept]


def test_a_second_sending_has_room_where_only_idle_money_is() -> None:
    """No hedge runs where more than seven tenths are used."""
    one = account()
    Filled(one, 750)
    assert lacks(one, hedge=True) == ""
    one.reserve(701)
    assert lacks(one, hedge=True) == "agent budget_exceeded"
    assert lacks(one) == ""
    assert lacks(one, hedge=True, micros=0) == ""
