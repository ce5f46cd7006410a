"""proxy/observe/slo/task_figures.py"""

import pytest

from proxy.observe.slo import tasks as tasks_of
from proxy.observe.slo.task_figures import METRICS, families
from tests.observe.slo.work import Works


def test_every_metric_is_read(monkeypatch: pytest.MonkeyPatch):
    """What is open, and what was not counted, and why."""
    monkeypatch.setattr(tasks_of, "MOST", 2)
    works = Works()
    for task in ("a", "b", "c"):
        works.call(task)
    works.call("a", task_end="success")
    works.call("a")
    found = {family.metric: family.rows for family in families(works.followed.tasks)}
    assert tuple(found) == METRICS
    assert list(found.values()) == [
        {("done",): 1},
        {("done", "late"): 1, ("done", "untracked"): 1},
    ]
