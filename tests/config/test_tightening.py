"""proxy/config/tightening.py"""

import re

import msgspec
import pytest

from proxy.config.cascade import cascade
from proxy.config.load import load_policies
from proxy.config.loaded import Loaded
from proxy.config.places import ConfigError
from proxy.config.tightening import tightened, tightest
from tests.tables import GATEWAY, load

POLICIES = """
policies:
  - {name: usual, timeout: {total: 9s}}
  - {name: closed, match: {tool: get_x}, deny: true}
  - {name: slow, timeout: {total: 1s}}
  - {name: last, timeout: {connect: 1s}}
slos:
  - {name: a, sli: success, objective: 0.99, on_exhausted: [{tighten: closed}, {tighten: slow}]}
  - {name: b, sli: success, objective: 0.99, on_exhausted: [{tighten: slow}, notify]}
  - name: c
    sli: success
    objective: 0.99
    match: {tool: "get_*"}
    on_exhausted: [require_approval]
  - {name: d, sli: success, objective: 0.99}
"""


def loaded(text: str = POLICIES) -> Loaded:
    """As it is read."""
    return load(GATEWAY + text)


def names(of: Loaded) -> list[str]:
    """The policies in force, in their order."""
    return [policy.name for policy in of.policies]


def approvers(of: Loaded, tool: str) -> object:
    """How many people are asked about it; None: nobody."""
    section = cascade(of.policies, {"tool": tool}).sections.get("approval")
    return None if section is None else section.fields["approvers"]


def test_a_policy_that_tightens_is_not_in_force_by_itself():
    """Wherever policies are read; all of them are known."""
    read = loaded()
    assert names(read) == ["usual", "last"]
    assert [policy.name for policy in read.written] == ["usual", "closed", "slow", "last"]
    assert read.tools == {"get_x"}


def test_it_is_in_force_in_its_place_while_a_budget_is_used_up():
    """Of any objective that names it, by another version, and it is said why."""
    read = loaded()
    one = tightened(read, frozenset({"b"}))
    assert names(one) == ["usual", "slow", "last"]
    assert [str(each) for each in one.warnings if each not in read.warnings] == [
        f"{read.written[2].place}: policies[2]: the policy slow is in force, for the error budget "
        "of b is used up"
    ]
    both = tightened(read, frozenset({"a", "b"}))
    assert names(both) == ["usual", "closed", "slow", "last"]
    versions = {read.version, one.version, both.version}
    assert len(versions) == 3
    assert all(re.fullmatch("[0-9a-f]{12}", version) for version in versions)


def test_alerts_have_policies_come_into_force_as_well():
    """Those that their ladders name, while one stands on the step; and no others."""
    read = loaded(POLICIES.replace("[{tighten: slow}, notify]", "[notify]"))
    read = msgspec.structs.replace(read, climbed=frozenset({"last"}))
    assert names(tightened(read)) == ["usual"]
    stepped = tightened(read, stepped=frozenset({"last", "usual"}))
    assert names(stepped) == ["usual", "last"]
    assert str(stepped.warnings[-1]).endswith("last is in force, for an alert wants it")
    assert names(tightest(read)) == ["usual", "closed", "slow", "last", "slo/c"]


def test_when_it_is_over_all_is_as_it_was():
    """By the same version; so it is for those of which nothing follows, or that are gone."""
    read = loaded()
    for exhausted in (frozenset[str](), frozenset({"d", "gone"})):
        assert tightened(tightened(read, frozenset({"d"})), exhausted) == read
    plain = loaded("policies: [{name: p}]\n")
    assert tightest(plain) is plain


def test_people_are_asked_behind_all_that_is_written():
    """For the calls of the objective, under its name."""
    read = loaded()
    asked = tightened(read, frozenset({"c"}))
    assert names(asked) == ["usual", "last", "slo/c"]
    assert approvers(asked, "get_x") == 1
    assert approvers(asked, "send") is None
    assert asked.policies[-1].place.file.endswith("p.yaml:12")
    assert "the policy slo/c is in force" in str(asked.warnings[-1])


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ("approval: {approvers: 2, when: 'false'}", 2),
        ("approval: false", 1),
        ("approval: {when: 'false'}", 1),
        ("risk: critical", 2),
        ("match: {tool: send}, risk: critical", 1),
        ("risk: low", 1),
    ],
)
def test_it_asks_no_fewer_people_than_somebody_wrote(policy: str, asked: int):
    """And of no fewer calls."""
    read = loaded(POLICIES.replace("{name: last,", f"{{name: own, {policy}}}\n  - {{name: last,"))
    asks = tightened(read, frozenset({"c"}))
    assert approvers(asks, "get_x") == asked
    section = cascade(asks.policies, {"tool": "get_x"}).sections["approval"]
    assert section.fields["when"] is None


def test_a_policy_that_there_is_not_tightens_nothing():
    """It is an error, with the name that was meant."""
    with pytest.raises(ConfigError) as raised:
        loaded(POLICIES.replace("{tighten: closed}", "{tighten: close}"))
    (problem,) = raised.value.problems
    assert problem.path == "slos[0].on_exhausted[0].tighten"
    assert problem.message == "there is no policy close; did you mean closed?"


def test_freezing_canaries_is_taken_and_warned_of():
    """This version has none."""
    read = loaded(POLICIES.replace("notify", "freeze_canary"))
    assert read.slos[1].freeze_canary
    assert any(
        each.path == "slos[1].on_exhausted[1]" and "no canaries" in each.message
        for each in read.warnings
    )


def test_without_files_there_is_nothing_to_tighten():
    """Calls pass."""
    read = load_policies("", ("http://h", "tools"))
    assert tightest(read) == read
