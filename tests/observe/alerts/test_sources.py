"""Sources: conditions of news, and of how things stand."""

from functools import partial
from typing import Any

import pytest

from proxy.journal.writer import State
from proxy.keep import Keep
from proxy.keys import KILLS, LEDGER, LINK, NEWS, CircuitKey, shadowed
from proxy.news import (
    AlertChange,
    ApprovalChange,
    BudgetChange,
    CircuitChange,
    Event,
    JournalChange,
    KillChange,
    KillTrouble,
    Looped,
    News,
    PayloadsChange,
    ReloadChange,
    StoreChange,
    TrafficChange,
    UpstreamTrouble,
)
from proxy.observe.alerts.condition import Condition
from proxy.observe.alerts.sources import (
    ENDLESS_BUDGET,
    LOOP_LASTS,
    TAMPERED_LASTS,
    TROUBLE_LASTS,
    Sources,
)
from proxy.state.caps import Cap, Limit
from proxy.state.circuit import Circuit
from proxy.state.circuit_rules import CircuitRules
from proxy.state.killed import Kill
from proxy.state.kills import Kills
from proxy.state.ledger import Ledger
from proxy.state.link import Link
from proxy.state.memory import Memory
from proxy.state.scopes import Scope
from proxy.state.shared.fleet import Pod
from proxy.state.store import Near
from proxy.units import in_utc
from tests.fakes import EPOCH, FakeClock
from tests.observe.alerts.scene import Notes
from tests.state import at_desk


def _same(circuit: Circuit) -> Circuit:
    return circuit


class Ear:
    """Sources, and what they said."""

    def __init__(self, keep: Keep | None = None) -> None:
        self.clock = FakeClock(asleep=False)
        self.keep = Keep() if keep is None else keep
        self.said: list[Condition] = []
        self.sources = Sources(self.said.append, self.keep, self.clock.wall)

    def hear(self, event: Event) -> Condition:
        """The one condition that comes of it."""
        before = len(self.said)
        self.sources.hear(event)
        [condition] = self.said[before:]
        return condition

    def standing(self) -> dict[str, list[Condition]]:
        """What holds, by its name."""
        names, conditions = self.sources.look()
        holding = [each for each in conditions if each.holds]
        assert {each.name for each in conditions} <= names
        return {name: [each for each in holding if each.name == name] for name in names}


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_a_circuit_opens_and_closes(ear: Ear) -> None:
    """Half open it is not well yet."""
    opens = ear.hear(CircuitChange("u", "t", "closed", "open", "rate", 5.0, "b"))
    assert (opens.name, opens.severity, opens.holds) == ("CircuitOpen", "ticket", True)
    assert opens.about == {"upstream": "u", "tool": "t", "bulkhead": "b"}
    ear.sources.hear(CircuitChange("u", "t", "open", "half_open", "open_time_over", 0.0, "b"))
    closes = ear.hear(CircuitChange("u", "t", "half_open", "closed", "probes_passed", 0.0, "b"))
    assert (closes.holds, closes.about) == (False, opens.about)
    assert ear.hear(CircuitChange("u", "", "closed", "open", "rate", 5.0)).about == {
        "upstream": "u"
    }


def test_kills(ear: Ear) -> None:
    """To stop everything is worth a call."""
    kill = ear.hear(KillChange("agent:a", "engaged", "loops", "ann", "admin"))
    assert (kill.about, kill.severity, kill.holds) == ({"scope": "agent:a"}, "ticket", True)
    assert kill.told == {"by": "ann", "reason": "loops"}
    assert not ear.hear(KillChange("agent:a", "released", "fine", "bob", "admin")).holds
    assert ear.hear(KillChange("all", "engaged", "x", "ann", "admin")).severity == "page"
    trouble = ear.hear(KillTrouble("kill:3: no scope"))
    assert (trouble.severity, trouble.lasts, trouble.summary) == (
        "page",
        TROUBLE_LASTS,
        "kill:3: no scope",
    )


@pytest.mark.parametrize(
    ("percent", "name", "severity"),
    [(50, "BudgetThreshold", "ticket"), (100, "BudgetSpent", "page")],
)
def test_budgets(ear: Ear, percent: int, name: str, severity: str) -> None:
    """Until their window begins anew."""
    resets = in_utc(ear.clock.wall() + 90.0, "seconds")
    told = ear.hear(BudgetChange("daily", "ann", "day", percent, "5.00", "10.00", resets))
    assert (told.name, told.severity, told.lasts) == (name, severity, 90.0)
    assert told.about == {"budget": "daily", "key": "ann", "window": "day"}
    assert (told.told["percent"], told.told["spent"]) == (str(percent), "5.00")
    endless = ear.hear(BudgetChange("all", "", "total", percent, "5.00", "10.00", None))
    assert (endless.lasts, "key" in endless.about) == (ENDLESS_BUDGET, False)
    past = in_utc(EPOCH, "seconds")
    assert ear.hear(BudgetChange("x", "", "day", percent, "5.00", "10.00", past)).lasts == 1.0


