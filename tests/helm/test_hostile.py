"""Names and texts that are made to do harm, or that nobody thought of."""

import json

import pytest
import yaml

from tests.helm.drawing import agent_chart, containers, drawn, one, pods, text
from tests.helm.matrix import ALONE, REDIS

LONGEST = "a" * 53
"""That helm takes for a release."""


def objects(release):
    return [each for each in yaml.safe_load_all(text(ALONE, REDIS, release=release)) if each]


@pytest.mark.parametrize("release", [LONGEST, "my.agents", "a-" * 23 + "b", "a" * 45 + ".b"])
def test_any_name_of_a_release_becomes_names(release):
    """Of Services no dots; of StatefulSets 52 characters, for of 63 for their revision."""
    for each in objects(release):
        if each["kind"] in {"Service", "StatefulSet"}:
            name = each["metadata"]["name"]
            assert len(name) <= 52
            assert "." not in name
            assert not name.endswith("-")


@pytest.mark.parametrize("release", ["1234", "1e3", "true", "null"])
def test_a_release_that_yaml_takes_for_something_else_is_a_text(release):
    """In labels and selectors; Kubernetes takes no numbers there."""
    for each in yaml.safe_load_all(text(release=release)):
        assert each["metadata"]["labels"]["app.kubernetes.io/instance"] == release


def test_a_secret_of_digits_is_a_text():
    """In volumes and in variables."""
    names = (
        "--set-string=tokens.existingSecret=123,store.existingSecret=456,fleetKey.existingSecret=7"
    )
    (pod,) = (pod for pod in pods(drawn(ALONE, names)) if pod.get("kind") != "Pod")
    mounted = [each["secret"]["secretName"] for each in pod["spec"]["volumes"] if "secret" in each]
    read = [each["valueFrom"]["secretKeyRef"]["name"] for each in containers(pod)[0]["env"][2:]]

    assert (mounted, read) == (["123"], ["456", "7"])


@pytest.mark.parametrize(
    "written",
    [
        "  policies:\n    - name: indented\n",
        "# {{ .Values.nothing }} {{`x`}} ${file:/x}\npolicies: []\n",
        "a: 1\n---\nb: 2\n",
        "a: 1   \t\n\n\n# end   \n",
        "a: 1\t# after a tab\n",
        "a: 1\r\nb: 2\r\n",
        "a: " + "x" * 100_000 + "\n",
    ],
)
def test_policies_as_text_are_what_was_written(written, tmp_path):
    """To the byte: no braces are read, no indentation is lost."""
    values = tmp_path / "values.yaml"
    values.write_text(json.dumps({"policies": {"20-mine.yaml": written}}), encoding="utf-8")

    assert (
        one(drawn("--values", values), "ConfigMap", "-policies")["data"]["20-mine.yaml"] == written
    )


def test_words_that_helm_takes_for_truth_values_keep_their_quotes(tmp_path):
    """`on` and `off`, which policies have; without quotes the schema refuses them."""
    values = tmp_path / "values.yaml"
    policy = '{name: x, retry: {"on": [connect]}, mode: "off"}'
    values.write_text(f"policies: {{20-a.yaml: {{policies: [{policy}]}}}}")
    made = one(drawn("--values", values), "ConfigMap", "-policies")["data"]["20-a.yaml"]

    assert 'mode: "off"' in made
    assert '"on":' in made


def test_a_label_that_rules_select_by_may_have_any_text():
    """A number sign once began a comment there, and cut the query off."""
    said = '--set-json=monitoring.rules.select={"team":"a #b: \'c\' $1"}'
    (found, *_) = one(drawn("--set=monitoring.rules.enabled=true", said), "PrometheusRule")["spec"][
        "groups"
    ]

    assert found["rules"][0]["expr"].startswith("up{team=\"a #b: 'c' $1\",} == 0 and on")


def test_no_pause_is_none():
    """Some versions of Kubernetes refuse to sleep for no time."""
    gateway = drawn(ALONE, "--set=gateway.preStop=0")
    classic = "--set=holdfast.sidecar.form=classic,holdfast.sidecar.preStop=0"
    for pod in (*pods(gateway), *pods(drawn(classic, chart=agent_chart()))):
        assert "preStop" not in containers(pod)[0].get("lifecycle", {})


def test_the_agent_of_a_gateway_has_no_way_to_redis():
    """Its pod does not have the label that Redis lets through; those of the gateway have."""
    made = drawn(
        "--set=holdfast.gateway.enabled=true,holdfast.redis.enabled=true,holdfast.redis.existingSecret=r",
        chart=agent_chart(),
    )
    (rule,) = one(made, "NetworkPolicy", "-redis")["spec"]["ingress"]
    let = rule["from"][0]["podSelector"]["matchLabels"]
    reaching = [pod for pod in pods(made) if let.items() <= pod["metadata"]["labels"].items()]

    assert [containers(pod)[0]["name"] for pod in reaching] == ["holdfast"]
