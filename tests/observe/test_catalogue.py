"""proxy/observe/catalogue.py"""

import re
from collections import Counter
from pathlib import Path

from proxy import counts
from proxy.counts import Counted
from proxy.observe.catalogue import Kind
from proxy.observe.conventions import METRICS
from tests.observe.records import catalogued

PROXY = Path(counts.__file__).parent
NAME = re.compile(r'"(holdfast_[a-z_]+)"')


def test_names_follow_the_habits_of_the_field():
    """Our prefix; counters end in _total, histograms in their unit, facts in _info."""
    endings = {
        Kind.COUNTER: "_total",
        Kind.HISTOGRAM: "_seconds",
        Kind.INFO: "_info",
        Kind.GAUGE: "",
    }
    ours = [metric for metric in catalogued() if metric not in METRICS]  # those have their own
    assert all(metric.name.startswith("holdfast_") for metric in ours)
    assert all(metric.name.endswith(endings[metric.kind]) for metric in ours)


def test_what_stages_count_is_in_it_with_their_labels():
    """All of it: whoever counts names one of these."""
    counted = [thing for thing in vars(counts).values() if isinstance(thing, Counted)]
    shown = {metric.name: (metric.kind, metric.labels, metric.help) for metric in catalogued()}
    assert len(counted) == len(counts.COUNTED) + 1  # and the refusals, which records have too
    for each in counted:
        assert shown[each.name] == (Kind.COUNTER, each.labels, each.help)


def test_the_name_of_a_metric_is_written_once():
    """In the catalogue, or in the table of what stages count; nobody spells it again."""
    files = [path for path in PROXY.rglob("*.py") if not path.is_relative_to(PROXY / "cli")]
    named = Counter(name for path in files for name in NAME.findall(path.read_text("utf-8")))
    assert named == Counter(metric.name for metric in catalogued() if metric not in METRICS)
