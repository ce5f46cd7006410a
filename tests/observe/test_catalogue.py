"""proxy/observe/catalogue.py"""

from proxy.observe import catalogue
from proxy.observe.catalogue import Kind, Metric


def test_names_follow_the_habits_of_the_field():
    """Our prefix; counters end in _total, histograms in their unit, facts in _info."""
    metrics = [thing for thing in vars(catalogue).values() if isinstance(thing, Metric)]
    endings = {
        Kind.COUNTER: "_total",
        Kind.HISTOGRAM: "_seconds",
        Kind.INFO: "_info",
        Kind.GAUGE: "",
    }
    assert all(metric.name.startswith("holdfast_") for metric in metrics)
    assert all(metric.name.endswith(endings[metric.kind]) for metric in metrics)
