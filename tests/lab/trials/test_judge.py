"""proxy/lab/trials/judge.py."""

import re
import shutil
from pathlib import Path

import pytest

from proxy.config.load import load_policies
from proxy.lab.trials.judge import alike, judge
from proxy.lab.trials.written import Expected, State, read_trials
from proxy.protocols.identity import Identity
from tests.lab.trials.scene import ANN, judged

ROOT = Path(__file__).parents[3]
CALL = "call: {upstream: gateway, tool: get_x}\n    "


def missed(expect, before=""):
    """What was missed: the path, what was found, and why."""
    found = judged(f"{CALL}{before}expect: {expect}")
    assert found.ok is (not found.misses)
    return [(miss.path, miss.found, miss.why) for miss in found.misses]


@pytest.mark.parametrize(
    "expect",
    [
        "{verdict: allow, outcome: ok, attempts: 1, status: 200, executed: 'yes', tier: 0}",
        "{effect: read, policies: [default, reads, trial], shadow: [], took: 0s, code: ''}",
        "{values: {retry.attempts: 3, timeout.total: 45s, timeout.attempt: null}}",
        "{values: {breaker: true, breaker.open.base: 9000ms, breaker.keys: [upstream, tool]}}",
        "{values: {retry.backoff: {base: 100ms, factor: 2}}}",
    ],
)
def test_what_is_met(expect):
    """However it is spelled."""
    assert missed(expect) == []


@pytest.mark.parametrize(
    ("expect", "path", "found", "why"),
    [
        ("{attempts: 2}", "expect.attempts", 1, ""),
        ("{took: 5s}", "expect.took", "0s", ""),
        ("{effect: write}", "expect.effect", "read", ""),
        ("{policies: [default]}", "expect.policies", ("default", "reads", "trial"), ""),
        ("{values: {retry.attempts: 2}}", "expect.values.retry.attempts", 3, ""),
        ("{values: {breaker: false}}", "expect.values.breaker", True, "breaker is on"),
        (
            "{values: {retry.atempts: 2}}",
            "expect.values.retry.atempts",
            None,
            "there is no such value; did you mean retry.attempts?",
        ),
        ("{values: {xyz: 2}}", "expect.values.xyz", None, "there is no such value"),
    ],
)
def test_what_is_missed(expect, path, found, why):
    """With what was found."""
    assert missed(expect) == [(path, found, why)]


def test_a_refusal_nobody_expected_is_explained():
    """By the stage that said no."""
    found = missed("{verdict: allow, attempts: 1}", "state: {circuits: {gateway: open}}\n    ")

    assert found[0][:2] == ("expect.verdict", "refuse")
    assert found[0][2].startswith("CircuitCheck says: The upstream gateway keeps failing")
    assert found[1] == ("expect.attempts", 0, "")


def test_a_failure_nobody_expected_is_explained():
    """By its code."""
    (miss,) = missed("{outcome: ok}", "upstream: disconnect\n    ")

    assert miss == ("expect.outcome", "failed", "it came to upstream_disconnected")


def test_a_refusal_that_explain_did_not_foresee_names_its_policy():
    """It came about only on the way."""
    (miss,) = missed("{status: 200}", "state: {throttled: {gateway/get_x: 2m}}\n    ")

    assert "CoolDown says" in miss[2]


def test_values_of_a_section_that_is_off():
    """That it is off is what one needs to know."""
    found = judged(
        "call: {}\n    expect: {values: {retry.attempts: 3, retry: false}}",
        "upstreams: {a: {url: 'http://h'}}\npolicies: [{name: p, timeout: {}}]",
    )

    assert [miss.why for miss in found.misses] == ["retry is off"]


def test_a_value_comes_with_the_place_of_its_policy():
    """And with that of the expectation."""
    (miss,) = judged(f"{CALL}expect:\n      values:\n        retry.attempts: 2").misses

    assert (miss.line, miss.policy, miss.expected) == (6, "reads", 2)
    assert miss.at.endswith("p.yaml:7")


def test_what_cannot_be_played_is_missed_where_it_stands():
    """Nothing else is looked at."""
    found = judged("call: {upstream: gateway}\n    state: {circuits: {x: open}}")

    assert [(miss.path, miss.line) for miss in found.misses] == [("state.circuits.x", 4)]
    assert not found.ok


def test_what_is_alike():
    """Durations and sizes by what they are, lists by what is in them."""
    assert alike("60s", "1m")
    assert alike("1MiB", "1024KiB")
    assert alike([1, "60s"], [1, "1m"])
    assert alike(2, 2.0)
    assert not alike([1], [1, 2])
    assert not alike("60s", 60)
    assert not alike(True, "true")


def test_the_shipped_policies_keep_what_their_tests_promise():
    """policies/tests/, as `holdfast test` plays them."""
    loaded = load_policies(ROOT / "policies", environ={})
    found = [
        judge(trial, loaded, Identity("local-agent", "default"))
        for trial in read_trials(ROOT / "policies" / "tests", {})
    ]

    assert [each for each in found if not each.ok] == []
    assert len(found) >= 12


def test_the_shipped_profiles_keep_what_their_tests_promise(tmp_path):
    """policies/tests/upstreams/, before the upstreams of policies/examples/upstreams.yaml."""
    shutil.copy(ROOT / "policies" / "10-defaults.yaml", tmp_path)
    text = (ROOT / "policies" / "examples" / "upstreams.yaml").read_text("utf-8")
    (tmp_path / "upstreams.yaml").write_text(text.partition("\npolicies:")[0])
    loaded = load_policies(tmp_path, environ={})
    trials = read_trials(ROOT / "policies" / "tests" / "upstreams", {})
    found = [judge(trial, loaded, Identity("local-agent", "default")) for trial in trials]

    assert [each for each in found if not each.ok] == []
    assert loaded.warnings == ()
    asked = {trial.case.call.upstream for trial in trials}
    assert asked == {"openai", "anthropic", "files", "pricing"}


def test_the_documented_tests_pass(tmp_path):
    """As they stand in docs/policy-tests.md, against the shipped policies."""
    page = (ROOT / "docs" / "policy-tests.md").read_text("utf-8")
    (written,) = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "a.yaml").write_text(written)
    loaded = load_policies(ROOT / "policies", environ={})
    found = [judge(trial, loaded, ANN) for trial in read_trials(tmp_path, {})]

    assert [each for each in found if not each.ok] == []
    assert len(found) == 3


@pytest.mark.parametrize("kind", [State, Expected])
def test_every_key_is_documented(kind):
    """In the tables of docs/policy-tests.md."""
    page = (ROOT / "docs" / "policy-tests.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert set(kind.__struct_fields__) <= told
