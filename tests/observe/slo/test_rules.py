"""proxy/observe/slo/rules.py, and what promtool makes of it."""

import itertools

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.config.match import Match
from proxy.observe.slo.burning import look
from proxy.observe.slo.burns import outage, usual
from proxy.observe.slo.objective import Objective
from proxy.observe.slo.ring import Ring
from proxy.observe.slo.rules import Origin, groups, span
from tests.prometheus import needs_promtool, promtool, rule_test

HOUR, DAY = 3600.0, 86_400.0
MIN_EVENTS = 10
ORIGIN = Origin("holdfast", "1.2.3")


def objective(share=0.99, burns=None, name="calls", window=30 * DAY):
    """Of all calls, as they ended; its alerts are the usual ones."""
    if burns is None:
        burns = (*usual(share, window, MIN_EVENTS), outage(share, MIN_EVENTS))
    return Objective(name, "success", "call", share, window, Match(), burns)


def by_name(found):
    """Recording rules of one objective."""
    return {rule["record"]: rule for group in found for rule in group["rules"] if "record" in rule}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "5m"), (HOUR, "1h"), (5400, "1h30m"), (DAY, "1d"), (30 * DAY, "30d"), (28 * DAY, "4w"),
     (7 * DAY, "1w"), (8 * DAY, "8d"), (365 * DAY, "1y"), (0.25, "250ms"), (0, "0s")],
)  # fmt: skip
def test_durations_are_written_as_prometheus_does(seconds, text):
    """Weeks and years only where nothing is left over."""
    assert span(seconds) == text


def test_names_are_those_of_sloth():
    """Dashboards of sloth find what they ask for."""
    found = groups([objective()], ORIGIN)
    assert [group["name"] for group in found] == [
        "sloth-slo-sli-recordings-holdfast-calls",
        "sloth-slo-meta-recordings-holdfast-calls",
        "sloth-slo-alerts-holdfast-calls",
    ]
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
    assert list(by_name(found)) == [
        *(f"slo:sli_error:ratio_rate{window}" for window in windows),
        "slo:objective:ratio", "slo:error_budget:ratio", "slo:time_period:days",
        "slo:current_burn_rate:ratio", "slo:period_burn_rate:ratio",
        "slo:period_error_budget_remaining:ratio", "sloth_slo_info",
    ]  # fmt: skip
    own = {"sloth_id": "holdfast-calls", "sloth_service": "holdfast", "sloth_slo": "calls"}
    for rule in by_name(found).values():
        assert own.items() <= rule["labels"].items()


def test_numbers_are_exact():
    """0.999 is not 0.9990000000000001, and its budget is not 0.0010000000000000009."""
    rules = by_name(groups([objective(0.999)], ORIGIN))
    assert rules["slo:objective:ratio"]["expr"] == "vector(0.999)"
    assert rules["slo:error_budget:ratio"]["expr"] == "vector(0.001)"
    assert rules["sloth_slo_info"]["labels"]["sloth_objective"] == "99.9"


def test_without_alerts_there_is_no_group_of_them():
    """Prometheus has no use for an empty one."""
    found = groups([objective(burns=())], ORIGIN)
    assert [group["name"].rpartition("-holdfast")[0] for group in found] == [
        "sloth-slo-sli-recordings",
        "sloth-slo-meta-recordings",
    ]


def test_labels_pick_the_series():
    """Several fleets may share a Prometheus."""
    rules = by_name(groups([objective()], Origin("checkout", "1", {"job": 'a"b'})))
    assert (
        '{slo="calls",job="a\\"b",good="false"}[5m]'
        in (rules["slo:sli_error:ratio_rate5m"]["expr"])
    )


@needs_promtool
@settings(max_examples=8)
@given(st.lists(st.floats(0.001, 0.9999), min_size=1, max_size=3), st.floats(1, 60))
def test_whatever_is_asked_promtool_takes_it(tmp_path_factory, shares, days):
    """Odd objectives and windows are rules as well."""
    asked = [
        objective(share, name=f"a.b/c_{i}", window=days * DAY) for i, share in enumerate(shares)
    ]
    path = tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": groups(asked, ORIGIN)}))
    ran = promtool("check", "rules", path)
    assert ran.returncode == 0, ran.stderr


def minutes(*parts):
    """(minutes, good, bad) each, one after the other: what came in each minute."""
    return [(good, bad) for number, good, bad in parts for _ in range(number)]


