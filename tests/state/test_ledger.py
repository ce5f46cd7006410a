"""The ledger: what is spent survives, and is never less than it was."""

import json
from typing import Any

import msgspec
import pytest

from proxy.call import Call
from proxy.journal.lines import rfc3339
from proxy.state import ledger as ledgers
from proxy.state.account import Account
from proxy.state.attribution import Work
from proxy.state.caps import Cap, Limit
from proxy.state.grant import Grant
from proxy.state.ledger import Ledger
from proxy.state.price import Price
from proxy.state.purse import Purse
from tests.fakes import make_call

NOW = 1_767_225_600.0
AGENT = Cap("agent", "agent", (Limit("hour", 1_000), Limit("day", 2_000)))
FLEET = Cap("fleet", "fleet", (Limit("day", 3_000),))
CAPS = (AGENT, FLEET)


class World:
    """A ledger, its clock, and the records that it noted."""

    def __init__(self, caps: tuple[Cap, ...] = CAPS) -> None:
        self.now = NOW
        self.caps = caps
        self.records: list[dict[str, Any]] = []
        self.durable = 0
        self.snapshot: tuple[str, int] | None = None
        self.ledger = self.made()

    def made(self) -> Ledger:
        """One that knows nothing yet."""
        made = Ledger(lambda: self.now, lambda: f"u{len(self.records)}")
        made.obey(self.caps)
        made.note = self.note
        return made

    def note(self, entry: Any) -> None:
        """Part of the journal."""
        told = msgspec.to_builtins(entry) | {"type": entry.type}
        self.records.append({**told, "ts": rfc3339(int(self.now * 1e9))})

    def tell(self, kind: str, **fields: Any) -> None:
        """Something else is noted, and the ledger hears of it, as `Journal.relive` does it."""
        record = {"type": kind, "id": "x", "ts": rfc3339(int(self.now * 1e9)), **fields}
        self.records.append(record)
        self.ledger.apply(record)

    def keep(self) -> None:
        """A snapshot, as JSON has it."""
        self.snapshot = (msgspec.json.encode(self.ledger.dump()).decode(), len(self.records))
        self.durable = len(self.records)

    def restart(self) -> None:
        """What was not durable is lost."""
        del self.records[self.durable :]
        self.ledger = made = self.made()
        state, told = self.snapshot or ("", 0)
        if state:
            made.load(json.loads(state))
        for record in self.records[told:]:
            made.apply(record)
        self.tell("start")
        self.durable = len(self.records)

    def promised(self, account: Account, micros: int) -> None:
        """As the gate does it: what is short is asked for, and waited for."""
        if account.wants(micros):
            high = self.ledger.lease(account, micros)
            self.durable = len(self.records)
            account.promise(high)


@pytest.fixture
def world() -> World:
    """With two budgets."""
    return World()


def spend(world: World, micros: int, agent: str = "ann") -> Account:
    """Reserved and settled, and its record is noted."""
    account = world.ledger.account(AGENT, agent)
    if not account.since <= world.now < account.until:
        account.enter(world.now)
    world.promised(account, micros)
    account.reserve(micros)
    account.settle(micros, micros, world.now)
    world.ledger.book(agent, "w", micros)
    world.records.append(
        {
            "type": "call.finished", "id": "c", "ts": rfc3339(int(world.now * 1e9)),
            "agent": agent, "workflow": "w", "cost_micros": micros,
            "charges": {account.label: micros},
        }
    )  # fmt: skip
    return account


def of(world: World, agent: str = "ann") -> Account:
    """The account of an agent, at the present time."""
    account = world.ledger.account(AGENT, agent)
    account.enter(world.now)
    return account


def test_what_is_spent_survives_a_crash(world: World) -> None:
    """With what was promised and nobody accounts for: a hundredth of the limit here."""
    spend(world, 300)
    world.durable = len(world.records)
    world.restart()
    assert of(world).spent == 310
    assert world.ledger.by_agent == {"ann": 300}
    assert world.ledger.by_workflow == {"w": Work({"ann": 300}, {"ann": 1})}


def test_a_lost_batch_counts_as_spent(world: World) -> None:
    """Of it, only the promise is in the journal."""
    spend(world, 300)
    world.restart()
    assert of(world).spent == 310


def test_a_clean_stop_costs_nothing(world: World) -> None:
    """All is in the journal then; and a crash of who did nothing costs nothing more."""
    spend(world, 300)
    world.tell("stop")
    world.keep()
    for _ in range(3):
        world.restart()
        assert of(world).spent == 300


