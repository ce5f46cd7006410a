"""The dashboards of the chart, which .ci/grafana.py makes: is what they ask for there?"""

import json
import re
import runpy
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.prometheus import needs_promtool, promtool
from tests.promql import KNOWN, TARGET, grouped, misread, needs_parser, parse, selectors

ROOT = Path(__file__).resolve().parent.parent
GRAFANA = runpy.run_path(str(ROOT / ".ci" / "grafana.py"))
BOARDS = {path.stem: json.loads(text) for path, text in GRAFANA["made"]().items()}
PAGE = (ROOT / "docs" / "grafana.md").read_text("utf-8")
DOCUMENTED = set(
    re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "metrics.md").read_text("utf-8"), re.MULTILINE)
)
TYPES = {"timeseries", "stat", "table", "heatmap", "state-timeline", "bargauge"}
"""Those of Grafana's own that are not on their way out."""
UNITS = {"short", "reqps", "percentunit", "s", "bytes", "Bps", "currencyUSD"}
VARIABLE = re.compile(r"\$(?!__)(\w+)")
RECENT = 39
"""The schema of Grafana 10.3: the first one without what was moved since."""


def panels(board: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that show something: headings do not."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


PANELS = [(name, panel) for name, board in BOARDS.items() for panel in panels(board)]
QUERIES = [
    (f"{name}: {panel['title']}", target["expr"])
    for name, panel in PANELS
    for target in panel["targets"]
] + [
    (f"{name}: {mark['name']}", mark["target"]["expr"])
    for name, board in BOARDS.items()
    for mark in board["annotations"]["list"]
]


def filled(query: str) -> str:
    """As Grafana sends it: with something in place of its variables."""
    query = re.sub(r"\$__(rate_interval|range)", "5m", query)
    return VARIABLE.sub(".*", query)


def test_what_is_made_is_fresh():
    """`make docs` makes it so."""
    files = {path: path.read_text("utf-8") for path in sorted(GRAFANA["MADE"].glob("*.json"))}

    assert files == GRAFANA["made"](), "run make docs"


def test_it_says_what_is_stale_and_writes_it(monkeypatch, capsys, tmp_path):
    """`--check` writes nothing; without it what is stale is made, and what has no source goes."""
    run = GRAFANA["main"]
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "old.json").write_text("{}")
    monkeypatch.setitem(run.__globals__, "MADE", folder)
    monkeypatch.setitem(run.__globals__, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["grafana.py", "--check"])

    assert run() == 1
    told = capsys.readouterr().err.splitlines()
    assert "dashboards/old.json is stale: run make docs" in told
    assert len(told) == len(BOARDS) + 1
    assert [path.name for path in folder.iterdir()] == ["old.json"]

    monkeypatch.setattr(sys, "argv", ["grafana.py"])
    assert run() == 0
    assert {path.stem for path in folder.iterdir()} == set(BOARDS)


def test_queries_ask_for_what_there_is():
    """Every metric is one of the catalogue, and has the labels that are asked for."""
    assert len(QUERIES) > 100
    assert [where for where, query in QUERIES if not selectors(query)] == []
    assert {where: wrong for where, query in QUERIES if (wrong := misread(query))} == {}


def test_queries_read_only_what_is_picked():
    """Job, namespace and pod: a Prometheus may have several fleets."""
    wide = [
        (where, name)
        for where, query in QUERIES
        for name, by in selectors(query)
        if not by >= TARGET
    ]
    assert wide == []


def test_a_legend_names_what_the_query_keeps():
    """`{{label}}` of a label that was added up would be empty."""
    wrong = [
        (panel["title"], label)
        for _, panel in PANELS
        for target in panel["targets"]
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"])
        if label not in (grouped(target["expr"]) or _labels(target["expr"]))
    ]
    assert wrong == []


def _labels(query: str) -> set[str]:
    return TARGET.union(*(KNOWN.get(name, set()) for name, _ in selectors(query)))


@needs_parser
def test_queries_can_be_parsed():
    """By a parser that follows Prometheus' own grammar; it raises, with the place, where not."""
    assert all(parse(filled(query)).prettify() for _, query in QUERIES)


