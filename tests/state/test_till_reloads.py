"""Tills beside keys that make room for others, reloads of limits and prices, and streams that grow.

The machine of `test_till_orders.py`, with what it lacks: its model knows what was forgotten with a
key, and prices are those of the gate that let a sending go.
"""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, rule

from proxy.attempt import Attempt
from proxy.reply import Failure, Reply
from proxy.stage import Site
from proxy.stages.budget import Budgets, Covered, MeteredSpending, Spending
from proxy.state import ledger as ledgers
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.price import Price
from proxy.state.till import Till
from tests.fakes import FakeBody, make_attempt, make_reply, make_target
from tests.state.test_till_orders import AGENT, FLEET, PRICES, TASKS, Going, Town

LOWER = Cap("agent", "agent", (Limit("hour", 9_000), Limit("day", 12_000)), alert_at=(500_000,))
WIDER = Cap("fleet", "fleet", (Limit("day", 90_000),), alert_at=(100_000, 800_000))
ROLLS = Cap("task", "task", (Limit("total", 40_000),), on_exceed="shadow")
FEW = 3
"""Keys of a budget: the tasks push each other out."""


class Market(Town):
    """It never dies, and nobody touches its clock: all stays exact."""

    def __init__(self) -> None:
        super().__init__()
        self.most, ledgers.MOST_KEYS = ledgers.MOST_KEYS, FEW
        self.prices: dict[str, Price] = dict(PRICES)

    def teardown(self) -> None:
        """Part of the machine."""
        try:
            super().teardown()
        finally:
            ledgers.MOST_KEYS = self.most

    def builds(self) -> None:
        """With the prices that hold now."""
        caps = tuple(Covered(cap) for cap in self.world.caps)
        self.gates: dict[str, Any] = {}
        for tool, price in self.prices.items():
            site = Site(make_target(tool=tool), self.ground)
            self.gates[tool] = Spending.build(Budgets(caps=caps, price=price), site)

    # --- as in Town, but that keys come and go ---

    def sends(self, going: Going, tool: str, *, hedge: bool = False) -> bool:
        """Once. What is let go has room in all of its accounts."""
        before = self.all()
        gate, call = self.gates[tool], going.call
        attempt = make_attempt(call, number=len(going.sendings) + 1, hedge=hedge)
        verdict = gate.admit(attempt)
        self.forgets(before)
        self.tills += type(call.purse) is Till
        found = gate._payers.of(call)
        if verdict is None:
            going.sendings.append((tool, gate, attempt))
            for account in found:
                assert account.total <= account.ceiling or account.cap.on_exceed == "shadow"
            return True
        amount = gate._price.estimate(len(call.body.whole or b""))
        tight = [one for one in found if one.cap.on_exceed != "shadow"]
        assert any(self.held(one) + one.spent + amount > self.room(one, hedge) for one in tight)
        return False

    def all(self) -> dict[str, Account]:
        """Accounts that are known now."""
        known = self.world.ledger._accounts.values()
        return {one.label: one for accounts in known for one in accounts.values()}

    def forgets(self, before: dict[str, Account]) -> None:
        """What was spent of keys that made room."""
        now = self.all()
        gone = {label for label, account in before.items() if now.get(label) is not account}
        for label in gone:
            assert before[label].reserved == 0
            assert before[label].tills == {}
        self.truth = {
            window: spent for window, spent in self.truth.items() if window[0] not in gone
        }

    def over(self, going: Going, sent: bool, what: int | Failure, size: int = 0) -> Reply:
        """At the price of when it was let go."""
        _, gate, attempt = going.sendings[-1]
        price = self.prices
        self.prices = {**PRICES, going.sendings[-1][0]: gate._price}
        try:
            return self._over(going, gate, attempt, sent, what, size)
        finally:
            self.prices = price

    def _over(
        self, going: Going, gate: Any, attempt: Attempt, sent: bool, what: int | Failure, size: int
    ) -> Reply:
        going.sendings.pop()
        attempt.sent = sent
        reply = make_reply(what, body=FakeBody(b"y" * size)) if what == 200 else make_reply(what)
        if sent and not isinstance(what, Failure):
            gate.committed(attempt, reply)
        call, price = going.call, gate._price
        accounts = gate._payers.of(call)
        gate.settle(attempt, reply)
        answered = size if what == 200 else 2 if sent and what == 503 else 0
        cost = price.fixed + price.sized(len(call.body.whole or b"") + answered) if sent else 0
        for account in accounts:
            going.spent[account.label] = going.spent.get(account.label, 0) + cost
            for window in self.windows(account):
                self.truth[window] = self.truth.get(window, 0) + cost
        self.by_agent[call.agent] = self.by_agent.get(call.agent, 0) + cost
        return reply

    # --- what else happens ---

    @rule(
        agent=Town.AGENTS,
        task=st.sampled_from(["t1", "t2", "t3", "t4", "t5", "t6"]),
        calls=st.integers(1, 40),
    )
    def works_at_another_task(self, agent: str, task: str, calls: int) -> None:
        """Whose key pushes out others."""
        self.many_go_well(agent, task, calls, kept=False)

    @rule(agent=Town.AGENTS, calls=st.integers(1, 15))
    def spends_much(self, agent: str, calls: int) -> None:
        """Up to where alerts are, and to where nothing is left."""
        for _ in range(calls):
            going = self.begun(agent, "", 0)
            if not self.sends(going, "dear"):
                return
            self.recorded(going, self.over(going, True, 200))

    @rule(which=st.integers(0, 9), missing=st.integers(1, 4_000))
    def a_stream_grows(self, which: int, missing: int) -> None:
        """Past what was reserved; it takes more, or is ended."""
        if not self.going:
            return
        going = self.going[which % len(self.going)]
        for _, gate, attempt in going.sendings:
            if isinstance(gate, MeteredSpending):
                going.call.cancel = lambda: None
                grant = attempt.taken[gate]
                before = grant.amount
                gate._grow(going.call, grant, missing)
                for account in grant.accounts:
                    if grant.amount > before and account.cap.on_exceed != "shadow":
                        assert account.total <= account.ceiling

    @rule(
        agent=st.sampled_from([AGENT, LOWER]),
        fleet=st.sampled_from([FLEET, WIDER]),
        task=st.sampled_from([TASKS, ROLLS]),
        cheap=st.sampled_from([1, 2, 7]),
        dear=st.sampled_from([900, 300]),
    )
    def limits_and_prices_change(
        self, agent: Cap, fleet: Cap, task: Cap, cheap: int, dear: int
    ) -> None:
        """Calls that are under way keep the prices with which they went."""
        self.world.caps = (agent, fleet, task)
        self.world.ledger.obey(self.world.caps)
        self.prices = {**PRICES, "cheap": Price(cheap), "dear": Price(dear)}
        self.builds()
        self.reloaded = True

    @rule()
    def every_alert_that_is_due_was_raised(self) -> None:
        """Whatever the limits were before."""
        for account in self.world.ledger.accounts():
            for one in account.windows(self.world.now):
                shares = account.cap.alert_at
                due = [s for s in shares if one.spent * 1_000_000 >= s * one.limit.micros]
                assert one.alerted >= len(due)

    # --- what Town does that is not exact ---

    def is_reloaded(self) -> None: ...

    def dies(self) -> None: ...

    def stops(self) -> None: ...

    def is_set_back(self, seconds: int = 0) -> None: ...

    @invariant()
    def no_limit_is_passed(self) -> None:
        """Nor what was promised."""
        if hasattr(self, "world"):
            for account in self.all().values():
                assert account.total - account.overrun <= account.promised
                assert 0 <= account.reserved <= account.total


Market.TestCase.settings = settings(max_examples=50, stateful_step_count=50, deadline=None)
TestMarket = Market.TestCase