def test_crashing_again_and_again_costs_once(world: World) -> None:
    """What was counted as spent is accounted for from then on."""
    spend(world, 300)
    world.durable = len(world.records)
    for _ in range(5):
        world.restart()
        assert of(world).spent == 310


def test_a_call_that_never_ended_counts_at_its_reservation(world: World) -> None:
    """Its intent says what that is; its unknown end charges it, and nothing twice."""
    account = spend(world, 100)
    world.promised(account, 400)
    account.reserve(400)
    world.records.append(
        {
            "type": "call.intent", "id": "open", "ts": rfc3339(int(NOW * 1e9)),
            "charges": {account.label: 400},
        }
    )  # fmt: skip
    world.durable = len(world.records)
    promised = account.promised
    world.restart()
    assert of(world).spent == promised - 400
    world.tell(
        "call.finished", id="open", agent="ann", cost_micros=400, charges={account.label: 400}
    )
    assert of(world).spent == promised
    assert world.ledger.by_agent["ann"] == 500


def test_alerts_are_noted_once(world: World) -> None:
    """Also over a restart."""
    heard: list[tuple[str, int]] = []
    world.ledger.heard = lambda account, passed: heard.append((account.label, passed.share))
    account = spend(world, 800)
    world.ledger.look(account)
    assert heard == [("agent:ann", 750_000)]
    world.durable = len(world.records)
    world.restart()
    assert of(world).spent < of(world).quiet_below


def test_an_alert_is_noted_before_the_call_that_raised_it(world: World) -> None:
    """Its record comes last of all. The next alert is raised still."""
    account = spend(world, 800)
    end = world.records.pop()
    world.ledger.look(account)
    world.records.append(end)
    world.durable = len(world.records)
    world.restart()
    assert list(of(world).passed()) == []
    account = spend(world, 150)
    assert [each.share for each in account.passed()] == [900_000]


def test_a_budget_that_is_gone_is_dropped_at_a_start(world: World) -> None:
    """And what the journal tells of it is no error."""
    spend(world, 300)
    world.keep()
    spend(world, 100)
    world.durable = len(world.records)
    world.caps = (FLEET,)
    world.restart()
    assert list(world.ledger.accounts()) == []
    assert world.ledger.total == 400


def test_a_budget_that_is_of_single_calls_now_has_no_accounts(world: World) -> None:
    """Its name was that of another kind: those that there are stay, for calls under way."""
    account = spend(world, 300)
    world.keep()
    world.ledger.lease(account, 100)
    world.durable = len(world.records)
    world.caps = (Cap("agent", "request", (Limit("request", 500),)), FLEET)
    world.ledger.obey(world.caps)
    assert account.cap is AGENT
    assert dict(world.ledger.of("agent")) == {}
    assert world.ledger.account(AGENT, "bob").cap is AGENT
    world.restart()
    assert list(world.ledger.accounts()) == []


def test_the_oldest_idle_key_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of which something is reserved does not, and whoever knows accounts is told."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 3)
    world = World()
    busy = world.ledger.account(AGENT, "busy")
    busy.reserve(1)
    for name in ("b", "c"):
        world.now += 1
        world.ledger.account(AGENT, name)
    world.ledger.account(AGENT, "d")
    assert [account.key for account in world.ledger.accounts()] == ["busy", "c", "d"]
    assert world.ledger.evicted == 1
    for account in world.ledger.accounts():
        account.reserve(1)
    world.ledger.account(AGENT, "e")
    assert len(list(world.ledger.accounts())) == 4


def test_what_was_spent_beyond_a_limit_is_told_of_who_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By its budget: the account that knew it is gone."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 1)
    world = World()
    account = world.ledger.account(AGENT, "a")
    account.overrun = 7
    world.ledger.account(AGENT, "b")
    assert world.ledger.forgotten == {AGENT.name: 7}


def test_limits_of_a_reload_reach_the_accounts(world: World) -> None:
    """Those that are there; a cap that is asked for by a call of before is the newest."""
    account = spend(world, 300)
    tight = Cap("agent", "agent", (Limit("hour", 310),))
    world.ledger.obey((tight,))
    assert not account.has_room(11)
    assert world.ledger.account(AGENT, "new").cap is tight
    assert world.ledger.caps == {"agent": tight}
    assert world.ledger.seen(AGENT, "nobody") is None


