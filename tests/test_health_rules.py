"""The chart's rules, helm/holdfast/rules: each alert, and what brings it about."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus import needs_promtool, promtool, rule_test
from tests.promql import TARGET, grouped, misread, needs_parser, parse, selectors

ROOT = Path(__file__).resolve().parent.parent
FILES = sorted((ROOT / "helm" / "holdfast" / "rules").glob("*.yaml"))
GROUPS: list[dict[str, Any]] = [
    group for path in FILES for group in yaml.safe_load(path.read_text("utf-8"))["groups"]
]
RULES: list[dict[str, Any]] = [rule for group in GROUPS for rule in group["rules"]]
ALERTS = (ROOT / "docs" / "alerts.md").read_text("utf-8")
TOLD = ALERTS + (ROOT / "docs" / "behaviour.md").read_text("utf-8")
SOURCES = {"process", "alerts"} | set(re.findall(r"`(\w+)`", ALERTS.partition("## One alert")[0]))
HERE = 'job="holdfast",namespace="agents",instance="pod-0"'
UNBOUND = {"task", "workflow", "session", "trace", "call", "id"}

CASES = yaml.safe_load((ROOT / "tests" / "health_cases.yaml").read_text("utf-8"))
WELL: str = CASES["well"]
BRINGS: dict[str, str] = CASES["brings"]
LATER: dict[str, str] = CASES["later"]


def series(text: str) -> dict[str, str]:
    """Values by series, with the labels that a scraper puts there."""
    found = {}
    for line in text.splitlines():
        told, _, inside = line.partition("{")
        name, space, values = told.partition(" ")
        if not space:
            inside, _, values = inside.partition("} ")
        here = HERE.rpartition(",")[0] if "instance=" in inside else HERE
        found[f"{name}{{{','.join(filter(None, (here, inside)))}}}"] = values
    return found


def checked(name: str, case: str, at: str) -> dict[str, Any]:
    """What promtool is asked: which alerts fire, where this series is not as it should be."""
    given = series(WELL) | series(case)
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1}] if name else []
    query = 'count by (alertname) (ALERTS{alertstate="firing"} > 0)'
    return {
        "name": name or "well",
        "interval": "1m",
        "input_series": [{"series": key, "values": values} for key, values in given.items()],
        "promql_expr_test": [{"expr": query, "eval_time": at, "exp_samples": expected}],
    }


@needs_promtool
def test_promtool_has_nothing_to_say():
    """Of the files as they are, without a chart."""
    ran = promtool("check", "rules", *FILES)

    assert (ran.returncode, ran.stderr) == (0, "")


@needs_promtool
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group["name"])
def test_each_alert_is_brought_about_by_its_trouble_alone(group, tmp_path):
    """It fires, and no other does."""
    names = {rule["alert"] for rule in group["rules"]}
    cases = [checked(name, BRINGS[name], LATER.get(name, "40m")) for name in sorted(names)]

    assert rule_test(tmp_path, GROUPS, cases) == ""


@needs_promtool
def test_of_a_pod_that_is_well_nothing_fires(tmp_path):
    """For hours."""
    assert rule_test(tmp_path, GROUPS, [checked("", "", "3h")]) == ""


def test_every_alert_has_a_case():
    """Of what brings it about; and there is none too many."""
    assert {rule["alert"] for rule in RULES} == set(BRINGS)


def test_series_of_cases_are_those_of_holdfast():
    """With their labels: a case with a metric of its own invention would prove nothing."""
    every = [*series(WELL), *(key for case in BRINGS.values() for key in series(case))]

    assert [wrong for key in every for wrong in misread(key if "{" in key else key + "{}")] == []


def test_rules_ask_for_what_there_is():
    """Metrics and labels are those of the catalogue; all have braces, which the chart fills."""
    assert [rule["alert"] for rule in RULES if not selectors(rule["expr"])] == []
    assert {rule["alert"]: wrong for rule in RULES if (wrong := misread(rule["expr"]))} == {}


@needs_parser
def test_rules_can_be_parsed():
    """By a parser that follows Prometheus' own grammar; it raises, with the place, where not."""
    assert all(parse(rule["expr"]).prettify() for rule in RULES)


def test_an_alert_says_where_and_nothing_without_bounds():
    """Job and namespace are kept by all that add up; tasks and the like are in none."""
    for rule in RULES:
        kept = grouped(rule["expr"])
        assert not kept & UNBOUND, rule["alert"]
        if kept:
            assert kept & TARGET, rule["alert"]


def test_an_alert_says_what_it_is_and_what_to_do():
    """Severity and source in the words of docs/alerts.md, a summary of a line, whole sentences."""
    for rule in RULES:
        assert rule["labels"].keys() == {"severity", "source"}, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["labels"]["source"] in SOURCES, rule["alert"]
        assert rule["annotations"].keys() == {"summary", "description"}
        assert len(rule["annotations"]["summary"]) < 160
        assert rule["annotations"]["description"].endswith("."), rule["alert"]


def test_what_the_process_tells_as_well_has_its_name_and_severity():
    """So that routes by name hold for both."""
    ours = {(rule["alert"], rule["labels"]["severity"]) for rule in RULES}
    both = {
        ("AgentCritical", "page"), ("BudgetThreshold", "ticket"), ("BudgetSpent", "page"),
        ("CircuitOpen", "ticket"), ("FleetEmergency", "page"), ("JournalTampered", "page"),
        ("JournalUnwritable", "page"), ("JournalTrouble", "ticket"), ("Killed", "ticket"),
        ("Killed", "page"), ("PayloadsUnwritable", "ticket"), ("ReloadFailed", "ticket"),
        ("SloExhausted", "page"), ("StoreLost", "ticket"), ("TooManyAlerts", "ticket"),
    }  # fmt: skip
    assert [name for name, _ in both if f"`{name}`" not in TOLD] == []
    assert ours >= both


def test_texts_name_labels_that_the_alert_has():
    """`{{ $labels.x }}` of a label that was added up would be empty."""
    for rule in RULES:
        has = grouped(rule["expr"]) or {
            label for _, by in selectors(rule["expr"]) for label in by
        } | TARGET | {"anchor", "mirror", "receiver"}
        said = " ".join(rule["annotations"].values())
        assert set(re.findall(r"\$labels\.(\w+)", said)) <= has, rule["alert"]


def test_names_are_not_used_twice_for_one_severity():
    """Or one would hide behind the other."""
    names = [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_chart_finds_its_files_by_name(path):
    """A file that no template names would be in the chart for nothing."""
    template = ROOT / "helm" / "holdfast" / "templates" / "rules.yaml"
    assert f'"rules/{path.name}"' in template.read_text("utf-8")
