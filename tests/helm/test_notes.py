"""What helm says at the end of an installation, drawn without a cluster."""

import shutil

import yaml

from tests.helm.drawing import CHART, GATEWAY, NEWEST, helm

SHOWN = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: notes}
data:
  said: |
    {{- include "notes" . | nindent 4 }}
"""


def said(folder, *options, kube=NEWEST):
    """The notes, for a release `payments` in the namespace `agents`."""
    chart = folder / "holdfast"
    shutil.copytree(CHART, chart)
    notes = (chart / "templates" / "NOTES.txt").read_text("utf-8")
    (chart / "templates" / "_notes.tpl").write_text('{{- define "notes" }}' + notes + "{{ end }}")
    (chart / "templates" / "said.yaml").write_text(SHOWN)
    where = ("--namespace", "agents", "--kube-version", kube, "--show-only", "templates/said.yaml")
    ran = helm("template", "payments", chart, *where, *options)
    assert ran.returncode == 0, ran.stderr
    return yaml.safe_load(ran.stdout)["data"]["said"]


def test_a_gateway_says_where_it_is_and_what_holds_nobody_yet(tmp_path):
    """Its address, how to look at it, and that all agents are one to it and may go around it."""
    notes = said(tmp_path, "--set=gateway.enabled=true")

    assert "Agents call http://payments-holdfast.agents.svc:8700\n" in notes
    assert "kubectl -n agents exec payments-holdfast-0 -- holdfast status\n" in notes
    assert 'All agents are "payments-holdfast" to it' in notes
    assert "Nothing holds agents to this way yet" in notes
    assert "There is no tokens file" in notes


def test_a_gateway_that_is_closed_says_nothing_of_it(tmp_path):
    """The example names tokens, identities, and who is confined."""
    notes = said(tmp_path, "--values", GATEWAY)

    assert notes.splitlines()[0].endswith("http://gateway.agents.svc:8700")
    assert not [word for word in ("All agents", "Nothing holds", "no tokens") if word in notes]


def test_a_gateway_says_what_its_pods_and_the_world_may(tmp_path):
    """Pods without a key of the fleet, and an address that leads out of the cluster."""
    many = "--set=gateway.enabled=true,gateway.replicas=2,store.url=redis://r:6379"
    open_to_all = "--set=gateway.service.type=LoadBalancer,settings.identity={static}"
    notes = said(tmp_path, many, open_to_all)

    assert "Without fleetKey its pods do not believe each other" in notes
    assert "reached from outside of the cluster (LoadBalancer)" in notes


def test_what_is_for_sidecars_says_that_nothing_runs_yet(tmp_path):
    """And, in an old cluster, what the classic form cannot do."""
    notes = said(tmp_path, kube="1.28.0")

    assert "Nothing runs yet" in notes
    assert "(v1.28.0, sidecar.form: auto) get a classic sidecar" in notes


def test_a_native_sidecar_in_a_cluster_without_is_told(tmp_path):
    """It would be an ordinary init container, which never ends."""
    notes = said(tmp_path, "--set=sidecar.form=native", kube="1.28.0")

    assert "say sidecar.form: auto" in notes