def finished(world: World, call: Call) -> None:
    """The record of a call, as it is noted."""
    purse = call.purse
    record = {"id": call.id, "agent": "ann", "workflow": "w", "cost_micros": purse.spent}
    ts = rfc3339(int(world.now * 1e9))
    world.records.append(
        {"type": "call.finished", "ts": ts, "charges": dict(purse.charges), **record}
    )
    purse.told(call.id)


def attempt(world: World, purse: Purse, micros: int) -> Account:
    """One of several of a call: reserved and settled; its record comes later."""
    account = world.ledger.account(AGENT, "ann")
    if not account.since <= world.now < account.until:
        account.enter(world.now)
    world.promised(account, micros)
    account.reserve(micros)
    grant = Grant((account,), micros, Price(micros))
    purse.grants += (grant,)
    account.settle(micros, micros, world.now)
    grant.settled = micros
    purse.spent += micros
    world.ledger.book("ann", "w", micros, "", purse.spent == micros)
    return account


def test_a_snapshot_in_the_middle_of_a_call_counts_it_once(world: World) -> None:
    """What its first attempt cost is in the state, and in the record that comes later."""
    call = make_call(id="c")
    purse = world.ledger.purse(call, None)
    world.ledger.under_way.enter(call)
    attempt(world, purse, 300)
    world.keep()
    attempt(world, purse, 200)
    finished(world, call)
    world.tell("stop")
    world.durable = len(world.records)
    world.restart()
    assert of(world).spent == 500
    assert (world.ledger.total, world.ledger.by_workflow["w"].spent) == (500, {"ann": 500})
    assert world.ledger.by_workflow["w"].calls == {"ann": 1}
    assert world.ledger.dump()["purses"] == []


def test_a_snapshot_in_the_middle_of_a_call_that_never_ends(world: World) -> None:
    """It counts as what it reserved, once; and what others may have spent is counted too."""
    call = make_call(id="c")
    purse = world.ledger.purse(call, None)
    world.ledger.under_way.enter(call)
    account = attempt(world, purse, 100)
    world.keep()
    account.reserve(100)
    charges = {account.label: 200}
    intent = {"type": "call.intent", "id": "c", "charges": charges}
    world.records.append(intent)
    world.promised(account, 300)  # another call may have spent it: its record is lost
    high = account.promised
    world.durable = len(world.records)
    world.restart()
    ends = {"id": "c", "agent": "ann", "workflow": "w", "cost_micros": 200, "charges": charges}
    world.tell("call.finished", **ends)
    assert of(world).spent == high
    assert world.ledger.total == 200


def test_what_is_spent_today_survives_and_ends(world: World) -> None:
    """A record counts for the day in which it was written; one of before does not bring it back."""
    spend(world, 300)
    world.keep()
    spend(world, 50)
    world.tell("stop")
    world.durable = len(world.records)
    world.restart()
    assert world.ledger.today(world.now) == {"ann": 350}
    assert world.ledger.today(world.now + 86_400) == {}


def test_limits_that_are_the_same_change_nothing(world: World) -> None:
    """A reload in which nothing is said of money."""
    account = spend(world, 300)
    since = account.since
    world.now += 7_200
    world.ledger.obey(CAPS)
    assert account.since == since


def test_an_alert_of_another_hour_is_of_that_hour(world: World) -> None:
    """As the record tells the time, and not when it is read."""
    spend(world, 10)
    world.keep()
    world.now += 3_600
    world.tell("budget.alert", budget="agent", key="ann", window="hour", share=1, spent=1, limit=1)
    world.restart()
    (account,) = world.ledger.accounts()
    assert account.since == world.now


def test_a_call_that_was_dearer_than_its_intent_says_stays_so(world: World) -> None:
    """Nothing that is known to be spent is given back."""
    call = make_call(id="c")
    purse = world.ledger.purse(call, None)
    world.ledger.under_way.enter(call)
    account = attempt(world, purse, 300)
    world.keep()
    charges = {account.label: 100}
    world.restart()
    world.tell("call.finished", id="c", agent="ann", cost_micros=100, charges=charges)
    assert of(world).spent >= 300
    assert world.ledger.total == 300


def test_calls_that_have_spent_nothing_are_not_in_a_snapshot(world: World) -> None:
    """Nor those whose records are noted."""
    call = make_call(id="c")
    purse = world.ledger.purse(call, None)
    world.ledger.under_way.enter(call)
    assert world.ledger.dump()["purses"] == []
    attempt(world, purse, 5)
    assert world.ledger.dump()["purses"] == [["c", 5, {"agent:ann": 5}]]
    finished(world, call)
    assert world.ledger.dump()["purses"] == []