def test_a_budget_that_is_gone_or_raised(ear: Ear) -> None:
    """People are not called until the month ends for what somebody has seen to."""
    resets = in_utc(ear.clock.wall() + 90.0, "seconds")
    told = ear.hear(BudgetChange("daily", "ann", "day", 90, "0.90", "1.00", resets))
    assert not ear.sources.is_over(told)
    ledger: Ledger = ear.keep.of(LEDGER, lambda: Ledger(ear.clock.wall, ear.clock.uuid))
    cap = Cap("daily", "agent", (Limit("day", 1_000_000),))
    ledger.obey((cap,))
    assert not ear.sources.is_over(told)  # nobody has an account: it had to make room
    account = ledger.account(cap, "ann")
    account.reserve(900_000)
    account.settle(900_000, 900_000, ear.clock.wall())
    assert not ear.sources.is_over(told)
    ledger.obey((Cap("daily", "agent", (Limit("day", 1_100_000),)),))
    assert ear.sources.is_over(told)
    ledger.obey((Cap("daily", "agent", (Limit("hour", 1_000_000),)),))
    assert ear.sources.is_over(told)
    ledger.obey(())
    assert ear.sources.is_over(told)
    assert not ear.sources.is_over(ear.hear(KillChange("all", "engaged", "x", "ann", "admin")))


def test_a_circuit_of_an_upstream_that_is_gone(ear: Ear) -> None:
    """Nobody would close it any more."""
    circuit = Circuit(CircuitRules(), lambda: 0.5, lambda *change: None)
    circuit.trip(ear.clock.now(), "rate")
    ear.keep.of(CircuitKey("", "u", "t"), partial(_same, circuit))
    ear.sources.upstreams = {"u"}
    assert len(ear.standing()["CircuitOpen"]) == 1
    ear.sources.upstreams = {"v"}
    assert ear.standing()["CircuitOpen"] == []


def test_loops(ear: Ear) -> None:
    """Which workflow it is in is a figure: agents make up as many as they like."""
    told = ear.hear(Looped("same", "refuse", "ann", "u", "t", "w-17"))
    assert (told.severity, told.lasts) == ("ticket", LOOP_LASTS)
    assert told.about == {"agent": "ann", "upstream": "u", "tool": "t"}
    assert told.told["workflow"] == "w-17"
    assert ear.hear(Looped("same", "kill", "ann", "u", "t")).severity == "page"


def test_the_journal(ear: Ear) -> None:
    """That it cannot be written ends; that somebody changed it does not soon."""
    for state in ("full", "stuck", "failed"):
        told = ear.hear(JournalChange(state, "no space"))
        assert (told.name, told.severity, told.holds) == ("JournalUnwritable", "page", True)
        assert told.about == {}
    assert not ear.hear(JournalChange("ok", "")).holds
    tampered = ear.hear(JournalChange("tampered", "line 3"))
    trouble = ear.hear(JournalChange("trouble", "the anchor"))
    assert (tampered.name, tampered.lasts) == ("JournalTampered", TAMPERED_LASTS)
    assert (trouble.name, trouble.severity) == ("JournalTrouble", "ticket")
    assert ear.hear(PayloadsChange("disk", "no space", 3)).holds
    assert not ear.hear(PayloadsChange("ok", "", 3)).holds


def test_reloads_the_store_and_upstreams(ear: Ear) -> None:
    """Each until it is well."""
    failed = ear.hear(ReloadChange("failed", "ab12", ("p.yaml:1: x", "p.yaml:2: y")))
    assert (failed.holds, failed.told["problems"]) == (True, "2")
    assert "p.yaml:1: x; p.yaml:2: y" in failed.summary
    assert not ear.hear(ReloadChange("reloaded", "cd34")).holds
    for state in ("down", "foreign", "ended"):
        assert ear.hear(StoreChange(state, "why")).holds
    ear.sources.hear(StoreChange("gathering", "others"))
    for state in ("up", "open"):
        assert not ear.hear(StoreChange(state)).holds
    lost = ear.hear(TrafficChange("u", ("spare",), 0, "probes"))
    back = ear.hear(TrafficChange("u", ("spare",), 10, "well"))
    assert (lost.name, lost.holds, back.holds) == ("UpstreamLost", True, True)
    assert not ear.hear(TrafficChange("u", ("spare",), 100, "well")).holds
    assert ear.hear(UpstreamTrouble("u", "its list lies")).about == {"upstream": "u"}


