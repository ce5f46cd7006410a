"""proxy/cli/explained.py."""

import re

import click
import msgspec
import pytest

from proxy.cli.explained import lines
from proxy.pipeline.asked import Asked
from proxy.pipeline.explain import explain
from proxy.protocols.identity import Identity
from tests.tables import GATEWAY, Desk, post

POLICIES = """
policies:
  - {name: default, timeout: {total: 45s}, retry: {attempts: 2}, breaker: {consecutive: 2}}
  - {name: soon, match: {agent: bob}, mode: shadow, timeout: {total: 5s}, retry: {}}
"""


def told(desk=None, **said):
    """The lines, without colours."""
    report = explain((desk or Desk(POLICIES)).table, Asked(**said), Identity("ann", "crew"))
    return [click.unstyle(line) for line in lines(msgspec.to_builtins(report))]


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_it_fits_the_terminal(monkeypatch, columns):
    """Whatever is in it; but a place is never broken, so that it can be clicked on."""
    monkeypatch.setenv("COLUMNS", str(columns))
    long = [line for line in told(tool="get_" + "x" * 90) if len(line) > columns]

    assert [line for line in long if ".yaml:" not in line] == []


def test_the_verdict_comes_early():
    """Before the stages and the values."""
    assert "The call would go." in told(tool="x")[:8]


def test_a_refusal_is_told_with_its_reason():
    """Who says so, and the stage is marked."""
    desk = Desk(POLICIES, 500, 500)
    for _ in range(2):
        desk.call(post("pay"))
    found = told(desk, tool="pay")

    assert "The call would be refused: circuit_open by CircuitCheck of policy default." in found
    assert any(line.startswith("✗ CircuitCheck") for line in found)
    assert any(line.endswith("→ circuit_open") for line in found)
    assert "→ send" not in found


def test_what_cannot_be_read_meets_no_stage():
    """So none is shown, nor that it is sent."""
    found = told(tool="pay", path="/v1/other")

    assert "The call would be refused: ambiguous_call." in found
    assert "→ send" not in found


def test_shadows_stand_apart():
    """Under their own heads, and said to be what they are."""
    found = told(tool="x", agent="bob")

    assert "default, soon (shadow)  (version" in found[2]
    assert "timeout (shadow: computed, never acted upon)" in found
    assert any("in shadow: " in line for line in found)


@pytest.mark.parametrize(
    ("section", "computed"),
    [
        ("retry: {}", " but its cool-down"),
        ("hedge: {}", " but its cool-down"),
        ("cache: {max_age: 1m}", ""),
        ("fallback: [{cache: {}}]", ""),
    ],
)
def test_the_shadow_of_what_acts_says_that_it_computes_nothing(section, computed):
    """As `check` does: what an act would have brought nobody knows without it."""
    policies = f"policies: [{{name: soon, mode: shadow, effect: read, {section}}}]"
    name = section.partition(":")[0]

    assert f"{name} (shadow: nothing is computed of it{computed})" in told(Desk(policies), tool="x")


def test_sections_that_are_off_are_said_to_be():
    """In one line; and warnings at the end."""
    found = told(Desk("policies: [{name: p, match: {upstream: gateway}, timeout: {}}]"))

    assert any(re.match("off +deny, approval, retry, .*breaker", line) for line in found)
    assert told(Desk(mounts=GATEWAY))[-2].startswith("warning   ")


def test_values_are_spelled_as_in_a_file():
    """Those inside of others by their paths; long ones in several lines, with their place below."""
    found = [" ".join(line.split()) for line in told(tool="x")]

    assert "backoff.base 100ms built in" in found
    assert "treat_as_not_executed [] built in" in found
    assert "first_byte – built in" in found
    at = next(i for i, line in enumerate(found) if line.startswith("on connect, disconnect"))
    assert found[at + 2] == "built in"


def test_what_is_said_in_a_word_has_its_place():
    """Effect, risk, and what becomes of the call without a journal, whoever says it."""
    asked = "policies:\n- name: p\n  risk: high\n  timeout: {}\n"
    found = [" ".join(line.split()) for line in told(Desk(asked), tool="deposit")]

    assert "effect write built in" in found
    assert any(re.fullmatch(r"risk high \S+:\d+ \(p\)", line) for line in found)
    assert "on_journal_failure deny built in" in found


def test_names_cannot_speak_to_the_terminal():
    """They are what somebody sent: neither colours nor lines of their own."""
    found = "".join(told(tool="x", agent="a\x1b[31m\neffect    read"))

    assert "agent=a\\x1b[31m\\neffect" in found
    assert found.isprintable()
