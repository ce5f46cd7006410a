"""Tills, in any order of calls, looks, snapshots, crashes, and of what is done to the clock.

Calls go through the gates as they do in a pipeline. Beside them runs a plain model: what is held by
calls that are under way, and what was spent, by account and window, by agent, and in the records.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import note, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from proxy.attempt import Attempt
from proxy.call import Call
from proxy.journal.lines import rfc3339
from proxy.keep import Keep
from proxy.keys import LEDGER
from proxy.pipeline.ending import record_of
from proxy.refusal import Refusal
from proxy.reply import Failure, Reply
from proxy.stage import Ground, Site, Trackless
from proxy.stages.budget import Budgets, Covered, Spending
from proxy.state.account import Account
from proxy.state.caps import Cap, Limit
from proxy.state.periods import period
from proxy.state.price import Price
from proxy.state.till import Till
from tests.fakes import FakeBody, FakeClock, make_attempt, make_call, make_reply, make_target
from tests.state.test_ledger import World

AGENT = Cap(
    "agent", "agent", (Limit("hour", 20_000), Limit("day", 50_000)), alert_at=(500_000, 900_000)
)
FLEET = Cap("fleet", "fleet", (Limit("day", 70_000),), alert_at=(800_000,))
TASKS = Cap("task", "task", (Limit("total", 30_000),))
OTHERS = Cap("agent", "agent", AGENT.limits, alert_at=(250_000, 500_000, 900_000))
BEGINS = datetime(2026, 10, 24, 22, 30, tzinfo=UTC).timestamp()

PRICES = {
    "cheap": Price(1),
    "dear": Price(900),
    "sized": Price(20, per_kb=30),
}
Window = tuple[str, str, float]


class Lasting(Trackless):
    """A trail that has made durable what it is asked for, at once."""

    def __init__(self, world: World) -> None:
        self._world = world

    def durable(self) -> None:
        """Part of Trail."""
        self._world.durable = len(self._world.records)


class Going:
    """A call under way: its sendings, each with its gate."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.sendings: list[tuple[str, Any, Attempt]] = []
        self.spent: dict[str, int] = {}


