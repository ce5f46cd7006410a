"""Who watches it: monitors, rules and dashboards, as the chart draws them."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.cli import main
from tests.helm.drawing import CHART, ROOT, agent_chart, drawn, one, pods, refused
from tests.prometheus import needs_promtool, promtool
from tests.promql import needs_parser, parse, selectors

POD = "--set=monitoring.podMonitor.enabled=true"
SERVICE = "--set=monitoring.serviceMonitor.enabled=true"
RULES = "--set=monitoring.rules.enabled=true"
BOARDS = "--set=monitoring.dashboards.enabled=true"
GATEWAY = "--set=gateway.enabled=true"
OURS = {"PodMonitor", "ServiceMonitor", "PrometheusRule"}


def alerts(*options: str | Path) -> dict[str, dict[str, Any]]:
    """By name, of those for which one is enough."""
    rule = one(drawn(RULES, *options), "PrometheusRule")
    every = [each for group in rule["spec"]["groups"] for each in group["rules"]]
    return {each["alert"]: each for each in every if "alert" in each}


def written(name: str) -> list[dict[str, Any]]:
    """Rules of a file of the chart."""
    read = yaml.safe_load((CHART / "rules" / name).read_text("utf-8"))
    return [rule for group in read["groups"] for rule in group["rules"]]


def test_nobody_watches_unless_it_is_said():
    """A cluster may lack the operator's kinds, and would refuse all of the release for one."""
    made = drawn(GATEWAY)

    assert not OURS & {each["kind"] for each in made}
    assert [each for each in made if "dashboard" in each["metadata"]["name"]] == []


def test_pods_are_found_beside_agents_and_in_the_gateway():
    """By the label that both have, at the port that both have."""
    monitor = one(drawn(GATEWAY, POD), "PodMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    (endpoint,) = monitor["podMetricsEndpoints"]
    beside = [*pods(drawn(chart=agent_chart()))]
    found = [
        pod
        for pod in [*pods(drawn(GATEWAY)), *beside]
        if {key for key, _ in wanted} <= pod["metadata"]["labels"].keys()
    ]

    assert len(found) >= 2
    for pod in found:
        every = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]
        names = [port["name"] for each in every for port in each.get("ports", ())]
        assert names.count(endpoint["port"]) == 1
    gateway = next(pods(drawn(GATEWAY)))
    assert wanted <= gateway["metadata"]["labels"].items()


def test_a_pod_is_asked_by_one_monitor():
    """With both, the gateway is the ServiceMonitor's: each series would be there twice."""
    made = drawn(GATEWAY, POD, SERVICE)
    left = one(made, "PodMonitor")["spec"]["selector"]["matchExpressions"]
    gateway = next(pods(made))["metadata"]["labels"]["app.kubernetes.io/component"]

    assert left == [
        {"key": "app.kubernetes.io/component", "operator": "NotIn", "values": [gateway]}
    ]


def test_the_gateway_is_found_by_one_service():
    """The one that leads to each pod, not the one that balances."""
    made = drawn(GATEWAY, SERVICE)
    monitor = one(made, "ServiceMonitor")["spec"]
    wanted = monitor["selector"]["matchLabels"].items()
    (found,) = (
        each
        for each in made
        if each["kind"] == "Service" and wanted <= each["metadata"]["labels"].items()
    )

    assert found["spec"]["clusterIP"] == "None"
    assert monitor["endpoints"][0]["port"] in [port["name"] for port in found["spec"]["ports"]]


