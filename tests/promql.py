"""What a query of PromQL asks for: its metrics, the labels that it selects by, those that it keeps.

It is read by expressions, as much as tests of dashboards and rules need. Whether a query can be
read at all is asked of those who know: `promtool`, and promql-parser where it is installed.
"""

import importlib.util
import re
from typing import Any

import pytest

from tests.observe.records import catalogued

OURS = r"\b(?:holdfast|process|gen_ai|mcp|python)_\w+|\bup\b"
SELECTOR = re.compile(rf"({OURS})\{{([^}}]*)\}}")
BARE = re.compile(rf"(?:{OURS})(?![\w{{])")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")
GROUPED = re.compile(r"\b(?:by|on|without|group_left|ignoring) ?\(([^)]*)\)")
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
TARGET = {"job", "namespace", "instance"}
"""Labels that whoever scrapes puts on every series."""
PROCESS = {
    "process_cpu_seconds_total", "process_max_fds", "process_open_fds",
    "process_resident_memory_bytes", "process_start_time_seconds", "up",
}  # fmt: skip
"""What is there besides: of any process, and of Prometheus."""
KNOWN = {metric.name: set(metric.labels) for metric in catalogued()}

has_parser = importlib.util.find_spec("promql_parser") is not None
needs_parser = pytest.mark.skipif(not has_parser, reason="no promql-parser: pip install it")


def base_of(name: str) -> str:
    """`x_bucket` is of the histogram `x`."""
    stem = re.sub("_(bucket|count|sum)$", "", name)
    return stem if stem in KNOWN else name


def selectors(query: str) -> list[tuple[str, set[str]]]:
    """Each metric that it reads, without the ending of a histogram, and what it selects it by."""
    return [
        (base_of(name), set(MATCHER.findall(TEXT.sub('""', inside))))
        for name, inside in SELECTOR.findall(query)
    ]


def grouped(query: str) -> set[str]:
    """All labels that it groups, joins or matches by."""
    found: set[str] = set()
    for inside in GROUPED.findall(TEXT.sub('""', query)):
        found |= {each.strip() for each in inside.split(",") if each.strip()}
    return found


def misread(query: str) -> list[str]:
    """What it asks for that nobody has: a metric, or a label of one."""
    wrong = [f"no braces behind {name}" for name in BARE.findall(TEXT.sub('""', query))]
    allowed = {"le"} | TARGET
    for name, by in selectors(query):
        if name not in KNOWN and name not in PROCESS:
            wrong.append(f"there is no {name}")
        there = KNOWN.get(name, set())
        allowed |= there
        wrong += [f"{name} has no label {label}" for label in by - there - TARGET - {"le"}]
    return wrong + [f"nothing here has a label {label}" for label in grouped(query) - allowed]


def parse(query: str) -> Any:
    """Raises where the parser cannot read it."""
    return importlib.import_module("promql_parser").parse(query)
