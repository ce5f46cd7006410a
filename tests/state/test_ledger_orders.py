"""The ledger, in any order of calls, crashes, snapshots, and of what is done to the clock.

Beside it runs a plain model: sums by account and window. It begins an hour before the clocks of
Madrid go back, at the end of a month and of its budgets.
"""

from datetime import UTC, datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from proxy.journal.lines import rfc3339
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.periods import period
from tests.state.test_ledger import World

MADRID = "Europe/Madrid"
AGENT = Cap("agent", "agent", (Limit("hour", 1_000), Limit("day", 4_000)), zone=MADRID)
FLEET = Cap("fleet", "fleet", (Limit("day", 3_000), Limit("month", 6_000)), zone=MADRID)
BEGINS = datetime(2026, 10, 24, 23, 0, tzinfo=UTC).timestamp()  # 01:00 there, and 02:00 comes twice
MONTH_ENDS = datetime(2026, 10, 31, 22, 30, tzinfo=UTC).timestamp()

Window = tuple[str, str, float]
"""Of an account, its kind, and when it began."""


class Books(RuleBasedStateMachine):
    """Two budgets over each other."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World((AGENT, FLEET))
        self.world.now = BEGINS
        self.world.ledger = self.world.made()
        self.open: list[tuple[str, int, str]] = []  # call, reserved, agent
        self.truth: dict[Window, int] = {}  # what was spent, or may have been
        self.on: dict[str, set[Window]] = {}  # of each account, those that were ever on
        self.came_back: set[Window] = set()  # into these, with something reserved elsewhere
        self.calls = 0

    # --- the two of them ---

    def accounts(self, agent: str) -> list[Account]:
        """That a call of this agent falls under."""
        ledger = self.world.ledger
        found = [ledger.account(AGENT, agent), ledger.account(FLEET, "default")]
        for account in found:
            if not account.since <= self.world.now < account.until:
                account.enter(self.world.now)
        return found

    def looked_at(self) -> list[Account]:
        """All of them, in the windows that are on."""
        found = list(self.world.ledger.accounts())
        for account in found:
            if not account.since <= self.world.now < account.until:
                account.enter(self.world.now)
        return found

    def windows(self, account: Account) -> list[Window]:
        """Of an account, now."""
        return [
            (account.label, limit.window, period(limit.window, MADRID, self.world.now)[0])
            for limit in account.cap.limits
        ]

    def spends(self, account: Account, micros: int) -> None:
        """In truth, or perhaps."""
        for window in self.windows(account):
            self.truth[window] = self.truth.get(window, 0) + micros

    # --- what happens ---

    @rule(agent=st.sampled_from(["ann", "bob"]), micros=st.integers(1, 700))
    def begins(self, agent: str, micros: int) -> None:
        """A call is sent, if there is room in both."""
        found = self.accounts(agent)
        if all(account.has_room(micros) for account in found):
            for account in found:
                self.world.promised(account, micros)
                account.reserve(micros)
            self.calls += 1
            self.open.append((f"c{self.calls}", micros, agent))

    @rule(share=st.integers(0, 100))
    def ends(self, share: int) -> None:
        """The oldest call ends; it cost a share of what was thought."""
        if not self.open:
            return
        call, reserved, agent = self.open.pop(0)
        cost = reserved * share // 100
        found = self.accounts(agent)
        for account in found:
            account.settle(reserved, cost, self.world.now)
            self.spends(account, cost)
        self.world.ledger.book(agent, "", cost)
        self.world.records.append(
            {
                "type": "call.finished", "id": call, "agent": agent,
                "ts": rfc3339(int(self.world.now * 1e9)), "cost_micros": cost,
                "charges": {account.label: cost for account in found},
            }
        )  # fmt: skip

    @rule()
    def is_written(self) -> None:
        """What was noted is durable."""
        self.world.durable = len(self.world.records)

    @rule()
    def is_kept(self) -> None:
        """Likewise, and the state is in a snapshot."""
        self.world.keep()

    @rule()
    def dies(self) -> None:
        """And another process goes on. Calls that were open may have cost what was reserved."""
        for _, reserved, agent in self.open:
            for account in self.accounts(agent):
                self.spends(account, reserved)
        self.open = []
        self.world.restart()

    @rule()
    def stops(self) -> None:
        """As it should, and begins anew."""
        while self.open:
            self.ends(50)
        self.world.tell("stop")
        self.world.keep()
        self.world.restart()

    @rule(seconds=st.sampled_from([60, 1_800, 3_600, 7_200, 86_400]))
    def passes(self, seconds: int) -> None:
        """Time does. What was noted is durable long before."""
        self.goes_to(self.world.now + seconds)

    @rule()
    def month_ends(self) -> None:
        """It is the last hour of it, if it was not."""
        self.goes_to(max(self.world.now, MONTH_ENDS))

    @rule(seconds=st.sampled_from([1, 1_800, 3_600]))
    def is_set_back(self, seconds: int) -> None:
        """Somebody corrects the clock."""
        self.goes_to(self.world.now - seconds)

    def goes_to(self, now: float) -> None:
        """The clock shows this from now on."""
        self.is_written()
        before = {account.label: set(self.windows(account)) for account in self.looked_at()}
        self.world.now = now
        for account in self.looked_at():
            known = self.on.setdefault(account.label, set()) | before[account.label]
            if account.reserved:
                self.came_back |= (known - before[account.label]) & set(self.windows(account))
            self.on[account.label] = known | set(self.windows(account))

    # --- what must hold ---

    @invariant()
    def nothing_is_forgotten(self) -> None:
        """In no window is less spent than there was."""
        for account in self.looked_at():
            known = {one.limit.window: one.spent for one in account.windows(self.world.now)}
            for label, kind, since in self.windows(account):
                assert known[kind] >= self.truth.get((label, kind, since), 0)

    @invariant()
    def no_limit_is_passed(self) -> None:
        """By what is spent and reserved; but where the clock came back into a window, what was
        reserved elsewhere may be too much for it."""
        for account in self.looked_at():
            windows = zip(self.windows(account), account.committed(), strict=True)
            for window, (limit, committed) in windows:
                assert committed <= limit.micros or window in self.came_back


Books.TestCase.settings = settings(max_examples=80, stateful_step_count=50, deadline=None)
TestBooks = Books.TestCase
