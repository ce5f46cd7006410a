"""What the chart makes is what Kubernetes takes, and what it says fits together."""

import functools
import json
import re

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from kubernetes_validate import utils

from tests.helm.commands import takes
from tests.helm.drawing import CHART, Drawn, agent_chart, containers, drawn, helm, pods
from tests.helm.matrix import ALONE, CASES, REDIS, Case

utils.schema_contents = functools.cache(utils.schema_contents)  # it reads megabytes for each object

VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
    "projected", "secret",
}  # fmt: skip
"""That the Pod Security Standard `restricted` allows."""


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_helm_finds_no_fault_with_the_charts():
    """Not even a warning."""
    for chart in (CHART, agent_chart()):
        ran = helm("lint", "--strict", chart)

        assert ran.returncode == 0, ran.stdout


def test_every_object_is_one_of_its_cluster(case: Case):
    """By Kubernetes' own schema of that version, which knows no other fields."""
    for each in case.drawn():
        if not each["apiVersion"].startswith("monitoring.coreos.com/"):
            judge(json.dumps(each), case.kube.rpartition(".")[0])


@functools.cache
def judge(written: str, version: str) -> None:
    """Once for each: most of the matrix makes the same."""
    kubernetes_validate.validate(json.loads(written), version, strict=True)


def test_no_two_objects_have_one_name(case: Case):
    """The second would replace the first."""
    names = [(each["kind"], each["metadata"]["name"]) for each in case.drawn()]

    assert len(set(names)) == len(names)


def test_every_container_is_restricted(case: Case):
    """By the Pod Security Standard of that name, with a root that nobody can write on top."""
    for pod in pods(case.drawn()):
        spec = pod["spec"]
        assert not {"hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace"} & spec.keys()
        assert spec["automountServiceAccountToken"] is False
        assert all(volume.keys() & VOLUMES for volume in spec.get("volumes", ()))
        for container in containers(pod):
            held = container["securityContext"]
            assert held["runAsNonRoot"] is True
            assert held["allowPrivilegeEscalation"] is False
            assert held["capabilities"] == {"drop": ["ALL"]}
            assert held["seccompProfile"] == {"type": "RuntimeDefault"}
            assert held.get("readOnlyRootFilesystem") or container["name"] == "agent"
            assert held.get("runAsUser", 1) > 0
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]


def test_numbers_of_users_can_be_left_to_the_cluster():
    """OpenShift refuses those that are not of its own range."""
    for pod in pods(CASES["OpenShift"].drawn()):
        for held in (pod["spec"], *containers(pod)):
            said = held.get("securityContext", {})
            assert not {"runAsUser", "runAsGroup", "fsGroup"} & said.keys()


def test_what_a_container_runs_is_a_command(case: Case):
    """Of this version of Holdfast, with the options that it gets."""
    for pod in pods(case.drawn()):
        for container in containers(pod):
            if container["name"] == "holdfast":
                takes(container["args"])


def test_what_is_mounted_is_there_and_what_is_there_is_mounted(case: Case):
    """Each volume has one name; the one that the user brings is named in the values."""
    for pod in pods(case.drawn()):
        there = [volume["name"] for volume in pod["spec"].get("volumes", ())]
        used = [mount["name"] for each in containers(pod) for mount in each.get("volumeMounts", ())]

        assert len(set(there)) == len(there)
        assert set(there) <= set(used)
        assert set(used) - set(there) <= {"kept", "holdfast-journal"}


def test_a_volume_is_of_one_kind(case: Case):
    """Kubernetes refuses two; helm would add a claim to the `emptyDir` that is there by default."""
    for pod in pods(case.drawn()):
        for volume in pod["spec"].get("volumes", ()):
            assert len(volume) == 2, volume


def test_what_is_the_proxys_alone_is_mounted_nowhere_else(case: Case):
    """Keys, tokens and the journal are out of the agent's reach."""
    for pod in pods(case.drawn()):
        for container in containers(pod):
            if container["name"] == "agent":
                assert "volumeMounts" not in container
                assert not [each for each in container["env"] if "valueFrom" in each]


def test_probes_and_addresses_name_ports_that_there_are(case: Case):
    """A name that is not there is found by nobody before a pod fails."""
    objects = case.drawn()
    open_ports = set()
    for pod in pods(objects):
        for container in containers(pod):
            ports = {port["name"] for port in container.get("ports", ())}
            open_ports |= ports
            for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
                asked = container.get(kind, {})
                for way in ("httpGet", "tcpSocket"):
                    assert asked.get(way, {"port": None})["port"] in {None, *ports}
    for each in objects:
        if each["kind"] == "Service":
            assert {port["targetPort"] for port in each["spec"]["ports"]} <= open_ports


def test_selectors_find_the_pods_that_they_are_for(case: Case):
    """Of workloads, addresses, disruption budgets, and of network policies but for `confined`."""
    objects = case.drawn()
    labels = [pod["metadata"]["labels"] for pod in pods(objects)]
    for each in objects:
        wanted = _selected(each)
        if wanted is not None and not each["metadata"]["name"].endswith("-confined"):
            assert any(wanted.items() <= worn.items() for worn in labels), each["metadata"]


def _selected(each: Drawn) -> dict[str, str] | None:
    spec = each.get("spec", {})
    if each["kind"] == "Service":
        return spec["selector"]
    if each["kind"] == "NetworkPolicy":
        return spec["podSelector"]["matchLabels"]
    return spec["selector"]["matchLabels"] if "selector" in spec else None


def test_an_empty_list_lets_nobody_through(case: Case):
    """In a rule of Kubernetes it would mean everybody."""
    closed = '--set-json=networkPolicy={"agents":[],"admin":[],"dns":[],"confined":{"a":"b"}}'
    for each in [*case.drawn(), *drawn(ALONE, REDIS, closed)]:
        if each["kind"] == "NetworkPolicy":
            rules = [*each["spec"].get("ingress", ()), *each["spec"].get("egress", ())]
            assert [] not in [
                peers for rule in rules for peers in (rule.get("to"), rule.get("from"))
            ]


def test_a_pod_lives_until_its_calls_are_finished(case: Case):
    """preStop, drain and 5 s for the journal fit into the grace period."""
    objects = case.drawn()
    drain = next(
        int(found[1])
        for each in objects
        if (found := re.search(r"drain: (\d+)s", each.get("data", {}).get("holdfast.yaml", "")))
    )
    for pod in pods(objects):
        for container in containers(pod):
            if container["name"] == "holdfast" and container.get("args") == ["run"]:
                pause = re.search(
                    r"\d+(?=\)|})", str(container.get("lifecycle", {}).get("preStop"))
                )
                wanted = int(pause[0] if pause else 0) + drain + 5
                assert pod["spec"]["terminationGracePeriodSeconds"] >= wanted
