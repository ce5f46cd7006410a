"""Money reserved for many calls at once: what of it can be seen, and by whom."""

from collections.abc import Callable
from typing import Any

import pytest

from proxy.call import Call
from proxy.record import Intent
from proxy.state import ledger as ledgers
from proxy.state import till as tills
from proxy.state.account import Account
from proxy.state.attribution import Work
from proxy.state.caps import Cap, Limit
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from proxy.state.purse import Purse
from proxy.state.till import Till, Tills, worth_while
from tests.fakes import make_call

NOW = 1_767_225_600.0  # midnight
DAY = 86_400
AGENT = Cap("agent", "agent", (Limit("day", 100_000),), alert_at=(500_000,))
FLEET = Cap("fleet", "fleet", (Limit("total", 1_000_000),))
PRICE = Price(10)


class Books:
    """A ledger with promises enough, and the tills of one gate."""

    def __init__(self, *caps: Cap, reads: tuple[str, ...] = ()) -> None:
        self.now = NOW + 60
        self.promised = 10_000_000
        self.caps = caps or (AGENT, FLEET)
        self.ledger = Ledger(lambda: self.now, lambda: "u")
        self.ledger.obey(self.caps)
        self.tills = Tills(self.ledger, PRICE, _made, reads)

    def accounts(self, key: str = "ann") -> tuple[Account, ...]:
        """Of an agent."""
        found = tuple(self.ledger.account(cap, key) for cap in self.caps)
        for account in found:
            account.promise(self.promised)
        return found

    def asks(self, call: Call) -> Till | None:
        """As a gate does, where it has none."""
        return self.tills.opened(call, self.accounts(call.agent), self.now)

    def opened(self, **whose: Any) -> Till:
        """For who came before."""
        call = make_call(**{"agent": "ann"} | whose)
        assert self.asks(call) is None
        made = self.asks(call)
        assert made is not None
        return made

    def takes(self, till: Till, name: str) -> Call:
        """A call, as the gate lets it go."""
        call = make_call(id=name, agent="ann")
        till.left -= 1
        call.purse = till
        self.ledger.under_way.enter(call)
        return call

    def pays(self, till: Till, name: str) -> Call:
        """One that was answered well, as the gate settles it."""
        call = self.takes(till, name)
        till.due -= 1
        till.touched = self.now
        call.purse = till.paid
        return call

    def told(self) -> list[tuple[int, int]]:
        """Spent and reserved, of each account, of who looks."""
        return [(one.spent, one.reserved) for one in self.ledger.accounts()]


def _made(call: Call) -> Intent:
    return Intent(call.id, *("x",) * 9, charges=call.purse.promised())


@pytest.fixture
def books() -> Books:
    """Nothing is spent yet."""
    return Books()


def test_a_call_that_comes_once_has_none(books: Books) -> None:
    """Agents make up workflows by the thousand, of one call each."""
    assert books.asks(make_call(agent="ann")) is None
    assert books.asks(make_call(agent="ann", workflow="w")) is None
    assert books.asks(make_call(agent="ann")) is not None


def test_it_is_for_a_quarter_of_what_may_be_spent_before_anybody_is_told(books: Books) -> None:
    """Here before the alert at half of the limit; where that is much, for so many calls."""
    agent, _ = books.accounts()
    agent.reserve(50_000 - 4 * 10 * 10 - 5)
    till = books.opened()
    assert (till.left, agent.reserved, agent.total) == (10, 49_695, 49_695)
    wide = Books(FLEET).opened()
    assert wide.left == 256


