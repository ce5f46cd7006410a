"""What metrics say of agents."""

from proxy.observe.behaviour.figures import METRICS, families
from proxy.observe.behaviour.rules import Rules
from proxy.observe.behaviour.watch import Watch
from tests.fakes import FakeClock
from tests.observe.records import record


def test_each_metric_once_and_rows_of_who_was_looked_at():
    """Before the first look there are none."""
    watch = Watch(FakeClock())
    watch.follow(Rules())
    watch.note(record())
    assert [(family.metric, family.rows) for family in families(watch)][:2] == [
        (METRICS[0], {}),
        (METRICS[1], {}),
    ]
    watch.look()
    health = next(families(watch)).rows
    assert {state for (_, state), number in health.items() if number} == {"unknown"}
