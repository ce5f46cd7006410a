"""proxy/cli/slo_rules.py"""

import pytest
import yaml

from tests.prometheus import needs_promtool, promtool

SLOS = """
slos:
  - name: completion
    sli: success
    per: task
    objective: 0.995
    alerts: [{burn: 14.4, long: 1h, short: 5m}, {burn: 1, long: 3d, short: 6h, severity: ticket}]
  - {name: latency, sli: latency, threshold: 5s, objective: 0.99, window: 28d}
"""


def test_prints_rules_of_all_slos(holdfast, policies):
    """A file that Prometheus reads; the same one each time."""
    policies(SLOS)
    ran = holdfast("slo", "rules")

    assert (ran.code, ran.err) == (0, "")
    names = [group["name"] for group in yaml.safe_load(ran.out)["groups"]]
    assert "sloth-slo-alerts-holdfast-completion" in names
    assert "sloth-slo-sli-recordings-holdfast-latency" in names
    assert holdfast("slo", "rules").out == ran.out


def test_service_and_series_are_said(holdfast, policies):
    """Where several fleets share a Prometheus."""
    policies(SLOS)
    out = holdfast("slo", "rules", "--service", "checkout", "--select", "job=holdfast").out

    assert "sloth_id: checkout-completion" in out
    assert 'holdfast_slo_events_total{slo="completion",job="holdfast",good="false"}[5m]' in out


def test_a_resource_for_the_operator(holdfast, policies):
    """The same groups, in the envelope of Kubernetes."""
    policies(SLOS)
    plain = yaml.safe_load(holdfast("slo", "rules").out)
    made = yaml.safe_load(
        holdfast("slo", "rules", "--crd", "--namespace", "agents", "--label", "release=prom").out
    )

    assert (made["apiVersion"], made["kind"]) == ("monitoring.coreos.com/v1", "PrometheusRule")
    assert made["metadata"]["name"] == "holdfast-slos"
    assert made["metadata"]["namespace"] == "agents"
    assert made["metadata"]["labels"]["release"] == "prom"
    assert made["spec"] == plain


@needs_promtool
def test_promtool_has_nothing_to_say(holdfast, policies, tmp_path):
    """Of the text as it is printed."""
    policies(SLOS)
    (tmp_path / "rules.yaml").write_text(holdfast("slo", "rules").out)
    ran = promtool("check", "rules", tmp_path / "rules.yaml")

    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(
    "wrong",
    [
        ("--select", "job"), ("--select", "a-b=c"), ("--label", "=x"), ("--service", "a b"),
        ("--name", "UPPER"), ("--namespace", "-"),
    ],
)  # fmt: skip
def test_what_cannot_stand_there_is_wrong_usage(holdfast, policies, wrong):
    """It is said what was found, and nothing is printed."""
    policies(SLOS)
    ran = holdfast("slo", "rules", *wrong)

    assert (ran.code, ran.out) == (64, "")
    assert f"{wrong[0]}: expected" in ran.err
    assert repr(wrong[1]) in ran.err


def test_without_slos_there_is_nothing_to_print(holdfast, policies):
    """An empty file of rules would look like one that watches."""
    policies("policies: []")
    ran = holdfast("slo", "rules")

    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "holdfast: ./policies has no slos; there is nothing to make rules of\n"


def test_errors_of_the_files_are_shown(holdfast, policies):
    """Each with its place."""
    policies("slos: [{name: a, sli: success, objective: 2}]")
    ran = holdfast("slo", "rules")

    assert (ran.code, ran.out) == (1, "")
    assert "slos[0].objective" in ran.err