def series(events):
    """Counters that a scrape each minute would see."""
    sums = {
        "true": itertools.accumulate((good for good, _ in events), initial=0),
        "false": itertools.accumulate((bad for _, bad in events), initial=0),
    }
    return [
        {
            "series": f'holdfast_slo_events_total{{slo="calls",good="{good}",job="h"}}',
            "values": " ".join(map(str, values)),
        }
        for good, values in sums.items()
    ]


def alerting(name, at, severities):
    """Which of the two alerts fire at that minute, of promtool's tests."""
    of = {"sloth_id": f"holdfast-{name}", "sloth_service": "holdfast", "sloth_slo": name}
    return [
        {
            "eval_time": f"{at}m",
            "alertname": "SloBurn",
            "exp_alerts": [
                {"exp_labels": {**of, "slo": name, "severity": each, "sloth_severity": each}}
                for each in severities
            ],
        }
    ]


def told_here(asked, events):
    """Which the process itself tells after these minutes, of the events alone."""
    ring = Ring(asked.window, 0.0)
    for minute, (good, bad) in enumerate(events):
        ring.advance(60.0 * minute + 30)
        ring.add(good, bad)
    ring.advance(60.0 * len(events))
    return tuple(sorted({burn.severity for burn in look(asked, ring.over).burns}))


FINE = (60, 100, 0)
"""An hour in which all is well."""
TABLE = {
    "a fifth of all calls fail": (0.99, [(70, 80, 20)], ("page", "ticket")),
    "a fifth fail for one minute, then none": (0.99, [FINE, (1, 80, 20), (9, 100, 0)], ()),
    "a fifth fail for an hour, then none": (
        0.99, [(60, 80, 20), (40, 100, 0)], ("ticket",),
    ),
    "four of a hundred fail for a day": (0.99, [(1440, 96, 4)], ("ticket",)),
    "one of three calls fails": (0.99, [(1, 2, 1), (9, 0, 0)], ()),
    "nothing is called": (0.99, [(60, 0, 0)], ()),
    "all is well": (0.99, [(400, 100, 0)], ()),
    "an outage of 4 minutes": (0.99, [FINE, (4, 0, 100)], ("page", "ticket")),
    "few calls, all fail": (0.99, [FINE, (5, 0, 1)], ()),
    "a low objective, an outage": (0.9, [(180, 100, 0), (6, 0, 100)], ("page",)),
    "a low objective, a fifth fails": (0.9, [(180, 80, 20)], ("ticket",)),
    "a low objective, a twentieth fails": (0.9, [(180, 95, 5)], ()),
}  # fmt: skip
"""The table of the requirements: the objective, what happened, and who is told at its end."""


@needs_promtool
@pytest.mark.parametrize("story", TABLE)
def test_alerts_fire_where_the_process_tells(tmp_path, story):
    """Prometheus counts from scrapes, the process from events; they say the same."""
    share, parts, severities = TABLE[story]
    events, asked = minutes(*parts), objective(share)
    test = {
        "interval": "1m",
        "input_series": series(events),
        "alert_rule_test": alerting("calls", len(events), severities),
    }
    assert told_here(asked, events) == severities
    assert rule_test(tmp_path, _without_texts(groups([asked], ORIGIN)), [test]) == ""


@needs_promtool
def test_no_data_is_no_ratio(tmp_path):
    """What is left of the budget is not said to be all of it."""
    remaining = "slo:period_error_budget_remaining:ratio"
    test = {
        "interval": "1m",
        "input_series": series(minutes((60, 0, 0))),
        "promql_expr_test": [{"expr": remaining, "eval_time": "60m", "exp_samples": []}],
    }
    assert rule_test(tmp_path, groups([objective()], ORIGIN), [test]) == ""


@needs_promtool
def test_quiet_hours_weigh_what_they_are(tmp_path):
    """One bad call of a quiet night beside a thousand good ones by day is not half of all."""
    events = minutes((60, 100, 0), (60, 0, 0), (1, 0, 1), (59, 0, 0))
    left = 1 - (1 / 6001) / 0.01
    asked = f"sum(round(slo:period_error_budget_remaining:ratio, 0.001)) == bool {left:.3f}"
    held = {"expr": asked, "eval_time": "180m", "exp_samples": [{"labels": "{}", "value": 1}]}
    test = {"interval": "1m", "input_series": series(events), "promql_expr_test": [held]}
    assert rule_test(tmp_path, groups([objective()], ORIGIN), [test]) == ""


def _without_texts(found):
    """Annotations change with the figures, and promtool wants them to the letter."""
    return [
        {**group, "rules": [{k: v for k, v in rule.items() if k != "annotations"}
                            for rule in group["rules"]]}
        for group in found
    ]  # fmt: skip
