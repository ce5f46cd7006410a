"""A match as it is written, and what it comes to; of all that have one."""

from typing import Any

import pytest

from proxy.config.match import KEYS
from proxy.config.matching import Match


def test_every_fact_can_be_asked_for():
    """And a condition beside."""
    assert Match.__struct_fields__ == (*KEYS, "when")


@pytest.mark.parametrize(
    "entry",
    [
        "policies: [{name: a, MATCH}]",
        "budgets: [{name: a, per: agent, day: 1, MATCH}]",
        "slos: [{name: a, sli: success, objective: 0.99, MATCH}]",
    ],
)
def test_it_means_the_same_wherever_it_stands(folder, entry):
    """One text or several, with exclusions."""
    match = 'match: {tool: ["get_*", "!get_x"], agent: "a-*"}'
    loaded = folder.load(entry.replace("MATCH", match))
    everything: list[Any] = [*loaded.policies, *loaded.budgets, *loaded.slos]
    (found,) = (each.match for each in everything)
    assert found.keys == {"tool", "agent"}
    assert found.holds({"tool": "get_y", "agent": "a-1"})
    assert not found.holds({"tool": "get_x", "agent": "a-1"})
    assert not found.holds({"tool": "get_y", "agent": "b"})


def test_who_has_none_is_for_all(folder):
    """No fact is asked for."""
    (found,) = folder.load("slos: [{name: a, sli: success, objective: 0.99}]").slos
    assert found.match.keys == frozenset()
    assert found.match.holds({})


def test_a_path_is_what_is_sent_and_a_yes_or_no_is_a_text(folder):
    """As the facts of a call have it."""
    (found,) = folder.load(
        'policies: [{name: a, match: {path: "/ä b", stream: true}}]'
    ).policies  # fmt: skip
    assert found.match.holds({"path": "/%C3%A4%20b", "stream": "true"})
