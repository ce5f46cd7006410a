"""What is counted of alerts."""

from proxy.observe.alerts.figures import METRICS, families
from proxy.observe.alerts.machine import OF_A_SOURCE
from tests.observe.alerts.scene import Scene, said


def test_every_metric_of_alerts() -> None:
    """In the order of the list; what fires no more is zero."""
    scene = Scene().begin()
    for number in range(OF_A_SOURCE + 7):
        scene.tell(said("Loops", source="loop", agent=str(number)))
    scene.tell(said("SloBurn", source="slo", severity="page"))
    scene.tell(said("SloBurn", source="slo", severity="page", holds=False))
    scene.alerts.escalated["kill", "done"] = 2
    scene.wait(12)
    told = list(families(scene.alerts))
    assert tuple(family.metric for family in told) == METRICS
    assert [family.rows for family in told] == [
        {("loop", "ticket"): OF_A_SOURCE, ("alerts", "ticket"): 1, ("slo", "page"): 0},
        {("loop", "ticket"): OF_A_SOURCE, ("alerts", "ticket"): 1, ("slo", "page"): 1},
        {(): 7},
        {("kill", "done"): 2},
    ]
