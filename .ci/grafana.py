"""Makes the dashboards of the chart, helm/holdfast/dashboards/*.json, of .ci/dashboards/*.yaml.

A source says of each panel what it asks and what a bad look means; what Grafana wants to know
besides is written here, once. In a query `<calls>` and its like stand for what the variables of
the dashboard select. Ids of panels are made of their titles, so that links to them hold while
others come and go. `--check` writes nothing. Exit 0: fine, 1: stale.
"""

import json
import re
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
import yaml
from msgspec import Meta

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / ".ci" / "dashboards"
MADE = ROOT / "helm" / "holdfast" / "dashboards"
SCHEMA = 41
"""Of Grafana 12; older ones from 10 on read it as well."""
PROMETHEUS = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24  # of Grafana's grid
OWN = 'job=~"$job",namespace=~"$namespace",instance=~"$instance"'
SELECTED = {
    "own": OWN,
    "upstream": f'{OWN},upstream=~"$upstream"',
    "calls": f'{OWN},upstream=~"$upstream",tool=~"$tool"',
    # Circuits of a whole upstream have no tool, shared permits have neither.
    "circuits": f'{OWN},upstream=~"$upstream|",tool=~"$tool|"',
    "spend": f'{OWN},agent=~"$agent",upstream=~"$upstream",tool=~"$tool"',
    "agent": f'{OWN},agent=~"$agent"',
    "slo": f'{OWN},slo=~"$slo"',
    "mirror": f'{OWN},mirror=~"$mirror"',
}
"""What `<…>` stands for."""
OFFERED = {
    "namespace": ("Namespace", "holdfast_config_info"),
    "job": ("Job", 'holdfast_config_info{namespace=~"$namespace"}'),
    "instance": ("Pod", 'holdfast_config_info{namespace=~"$namespace",job=~"$job"}'),
    "agent": ("Agent", f'{{__name__=~"holdfast_(cost_micros_total|agent_health)",{OWN}}}'),
    "upstream": ("Upstream", f"holdfast_calls_total{{{OWN}}}"),
    "tool": ("Tool", f'holdfast_calls_total{{{OWN},upstream=~"$upstream"}}'),
    "slo": ("Objective", f"holdfast_slo_objective{{{OWN}}}"),
    "mirror": ("Mirror", f"holdfast_mirror_lag_records{{{OWN}}}"),
}
"""Variables: their labels, and the series whose label of that name has the values."""
MARKS = (
    ("Started", "blue", f"changes(process_start_time_seconds{{{OWN}}}[2m]) > 0 "
     f"and on (job, namespace, instance) holdfast_config_info{{{OWN}}}", "{{instance}}"),
    ("Policies changed", "purple", f"count by (policy_version) (holdfast_config_info{{{OWN}}}) "
     f"unless count by (policy_version) (holdfast_config_info{{{OWN}}} offset 2m)",
     "{{policy_version}}"),
    ("Killed", "red", f"max by (scope) (holdfast_killed{{{OWN}}}) == 1", "{{scope}}"),
)  # fmt: skip
"""What is marked on all panels: its name, colour, query and text."""

Json: TypeAlias = dict[str, Any]
Kind: TypeAlias = Literal[
    "timeseries", "bars", "stat", "table", "heatmap", "state-timeline", "bargauge"
]
Said: TypeAlias = Annotated[str, Meta(min_length=20)]
HEIGHTS = {"stat": 4}
HEIGHT = 8
WIDE = 8


class Panel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One, as a source has it."""

    title: str
    says: Said
    unit: str = "short"
    of: dict[str, str] = {}  # by legend
    kind: Kind = "timeseries"
    wide: int = WIDE
    stack: bool = False
    signed: bool = False  # goes below zero
    exemplars: bool = False
    max: float | None = None
    steps: dict[str | float, str] = {}  # from this value on this colour; base: below all
    lines: dict[str | float, str] = {}  # the same, drawn into the graph
    states: dict[str | int, tuple[str, str]] = {}  # what values mean: words and colour
    columns: dict[str, str] = {}  # of a table, in this order
    units: dict[str, str] = {}  # of its columns, where they differ
    sort: str = ""  # the column that it is sorted by, the largest first


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Panels under one heading."""

    title: str
    panels: list[Panel]