@needs_promtool
def test_promtool_takes_every_query(tmp_path):
    """Each one as the expression of a rule."""
    rules = [{"record": f"query:{at}", "expr": filled(q)} for at, (_, q) in enumerate(QUERIES)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    ran = promtool("check", "rules", path)

    assert ran.returncode == 0, ran.stderr
    assert f"{len(QUERIES)} rules found" in ran.stdout


def test_every_metric_is_on_a_panel_or_left_out_for_a_reason():
    """The reasons are in docs/grafana.md, and none of what has one is on a panel."""
    shown = {name for _, query in QUERIES for name, _ in selectors(query)}
    table = PAGE.partition("## What is on no panel")[2]
    reasons = dict(re.findall(r"^\| (`[^|]*) \| ([^|]+) \|$", table, re.MULTILINE))
    left_out = {name for names in reasons for name in re.findall(r"`(\w+)`", names)}

    assert DOCUMENTED - shown == left_out
    assert all(len(reason) > 20 for reason in reasons.values())


def test_every_panel_says_what_it_shows():
    """What it is, and what a bad look means, in whole sentences; in a unit that Grafana knows."""
    for name, panel in PANELS:
        said = panel["description"]
        assert len(said) > 20, (name, panel["title"])
        assert said.endswith("."), (name, panel["title"])
        assert panel["fieldConfig"]["defaults"]["unit"] in UNITS, panel["title"]


def test_no_panel_is_of_a_kind_that_goes_away():
    """Nor is the schema an old one, which Grafana would have to translate."""
    assert {panel["type"] for _, panel in PANELS} <= TYPES
    assert all(board["schemaVersion"] >= RECENT for board in BOARDS.values())


@pytest.mark.parametrize("name", BOARDS)
def test_places_do_not_overlap(name):
    """Each panel has its own, inside of the 24 columns."""
    taken: Counter[tuple[int, int]] = Counter()
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        for x in range(at["x"], at["x"] + at["w"]):
            taken.update((x, y) for y in range(at["y"], at["y"] + at["h"]))
    assert max(taken.values()) == 1


def test_ids_outlive_changes():
    """A dashboard is found by its uid, a panel by its id: what stands before it has no say."""
    uids = [board["uid"] for board in BOARDS.values()]
    assert sorted(uids) == sorted(set(uids)) == sorted(BOARDS)
    for board in BOARDS.values():
        ids = {panel["title"]: panel["id"] for panel in panels(board)}
        assert len(set(ids.values())) == len(panels(board))
        assert all(number == GRAFANA["_id"](title) for title, number in ids.items())


@pytest.mark.parametrize("name", BOARDS)
def test_variables_are_those_that_queries_have(name):
    """One that nobody asks for changes nothing when it is picked; one that is not there is text."""
    board = BOARDS[name]
    offered = {each["name"] for each in board["templating"]["list"]}
    asked = {
        each
        for where, query in QUERIES
        if where.startswith(f"{name}: ")
        for each in VARIABLE.findall(query)
    }
    assert asked | {"datasource"} == offered
    sources = {json.dumps(panel["datasource"]) for panel in panels(board)}
    assert sources == {json.dumps(GRAFANA["PROMETHEUS"])}


def test_variables_are_asked_of_series_that_there_are():
    """`label_values(series, label)`, each with a label that its series have."""
    asked = {
        each["name"]: each["query"]["query"]
        for board in BOARDS.values()
        for each in board["templating"]["list"]
        if each["type"] == "query"
    }
    assert asked.keys() == GRAFANA["OFFERED"].keys()
    for name, query in asked.items():
        series, _, label = query.removeprefix("label_values(").removesuffix(")").rpartition(", ")
        assert label == name
        names = re.findall(r"holdfast_\w+", series.replace("(cost_micros_total|agent_health)", ""))
        assert all(name in KNOWN[each] | TARGET for each in names if each in KNOWN)


def test_a_table_shows_all_its_columns_by_name():
    """What Grafana calls `Value #B` has a name; what it is sorted by is one of these."""
    for _, panel in PANELS:
        if panel["type"] != "table":
            continue
        organized = panel["transformations"][-1]["options"]["renameByName"]
        many = len(panel["targets"])
        values = ["Value"] if many == 1 else [f"Value #{'ABC'[at]}" for at in range(many)]
        labels = grouped(panel["targets"][0]["expr"])
        assert set(organized) == labels | set(values), panel["title"]
        sort = panel["options"]["sortBy"]
        assert all(each["displayName"] in organized.values() for each in sort)


def test_the_page_names_every_dashboard():
    """And what each one answers."""
    for board in BOARDS.values():
        assert f"| {board['title'].partition(' / ')[2]} |" in PAGE
