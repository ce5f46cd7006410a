"""proxy/objectives.py: what follows from what was counted, put together."""

from types import SimpleNamespace
from typing import Any

from proxy.keep import Keep
from proxy.objectives import Objectives
from proxy.observe.alerts.condition import Condition
from tests.fakes import FakeClock
from tests.observe.records import record
from tests.tables import load

POLICIES = """
policies:
  - {name: usual, effect: read}
  - {name: strict, retry: {attempts: 1}}
slos:
  - name: works
    sli: success
    objective: 0.9
    on_exhausted: [notify, {tighten: strict}]
  - {name: done, sli: success, per: task, objective: 0.9, idle: 1m}
"""


class Scene:
    """Objectives with a clock, a journal of a kind, and calls under way."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.told: list[Condition] = []
        self.climbed: frozenset[str] = frozenset()
        self.changes = 0
        self.calls: list[Any] = []
        self.noted: list[Any] = []
        self.loaded = load(POLICIES)
        self.objectives = Objectives(self.clock, Keep(), self.told.append, lambda: self.climbed)
        self.objectives.changed = self._changed
        self.objectives.obey(self.loaded)
        noted: Any = SimpleNamespace(note=self.noted.append)
        self.objectives.begin(noted, lambda: self.calls)

    def _changed(self) -> None:
        self.changes += 1

    def passes(self, seconds: float) -> None:
        """And somebody looks."""
        self.clock.advance(seconds)
        for tick in self.objectives.ticks:
            tick()

    def fails(self, number: int) -> None:
        for _ in range(number):
            self.objectives.slos.note(record(outcome="failed"))
        self.passes(20.0)

    @property
    def in_force(self) -> list[str]:
        return [policy.name for policy in self.objectives.tightened(self.loaded).policies]


def test_what_is_used_up_tightens() -> None:
    """A policy comes into force, people are told, and the app hears that something changed."""
    scene = Scene()
    assert scene.in_force == ["usual"]
    scene.fails(20)
    assert (scene.in_force, scene.changes) == (["usual", "strict"], 1)
    [told] = [one for one in scene.told if one.holds and one.name == "SloExhausted"]
    assert (told.told["events"], told.told["exhausts_in"]) == ("20 in 30d, 20 bad", "now")
    scene.passes(1.0)
    assert scene.changes == 1


def test_alerts_tighten_by_the_same_way() -> None:
    """The steps of a ladder name policies as well."""
    scene = Scene()
    scene.climbed = frozenset({"strict"})
    scene.passes(1.0)
    assert scene.changes == 1
    scene.climbed = frozenset()
    scene.passes(1.0)
    assert (scene.in_force, scene.changes) == (["usual"], 2)


def test_a_task_with_a_call_under_way_is_not_idle() -> None:
    """It has said nothing for a minute, and is at work."""
    scene = Scene()
    scene.objectives.tasks.note(record(task="t"))
    scene.calls = [SimpleNamespace(agent="pricing-01", task="t")]
    scene.passes(100.0)
    assert scene.objectives.slos.entries["done"].series.bad == 0
    scene.calls = []
    scene.passes(100.0)
    assert scene.objectives.slos.entries["done"].series.bad == 1


def test_metrics_of_both() -> None:
    """Of objectives, and of tasks."""
    names = {family.metric.name for family in Scene().objectives.families()}
    assert {"holdfast_slo_events_total", "holdfast_slo_state"} < names
