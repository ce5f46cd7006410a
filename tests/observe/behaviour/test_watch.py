"""Agents are watched: samples, anomalies, health, bounds."""

import json
from typing import Any

import pytest

from proxy.observe.alerts.condition import Condition
from proxy.observe.behaviour import watch as module
from proxy.observe.behaviour.figures import families
from proxy.observe.behaviour.rules import Rules
from proxy.observe.behaviour.watch import STANDS, Watch
from proxy.observe.family import Family
from proxy.record import AttemptRecord
from tests.fakes import FakeClock
from tests.observe.records import record

RULES = Rules()
SENT = AttemptRecord(1, "success", 3, "gateway", 200)


class Scene:
    """A watch, its clock, and what it has told."""

    def __init__(self, rules: Rules = RULES, drill: int = 1) -> None:
        self.clock = FakeClock(drill=drill)
        self.told: list[Condition] = []
        self.watch = Watch(self.clock)
        self.watch.tell = self.told.append
        self.watch.follow(rules)

    def task(self, name: str, calls: int = 10, **changes: Any) -> None:
        """A task of so many calls, that is over when its time has passed."""
        for _ in range(calls):
            self.watch.note(record(**({"task": name} | changes)))

    def passes(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.watch.look()

    def learns(self, tasks: int = 40) -> None:
        """So many usual tasks."""
        self.passes(RULES.idle)
        for number in range(tasks):
            self.task(f"usual-{number}", 9 + number % 3)
            self.passes(RULES.idle)

    def names(self) -> list[tuple[str, ...]]:
        return [(one.name, *one.about.values()) for one in self.told if one.holds]

    def read(self, name: str) -> dict[tuple[str, ...], Any]:
        return next(family.rows for family in self.families() if family.metric.name == name)

    def families(self) -> list[Family]:
        return list(families(self.watch))


def test_what_is_usual_is_learned_and_what_is_not_is_told():
    """While the task runs, and once for a signal; it is not learned."""
    scene = Scene()
    scene.learns()
    agent = scene.watch.agents["pricing-01"]
    assert (len(agent.baseline), scene.told) == (40, [])

    scene.task("runaway", 60)
    scene.passes(1.0)
    assert scene.names() == [("AgentAnomaly", "pricing-01", "calls")]
    told = scene.told[0]
    assert (told.severity, told.lasts, told.told["task"]) == ("ticket", STANDS, "runaway")
    assert told.summary.startswith("pricing-01: calls 60, usual is 10")

    scene.task("runaway", 60)
    scene.passes(1.0)
    scene.passes(RULES.idle)
    assert len(scene.told) == 1
    assert len(agent.baseline) == 40
    assert scene.read("holdfast_agent_anomalies_total") == {("pricing-01", "calls"): 1}


def test_a_task_ends_when_its_agent_says_so():
    """And the next call of that name begins another one."""
    scene = Scene()
    scene.passes(RULES.idle)
    scene.task("t", 3)
    scene.watch.note(record(task="t", task_end="success"))
    agent = scene.watch.agents["pricing-01"]
    assert (len(agent.baseline), agent.works) == (1, {})


def test_a_start_in_the_middle_of_tasks_teaches_nothing():
    """Those under way would look smaller than they are."""
    scene = Scene()
    scene.task("cut", 2)
    scene.watch.note(record(task="cut", task_end="success"))
    assert len(scene.watch.agents["pricing-01"].baseline) == 0


def test_what_was_learned_outlives_the_process():
    """In the snapshot, as JSON; what is damaged is left out."""
    scene = Scene()
    scene.learns()
    state = json.loads(json.dumps(scene.watch.dump()))
    again = Scene()
    again.watch.load(state | {"broken": ["AAAA", "*"], "short": ["AAAA", "AA=="], "odd": [1, 2]})
    again.watch.load("nothing")
    again.watch.apply({})
    assert set(again.watch.agents) == {"pricing-01"}
    again.task("runaway", 60)
    again.passes(1.0)
    assert again.names() == [("AgentAnomaly", "pricing-01", "calls")]


def test_what_is_a_week_old_is_not_usual_any_more():
    """So what is new becomes usual one day."""
    scene = Scene()
    scene.learns()
    scene.passes(RULES.baseline + 1)
    assert len(scene.watch.agents["pricing-01"].baseline) == 0


def test_how_an_agent_fares_is_told_when_it_changes():
    """Critical is over when it is degraded, and degraded when it is well."""
    scene = Scene()
    for number in range(100):
        scene.watch.note(record(outcome="failed" if number < 20 else "ok"))
    scene.passes(1.0)
    assert scene.names() == [("AgentCritical", "pricing-01")]
    assert scene.told[0].severity == "page"
    assert scene.told[0].summary == "pricing-01 is critical: 20% of 100 calls failed, p99 0.005 s"
    assert scene.watch.shown("pricing-01")["health"] == "critical"
    assert scene.read("holdfast_agent_health") == {
        ("pricing-01", "healthy"): 0,
        ("pricing-01", "degraded"): 0,
        ("pricing-01", "critical"): 1,
        ("pricing-01", "unknown"): 0,
    }
    for _ in range(200):
        scene.watch.note(record())
    scene.passes(1.0)
    last = [(one.name, one.holds) for one in scene.told[-2:]]
    assert last == [("AgentCritical", False), ("AgentDegraded", True)]
    for _ in range(1000):
        scene.watch.note(record())
    scene.passes(1.0)
    assert [(one.name, one.holds) for one in scene.told[-1:]] == [("AgentDegraded", False)]


def test_who_looks_no_more_says_that_it_is_over():
    """Else somebody would be called for it for ever."""
    scene = Scene()
    for number in range(500):
        scene.watch.note(record(agent=f"a{number % 5}", outcome="failed"))
    scene.passes(1.0)
    fired = {(one.name, *one.about.values()) for one in scene.told if one.holds}
    assert len(fired) == 6
    scene.told.clear()
    scene.watch.follow(None)
    assert {(one.name, *one.about.values()) for one in scene.told if not one.holds} == fired
    assert scene.watch.emergency is False
    scene.told.clear()
    scene.watch.follow(None)
    assert scene.told == []


def test_agents_that_are_not_told_apart_are_no_agent(monkeypatch):
    """A step that kills `agent:{agent}` does nothing about them, whoever may be called `other`."""
    monkeypatch.setattr(module, "AGENTS", 1)
    scene = Scene()
    for number in range(100):
        scene.watch.note(record(agent=f"a{number}", outcome="failed"))
    scene.passes(1.0)
    [told] = scene.told
    assert (told.name, told.about) == ("AgentCritical", {"agents": "other"})


def test_its_own_mistakes_are_no_illness():
    """As with objectives: errors of the caller, and what policies refuse, say nothing of how it
    fares; else an agent could have people called at will."""
    scene = Scene()
    wrong = AttemptRecord(1, "caller_error", 3, "gateway", 404)
    for _ in range(100):
        scene.watch.note(record(outcome="failed", code="caller_error", attempts=(wrong,)))
        scene.watch.note(record(outcome="refused", code="denied", attempts=(), decision="refuse"))
    for _ in range(30):
        scene.watch.note(record())
    scene.passes(1.0)
    assert scene.watch.shown("pricing-01")["health"] == "healthy"


def test_what_people_took_is_not_the_agents_time():
    """And models take as long as they take."""
    scene = Scene()
    for _ in range(100):
        scene.watch.note(record(duration_us=60_000_000, held_us=59_999_000))
        scene.watch.note(record(duration_us=60_000_000, layer="llm"))
    scene.passes(1.0)
    assert scene.watch.shown("pricing-01")["health"] == "healthy"


@pytest.mark.parametrize(("critical", "emergency"), [(1, False), (2, True)])
def test_an_emergency_of_the_fleet(critical, emergency):
    """More than a fifth of its agents; said to be over when it is."""
    scene = Scene()
    for number in range(6):
        for _ in range(20):
            outcome = "failed" if number < critical else "ok"
            scene.watch.note(record(agent=f"a{number}", outcome=outcome))
    scene.passes(1.0)
    assert (("FleetEmergency",) in scene.names()) == emergency
    assert scene.read("holdfast_fleet_emergency") == {(): int(emergency)}
    scene.passes(RULES.window + 30)
    assert scene.watch.emergency is False
    if emergency:
        over = [one for one in scene.told if one.name == "FleetEmergency" and not one.holds]
        assert len(over) == 1


def test_few_agents_have_no_emergency():
    """One of one is a hundred percent."""
    scene = Scene()
    for _ in range(20):
        scene.watch.note(record(outcome="failed"))
    scene.passes(1.0)
    assert scene.watch.emergency is False


def test_agents_that_make_up_names_are_one(monkeypatch):
    """Agents, tasks, tools, counterparts: nothing grows without end."""
    monkeypatch.setattr(module, "AGENTS", 5)
    monkeypatch.setattr(module, "TASKS", 50)
    monkeypatch.setattr(module, "COUNTERPARTS", 10)
    scene = Scene()
    for number in range(1000):
        scene.watch.note(
            record(f"t{number}", agent=f"a{number}", task=f"k{number}", upstream=f"u{number}")
        )
    scene.watch.note(record(agent="bad\nname"))
    watch = scene.watch
    assert set(watch.agents) == {"a0", "a1", "a2", "a3", "other"}
    assert sum(len(agent.works) for agent in watch.agents.values()) == 50
    assert watch.agents["other"].counterparts == 10
    scene.passes(RULES.idle)
    assert sum(len(agent.works) for agent in watch.agents.values()) == 0


def test_tasks_are_judged_some_at_a_time(monkeypatch):
    """Nobody waits for two thousand of them."""
    monkeypatch.setattr(module, "JUDGED", 2)
    scene = Scene()
    for number in range(5):
        scene.task(f"k{number}", 20, attempts=(SENT, SENT))
    for judged in (2, 4, 5):
        scene.passes(1.0)
        assert scene.read("holdfast_agent_anomalies_total") == {("pricing-01", "retries"): judged}
    scene.watch.look()  # too soon
    assert len(scene.names()) == 5


def test_nobody_wants_to_know():
    """Then nothing is counted; what was learned stays."""
    scene = Scene()
    scene.learns()
    scene.task("t", 3)
    scene.watch.follow(None)
    scene.watch.note(record(agent="new"))
    scene.passes(1.0)
    assert set(scene.watch.agents) == {"pricing-01"}
    assert scene.watch.agents["pricing-01"].works == {}
    scene.watch.follow(RULES)
    scene.task("runaway", 60)
    scene.passes(1.0)
    assert len(scene.names()) == 1


def test_a_day_of_counterparts():
    """Whom it spoke with yesterday does not count any more."""
    scene = Scene()
    for name in ("a", "b", "c"):
        scene.watch.note(record(upstream=name))
    agent = scene.watch.agents["pricing-01"]
    assert agent.counterparts == 3
    scene.passes(13 * 3600.0)
    scene.watch.note(record(upstream="a"))
    assert agent.counterparts == 3
    scene.passes(12 * 3600.0)
    scene.watch.note(record(upstream="d"))
    assert agent.counterparts == 2
    scene.watch.note(record(upstream=""))
    assert agent.counterparts == 2


def test_in_a_drill_tasks_end_sooner():
    """Windows run on the fast clock."""
    scene = Scene(drill=60)
    scene.task("t", 3)
    scene.passes(RULES.idle / 60)
    assert scene.watch.agents["pricing-01"].works == {}


def test_what_is_shown_of_an_agent():
    """What is usual of it, where that is known."""
    scene = Scene()
    assert scene.watch.shown("nobody") == {"health": "unknown"}
    scene.learns()
    scene.task("now", 3)
    scene.passes(1.0)
    shown = scene.watch.shown("pricing-01")
    assert (shown["tasks"], shown["samples"], shown["usual"]["calls"]) == (1, 40, 10.0)
    assert (shown["health"], shown["p99"], shown["anomalies"]) == ("unknown", None, {})


def test_money_is_told_in_dollars():
    """Whoever is called at night does not count zeros."""
    scene = Scene()
    scene.passes(RULES.idle)
    for number in range(40):
        scene.task(f"usual-{number}", 10, cost_micros=5_000)
        scene.passes(RULES.idle)
    assert scene.watch.shown("pricing-01")["usual"]["cost"] == "0.05"
    scene.task("dear", 10, cost_micros=50_000)
    scene.passes(1.0)
    [told] = scene.told
    assert (told.told["value"], told.told["usual"]) == ("0.500000 USD", "0.050000 USD")
