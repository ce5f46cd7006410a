"""proxy/observe/alerts/delivery_figures.py"""

from proxy.observe.alerts.delivery_figures import METRICS, Standing, families


def test_every_metric_of_telling_is_read() -> None:
    """In their order; one state of each receiver is 1."""
    receivers = {"ops": Standing("failing", 3)}
    told = list(families(receivers, {("ops", "failed"): 2}, 1234, durable=False))
    assert [family.metric for family in told] == list(METRICS)
    assert [family.rows for family in told] == [
        {("ops", "failed"): 2},
        {("ops", "ok"): 0, ("ops", "failing"): 1, ("ops", "disabled"): 0},
        {("ops",): 3},
        {(): 1234},
        {(): 0},
    ]