def test_what_is_no_condition(ear: Ear) -> None:
    """Alerts are none, or there would be no end to them."""
    ear.sources.hear(AlertChange("i", "firing", "n", "page", "s"))
    ear.sources.hear(ApprovalChange("1", "review", "ann", "u", "t", "p"))
    assert ear.said == []


async def test_approvals_wait_until_none_waits() -> None:
    """One alert for all calls of a tool; each that is decided leaves the others."""
    scene = at_desk.Scene()
    scene.keep.of(NEWS, News).listeners.clear()
    ear = Ear(scene.keep)
    scene.keep.of(NEWS, News).listeners.append(ear.sources.hear)
    first = await scene.asked(b'{"a": 1}')
    await scene.asked(b'{"a": 2}')
    assert [(each.name, each.holds) for each in ear.said] == [("ApprovalWaiting", True)] * 2
    assert len({tuple(each.about.items()) for each in ear.said}) == 1
    [standing] = ear.standing()["ApprovalWaiting"]
    assert standing.told == {"waiting": "2"}
    ear.said.clear()
    request = first.request
    told = (request.agent, request.upstream, request.tool, request.policy)
    ear.sources.hear(ApprovalChange(request.id, "denied", *told))
    assert ear.said == []
    other = ear.hear(ApprovalChange("x", "expired", request.agent, "elsewhere", "t", "p"))
    assert not other.holds
    ear.said.clear()
    ear.sources.hear(ApprovalChange("x", "broken_glass", *told, by="ann", why="no one awake"))
    [glass] = ear.said
    assert (glass.name, glass.severity, glass.told["by"]) == ("GlassBroken", "page", "ann")


async def test_a_call_that_nobody_decided_waits_no_more() -> None:
    """It is told at once, and not when somebody looks again."""
    scene = at_desk.Scene()
    scene.keep.of(NEWS, News).listeners.clear()
    ear = Ear(scene.keep)
    scene.keep.of(NEWS, News).listeners.append(ear.sources.hear)
    first = await scene.asked(b'{"a": 1}')
    scene.clock.advance(1.0)
    await scene.asked(b'{"a": 2}')
    ear.said.clear()
    lasts = (first.request.expires_ms - first.request.asked_ms) / 1000
    scene.clock.advance(lasts - 0.5)
    assert ear.said == []
    scene.clock.advance(1.0)
    assert [(each.name, each.holds) for each in ear.said] == [("ApprovalWaiting", False)]


def test_how_things_stand(ear: Ear) -> None:
    """Also what nobody tells any more: circuits that are open, kills, the journal, the store."""
    assert all(not held for held in ear.standing().values())
    for key, closed in (("u", False), ("v", True)):
        circuit = Circuit(CircuitRules(), lambda: 0.5, lambda *change: None)
        ear.keep.of(CircuitKey("", key, "t"), partial(_same, circuit))
        if not closed:
            circuit.trip(ear.clock.now(), "rate")
    shade = Circuit(CircuitRules(), lambda: 0.5, lambda *change: None)
    shade.trip(ear.clock.now())
    ear.keep.of(shadowed(CircuitKey("", "w", "t")), lambda: shade)
    kills: Kills = ear.keep.of(KILLS, Kills)
    kills.begin(ear.clock, Notes(ear.clock), News(), tuple)
    kills.engage(Kill(Scope("agent:a"), "loops", "ann", "admin"))
    ear.sources.begin(lambda: State("full", 0.0, "no space"))
    memory = Memory(ear.clock.wall)
    link = Link(Near(memory), Pod("a"), ear.clock, News(), 0.05, "local")
    ear.keep.of(LINK, lambda: link)
    standing: dict[str, Any] = ear.standing()
    assert [each.about for each in standing["CircuitOpen"]] == [{"upstream": "u", "tool": "t"}]
    assert [each.about for each in standing["Killed"]] == [{"scope": "agent:a"}]
    assert [each.told for each in standing["JournalUnwritable"]] == [{"state": "full"}]
    assert [each.holds for each in standing["StoreLost"]] == [True]
    # As news say it: it is the same alert.
    told = ear.hear(CircuitChange("u", "t", "closed", "open", "rate", 5.0))
    assert told == standing["CircuitOpen"][0]
    link.up, link.why = True, ""
    assert ear.standing()["StoreLost"] == []
