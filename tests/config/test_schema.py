import json
import re
from pathlib import Path

import pytest

from proxy.config.alerts import AlertMatch
from proxy.config.files import POLICY_FILE, PriceLists
from proxy.config.load import load_policies
from proxy.config.match import KEYS
from proxy.config.schema import KINDS, schema, spelled, veiled
from proxy.config.spending import FIXED
from proxy.stages import SECTIONS
from proxy.stages.idempotency import Idempotency
from proxy.state.backoff import Backoff
from proxy.units import Money, Rate, Seconds, Size

ROOT = Path(__file__).parents[2]
FILES = {
    "policies": "policies/schema.json",
    "settings": "policies/settings.schema.json",
    "tokens": "policies/tokens.schema.json",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_schemas_that_are_shipped_are_fresh(kind):
    """`holdfast schema KIND > policies/…` makes them so."""
    assert (ROOT / FILES[kind]).read_text() == schema(kind)


def test_shipped_policies_name_their_schema_and_load():
    """Without a warning: they are an example."""
    for path in (ROOT / "policies").glob("*.yaml"):
        assert path.read_text().startswith("# yaml-language-server: $schema=./schema.json\n")

    assert load_policies(ROOT / "policies", environ={}).warnings == ()


def test_the_documented_policies_load(folder):
    """As they stand in docs/policies.md."""
    example, *_ = re.findall(
        r"```yaml\n(.*?)```", (ROOT / "docs/policies.md").read_text(), re.DOTALL
    )  # the others are those of policies/examples (tests/test_docs.py)

    assert [policy.name for policy in folder.load(example).policies] == [
        "default",
        "reads",
        "tighter-soon",
    ]


def properties(part, path=""):
    """Path, property and whether it must be given, of all that a schema has inside."""
    for name, found in part.get("properties", {}).items():
        here = f"{path}.{name}"
        yield here, found, name in part.get("required", ())
        yield from properties(found, here)
    for member in part.get("anyOf", ()):
        yield from properties(member, path)
    for key in ("items", "additionalProperties"):
        if isinstance(part.get(key), dict):
            yield from properties(part[key], f"{path}.*")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_says_what_it_means(kind):
    """An editor shows it: in a sentence."""
    found = list(properties(json.loads(schema(kind))))

    silent = [path for path, each, _ in found if not each.get("description", "").endswith(".")]
    assert found
    assert silent == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_has_its_default(kind):
    """But for those that must be given, and those that count as not given."""
    policy = [
        "effect",
        "risk",
        "on_journal_failure",
        "match",
        *(f"match.{key}" for key in (*KEYS, "when")),
    ]
    policy += [part for name in SECTIONS for part in (name, f"{name}.mode")]
    not_given = {f".{name}" for name in POLICY_FILE.__struct_fields__}
    not_given |= {f".policies.*.{name}" for name in policy}
    not_given |= {f".prices.{name}" for name in PriceLists.__struct_fields__}
    limits = [*FIXED, "limit", "window"]
    not_given |= {
        f".bulkheads.*.{name}" for name in ("budget", *(f"budget.{each}" for each in limits))
    }
    matched = [f"match.{key}" for key in (*KEYS, "when")]
    not_given |= {f".slos.*.{name}" for name in ("threshold", "alerts", "match", *matched)}
    not_given |= {
        f".budgets.*.{name}" for name in (*limits, "ttl", "allocation", "match", *matched)
    }
    not_given |= {f".alerts.receivers.*.{name}" for name in ("url", "secret", "upstream")}
    of_mirrors = ("upstream", "url", "secret", "store", "stream")
    not_given |= {f".mirrors.*.{name}" for name in of_mirrors}
    not_given |= {f".alerts.timing.*.{name}" for name in ("for", "resolve_after")}
    not_given |= {
        f".alerts.{where}.*.{name}"
        for where in ("routes", "timing", "escalation")
        for name in ("match", *(f"match.{key}" for key in AlertMatch.__struct_fields__))
    }
    found = properties(json.loads(schema(kind)))

    bare = {path for path, each, required in found if "default" not in each and not required}
    assert bare - not_given == set()


def test_editors_are_told_the_words_that_there_are():
    """Also where other texts are allowed: symptoms beside statuses, layers beside globs."""
    policy = json.loads(schema("policies"))["properties"]["policies"]["items"]["properties"]
    retry = policy["retry"]["anyOf"][0]["properties"]

    assert retry["on"]["items"]["anyOf"][1]["examples"][:2] == ["connect", "disconnect"]
    assert policy["match"]["properties"]["layer"]["examples"] == ["tool", "llm"]
    assert retry["safe"]["enum"] == ["always", "auto", "never_executed"]


def test_names_have_their_pattern():
    """Those that are keys as well."""
    made = json.loads(schema("policies"))["properties"]

    assert made["upstreams"]["propertyNames"]["pattern"].startswith("^[A-Za-z0-9]")
    assert made["policies"]["items"]["properties"]["name"]["pattern"].startswith("^[A-Za-z0-9]")


def test_every_section_is_described_with_its_fields():
    """With ranges, defaults as a file has them, and a mode of its own; false turns it off."""
    policy = json.loads(schema("policies"))["properties"]["policies"]["items"]
    retry, off = policy["properties"]["retry"]["anyOf"]

    assert policy["required"] == ["name"]
    assert retry["properties"]["attempts"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 20,
        "description": "Sendings in all, the first one included.",
        "default": 3,
    }
    assert retry["properties"]["retry_after_cap"]["default"] == "30s"
    assert retry["properties"]["mode"]["enum"] == ["enforce", "shadow", "off"]
    assert off == {
        "type": "boolean",
        "description": "true: as {}; false: off, whatever came before.",
    }


def test_unknown_keys_are_marked_by_editors():
    """Everywhere."""
    found = re.findall(r'"additionalProperties": (\w+|\{)', schema("policies"))

    assert set(found) == {"false", "{"}
    # Upstreams by their names, retry.limits by their symptoms, the prices of tools and of models;
    # results that a policy gives, in both ways to write a chain; and arguments of a ladder's calls.
    assert found.count("{") == 7


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Seconds(0.25), "250ms"),
        (Seconds(0), "0s"),
        (Seconds(1.5), "1.5s"),
        (Seconds(90), "90s"),
        (Seconds(300), "5m"),
        (Seconds(7200), "2h"),
        (Seconds(30 * 86400), "30d"),
        (Money(50_000), 0.05),
        (Money(25_000_000), 25.0),
        (Size(0), "0B"),
        (Size(1500), "1500B"),
        (Size(64 << 10), "64KiB"),
        (Size(3 << 30), "3GiB"),
        (Rate("600/m"), "600/m"),
        ((1, "a", None), [1, "a", None]),
        ({500: Seconds(1), "connect": 2}, {"500": "1s", "connect": 2}),
        (
            Idempotency(sources=()),
            {"header": "Idempotency-Key", "from": [], "quoted": False, "inject": True},
        ),
        (Backoff(), {"base": "100ms", "factor": 2.0, "max": "5s", "jitter": "full"}),
    ],
)
def test_values_are_spelled_as_in_a_file(value, text):
    """With the largest unit that needs no fraction."""
    assert spelled(value) == text


def test_the_keys_of_a_mapping_are_described():
    """As texts, for to a schema every key is one."""
    policy = json.loads(schema("policies"))["properties"]["policies"]["items"]
    limits = policy["properties"]["retry"]["anyOf"][0]["properties"]["limits"]
    allowed = limits["propertyNames"]["pattern"]

    assert [bool(re.search(allowed, key)) for key in ("500", "connect", "200", "x")] == [
        True, True, False, False,
    ]  # fmt: skip
    assert limits["additionalProperties"] == {"type": "integer", "minimum": 0, "maximum": 20}
    assert limits["default"] == {}


def test_texts_from_elsewhere_are_shown_as_they_are_written():
    """Wherever they stand in a value; what only looks like a number is none."""
    hidden = {"hunter2": "${KEY}"}

    assert veiled({"a": ["hunter2", 5, None], "b": "x"}, hidden) == {
        "a": ["${KEY}", 5, None],
        "b": "x",
    }
    assert veiled("hunter2", hidden) == "${KEY}"
