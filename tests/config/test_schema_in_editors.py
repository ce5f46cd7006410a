"""The schemas as an editor uses them: by a validator that is not ours."""

import json
import re
from pathlib import Path

import jsonschema_rs
import pytest

from proxy.config.document import Mapping, Scalar, parse
from proxy.config.schema import KINDS, schema

ROOT = Path(__file__).parents[2]
SHIPPED = [
    *sorted(
        path
        for path in (ROOT / "policies").rglob("*.yaml")
        if ROOT / "policies" / "tests" not in path.parents
    ),
    *sorted((ROOT / "tests" / "bench").glob("*.yaml")),
]
VALIDATORS = {kind: jsonschema_rs.Draft202012Validator(json.loads(schema(kind))) for kind in KINDS}


def seen(node):
    """A file as an editor sees it: `${…}` is a text like any other."""
    if isinstance(node, Mapping):
        return {name: seen(key.node) for name, key in node.items.items()}
    if isinstance(node, Scalar):
        return node.written if node.replaced else node.value
    return [seen(item) for item in node.items]


def complaints(text, kind="policies"):
    """Where the schema says no."""
    read = parse(text.encode(), "p.yaml", {})
    found = VALIDATORS[kind].iter_errors(seen(read.root))
    return [".".join(map(str, error.instance_path)) for error in found]


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_are_schemas(kind):
    """Of draft 2020-12, as their first line says."""
    jsonschema_rs.meta.validate(json.loads(schema(kind)))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_shipped_is_valid(path):
    """Policies, examples, and those of the benchmark."""
    assert complaints(path.read_text("utf-8")) == []


@pytest.mark.parametrize(("page", "kind"), [("policies", "policies"), ("settings", "settings")])
def test_what_the_pages_show_is_valid(page, kind):
    """Every block of YAML."""
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)

    assert blocks
    assert [complaints(block, kind) for block in blocks] == [[]] * len(blocks)


def policy(more):
    return f"policies: [{{name: p, {more}}}]"


@pytest.mark.parametrize(
    "more",
    [
        "retry: true",
        "retry: false",
        'retry: {attempts: 2, "on": [connect, 503, "504"]}',
        'timeout: {total: "${TOTAL:-3s}"}',
        'match: {tool: ["get_*", "!get_rich"], layer: tool}',
        "breaker: {slow: null, mode: shadow}",
        "cost: 0.05",
        'cost: {fixed: "0.05", per_kb: .5, unknown_price: {assume: "${PRICE}"}}',
    ],
)
def test_what_loads_is_valid(more):
    """Switches, statuses as numbers and texts, references, modes of a section."""
    assert complaints(policy(more)) == []


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ("retry: {atempts: 2}", "policies.0.retry"),
        ("retry: {attempts: 21}", "policies.0.retry"),
        ("retry: {on: [conect]}", "policies.0.retry"),
        ("timeout: {total: 3 s}", "policies.0.timeout"),
        ("effect: reads", "policies.0.effect"),
        ("mode: shadows", "policies.0.mode"),
        ("match: {tools: a}", "policies.0.match"),
        ("breker: {}", "policies.0"),
        ("cost: -1", "policies.0.cost"),
        ("cost: free", "policies.0.cost"),
    ],
)
def test_what_does_not_load_is_marked(more, place):
    """At the key, or the section that it stands in."""
    assert complaints(policy(more)) == [place]


def test_names_and_settings_are_checked_too():
    """A name with a space, an address without a port."""
    assert complaints("upstreams: {a b: {url: http://h}}") == ["upstreams"]
    assert complaints("listen: localhost", "settings") == ["listen"]