@pytest.mark.parametrize(("kind", "how"), [("PodMonitor", POD), ("ServiceMonitor", SERVICE)])
def test_a_target_has_the_names_that_rules_and_dashboards_know(kind, how):
    """Its job is that of the release, its instance the pod; what values add comes after."""
    more = '--set-json=monitoring.relabelings=[{"targetLabel":"cluster","replacement":"eu"}]'
    drop = '--set-json=monitoring.metricRelabelings=[{"action":"labeldrop","regex":"kind"}]'
    times = "--set=monitoring.interval=15s,monitoring.scrapeTimeout=5s"
    labels = "--set=monitoring.labels.release=prom,monitoring.annotations.by=us"
    made = one(drawn(GATEWAY, how, more, drop, times, labels), kind)
    (endpoint,) = made["spec"].get("podMetricsEndpoints") or made["spec"]["endpoints"]

    assert endpoint == {
        "port": "holdfast-admin", "path": "/metrics", "interval": "15s", "scrapeTimeout": "5s",
        "relabelings": [
            {"targetLabel": "job", "replacement": "payments-holdfast"},
            {"sourceLabels": ["__meta_kubernetes_pod_name"], "targetLabel": "instance"},
            {"targetLabel": "cluster", "replacement": "eu"},
        ],
        "metricRelabelings": [{"action": "labeldrop", "regex": "kind"}],
    }  # fmt: skip
    assert made["metadata"]["labels"]["release"] == "prom"
    assert made["metadata"]["annotations"] == {"by": "us"}


@pytest.mark.parametrize(
    ("given", "found"),
    [("[]", None), ('["a","b"]', {"matchNames": ["a", "b"]}), ('["*"]', {"any": True})],
)
def test_agents_are_looked_for_where_it_is_said(given, found):
    """Nowhere but in the release's own namespace unless it is."""
    monitor = one(drawn(POD, f"--set-json=monitoring.podMonitor.namespaces={given}"), "PodMonitor")

    assert monitor["spec"].get("namespaceSelector") == found


def test_all_rules_of_the_files_are_there():
    """With their words and times, of all series where no monitor says which."""
    made = alerts()
    every = {rule["alert"]: rule for rule in written("health.yaml") + written("slos.yaml")}

    assert made == every


@pytest.mark.parametrize(
    ("options", "by"),
    [
        ((POD,), {"job"}),
        ((GATEWAY, SERVICE), {"job"}),
        ((POD, "--set=monitoring.rules.select.cluster=e$u"), {"cluster"}),
        (("--set=monitoring.rules.select.namespace=agents",), {"namespace"}),
    ],
    ids=["pods", "gateway", "other labels", "labels alone"],
)
def test_every_selector_reads_what_is_meant(options, by):
    """Also those of up and of the process, which other programs have as well."""
    for rule in alerts(*options).values():
        assert selectors(rule["expr"])
        assert [name for name, labels in selectors(rule["expr"]) if not labels >= by] == []


def test_a_label_is_taken_as_it_is():
    """A dollar in it is no reference to anything."""
    made = alerts("--set=monitoring.rules.select.cluster=e$1u")

    assert made["ReloadFailed"]["expr"] == (
        'holdfast_config_last_reload_success{cluster="e$1u",} == 0'
    )


def test_alerts_are_left_out_labelled_and_linked():
    """Each has where its runbook is; a group of which nothing is left goes as well."""
    gone = sorted({rule["alert"] for rule in written("slos.yaml")})
    options = (
        f"--set-json=monitoring.rules.disabled={json.dumps([*gone, 'Killed'])}",
        "--set=monitoring.rules.alertLabels.team=agents,monitoring.rules.interval=1m",
        "--set=monitoring.rules.runbooks=https://wiki.example/holdfast",
    )
    groups = one(drawn(RULES, *options), "PrometheusRule")["spec"]["groups"]
    made = alerts(*options)

    assert not made.keys() & {*gone, "Killed"}
    assert "holdfast-slos" not in [group["name"] for group in groups]
    assert {group["interval"] for group in groups} == {"1m"}
    assert made["PodDown"]["labels"] == {"severity": "page", "source": "process", "team": "agents"}
    assert {name: rule["annotations"]["runbook_url"] for name, rule in made.items()} == {
        name: f"https://wiki.example/holdfast#{name.lower()}" for name in made
    }