def test_what_it_does_not_know_does_no_harm(world: World) -> None:
    """Charges, promises and alerts of budgets that are gone; intents that reserved nothing."""
    world.tell("call.intent", id="i")
    world.tell("call.finished", id="f", agent="ann", cost_micros=5, charges={"gone:x": 5})
    world.tell("call.finished", id="g", agent="ann")
    world.tell("budget.lease", budget="gone", key="x", high=9)
    assert (world.ledger.total, list(world.ledger.accounts())) == (5, [])


def test_an_alert_is_not_raised_again_after_a_restart_in_another_window(world: World) -> None:
    """It is of the window in which it was raised."""
    account = spend(world, 800)
    world.ledger.look(account)
    assert [one["type"] for one in world.records if one["type"] == "budget.alert"]
    world.durable = len(world.records)
    world.restart()
    assert list(of(world).passed()) == []


@pytest.mark.parametrize("key", ["a:b", "x\ny", 'q"', "é", "\x00", "none", "other", ""])
def test_a_key_of_any_spelling_survives(world: World, key: str) -> None:
    """Agents make up names: in snapshots, and in labels that are parted at a colon."""
    spend(world, 300, key)
    world.keep()
    spend(world, 200, key)
    world.tell("stop")
    world.durable = len(world.records)
    world.restart()
    assert of(world, key).spent == 500
    assert world.ledger.by_agent == {key: 500}
    assert [account.key for account in world.ledger.accounts()] == [key]


def test_where_all_keys_are_in_use_none_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is reserved must be given back to where it was taken."""
    monkeypatch.setattr(ledgers, "MOST_KEYS", 2)
    ledger = Ledger(lambda: NOW, lambda: "u")
    ledger.obey(CAPS)
    for key in "abc":
        ledger.account(AGENT, key).reserve(1)
    assert ([one.key for one in ledger.accounts()], ledger.evicted) == (["a", "b", "c"], 0)


def test_a_limit_that_is_lowered_below_what_is_spent_is_told(world: World) -> None:
    """At once: no call goes any more that might tell. And once, whoever obeys again."""
    spend(world, 400)
    lower = (Cap("agent", "agent", (Limit("hour", 300), Limit("day", 2_000))), FLEET)
    for _ in range(2):
        world.ledger.obey(lower)
    told = [(one["window"], one["share"]) for one in world.records if one["type"] == "budget.alert"]
    assert told == [("hour", 750_000), ("hour", 900_000)]


def test_an_alert_that_a_crash_lost_is_raised_by_the_next_process(world: World) -> None:
    """What was promised counts as spent, so that there is room for no call that would."""
    account = spend(world, 700)
    world.promised(account, 290)
    world.keep()
    world.restart()
    assert [one["type"] for one in world.records if one["type"] == "budget.alert"] == []
    world.ledger.obey(world.caps)
    told = [one["share"] for one in world.records if one["type"] == "budget.alert"]
    assert told == [750_000, 900_000]


FLOWS = (Cap("flow", "workflow", (Limit("total", 10_000),), ttl=600.0),)


def flowed(world: World, at: float, micros: int) -> None:
    """A call of a workflow ended then; its record is durable."""
    told = {"type": "call.finished", "id": f"f{at}", "agent": "ann", "cost_micros": micros}
    ts = rfc3339(int((NOW + at) * 1e9))
    world.records.append({**told, "ts": ts, "charges": {"flow:w": micros}})
    world.durable = len(world.records)


@pytest.mark.parametrize("kept", [True, False])
def test_a_call_that_takes_longer_than_a_workflow_lives_forgets_nothing(kept: bool) -> None:
    """It began when the workflow was in use, and so it stays in use until its end; a restart sees
    the ends alone."""
    world = World(FLOWS)
    if kept:
        account = world.ledger.account(FLOWS[0], "w")
        account.reserve(9_000)
        account.settle(9_000, 9_000, NOW)
        world.keep()
    else:
        flowed(world, 0, 9_000)
    flowed(world, 700, 500)
    world.now += 710
    world.restart()
    (account,) = world.ledger.accounts()
    assert [one.spent for one in account.windows(world.now)] == [9_500]


def test_a_workflow_that_came_to_its_end_long_ago_begins_anew_after_a_restart() -> None:
    """What counts is when it was used, and not when the journal was read."""
    world = World(FLOWS)
    flowed(world, 0, 9_000)
    world.now += 700
    world.restart()
    (account,) = world.ledger.accounts()
    assert [one.spent for one in account.windows(world.now)] == [0]
