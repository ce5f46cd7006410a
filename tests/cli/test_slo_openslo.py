"""proxy/cli/slo_openslo.py"""

import pytest

from proxy.cli.slo_openslo import Documents
from proxy.cli.slo_taken import Lost

DAY = 86_400.0


def document(kind, name, **spec):
    """One of a file."""
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def slo(**changes):
    """One SLO, but for `changes`; None: without the key."""
    spec = {
        "description": "Good enough.",
        "service": "pay",
        "budgetingMethod": "Occurrences",
        "timeWindow": [{"duration": "28d", "isRolling": True}],
        "objectives": [{"target": 0.99}],
        **changes,
    }
    return document("SLO", "good", **{key: each for key, each in spec.items() if each is not None})


def read(*others, **changes):
    """What becomes of it, with other documents in the file."""
    return list(Documents([*others, slo(**changes)]).taken())


def one(*others, **changes):
    """Where it is one."""
    (found,) = read(*others, **changes)
    return found


def test_all_that_can_be_said():
    """What is promised, over which time."""
    found = one()
    assert (found.name, str(found.objective), found.window) == ("good", "0.99", 28 * DAY)
    assert (found.about, found.notes, found.alerts) == (["Good enough."], [], None)


def test_a_target_in_percent():
    """It is the same."""
    assert str(one(objectives=[{"targetPercent": 99.9}]).objective) == "0.999"


def test_several_objectives_are_several_slos():
    """Numbered, for a name stands once; one that cannot be said does not take the others along."""
    found = read(
        objectives=[{"target": 0.9, "displayName": "loose"}, {"target": 1}, {"target": 0.99}]
    )
    assert [each.name for each in found] == ["good-1", "good-2", "good-3"]
    assert found[0].about == ["loose", "Good enough."]
    assert isinstance(found[1], Lost)


@pytest.mark.parametrize(
    ("window", "seconds", "note"),
    [
        ([{"duration": "1M", "isRolling": True}], 30 * DAY, "1M is taken as 30d"),
        ([{"duration": "1Q", "isRolling": True}], 90 * DAY, "1Q is taken as 90d"),
        ([{"duration": "1w", "calendar": {}}], 7 * DAY, "goes by the calendar"),
        (None, 30 * DAY, "names no window"),
    ],
)
def test_windows_that_are_not_as_they_were(window, seconds, note):
    """Ours end now, and are as long each time."""
    found = one(timeWindow=window)
    assert found.window == seconds
    assert any(note in each for each in found.notes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"budgetingMethod": "Timeslices"}, "no slices of time"),
        ({"objectives": None}, "it has no objectives"),
        ({"objectives": [{"target": "x"}]}, "no number"),
        ({"objectives": [{}]}, "its objective is None"),
        ({"timeWindow": [{"duration": "soon", "isRolling": True}]}, "expected a duration"),
        ({"timeWindow": 7}, "timeWindow: expected a list, found 7"),
    ],
)
def test_what_cannot_be_said_is_lost(changes, why):
    """With its name, and why."""
    found = one(**changes)
    assert isinstance(found, Lost)
    assert (found.name, why in found.why) == ("good", True)


def test_queries_are_found_wherever_they_stand():
    """Each data source has its own keys; an SLI may be a document of its own."""
    query = 'sum(rate(took_seconds_bucket{le="0.2"}[5m]))'
    measured = {
        "ratioMetric": {
            "good": {"metricSource": {"spec": {"query": query}}},
            "total": {"metricSource": {"spec": {"promql_query": "all"}}},
        }
    }
    for found in (
        one(indicator={"spec": measured}),
        one(document("SLI", "speed", **measured), indicatorRef="speed"),
    ):
        assert found.queries == [f"good: {query}", "total: all"]
        assert (found.sli, found.threshold) == ("latency", "0.2s")


def test_a_metric_that_is_compared_has_no_unit():
    """So nobody can say whether it is a latency."""
    found = one(
        indicator={"spec": {"thresholdMetric": {"metricSource": {"spec": {"query": "q"}}}}},
        objectives=[{"target": 0.9, "op": "lte", "value": 200}],
    )
    assert found.sli == "success"
    assert any("lte 200" in note for note in found.notes)


def test_what_it_refers_to_and_is_not_there():
    """It may be in another file."""
    found = one(indicatorRef="speed", alertPolicies=[{"alertPolicyRef": "p"}])
    assert found.notes == [
        "its SLI speed is not in the file",
        "its AlertPolicy p is not in the file",
    ]


def condition(**changes):
    """An alert."""
    asked = {"kind": "burnrate", "threshold": 2, "lookbackWindow": "1h", "alertAfter": "5m"}
    return document("AlertCondition", "c", severity="page", condition={**asked, **changes})


def test_alerts_are_taken_over():
    """Inline or referred to; the short window, which they do not have, is added."""
    policy = document(
        "AlertPolicy", "p", conditions=[{"conditionRef": "c"}], notificationTargets=[{}]
    )
    for found in (
        one(policy, condition(), alertPolicies=[{"alertPolicyRef": "p"}]),
        one(alertPolicies=[document("AlertPolicy", "p", conditions=[condition()])]),
    ):
        (burn,) = found.alerts
        assert (burn.factor, burn.long, burn.short, burn.severity) == (2, 3600.0, 300.0, "page")
        assert any("its short window is a twelfth" in note for note in found.notes)


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 100},  # more than all of them bad
        {"threshold": "x"},
        {"kind": "other"},
        {"lookbackWindow": None},
        {"lookbackWindow": "29d"},  # longer than its own window
    ],
)
def test_alerts_that_cannot_be(changes):
    """They are left out, and it is said; the usual ones are in their place."""
    found = one(alertPolicies=[document("AlertPolicy", "p", conditions=[condition(**changes)])])
    assert found.alerts is None
    assert any("an alert is left out" in note for note in found.notes)


def test_other_severities_are_tickets():
    """Nobody is called at night by a word that is not known."""
    given = condition()
    given["spec"]["severity"] = "warning"
    found = one(alertPolicies=[document("AlertPolicy", "p", conditions=[given])])
    assert found.alerts[0].severity == "ticket"


def test_no_window_is_shorter_than_a_minute():
    """A twelfth of five minutes is."""
    given = condition(lookbackWindow="5m")
    found = one(alertPolicies=[document("AlertPolicy", "p", conditions=[given])])
    assert found.alerts[0].short == 60.0