@pytest.mark.parametrize("form", [(), ("--crd",)], ids=["file", "resource"])
def test_rules_of_slos_are_taken_as_they_are_printed(form, tmp_path, capsys):
    """In the place of those that know less; either form of `holdfast slo rules` will do."""
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "slos.yaml").write_text(
        "slos: [{name: calls, sli: success, objective: 0.99, match: {tool: pay}}]\n"
    )
    with pytest.raises(SystemExit, match="0"):
        main(["slo", "rules", str(policies), *form])
    printed = tmp_path / "rules.yaml"
    printed.write_text(capsys.readouterr().out)
    made = one(drawn(RULES, "--set-file", f"monitoring.rules.slos={printed}"), "PrometheusRule")[
        "spec"
    ]["groups"]
    told = yaml.safe_load(printed.read_text())

    given = told["spec"]["groups"] if form else told["groups"]
    assert [group for group in made if group["name"].startswith("sloth")] == given
    assert "holdfast-slos" not in [group["name"] for group in made]


def test_rules_of_slos_that_are_none_are_refused():
    """A file that is something else would be no rules at all, and nobody would notice."""
    told = refused(RULES, "--set=monitoring.rules.slos=slos: []")

    assert "expected what `holdfast slo rules` prints" in told


def test_own_groups_are_added():
    """Behind those of the chart."""
    own = [{"name": "mine", "rules": [{"record": "a:b", "expr": "vector(1)"}]}]
    made = one(
        drawn(RULES, f"--set-json=monitoring.rules.groups={json.dumps(own)}"), "PrometheusRule"
    )

    assert made["spec"]["groups"][-1:] == own


@needs_parser
def test_what_is_written_into_selectors_can_be_parsed():
    """By a parser that follows Prometheus' own grammar; it raises, with the place, where not."""
    made = alerts(POD, "--set=monitoring.rules.select.cluster=e$u")

    assert all(parse(rule["expr"]) for rule in made.values())


@needs_promtool
def test_promtool_takes_what_is_drawn(tmp_path):
    """With the labels of the release in every selector."""
    rule = one(drawn(RULES, POD), "PrometheusRule")
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump(rule["spec"]))
    ran = promtool("check", "rules", path)

    assert (ran.returncode, ran.stderr) == (0, "")


def test_each_dashboard_is_a_config_map_of_its_own():
    """As it is in its file, where a sidecar of Grafana finds it: one map has no room for all."""
    made = [each for each in drawn(BOARDS) if each["metadata"]["name"].endswith("-dashboard")]
    files = {path.name: path for path in (CHART / "dashboards").glob("*.json")}

    assert len(made) == len(files) == len({each["metadata"]["name"] for each in made})
    for each in made:
        ((name, text),) = each["data"].items()
        assert json.loads(text) == json.loads(files.pop(name).read_text("utf-8"))
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Holdfast"}
        assert len(text) < 256 * 1024


def test_dashboards_go_where_grafana_looks():
    """Its namespace, its label."""
    options = "--set=monitoring.dashboards.namespace=grafana,monitoring.dashboards.labels.find=me"
    made = [
        each for each in drawn(BOARDS, options) if each["metadata"]["name"].endswith("-dashboard")
    ]

    assert {each["metadata"]["namespace"] for each in made} == {"grafana"}
    assert {each["metadata"]["labels"]["find"] for each in made} == {"me"}


@pytest.mark.parametrize(
    ("option", "why"),
    [
        ("monitoring.rules.enabeld=true", "Additional property enabeld is not allowed"),
        ("monitoring.interval=soon", "monitoring.interval: Does not match pattern"),
        ("monitoring.rules.select.a-b=c", 'Property name of "a-b" does not match'),
    ],
)
def test_a_value_that_there_is_not(option, why):
    """The schema says so before Prometheus does."""
    assert why in refused(f"--set={option}")


def test_a_service_monitor_without_a_gateway_is_refused():
    """It would find nothing, and nobody would notice."""
    assert "Sidecars are found by monitoring.podMonitor" in refused(SERVICE)


def test_values_in_the_page_are_values_of_the_chart():
    """The block that docs/prometheus.md shows can be given to helm."""
    page = (ROOT / "docs" / "prometheus.md").read_text("utf-8")
    block = page.partition("# values of the chart\n")[2].partition("```")[0]
    given = json.dumps(yaml.safe_load(block)["monitoring"])
    kinds = {each["kind"] for each in drawn(f"--set-json=monitoring={given}")}

    assert kinds >= {"PodMonitor", "PrometheusRule", "ConfigMap"}
