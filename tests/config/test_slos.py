"""SLOs as policy files write them, and what they come to."""

# ruff: noqa: E501 -- messages stand on one line, as people see them
import json
import re

import pytest

from proxy.config.schema import schema
from proxy.observe.slo.objective import Burn

DAY = 86_400.0
OUTAGE = Burn(50.0, 300.0, 300.0, "page", 10, 2, outage=True)


def test_reads_those_of_the_specification(folder):
    """Each with the alerts that fit it."""
    works, quick, cheap = folder.load("""
slos:
  - {name: task-completion, sli: success, per: task, objective: 0.995, window: 30d, match: {agent: "commerce-*"}}
  - {name: latency, sli: latency, threshold: 5s, objective: 0.99, window: 30d}
  - {name: cost-per-task, sli: cost, per: task, threshold: 0.15, objective: 0.98, window: 28d}
""").slos
    assert (works.name, works.sli, works.per, works.objective) == (
        "task-completion",
        "success",
        "task",
        0.995,
    )
    assert (works.window, works.idle, works.min_events) == (30 * DAY, 600.0, 10)
    assert works.match.holds({"agent": "commerce-1"})
    assert not works.match.holds({"agent": "x"})
    assert (quick.most_us, quick.per, quick.most_micros) == (5_000_000, "call", 0)
    assert (cheap.most_micros, cheap.most_us) == (150_000, 0)
    assert [burn.factor for burn in quick.burns] == [14.4, 6, 3, 1, 50]
    assert [burn.factor for burn in cheap.burns] == [13.44, 5.6, 2.8, 0.933333, 25]
    assert quick.burns[-1] == OUTAGE
    assert works.place.endswith("p.yaml:3")


def test_reads_what_is_written_of_alerts_and_of_what_follows(folder):
    """The rule for outages is there in any case."""
    (found,) = folder.load("""
policies: [{name: strict, deny: true}]
slos:
  - name: a
    sli: success
    per: task
    objective: 0.99
    terminal_tools: ["finish_*"]
    idle: 2m
    min_events: 20
    alerts: [{burn: 2, long: 1h, short: 5m}, {burn: 1.5, long: 2h, short: 10m, severity: ticket, min_events: 30, min_bad: 4}]
    on_exhausted: [freeze_canary, require_approval, notify, {tighten: strict}]
""").slos
    assert found.burns == (
        Burn(2, 3600, 300, "page", 10, 2),
        Burn(1.5, 7200, 600, "ticket", 30, 4),
        Burn(50, 300, 300, "page", 20, 2, outage=True),
    )
    assert (found.terminal, found.idle, found.min_events) == (("finish_*",), 120, 20)
    assert (found.freeze_canary, found.require_approval, found.notify) == (True, True, True)
    assert found.tighten == ("strict",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sli: success, threshold: 5s", "threshold: success has none; only latency and cost do"),
        ("sli: latency", "latency needs a threshold: from where on is it bad?"),
        ("sli: cost", "cost needs a threshold: from where on is it bad?"),
        ("sli: latency, threshold: 0.15", "threshold: of latency expected a duration such as 5s"),
        ("sli: cost, threshold: 5s", "threshold: of cost expected US dollars such as 0.15"),
        ("sli: cost, threshold: much", "expected a duration such as 5s, or US dollars such as 0.15, found 'much'"),
        ("sli: success, objective: 1", "expected"),
        ("sli: success, objective: 0", "expected"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_with_one(folder, text, message):
    """Where, and what is allowed."""
    share = "" if "objective" in text else ", objective: 0.99"
    (error,) = folder.errors(f"slos: [{{name: a, {text}{share}}}]")
    assert message in error


def test_names_are_of_one_each(folder):
    """In all files together."""
    text = "{name: a, sli: success, objective: 0.99}"
    (error,) = folder.errors(f"slos: [{text}, {text}]")
    assert error == "p.yaml:1:57: slos[1].name: an SLO of this name stands at p.yaml:1 already"


def test_editors_know_how_a_threshold_is_written():
    """A duration, or dollars as a number or a text."""
    slo = json.loads(schema("policies"))["properties"]["slos"]["items"]["properties"]
    told = slo["threshold"]
    assert told["type"] == ["number", "string"]
    assert all(re.search(told["pattern"], text) for text in ("5s", "0.15", "${LIMIT}"))
    assert not re.search(told["pattern"], "much")
