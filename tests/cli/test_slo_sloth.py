"""proxy/cli/slo_sloth.py"""

import pytest
import yaml

from proxy.cli.slo_sloth import taken
from proxy.cli.slo_taken import Lost, Taken

SLO = """
version: prometheus/v1
service: checkout
slos:
  - name: quick
    objective: 99.5
    description: Quick enough.
    sli:
      events:
        error_query: |
          sum(rate(took_seconds_count[{{.window}}]))
          - sum(rate(took_seconds_bucket{le="0.5"}[{{.window}}]))
        total_query: sum(rate(took_seconds_count[{{.window}}]))
    alerting: {name: Quick}
"""


def read(text=SLO, **changes):
    """The SLO of a text, with other keys in it."""
    document = yaml.safe_load(text)
    document["slos"][0].update(changes)
    (found,) = taken(document)
    return found


def test_all_that_can_be_said():
    """What is promised, and what its author says of it."""
    found = read()
    assert (found.name, str(found.objective), found.window) == ("quick", "0.995", 30 * 86_400.0)
    assert found.about == ["checkout", "Quick enough."]
    assert (found.sli, found.threshold, found.alerts) == ("latency", "0.5s", None)
    assert [query.partition(":")[0] for query in found.queries] == ["error_query", "total_query"]


def test_resources_of_kubernetes_say_the_same():
    """Their keys are spelled otherwise."""
    spec = {
        "service": "checkout",
        "slos": [
            {
                "name": "quick",
                "objective": 99.5,
                "sli": {"raw": {"errorRatioQuery": "ratio"}},
                "alerting": {"pageAlert": {"disable": True}},
            }
        ],
    }
    (found,) = taken({"apiVersion": "sloth.slok.dev/v1", "spec": spec})
    assert isinstance(found, Taken)
    assert found.queries == ["error_ratio_query: ratio"]
    assert {burn.severity for burn in found.alerts or ()} == {"ticket"}


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"labels": {"a": "b"}}, "labels have no place here"),
        ({"plugins": {}}, "plugins has no place here"),
        ({"sli": {"plugin": {"id": "x"}}}, "sli.plugin has no place here"),
        ({"alerting": {"page_alert": {"for": "5m"}}}, "page_alert.for is left out"),
        ({"alerting": {"labels": {"a": "b"}}}, "see alerts.routes"),
        ({"alerting": {"other": 1}}, "alerting.other has no place here"),
        ({"name": "two words"}, "its name was two words"),
    ],
)
def test_what_is_not_as_it_was_is_said(changes, note):
    """Nothing is left out in silence."""
    assert any(note in each for each in read(**changes).notes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"objective": 100}, "its objective is 100"), ({"sli": 7}, "sli: expected keys, found 7")],
)
def test_what_cannot_be_said_is_lost(changes, why):
    """With its name, and why."""
    found = read(**changes)
    assert isinstance(found, Lost)
    assert (found.name, why in found.why) == ("quick", True)


def test_an_entry_that_is_none():
    """Its place is its name."""
    assert list(taken({"slos": [7]})) == [Lost("slos[0]", "slos[0]: expected keys, found 7")]