def test_it_is_no_more_than_was_promised(books: Books) -> None:
    """Ahead of the next promise."""
    books.promised = 6_000
    _, fleet = books.accounts()
    assert books.opened().left == (6_000 - fleet.ahead // 2) // 10 // 4


@pytest.mark.parametrize("free", [-5, 0, 319])
def test_where_there_is_little_there_is_none(books: Books, free: int) -> None:
    """Nor is anything reserved."""
    agent, _ = books.accounts()
    agent.reserve(50_000 - free)
    call = make_call(agent="ann")
    assert [books.asks(call), books.asks(call)] == [None, None]
    assert (agent.reserved, books.tills.found) == (50_000 - free, {})


def test_where_no_budget_is_it_only_counts() -> None:
    """What agents spend is known in any case."""
    books = Books(FLEET)
    books.caps = ()
    till = books.opened()
    books.pays(till, "a")
    assert (till.since, books.ledger.total) == (-float("inf"), 10)


def test_when_it_closes_what_is_left_goes_back(books: Books) -> None:
    """What was spent is booked, and what calls have that are under way stays reserved."""
    till = books.opened(workflow="w")
    books.now += 5
    books.pays(till, "a")
    books.takes(till, "b")
    assert [account.spent for account in books.accounts()] == [0, 0]
    till.close()
    assert [account.tills for account in books.accounts()] == [{}, {}]
    assert [(one.spent, one.reserved, one.touched) for one in books.accounts()] == [
        (10, 10, books.now), (10, 10, books.now),
    ]  # fmt: skip
    assert books.ledger.by_agent == {"ann": 10}
    assert books.ledger.by_workflow == {"w": Work({"ann": 10}, {"ann": 1})}
    assert (till.left, books.ledger.tills, till.until < 0) == (0, {}, True)
    till.close()
    assert books.told() == [(10, 10), (10, 10)]


def test_one_of_which_nothing_was_spent_leaves_no_trace(books: Books) -> None:
    """The account was not used by it, and may make room for another one."""
    till = books.opened(workflow="w")
    before = [account.touched for account in books.accounts()]
    books.now += 5
    till.close()
    assert [account.touched for account in books.accounts()] == before
    assert (books.ledger.by_agent, books.ledger.by_workflow) == ({}, {})


def test_who_pays_for_whom_is_not_mixed_up() -> None:
    """Each has its own: by agent, workflow, who waits for it, and by what accounts are kept."""
    books = Books(AGENT, reads=("model",))
    found = [
        books.opened(),
        books.opened(workflow="w"),
        books.opened(workflow="w", caller="boss"),
        books.opened(model="m"),
        books.opened(agent="bob"),
    ]
    assert len(set(found)) == 5
    books.pays(found[2], "a")
    assert books.ledger.by_workflow["w"].by("caller_pays") == {"ann": 0, "boss": 10}


def test_a_call_that_goes_its_own_way_takes_its_money_with_it(books: Books) -> None:
    """In a purse, in which it is held; the till has one call less."""
    till = books.opened()
    size = till.size
    call = books.takes(till, "a")
    purse = till.apart()
    assert (purse.held, purse.spent, purse.known, purse.reserved) == (10, 0, 10, 10)
    assert (till.size, till.left, purse.calls) == (size - 1, size - 1, {"a": call})
    (grant,) = purse.grants
    assert (grant.amount, grant.price, grant.settled, grant.accounts) == (
        10, PRICE, -1, books.accounts(),
    )  # fmt: skip
    assert books.told() == [(0, 10), (0, 10)]


def test_one_that_goes_on_when_it_has_paid_has_spent_it(books: Books) -> None:
    """In the till, which books it; its purse says so and no more."""
    till = books.opened()
    call = books.pays(till, "a")
    purse: Purse = call.purse.apart()
    assert (purse.held, purse.spent, purse.known, purse.reserved) == (0, 10, 10, 10)
    assert purse.charges == call.purse.charges == {"agent:ann": 10, "fleet:ann": 10}
    assert books.told() == [(10, 0), (10, 0)]


def test_when_the_last_of_its_calls_leaves_it_closes(books: Books) -> None:
    """So that nothing of it lies about."""
    till = books.opened()
    till.due, till.left = 1, 0
    till.apart()
    assert books.ledger.tills == {}


def test_what_a_call_tells_of_itself_is_what_a_purse_would(books: Books) -> None:
    """While it is under way, and when it is over."""
    till = books.opened()
    call = books.takes(till, "a")
    for spent in (0, 10):
        one = call.purse
        assert (one.spent, one.known, one.reserved, one.over) == (spent, 10, 10, spent > 0)
        assert one.charges == ({"agent:ann": 10, "fleet:ann": 10} if spent else {})
        assert one.promised() == {"agent:ann": 10, "fleet:ann": 10}
        one.ends()
        call.purse = till.paid
    call.purse.told(call.id, None)
    other = books.takes(till, "b")
    other.purse.told(other.id)
    assert books.ledger.under_way.calls == {}


def test_a_call_of_it_that_lasts_has_an_intent(books: Books) -> None:
    """With what it may cost; not one that has paid, for its record comes now."""
    till = books.opened()
    books.pays(till, "b")
    call = books.takes(till, "a")
    assert books.ledger.under_way.begun() == ([], True)
    (intent,), more = books.ledger.under_way.begun()
    assert (intent.id, intent.charges, more) == (call.id, {"agent:ann": 10, "fleet:ann": 10}, False)


def test_a_snapshot_between_two_moments_counts_a_call_once(books: Books) -> None:
    """It has paid, and its record is not noted: it is in the sums, and told of apart."""
    till = books.opened()
    books.pays(till, "a")
    books.takes(till, "b")
    told = books.ledger.dump()
    assert (told["total"], told["agents"]) == (10, {"ann": 10})
    assert told["purses"] == [["a", 10, {"agent:ann": 10, "fleet:ann": 10}]]


def test_it_ends_with_the_day(books: Books) -> None:
    """What was spent before midnight is of the day before, though the account goes on."""
    books = Books(FLEET)
    till = books.opened()
    assert till.until == NOW + DAY
    books.now = NOW + DAY - 1
    books.pays(till, "a")
    books.now = NOW + DAY + 1
    books.ledger.book("bob", "", 5)
    assert books.ledger.today(books.now) == {"bob": 5}
    assert books.ledger.by_agent == {"ann": 10, "bob": 5}


def test_one_whose_day_is_over_is_closed_for_the_next(books: Books) -> None:
    """What is left of it is nobody's any more."""
    books = Books(FLEET)
    till = books.opened()
    books.now += DAY
    made = books.asks(make_call(agent="ann"))
    assert made is not None
    assert (list(books.ledger.tills), till.left) == ([made], 0)


def test_it_ends_with_the_first_window_of_its_accounts(books: Books) -> None:
    """And what was spent is of that window."""
    hour = Cap("hour", "agent", (Limit("hour", 100_000),))
    books = Books(hour, FLEET)
    till = books.opened()
    assert (till.since, till.until) == (NOW, NOW + 3_600)
    books.pays(till, "a")
    books.now = NOW + 3_601
    assert books.asks(make_call(agent="ann")) is None  # its accounts are of an hour ago
    (account, _) = books.accounts()
    (one,) = account.windows(books.now)
    assert (one.spent, account.spent) == (0, 10)
    account.enter(NOW + 60)
    assert account.windows()[0].spent == 10


LOOKS: list[Callable[[Account], object]] = [
    lambda one: one.windows(),
    lambda one: one.windows(NOW + 60),
    lambda one: one.used,
    lambda one: one.row(),
    lambda one: one.fullest(1),
    lambda one: list(one.passed()),
    lambda one: one.enter(NOW + DAY),
    lambda one: one.obey(one.cap, NOW),
]


@pytest.mark.parametrize("look", LOOKS)
def test_who_looks_at_an_account_sees_none(books: Books, look: Callable[[Account], object]) -> None:
    """What is spent and reserved is exact then; other agents keep theirs."""
    till, other = books.opened(), Books(AGENT).opened(agent="bob")
    books.pays(till, "a")
    (agent, _) = books.accounts()
    look(agent)
    assert [(one.spent, one.reserved) for one in books.accounts()] == [(10, 0), (10, 0)]
    assert other.left


def test_what_an_account_had_is_told_with_it(books: Books) -> None:
    """Of its windows, and in its row."""
    (agent, _) = books.accounts()
    rows = [agent.row()]
    books.pays(books.opened(), "a")
    rows.append(agent.row())
    assert rows[0] != rows[1]
    assert agent.windows()[0].spent == 10


SUMS: list[Callable[[Ledger], object]] = [
    lambda ledger: ledger.total,
    lambda ledger: ledger.by_agent,
    lambda ledger: ledger.by_workflow,
    lambda ledger: ledger.today(NOW),
    lambda ledger: list(ledger.accounts()),
    lambda ledger: ledger.of("agent"),
    lambda ledger: ledger.obey((AGENT, FLEET)),
]


@pytest.mark.parametrize("look", SUMS)
def test_who_looks_at_the_ledger_sees_none(books: Books, look: Callable[[Ledger], object]) -> None:
    """Of all agents."""
    books.pays(books.opened(), "a")
    books.pays(books.opened(agent="bob"), "b")
    look(books.ledger)
    assert books.ledger.tills == {}


def test_what_lies_in_a_till_is_no_overrun(books: Books) -> None:
    """Where a call costs more than was thought, and there is room when it is given back."""
    agent, _ = books.accounts()
    till = books.opened()
    agent.reserve(1)
    agent.settle(1, 100_000 - 10 * till.size + 1, books.now)
    assert (agent.overrun, agent.reserved) == (0, 0)
    agent.reserve(1)
    agent.settle(1, 10 * till.size + 5, books.now)
    assert agent.overrun == 6


@pytest.mark.parametrize(
    ("price", "limits", "ttl", "worth"),
    [
        (10, (32_000, 50_000), 0, True),
        (10, (50_000, 31_999), 0, False),
        (0, (32_000,), 0, False),
        (10, (), 0, True),
        (10, (32_000,), 600, False),  # who comes back after that is as good as new
    ],
)
def test_a_gate_has_some_where_they_are_worth_while(
    price: int, limits: tuple[int, ...], ttl: float, worth: bool
) -> None:
    """Where a hundredth of each limit is enough for one; others are not slower for them."""
    caps = [Cap("w", "workflow", (Limit("total", each),), ttl=ttl) for each in limits]
    assert worth_while(Price(price), caps) is worth


def test_keys_make_room_though_there_are_idle_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one used longest ago is forgotten; what was spent of it is not."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 2)
    books = Books(AGENT)
    for name in ("ann", "bob", "eve"):
        books.pays(books.opened(agent=name), name)
        books.now += 1
    assert ([one.key for one in books.ledger.accounts()], books.ledger.evicted) == (
        ["bob", "eve"], 1,
    )  # fmt: skip
    assert books.ledger.by_agent == {"ann": 10, "bob": 10, "eve": 10}


def test_there_are_not_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever agents make up: then all are closed, and whoever calls on opens one."""
    monkeypatch.setattr(ledgers, "_MOST_TILLS", 3)
    books = Books()
    open_at_once = []
    for number in range(7):
        books.opened(workflow=f"w{number}")
        open_at_once.append(len(books.ledger.tills))
    assert open_at_once == [1, 2, 3, 1, 2, 3, 1]


def test_whose_they_are_is_not_remembered_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gate starts anew; those that are open are known to the accounts."""
    monkeypatch.setattr(tills, "_KEYS", 2)
    books = Books()
    books.opened(workflow="a")
    books.opened(workflow="b")
    books.opened(workflow="c")
    assert len(books.tills.found) == 1
    assert len(books.ledger.tills) == 3
    assert books.told() == [(0, 0), (0, 0)]


def test_two_caps_may_have_one_account(books: Books) -> None:
    """It is given back what it gave, twice."""
    (agent, _) = books.accounts()
    till = Till(make_call(agent="ann"), books.ledger, (agent, agent), PRICE, None, 8, books.now)
    assert agent.reserved == 160
    till.close()
    assert (agent.reserved, agent.total) == (0, 0)


def test_each_of_its_calls_counts(books: Books) -> None:
    """In the workflow whose money it is."""
    till = books.opened(workflow="w")
    for name in "abc":
        books.pays(till, name)
    assert books.ledger.by_workflow == {"w": Work({"ann": 30}, {"ann": 3})}


def test_it_does_not_make_an_account_older_than_it_is(books: Books) -> None:
    """Others may have settled since the last of its calls paid."""
    till = books.opened()
    books.pays(till, "a")
    books.now += 5
    (agent, _) = books.accounts()
    agent.reserve(1)
    agent.settle(1, 1, books.now)
    till.close()
    assert agent.touched == books.now
