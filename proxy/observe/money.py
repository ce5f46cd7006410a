"""What metrics say of budgets: limits, and what is spent and reserved of them.

A key is shown only where it names an agent, a bulkhead or the fleet. Of tools, models and upstreams
all keys of a budget are added up, and `key` is empty. Workflows and tasks come and go by the
thousand, and what they have together says nothing: of those only the overrun is told.
"""

from collections import defaultdict
from itertools import groupby

from proxy.observe.family import STEP, Labels, Making
from proxy.observe.labels import Vocabulary
from proxy.state.account import Account
from proxy.state.caps import NOBODY
from proxy.state.ledger import Ledger

NAMED = frozenset({"agent", "fleet", "bulkhead"})
"""What a budget counts by, where its keys are shown."""
_PASSING = frozenset({"workflow", "task"})
Rows = dict[Labels, int]


class BudgetRows:
    """The names of budgets and keys that are shown; the first ones to be seen are kept."""

    def __init__(self) -> None:
        self._budgets = Vocabulary()
        self._keys = Vocabulary()

    def reading(self, ledger: Ledger) -> Making[tuple[Rows, Rows, Rows, Rows]]:
        """Limits, what is spent, what is reserved; each by budget, key and window. And what was
        spent beyond limits, by budget and key."""
        limits, spent, reserved, over = (defaultdict[Labels, int](int) for _ in range(4))
        now = ledger.wall()
        accounts = [one for one in ledger.accounts() if one.cap.name in ledger.caps]
        # Neighbours mostly share their rows.
        for labels, together in groupby(accounts, self._labels):
            rows: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
            for at, account in enumerate(together):
                if not at % STEP:
                    yield
                if account.overrun:
                    over[labels] += account.overrun
                if account.cap.per in _PASSING:
                    continue
                for one in account.windows(now):
                    row = rows[one.limit.window]
                    row[0] += one.limit.micros
                    row[1] += one.all_spent
                    row[2] += account.reserved
            for window, row in rows.items():
                for found, micros in zip((limits, spent, reserved), row, strict=True):
                    found[(*labels, window)] += micros
        for budget, micros in ledger.forgotten.items():
            over[self._budgets.of(budget), ""] += micros
        return dict(limits), dict(spent), dict(reserved), dict(over)

    def _labels(self, account: Account) -> Labels:
        cap = account.cap
        key = self._keys.of(account.key or NOBODY) if cap.per in NAMED else ""
        return self._budgets.of(cap.name), key
