"""What metrics say of budgets."""

from itertools import count

from proxy.keep import Keep
from proxy.keys import LEDGER
from proxy.observe.family import at_once
from proxy.observe.labels import LIMIT
from proxy.observe.money import BudgetRows
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.ledger import Ledger
from tests.observe.records import metrics, record, rows

NOW = 1_767_225_600.0
HOUR, DAY = Limit("hour", 1_000), Limit("day", 5_000)
AGENT = Cap("team", "agent", (HOUR, DAY))
WORK = Cap("work", "workflow", (Limit("total", 300),))


class Books:
    """A ledger with a clock."""

    def __init__(self, *caps: Cap) -> None:
        self.now = NOW
        numbers = count()
        self.ledger = Ledger(lambda: self.now, lambda: str(next(numbers)))
        self.ledger.obey(caps)

    def spend(self, cap: Cap, key: str, micros: int, reserved: int | None = None) -> Account:
        """So much."""
        account = self.ledger.account(cap, key)
        for one in account.windows(self.now):
            assert one.until > self.now
        reserved = micros if reserved is None else reserved
        account.reserve(reserved)
        account.settle(reserved, micros, self.now)
        return account


def test_each_window_of_each_agent_has_its_row() -> None:
    """What is reserved counts in all of them."""
    books = Books(AGENT)
    books.spend(AGENT, "ann", 300).reserve(50)
    books.spend(AGENT, "", 5)
    limits, spent, reserved, over = at_once(BudgetRows().reading(books.ledger))
    assert limits[("team", "ann", "hour")] == 1_000
    assert spent == {
        ("team", "ann", "hour"): 300, ("team", "ann", "day"): 300,
        ("team", "none", "hour"): 5, ("team", "none", "day"): 5,
    }  # fmt: skip
    assert reserved[("team", "ann", "day")] == 50
    assert over == {}


def test_a_window_that_is_over_is_empty() -> None:
    """Though nobody has called since."""
    books = Books(AGENT)
    books.spend(AGENT, "ann", 300)
    books.now += 3_600
    _, spent, _, _ = at_once(BudgetRows().reading(books.ledger))
    assert spent == {("team", "ann", "hour"): 0, ("team", "ann", "day"): 300}


def test_what_agents_make_up_is_no_label() -> None:
    """Tools are added up; workflows are not shown."""
    tools = Cap("tools", "tool", (HOUR,))
    books = Books(WORK, tools)
    for number in range(300):
        books.spend(WORK, f"w{number}", 2)
        books.spend(tools, f"gateway/t{number}", 2)
    limits, spent, _, _ = at_once(BudgetRows().reading(books.ledger))
    assert spent == {("tools", "", "hour"): 600}
    assert limits == {("tools", "", "hour"): 300_000}


def test_only_so_many_keys_are_shown() -> None:
    """The others share a row; names that no scraper would take are among them."""
    books = Books(AGENT)
    books.spend(AGENT, "a\nb", 7)
    for number in range(LIMIT + 50):
        books.spend(AGENT, f"a{number}", 1)
    _, spent, _, _ = at_once(BudgetRows().reading(books.ledger))
    keys = {key for _, key, _ in spent}
    assert len(keys) == LIMIT
    assert spent[("team", "other", "day")] == 7 + 51
    assert sum(micros for (_, _, window), micros in spent.items() if window == "day") == 257


def test_overrun_never_goes_down() -> None:
    """Also where an account made room for another."""
    books = Books(WORK)
    account = books.spend(WORK, "w", 400, reserved=10)
    assert account.overrun == 100
    purses = BudgetRows()
    assert at_once(purses.reading(books.ledger))[3] == {("work", ""): 100}
    accounts = books.ledger._accounts["work"]
    books.ledger._make_room(accounts)
    assert accounts == {}
    assert at_once(purses.reading(books.ledger))[3] == {("work", ""): 100}


def test_budgets_that_are_gone_are_not_shown() -> None:
    """They may come back."""
    books = Books(AGENT, WORK)
    books.spend(AGENT, "ann", 1)
    books.ledger.obey([WORK])
    assert at_once(BudgetRows().reading(books.ledger))[0] == {}
    books.ledger.obey([AGENT])
    assert at_once(BudgetRows().reading(books.ledger))[1][("team", "ann", "day")] == 1


def test_costs_are_drawn_from_records() -> None:
    """By agent, upstream and tool; calls that cost nothing make no row."""
    found = metrics()
    for micros in (200, 0, 50):
        found.note(record(cost_micros=micros))
    found.note(record(cost_micros=7, agent="b\nc", tool="unknown", outcome="failed"))
    assert rows(found, "holdfast_cost_micros_total") == {
        ("pricing-01", "gateway", "get_balance", "tool"): 250,
        ("other", "gateway", "other", "tool"): 7,
    }


def test_what_models_used_is_drawn_from_records() -> None:
    """By agent, model and kind; and what they cost is told from what tools do."""
    found = metrics()
    for used in ({"input": 5, "output": 2}, {"input": 7, "output": 1, "cache_read": 6}, None):
        found.note(record(tokens=used, layer="llm", cost_micros=4))
    model = ("pricing-01", "gateway", "get_balance")
    assert rows(found, "holdfast_tokens_total") == {
        (*model, "input"): 12,
        (*model, "output"): 3,
        (*model, "cache_read"): 6,
    }
    assert rows(found, "holdfast_cost_micros_total") == {(*model, "model"): 12}


def test_the_ledger_of_this_process_is_read() -> None:
    """None is there before policies are read."""
    keep = Keep()
    found = metrics(keep)
    assert rows(found, "holdfast_budget_spent_micros") == {}
    books = Books(AGENT)
    ledger = keep.of(LEDGER, lambda: books.ledger)
    books.spend(AGENT, "ann", 9)
    assert ledger is books.ledger
    assert rows(found, "holdfast_budget_spent_micros")[("team", "ann", "day")] == 9
    assert rows(found, "holdfast_budget_overrun_micros_total") == {}