class Dashboard(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of .ci/dashboards."""

    uid: str
    title: str
    says: Said
    rows: list[Row]
    variables: list[str]


def sources() -> Iterator[Dashboard]:
    """All of them, in the order of their files."""
    for path in sorted(SOURCES.glob("*.yaml")):
        yield msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), Dashboard)


def made() -> dict[Path, str]:
    """Each dashboard's file, and what should be in it."""
    return {
        MADE / f"{each.uid}.json": json.dumps(drawn(each), indent=1, ensure_ascii=False) + "\n"
        for each in sources()
    }


def drawn(dashboard: Dashboard) -> Json:
    """As Grafana imports it."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.says,
        "tags": ["holdfast"],
        "schemaVersion": SCHEMA,
        "editable": True,
        "graphTooltip": 1,  # one crosshair for all panels
        "refresh": "30s",
        "time": {"from": "now-3h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": [_mark(*each) for each in MARKS]},
        "links": [_others()],
        "templating": {"list": list(_variables(dashboard.variables))},
        "panels": list(_placed(dashboard.rows)),
    }


def _others() -> Json:
    return {
        "type": "dashboards",
        "title": "Holdfast",
        "tags": ["holdfast"],
        "asDropdown": True,
        "includeVars": True,
        "keepTime": True,
    }


def _mark(name: str, color: str, query: str, text: str) -> Json:
    return {
        "name": name,
        "datasource": PROMETHEUS,
        "enable": name != "Killed",  # it would colour all of a graph while something is
        "iconColor": color,
        "target": {"refId": "Anno", "expr": query, "interval": "1m"},
        "titleFormat": name,
        "textFormat": text,
    }


def _variables(more: list[str]) -> Iterator[Json]:
    yield {
        "name": "datasource",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "refresh": 1,
    }
    for name in ("namespace", "job", "instance", *more):
        label, series = OFFERED[name]
        query = f"label_values({series}, {name})"
        yield {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": PROMETHEUS,
            "definition": query,
            "query": {"qryType": 1, "query": query, "refId": "Variable"},
            "refresh": 2,  # when the time changes
            "sort": 1,
            "multi": True,
            "includeAll": True,
            "allValue": ".*",  # an empty label too, and one that is not there
            "current": {"text": ["All"], "value": ["$__all"]},
        }


def _placed(rows: list[Row]) -> Iterator[Json]:
    """From left to right, and on the next line where there is no more room."""
    y = 0
    for row in rows:
        place = {"x": 0, "y": y, "w": WIDTH, "h": 1}
        yield {"id": _id(f"row {row.title}"), "type": "row", "title": row.title,
               "collapsed": False, "panels": [], "gridPos": place}  # fmt: skip
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            if x + panel.wide > WIDTH:
                x, y, tallest = 0, y + tallest, 0
            height = HEIGHTS.get(panel.kind, HEIGHT)
            yield _panel(panel, {"x": x, "y": y, "w": panel.wide, "h": height})
            x, tallest = x + panel.wide, max(tallest, height)
        y += tallest


def _id(title: str) -> int:
    return zlib.crc32(title.encode()) % 1_000_000 + 1


def _panel(panel: Panel, place: Json) -> Json:
    kind = "timeseries" if panel.kind == "bars" else panel.kind
    shown: Json = {
        "id": _id(panel.title),
        "type": kind,
        "title": panel.title,
        "description": panel.says,
        "datasource": PROMETHEUS,
        "gridPos": place,
        "fieldConfig": {"defaults": _defaults(panel), "overrides": list(_overrides(panel))},
        "options": OPTIONS[kind] if kind != "heatmap" else _heat(panel),
        "targets": list(_targets(panel)),
    }
    if panel.kind == "bars":
        # A window is a scrape longer than a step: what happens between is seen, and hardly twice.
        shown["interval"] = "2m"
    if panel.kind == "table":
        sort = [{"displayName": panel.sort, "desc": True}] if panel.sort else []
        shown["options"] = {**OPTIONS["table"], "sortBy": sort}
        shown["transformations"] = list(_columns(panel))
    return shown


LEGEND = {"displayMode": "table", "placement": "bottom", "showLegend": True,
          "calcs": ["lastNotNull", "max"]}  # fmt: skip
LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}
OPTIONS: dict[str, Json] = {
    "timeseries": {"legend": LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "stat": {"reduceOptions": LAST, "colorMode": "value", "graphMode": "area", "textMode": "auto",
             "justifyMode": "auto", "orientation": "auto"},
    "bargauge": {"reduceOptions": LAST, "displayMode": "basic", "orientation": "horizontal",
                 "showUnfilled": True, "valueMode": "color", "namePlacement": "auto"},
    "state-timeline": {"mergeValues": True, "showValue": "never", "rowHeight": 0.8,
                       "alignValue": "left", "tooltip": {"mode": "single"},
                       "legend": {"displayMode": "list", "placement": "bottom",
                                  "showLegend": True}},
    "table": {"showHeader": True, "cellHeight": "sm"},
}  # fmt: skip


def _heat(panel: Panel) -> Json:
    return {
        "calculate": False,
        "cellGap": 1,
        "yAxis": {"unit": panel.unit, "axisPlacement": "left"},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "fill": "orange"},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "yHistogram": False},
        "legend": {"show": True},
    }  # fmt: skip


def _defaults(panel: Panel) -> Json:
    told: Json = {"unit": panel.unit, "noValue": "–"}
    steps = panel.steps or panel.lines
    if steps:
        told["thresholds"] = {"mode": "absolute", "steps": _steps(steps)}
    if panel.states:
        told["mappings"] = [{"type": "value", "options": dict(_meanings(panel))}]
    plain = panel.kind in ("timeseries", "bars")
    told["color"] = {
        "mode": "palette-classic" if plain or not (steps or panel.states) else "thresholds"
    }
    if not panel.signed:
        told["min"] = 0
    if panel.max is not None:
        told["max"] = panel.max
    if plain:
        told["custom"] = _drawing(panel)
    if panel.kind == "state-timeline":
        told["custom"] = {"fillOpacity": 80, "lineWidth": 0}
    return told


def _drawing(panel: Panel) -> Json:
    bars = panel.kind == "bars"
    return {
        "drawStyle": "bars" if bars else "line",
        "lineWidth": 1,
        "fillOpacity": 60 if bars else 30 if panel.stack else 0,
        "showPoints": "never",
        "spanNulls": False,  # a gap is a pod that was not there
        "stacking": {"mode": "normal" if panel.stack or bars else "none", "group": "A"},
        "thresholdsStyle": {"mode": "dashed" if panel.lines else "off"},
    }


def _steps(steps: dict[str | float, str]) -> list[Json]:
    first = {"color": steps.get("base", "green"), "value": None}
    return [first, *({"color": each, "value": at} for at, each in steps.items() if at != "base")]


def _meanings(panel: Panel) -> Iterator[tuple[str, Json]]:
    for index, (value, (text, color)) in enumerate(panel.states.items()):
        yield str(value), {"text": text, "color": color, "index": index}


def _overrides(panel: Panel) -> Iterator[Json]:
    for column, unit in panel.units.items():
        yield {
            "matcher": {"id": "byName", "options": column},
            "properties": [{"id": "unit", "value": unit}],
        }


def _targets(panel: Panel) -> Iterator[Json]:
    now = panel.kind in ("table", "bargauge")
    shapes = {"table": "table", "heatmap": "heatmap"}
    for at, (legend, query) in enumerate(panel.of.items()):
        yield {
            "refId": chr(ord("A") + at),
            "datasource": PROMETHEUS,
            "editorMode": "code",
            "expr": query_of(query),
            "legendFormat": legend,
            "format": shapes.get(panel.kind, "time_series"),
            "instant": now,
            "range": not now,
            "exemplar": panel.exemplars and at == len(panel.of) - 1,  # once is enough
        }


def query_of(query: str) -> str:
    """What Prometheus is asked, but for Grafana's own variables."""
    return re.sub(r"<(\w+)>", lambda found: SELECTED[found[1]], query)


def _columns(panel: Panel) -> Iterator[Json]:
    if len(panel.of) > 1:
        yield {"id": "merge", "options": {}}
    yield {
        "id": "organize",
        "options": {
            "excludeByName": {"Time": True},
            "indexByName": {name: at for at, name in enumerate(panel.columns)},
            "renameByName": panel.columns,
        },
    }


def main() -> int:
    """Write what is stale, or only say so."""
    files = made()
    gone = [path for path in MADE.glob("*.json") if path not in files]
    found = [path for path, text in files.items() if not _holds(path, text)] + gone
    if "--check" in sys.argv:
        for path in found:
            print(f"{path.relative_to(ROOT).as_posix()} is stale: run make docs", file=sys.stderr)
        return int(bool(found))
    for path in gone:
        path.unlink()
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())
