"""What .ci/chart.py makes of values.yaml: the table of the README, the schema, the policies."""

import json
import runpy
import sys

import pytest
import yaml

import proxy
from tests.helm.drawing import CHART, EXAMPLES, ROOT, helm

MADE = runpy.run_path(str(ROOT / ".ci" / "chart.py"))

VALUES = """\
# Of all.
name: ""
part:
  # How many | how much.
  number: 3
  # What
  # Kubernetes has.
  open: {a: b}
  # Either.
  flag: true
"""


def test_what_is_made_is_fresh():
    """`make docs` makes it so."""
    stale = [path.name for path, text in MADE["made"]().items() if path.read_text("utf-8") != text]

    assert stale == [], "run make docs"


def test_every_value_says_what_it_is_for():
    """In a sentence above it, of which the table is made; and no shape is left over."""
    assert MADE["complaints"]() == []


def test_a_table_has_a_line_for_each_value():
    """Its path, the comment above it, its default; what is in an open mapping is its default."""
    assert MADE["table"](MADE["values"](VALUES)).splitlines()[2:] == [
        '| `name` | Of all. | `""` |',
        r"| `part.number` | How many \| how much. | `3` |",
        '| `part.open` | What Kubernetes has. | `{"a": "b"}` |',
        "| `part.flag` | Either. | `true` |",
    ]


def test_a_schema_is_closed_at_every_level():
    """By the kinds of the defaults."""
    made = json.loads(MADE["schema"](MADE["values"](VALUES)))
    part = made["properties"]["part"]

    assert made["additionalProperties"] is False
    assert part["additionalProperties"] is False
    assert {name: shape["type"] for name, shape in part["properties"].items()} == {
        "number": "integer", "open": "object", "flag": "boolean",
    }  # fmt: skip


def test_it_says_what_to_run_where_something_is_stale(monkeypatch, capsys):
    """`--check` writes nothing."""
    main = MADE["main"]
    page = CHART / "README.md"
    monkeypatch.setitem(main.__globals__, "made", lambda: {page: "other"})
    monkeypatch.setitem(main.__globals__, "complaints", list)
    monkeypatch.setattr(sys, "argv", ["chart.py", "--check"])

    assert main() == 1
    assert capsys.readouterr().err == "helm/holdfast/README.md is stale: run make docs\n"
    assert page.read_text("utf-8") != "other"


@pytest.mark.parametrize("chart", [CHART, EXAMPLES / "agent"], ids=lambda path: path.name)
def test_the_chart_is_of_this_version(chart):
    """And so is what the example depends on."""
    read = yaml.safe_load((chart / "Chart.yaml").read_text("utf-8"))
    for named in (read, *read.get("dependencies", ())):
        if named["name"] == "holdfast":
            assert named["version"] == proxy.__version__
            assert named.get("appVersion", proxy.__version__) == proxy.__version__


def test_the_package_is_small(tmp_path):
    """A release is kept in a Secret, which may have 1 MiB: a quarter leaves room for values."""
    packed = helm("package", CHART, "--destination", tmp_path)
    assert packed.returncode == 0, packed.stderr
    (archive,) = tmp_path.iterdir()

    assert archive.stat().st_size < 256 * 1024