class Town(RuleBasedStateMachine):
    """Two agents, two tasks, three tools, and one process after the other."""

    @initialize(calm=st.booleans())
    def opens(self, calm: bool) -> None:
        """For the first time. Where it is calm all stays exact, however long it goes."""
        self.calm = calm
        self.world = World((AGENT, FLEET, TASKS))
        self.world.now = BEGINS
        self.clock = FakeClock()
        self.clock.wall = lambda: self.world.now  # type: ignore[method-assign]
        self.going: list[Going] = []
        self.truth: dict[Window, int] = {}
        self.by_agent: dict[str, int] = {}
        self.exact = True  # nothing was lost, and nobody touched the clock
        self.calls = self.tills = 0
        self.reloaded = self.died = False
        self.starts()

    def starts(self) -> None:
        """A process, on the ledger that there is."""
        keep = Keep()
        keep.of(LEDGER, lambda: self.world.ledger)
        self.ground = Ground(clock=self.clock, keep=keep, trail=Lasting(self.world))
        self.builds()

    def builds(self) -> None:
        """The gates, as a set of policies has them made."""
        caps = tuple(Covered(cap) for cap in self.world.caps)
        self.gates: dict[str, Any] = {}
        for tool, price in PRICES.items():
            site = Site(make_target(tool=tool), self.ground)
            gate = Spending.build(Budgets(caps=caps, price=price), site)
            assert gate is not None
            self.gates[tool] = gate

    # --- calls ---

    def begun(self, agent: str, task: str, size: int) -> Going:
        """A call that is about to be sent."""
        self.calls += 1
        body = FakeBody(b"x" * size)
        return Going(make_call(id=f"c{self.calls}", agent=agent, fleet="f", task=task, body=body))

    def sends(self, going: Going, tool: str, *, hedge: bool = False) -> bool:
        """Once. Nobody is refused for what lies in tills."""
        gate, call = self.gates[tool], going.call
        attempt = make_attempt(call, number=len(going.sendings) + 1, hedge=hedge)
        verdict = gate.admit(attempt)
        assert verdict is None or isinstance(verdict, Refusal)
        self.tills += type(call.purse) is Till
        if verdict is None:
            going.sendings.append((tool, gate, attempt))
            return True
        amount = gate._price.estimate(len(call.body.whole or b""))
        found = gate._payers.of(call)
        assert any(self.held(one) + one.spent + amount > self.room(one, hedge) for one in found)
        return False

    def room(self, account: Account, hedge: bool) -> float:
        """All that may be spent of it, since it is there."""
        account.reckon()
        used = account.used > 0.7
        return 0 if hedge and used else account.ceiling

    def over(self, going: Going, sent: bool, what: int | Failure, size: int = 0) -> Reply:
        """Its last sending is."""
        tool, gate, attempt = going.sendings.pop()
        attempt.sent = sent
        reply = make_reply(what, body=FakeBody(b"y" * size)) if what == 200 else make_reply(what)
        if sent and not isinstance(what, Failure):
            gate.committed(attempt, reply)
        call = going.call
        gate.settle(attempt, reply)
        price = PRICES[tool]
        sizes = len(call.body.whole or b"") + (
            size if what == 200 else 2 if sent and what == 503 else 0
        )
        cost = price.fixed + price.sized(sizes) if sent else 0
        for account in gate._payers.of(call):
            going.spent[account.label] = going.spent.get(account.label, 0) + cost
            for window in self.windows(account):
                self.truth[window] = self.truth.get(window, 0) + cost
        self.by_agent[call.agent] = self.by_agent.get(call.agent, 0) + cost
        return reply

    def recorded(self, going: Going, reply: Reply) -> None:
        """All of it is over, and its record is noted."""
        call = going.call
        record = record_of(call, reply, 2_000.0)
        if call.purse is not None:
            assert {label: spent for label, spent in going.spent.items() if spent} == (
                record.charges or {}
            )
            call.purse.told(call.id, None)
        told = msgspec.to_builtins(record) | {"type": record.type}
        self.world.records.append({**told, "ts": rfc3339(int(self.world.now * 1e9))})
        if going in self.going:
            self.going.remove(going)

    AGENTS = st.sampled_from(["ann", "bob"])
    TASK = st.sampled_from(["", "t1"])
    TOOLS = st.sampled_from(["cheap", "cheap", "dear", "sized"])

    @rule(agent=AGENTS, task=TASK, calls=st.integers(1, 60), kept=st.booleans())
    def many_go_well(self, agent: str, task: str, calls: int, kept: bool) -> None:
        """Cheap ones, one after the other. A snapshot may come before a record."""
        for number in range(calls):
            going = self.begun(agent, task, 0)
            if not self.sends(going, "cheap"):
                return
            reply = self.over(going, True, 200)
            if kept and number == calls // 2:
                self.world.keep()
            self.recorded(going, reply)

    @rule(agent=AGENTS, task=TASK, tool=TOOLS, size=st.integers(0, 5_000))
    def begins(self, agent: str, task: str, tool: str, size: int) -> None:
        """One that is under way for a while."""
        going = self.begun(agent, task, size)
        if self.sends(going, tool):
            self.going.append(going)

    @rule(which=st.integers(0, 9), size=st.integers(0, 9_000), kept=st.booleans())
    def is_answered(self, which: int, size: int, kept: bool) -> None:
        """Its last sending; others that run beside it are cancelled."""
        if not self.going:
            return
        going = self.going[which % len(self.going)]
        reply = self.over(going, True, 200, size)
        while going.sendings:
            if kept:
                self.world.keep()
            self.over(going, True, Failure.CANCELLED)
        if kept:
            self.world.keep()
        self.recorded(going, reply)

    @rule(which=st.integers(0, 9), sent=st.booleans())
    def is_cancelled(self, which: int, sent: bool) -> None:
        """All of it."""
        if not self.going:
            return
        going = self.going[which % len(self.going)]
        reply = self.over(going, sent, Failure.CANCELLED)
        while going.sendings:
            reply = self.over(going, sent, Failure.CANCELLED)
        self.recorded(going, reply)

    @rule(which=st.integers(0, 9), tool=TOOLS, hedge=st.booleans())
    def is_sent_again(self, which: int, tool: str, hedge: bool) -> None:
        """Beside one that is slow, or after one that failed; by another link perhaps."""
        if not self.going:
            return
        going = self.going[which % len(self.going)]
        failed = None if hedge else self.over(going, True, 503)
        if not self.sends(going, tool, hedge=hedge) and failed and not going.sendings:
            self.recorded(going, failed)

    # --- who looks, and what else happens ---

    @rule()
    def is_looked_at(self) -> None:
        """All is as it should be, to the micro-dollar."""
        ledger, now = self.world.ledger, self.world.now
        for account in ledger.accounts():
            known = {one.limit.window: one for one in account.windows(now)}
            assert account.reserved == self.held(account)
            for label, kind, since in self.windows(account):
                spent = self.truth.get((label, kind, since), 0)
                one = known[kind]
                assert one.spent == spent if self.exact else one.spent >= spent
                if self.exact and not self.reloaded:
                    due = [
                        share
                        for share in account.cap.alert_at
                        if one.spent * 1_000_000 >= share * one.limit.micros
                    ]
                    assert one.alerted == len(due)
        assert ledger.total == sum(ledger.by_agent.values())
        if self.exact:
            assert ledger.by_agent == {name: cost for name, cost in self.by_agent.items() if cost}

    @precondition(lambda self: not self.calm)
    @rule()
    def is_reloaded(self) -> None:
        """Other alerts, and gates made anew; calls that are under way keep theirs."""
        agent = OTHERS if self.world.caps[0] is AGENT else AGENT
        self.world.caps = (agent, FLEET, TASKS)
        self.world.ledger.obey(self.world.caps)
        self.builds()
        self.reloaded = True

    @rule()
    def the_journal_asks(self) -> None:
        """For intents: none comes after its call's record."""
        intents, _ = self.world.ledger.under_way.begun()
        for intent in intents:
            assert intent.id in {going.call.id for going in self.going}
            told = msgspec.to_builtins(intent) | {"type": intent.type}
            self.world.records.append({**told, "ts": rfc3339(int(self.world.now * 1e9))})

    @rule()
    def is_kept(self) -> None:
        """A snapshot."""
        self.world.keep()

    @precondition(lambda self: not self.calm)
    @rule()
    def dies(self) -> None:
        """And another process goes on: what was not durable is lost, and counts as spent."""
        self.exact, self.died = False, True
        for going in self.going:
            for _, gate, attempt in going.sendings:
                grant = attempt.taken.get(gate)
                amount = gate._price.fixed if grant is None else grant.amount
                for account in gate._payers.of(going.call):
                    for window in self.windows(account):
                        self.truth[window] = self.truth.get(window, 0) + amount
        self.again()

    def again(self) -> None:
        """Calls that never ended get the record that their intents ask for."""
        self.going = []
        self.world.restart()
        ended = {one["id"] for one in self.world.records if one["type"] == "call.finished"}
        for one in [one for one in self.world.records if one["type"] == "call.intent"]:
            if one["id"] not in ended:
                cost, charges = one["reserved_micros"], one["charges"]
                told = {"id": one["id"], "agent": one["agent"], "cost_micros": cost}
                self.world.tell("call.finished", **told, charges=charges)
        self.starts()

    @rule()
    def stops(self) -> None:
        """As it should."""
        while self.going:
            self.is_cancelled(0, True)
        self.world.tell("stop")
        self.world.keep()
        self.again()

    @rule(seconds=st.sampled_from([1, 600, 3_600, 6_000, 86_400]))
    def passes(self, seconds: int) -> None:
        """Time does. What was noted is durable long before."""
        self.goes_to(self.world.now + seconds)

    @precondition(lambda self: not self.calm)
    @rule(seconds=st.sampled_from([1, 1_800, 3_600]))
    def is_set_back(self, seconds: int) -> None:
        """Somebody corrects the clock."""
        self.exact = False
        self.goes_to(self.world.now - seconds)

    def goes_to(self, now: float) -> None:
        self.world.durable = len(self.world.records)
        self.world.now = now

    # --- the model ---

    def held(self, account: Account) -> int:
        """Of an account, by sendings that are under way."""
        return sum(
            gate._price.fixed if gate not in attempt.taken else attempt.taken[gate].amount
            for going in self.going
            for _, gate, attempt in going.sendings
            if account in gate._payers.of(going.call)
        )

    def windows(self, account: Account) -> list[Window]:
        """Of an account, now."""
        return [
            (account.label, limit.window, period(limit.window, account.cap.zone, self.world.now)[0])
            for limit in account.cap.limits
        ]

    # --- what must hold ---

    @invariant()
    def no_limit_is_passed(self) -> None:
        """By what is spent and reserved, tills and all; nor what was promised."""
        if not hasattr(self, "world"):
            return
        for accounts in self.world.ledger._accounts.values():
            for account in accounts.values():
                # What is recovered of intents was promised by another process.
                assert self.died or account.total - account.overrun <= account.promised
                if self.exact:
                    for limit, committed in account.committed():
                        assert committed <= limit.micros + account.overrun

    def teardown(self) -> None:
        """In the end nothing is reserved."""
        if not hasattr(self, "world"):
            return
        while self.going:
            self.is_cancelled(0, True)
        self.is_looked_at()
        assert self.world.ledger.under_way.calls == {}
        note(f"{self.tills} of {self.calls} calls took of a till")


Town.TestCase.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)
TestTown = Town.TestCase
